"""The pages on which a person sees requests and works on them: a list, and one request with its forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.issue import Issue
from connector_jira_jsm_sandbox.page_style import page
from connector_jira_jsm_sandbox.workbench import Workbench


@dataclass(slots=True)
class IssuePages:
    """Serves the pages and takes their forms."""

    workbench: Workbench

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/", self.all, methods=["GET"]),
            Route("/browse/{key}", self.show, methods=["GET"]),
            Route("/browse/{key}/{action}", self.act, methods=["POST"]),
        ]

    async def all(self, _: Request) -> Response:
        """List the requests, the latest activity first."""
        with self.workbench.site.lock:
            issues = sorted(self.workbench.site.issues(), key=lambda issue: issue.fields.updated, reverse=True)
            rows = "".join(self._row(issue) for issue in issues)
        empty = '<p class="soft">No requests yet. They appear here when the connector raises them.</p>'
        head = "<tr><th>Key</th><th>Summary</th><th>Status</th><th>Priority</th><th>Updated</th></tr>"
        table = f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else empty
        return HTMLResponse(page("Requests", f"<h1>Requests</h1><section>{table}</section>"))

    async def show(self, request: Request) -> Response:
        """Show one request with its forms."""
        with self.workbench.site.lock:
            issue = self.workbench.site.find(request.path_params["key"])
            if issue is None:
                return _gone()
            return HTMLResponse(page(issue.key, self._detail(issue, request.query_params.get("trouble", ""))))

    async def act(self, request: Request) -> Response:
        """Do what a form asks for and show the request again."""
        key, action = request.path_params["key"], request.path_params["action"]
        form = {name: values[-1] for name, values in _form(await request.body()).items()}
        bench = self.workbench
        actions: dict[str, Callable[[], object]] = {
            "edit": lambda: bench.edit(
                key, title=form.get("summary"), description=form.get("description"), priority=form.get("priority")
            ),
            "transition": lambda: bench.move(key, form.get("transition", "")),
            "comment": lambda: bench.comment(key, form.get("comment", ""), public="internal" not in form),
            "delete": lambda: bench.delete(key),
        }
        if action not in actions:
            return _gone()
        try:
            actions[action]()
        except KeyError:
            return _gone()
        except ValueError as error:
            issue = bench.site.find(key)
            return HTMLResponse(page(key, self._detail(issue, str(error)) if issue else ""), status_code=400)
        return RedirectResponse("/" if action == "delete" else f"/browse/{key}", status_code=303)

    def _row(self, issue: Issue) -> str:
        ticket = self.workbench.ticket_json(issue)
        address = f"/browse/{escape(issue.key)}"
        when = issue.fields.updated.strftime("%Y-%m-%d %H:%M:%S")
        return (
            f'<tr><td class="key"><a href="{address}">{escape(issue.key)}</a></td>'
            f'<td><a href="{address}">{escape(issue.fields.summary)}</a></td><td>{self._lozenge(issue)}</td>'
            f'<td>{escape(ticket["priority"])}</td><td class="when">{when}</td></tr>'
        )

    def _lozenge(self, issue: Issue) -> str:
        status = self.workbench.site.profile.status(issue.fields.status_id)
        return f'<span class="lozenge {escape(status.category)}">{escape(status.name)}</span>'

    def _detail(self, issue: Issue, problem: str) -> str:
        fields, key = issue.fields, escape(issue.key)
        alert = f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else ""
        description = shapes.html(fields.description) or '<p class="soft">No description.</p>'
        ticket = self.workbench.ticket_json(issue)
        return (
            f'<p class="soft"><a href="/">Requests</a> / {key}</p><h1>{escape(fields.summary)}</h1>{alert}'
            f"<section><p>{self._lozenge(issue)} Priority: <b>{escape(ticket['priority'])}</b></p>"
            f'<div class="text">{description}</div>{self._transitions(issue)}</section>'
            f"{self._edit_form(issue)}{self._comments(issue)}{self._history(issue)}"
            f'<form method="post" action="/browse/{key}/delete"><button class="danger">Delete issue</button></form>'
        )

    def _transitions(self, issue: Issue) -> str:
        buttons = "".join(
            f'<button name="transition" value="{escape(one.id)}">{escape(one.name)}</button>'
            for one in self.workbench.site.open_transitions(issue)
        )
        return (
            f'<form method="post" action="/browse/{escape(issue.key)}/transition">{buttons}</form>' if buttons else ""
        )

    def _edit_form(self, issue: Issue) -> str:
        fields = issue.fields
        options = "".join(
            f'<option value="{escape(one.id)}"{" selected" if one.id == fields.priority_id else ""}>'
            f"{escape(one.name)}</option>"
            for one in self.workbench.site.profile.priorities
        )
        return (
            f'<section><h2>Edit</h2><form method="post" action="/browse/{escape(issue.key)}/edit">'
            '<label>Summary<input type="text" name="summary" required maxlength="255" '
            f'value="{escape(fields.summary)}"></label>'
            '<label>Description<textarea name="description" rows="8">\n'
            f"{escape(fields.description or '')}"
            f'</textarea></label><label>Priority<select name="priority">{options}</select></label>'
            '<button class="main">Save</button></form></section>'
        )

    def _comments(self, issue: Issue) -> str:
        shown = "".join(
            f'<p class="soft"><b>{escape(one.author.display_name)}</b> {"" if one.public else "(internal) "}'
            f'{one.created:%Y-%m-%d %H:%M}</p><div class="text">{shapes.html(one.body)}</div>'
            for one in issue.fields.comments
        )
        return (
            f'<section><h2>Comments</h2>{shown}<form method="post" action="/browse/{escape(issue.key)}/comment">'
            '<label>Add a comment<textarea name="comment" rows="3" required></textarea></label>'
            '<label class="tick"><input type="checkbox" name="internal"> Internal note</label>'
            "<button>Add comment</button></form></section>"
        )

    def _history(self, issue: Issue) -> str:
        rows = "".join(
            f'<tr><td class="when">{change.created:%H:%M:%S}</td><td>{escape(change.author.display_name)}</td>'
            f"<td>{escape(item.field)}</td><td>{escape(item.old_text or '')}</td>"
            f"<td>{escape(item.new_text or '')}</td></tr>"
            for change in reversed(issue.history)
            for item in change.items
        )
        head = "<tr><th>When</th><th>Who</th><th>Field</th><th>From</th><th>To</th></tr>"
        table = f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else '<p class="soft">No changes.</p>'
        return f"<section><h2>History</h2>{table}</section>"


def _gone() -> Response:
    body = '<section><h1>Not found</h1><p>This issue does not exist. <a href="/">All requests</a></p></section>'
    return HTMLResponse(page("Not found", body), status_code=404)


def _form(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
