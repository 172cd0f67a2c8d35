"""What a person does in the sandbox, by hand on a page or through the control API: edit, move, comment, delete."""

from __future__ import annotations

from typing import Any

from connector_jira_jsm_sandbox.field_input import summary
from connector_jira_jsm_sandbox.issue import Issue
from connector_jira_jsm_sandbox.payload import BadValue
from connector_jira_jsm_sandbox.profile import Transition
from connector_jira_jsm_sandbox.site import Site


class Workbench:
    """The hands of the site's human agent. Unknown tickets raise KeyError, impossible wishes ValueError."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def ticket_json(self, issue: Issue) -> dict[str, Any]:
        """Show a ticket in words that belong to no vendor."""
        profile, fields = self.site.profile, issue.fields
        priority = profile.priority(fields.priority_id)
        return {
            "id": issue.id,
            "key": issue.key,
            "url": f"{self.site.url}/browse/{issue.key}",
            "title": fields.summary,
            "description": fields.description or "",
            "priority": priority.name if priority else "",
            "status": profile.status(fields.status_id).name,
            "done": self.site.is_done(issue),
            "updated": fields.updated.isoformat(timespec="milliseconds"),
        }

    def tickets(self) -> list[dict[str, Any]]:
        """List all tickets, oldest first."""
        with self.site.lock:
            return [self.ticket_json(issue) for issue in self.site.issues()]

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """Show one ticket."""
        with self.site.lock:
            return self.ticket_json(self.issue(ticket_id))

    def issue(self, ticket_id: str) -> Issue:
        """Find an issue by id or key."""
        issue = self.site.find(ticket_id)
        if issue is None:
            raise KeyError(ticket_id)
        return issue

    def edit(
        self, ticket_id: str, *, title: str | None = None, description: str | None = None, priority: str | None = None
    ) -> None:
        """Change fields in one save; a priority is given as a name, an id, or the core's word."""
        changes: dict[str, Any] = {}
        if title is not None:
            try:
                changes["summary"] = summary(title)
            except BadValue as error:
                raise ValueError(str(error)) from error
        if description is not None:
            changes["description"] = description.replace("\r\n", "\n") or None
        if priority is not None:
            found = self.site.profile.priority(priority)
            if found is None:
                raise ValueError(f"no such priority: {priority}")
            changes["priority_id"] = found.id
        with self.site.lock:
            self.site.edit(self.issue(ticket_id), self.site.profile.person, **changes)

    def move(self, ticket_id: str, transition: str) -> None:
        """Walk a transition, named by id or name, filling in its screen."""
        with self.site.lock:
            issue = self.issue(ticket_id)
            open_now = self.site.open_transitions(issue)
            found = next((one for one in open_now if transition in (one.id, one.name)), None)
            if found is None:
                raise ValueError(f"no such transition from here: {transition}")
            self._walk(issue, found)

    def finish(self, ticket_id: str) -> None:
        """Move a ticket to a done status; one that is done stays where it is."""
        self._move_until(ticket_id, is_done=True)

    def reopen(self, ticket_id: str) -> None:
        """Move a ticket out of the done statuses; an open one stays where it is."""
        self._move_until(ticket_id, is_done=False)

    def comment(self, ticket_id: str, text: str, *, public: bool = True) -> str:
        """Add a comment; return its id."""
        if not text.strip():
            raise ValueError("an empty comment")
        with self.site.lock:
            return self.site.comment(self.issue(ticket_id), self.site.profile.person, text, public=public).id

    def comments(self, ticket_id: str) -> list[dict[str, Any]]:
        """Show the comments of a ticket, the oldest first."""
        with self.site.lock:
            shown = self.issue(ticket_id).fields.comments
            return [
                {"id": one.id, "author": one.author.display_name, "text": one.body, "internal": not one.public}
                for one in shown
            ]

    def delete(self, ticket_id: str) -> None:
        """Delete a ticket for good."""
        with self.site.lock:
            self.site.delete(self.issue(ticket_id), self.site.profile.person)

    def _move_until(self, ticket_id: str, *, is_done: bool) -> None:
        with self.site.lock:
            issue = self.issue(ticket_id)
            while self.site.is_done(issue) != is_done:
                self._walk(issue, self._next_step(issue, is_done=is_done))

    def _next_step(self, issue: Issue, *, is_done: bool) -> Transition:
        """Choose the first step of the shortest way; the status that the integration closes to comes first."""
        profile = self.site.profile
        ways = [[one] for one in self.site.open_transitions(issue)]
        seen = {issue.fields.status_id}
        while ways:
            fitting = [way for way in ways if (profile.status(way[-1].to_status).category == "done") == is_done]
            if fitting:
                fitting.sort(key=lambda way: (way[-1].to_status != profile.close_status, len(way[-1].required_fields)))
                return fitting[0][0]
            seen |= {way[-1].to_status for way in ways}
            ways = [
                [*way, one]
                for way in ways
                for one in self.site.transitions_from(way[-1].to_status)
                if one.to_status not in seen
            ]
        raise ValueError("no transition leads there from here")

    def _walk(self, issue: Issue, transition: Transition) -> None:
        resolution = self.site.profile.resolutions[0].id if "resolution" in transition.required_fields else None
        self.site.move(issue, transition, self.site.profile.person, resolution_id=resolution)
