"""The site's memory and its rules: what a write does to an issue, its history and the search index.

Nothing here knows HTTP. Callers hold `lock` around a read or a write that belongs together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from connector_jira_jsm_sandbox.dynamic_webhook import DynamicWebhook
from connector_jira_jsm_sandbox.issue import Change, ChangeItem, Comment, Fields, Issue
from connector_jira_jsm_sandbox.profile import Desk, SiteProfile, Transition, User

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that webhooks tell about: the event's name and type name, and what goes with it."""

    name: str
    type_name: str
    issue: Issue
    author: User
    change: Change | None = None
    comment: Comment | None = None


class Site:
    """One site with its issues."""

    def __init__(self, profile: SiteProfile, *, url: str, clock: Clock, search_lag_s: float = 0.0) -> None:
        self.profile = profile
        self.url = url
        self.former_urls: set[str] = set()
        self.clock = clock
        self.search_lag_s = search_lag_s
        self.lock = threading.RLock()
        #: What people do between a write and its answer, each once; see `after_write`.
        self.interruptions: list[Callable[[], object]] = []
        self.listeners: list[Callable[[Event], None]] = []
        self._issues: dict[str, Issue] = {}
        self._deleted: list[Issue] = []
        self._ids_by_key: dict[str, str] = {}
        self._issue_ids = count(10100)
        self._change_ids = count(20000)
        self._comment_ids = count(30000)
        self._link_ids = count(40000)
        self.hidden: set[str] = set()  # by a security level
        self.archived: set[str] = set()
        self.mailed: list[str] = []  # keys of issues whose watchers got an e-mail, one for each edit
        self.forbidden: set[str] = set()  # projects that the app's account may not browse
        self.archived_projects: set[str] = set()
        self.dynamic_webhooks: dict[int, DynamicWebhook] = {}
        self.webhook_ends_as_text = False
        self._webhook_ids = count(1000)
        self._numbers = {desk.project_key: count(1) for desk in profile.desks}

    def rename(self, url: str) -> None:
        """Take another address; the former one leads there, the gateway and the cloud ID stay."""
        self.former_urls = (self.former_urls | {self.url}) - {url}
        self.url = url

    def moved(self, host: str) -> str:
        """Return where the site is, asked at a former address; empty at its present one."""
        return self.url if any(urlsplit(one).netloc == host for one in self.former_urls) else ""

    def issues(self) -> Iterator[Issue]:
        """Go through the issues, oldest first."""
        return iter(list(self._issues.values()))

    def issues_and_ghosts(self) -> Iterator[Issue]:
        """Go through the issues and those deleted ones that the search index may still hold."""
        return iter([*self._issues.values(), *self._deleted])

    def find(self, id_or_key: str) -> Issue | None:
        """Find an issue by id or key."""
        return self._issues.get(self._ids_by_key.get(id_or_key.upper(), id_or_key))

    def shown(self, id_or_key: str) -> Issue | None:
        """Find an issue that the app's account may see."""
        issue = self.find(id_or_key)
        return issue if issue is not None and self.is_visible(issue) else None

    def is_visible(self, issue: Issue) -> bool:
        """Return whether the app's account may see an issue."""
        return issue.id not in self.hidden and issue.project_key not in self.forbidden

    def is_listed(self, issue: Issue) -> bool:
        """Return whether searches and bulk reads show an issue; archived ones are opened one by one only."""
        is_archived = issue.id in self.archived or issue.project_key in self.archived_projects
        return self.is_visible(issue) and not is_archived

    def next_webhook_id(self) -> int:
        """Number a dynamic webhook."""
        return next(self._webhook_ids)

    def now(self) -> datetime:
        """Return the time, to the millisecond, which is all that the site keeps."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def create(
        self,
        author: User,
        *,
        project_key: str,
        issue_type_id: str,
        request_type_id: str | None = None,
        creator: User | None = None,
        **fields: Any,  # noqa: ANN401 - any of Fields' attributes
    ) -> Issue:
        """Open an issue in the workflow's first status; of the fields only the summary is needed."""
        now = self.now()
        desk = self.profile.desk(project_key)
        fields.setdefault("description", None)
        fields.setdefault("priority_id", self.profile.default_priority)
        first = Fields(status_id=self.profile.statuses[0].id, status_changed=now, updated=now, **fields)
        issue = Issue(
            id=str(next(self._issue_ids)),
            key=f"{project_key}-{next(self._numbers[project_key])}",
            project_id=desk.project_id if desk else "",
            issue_type_id=issue_type_id,
            request_type_id=request_type_id,
            reporter=author,
            creator=creator,
            created=now,
            fields=first,
        )
        self._issues[issue.id] = issue
        self._ids_by_key[issue.key] = issue.id
        self._index(issue, first)
        self._tell(Event("jira:issue_created", "issue_created", issue, author))
        return issue

    def edit(
        self,
        issue: Issue,
        author: User,
        comment: str | None = None,
        *,
        mailed: bool = True,
        **changes: Any,  # noqa: ANN401 - any of Fields' attributes
    ) -> None:
        """Set fields; values that are the same already change nothing and tell nobody."""
        before = issue.fields
        self._save(issue, author, "issue_updated", changes, self._new_comment(author, comment))
        if mailed and issue.fields is not before:
            self.mailed.append(issue.key)

    def after_write(self) -> None:
        """Let somebody act who came between a write and the reading of its answer, if anybody waits to."""
        if self.interruptions:
            self.interruptions.pop(0)()

    def move(  # noqa: PLR0913 - by keyword, what a screen holds
        self,
        issue: Issue,
        transition: Transition,
        author: User,
        *,
        resolution_id: str | None = None,
        custom: Mapping[str, Any] | None = None,
        comment: str | None = None,
    ) -> None:
        """Walk a transition with its post functions."""
        changes: dict[str, Any] = {"status_id": transition.to_status}
        if custom:
            changes["custom"] = tuple({**dict(issue.fields.custom), **custom}.items())
        resolution = resolution_id or transition.sets_resolution
        if resolution:
            changes |= {"resolution_id": resolution, "resolved": self.now()}
        if transition.clears_resolution:
            changes |= {"resolution_id": None, "resolved": None}
        if issue.fields.status_id != transition.to_status:
            changes["status_changed"] = self.now()
        self._save(issue, author, "issue_generic", changes, self._new_comment(author, comment))

    def comment(
        self,
        issue: Issue,
        author: User,
        body: str,
        *,
        public: bool = True,
        properties: Iterable[tuple[str, Any]] = (),
    ) -> Comment:
        """Add a comment, which counts as an update of the issue but is no change of a field."""
        comment = Comment(str(next(self._comment_ids)), author, body, self.now(), public, tuple(properties))
        self._save(issue, author, "issue_commented", {}, comment)
        return comment

    def forget_comment(self, issue: Issue, comment_id: str, author: User) -> bool:
        """Remove a comment; return whether it was there."""
        kept = tuple(one for one in issue.fields.comments if one.id != comment_id)
        found = len(kept) < len(issue.fields.comments)
        if found:
            self._write(issue, author, {"comments": kept})
        return found

    def link(self, issue: Issue, link: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Add a remote link, or replace the one with the same global id; return whether it is new."""
        global_id = link.get("globalId")
        same = [n for n, known in enumerate(issue.remote_links) if global_id and known.get("globalId") == global_id]
        if same:
            stored = {**link, "id": issue.remote_links[same[0]]["id"]}
            issue.remote_links[same[0]] = stored
        else:
            stored = {**link, "id": next(self._link_ids)}
            issue.remote_links.append(stored)
        self._write(issue, issue.reporter, {}, touch=True)
        return stored, not same

    def relocate(self, issue: Issue, desk: Desk, author: User) -> None:
        """Move an issue to another project: a new key, the same id; the old key still leads to it."""
        old = self.profile.desk(issue.project_key)
        before, issue.key = issue.key, f"{desk.project_key}-{next(self._numbers[desk.project_key])}"
        issue.project_id, issue.request_type_id = desk.project_id, None
        self._ids_by_key[issue.key] = issue.id
        self._write(issue, author, {}, touch=True)
        items = (
            ChangeItem(
                "project", old.project_id if old else None, old.name if old else None, desk.project_id, desk.name
            ),
            ChangeItem("Key", None, before, None, issue.key),
        )
        change = Change(str(next(self._change_ids)), author, issue.fields.updated, items)
        issue.history.append(change)
        self._tell(Event("jira:issue_updated", "issue_moved", issue, author, change))

    def delete(self, issue: Issue, author: User) -> None:
        """Remove an issue for good; the search index notices later."""
        del self._issues[issue.id]
        self._ids_by_key = {key: known for key, known in self._ids_by_key.items() if known != issue.id}
        self._deleted.append(issue)
        self._index(issue, None)
        self._tell(Event("jira:issue_deleted", "issue_deleted", issue, author))

    def open_transitions(self, issue: Issue) -> list[Transition]:
        """List the transitions that may be walked from where the issue stands."""
        desk = self.profile.desk(issue.project_id)
        known = desk.status_ids if desk is not None else ()
        return [one for one in self.transitions_from(issue.fields.status_id) if not known or one.to_status in known]

    def transitions_from(self, here: str) -> list[Transition]:
        """List the transitions that the account may walk from a status."""
        denied = self.profile.denied
        if "TRANSITION_ISSUES" in denied:
            return []
        return [
            one
            for one in self.profile.transitions
            if (not one.from_statuses or here in one.from_statuses) and one.condition not in denied
        ]

    def is_done(self, issue: Issue) -> bool:
        """Return whether the issue's status counts as done."""
        return self.profile.status(issue.fields.status_id).category == "done"

    def _new_comment(self, author: User, body: str | None) -> Comment | None:
        return Comment(str(next(self._comment_ids)), author, body, self.now()) if body else None

    def _save(
        self, issue: Issue, author: User, type_name: str, changes: dict[str, Any], comment: Comment | None
    ) -> None:
        # One save is one event, whatever it holds.
        if comment is not None:
            changes["comments"] = (*issue.fields.comments, comment)
        change = self._write(issue, author, changes)
        if comment is not None:
            self._tell(Event("comment_created", "", issue, author, comment=comment))
        if change is not None or comment is not None:
            self._tell(Event("jira:issue_updated", type_name, issue, author, change, comment))

    def _write(self, issue: Issue, author: User, changes: Mapping[str, Any], *, touch: bool = False) -> Change | None:
        before = issue.fields
        after = replace(before, **changes)
        if after == before and not touch:
            return None
        # Two writes within one millisecond still get different times, so that readers can order them.
        updated = max(self.now(), before.updated + timedelta(milliseconds=1))
        issue.fields = after = replace(after, updated=updated)
        self._index(issue, after)
        items = tuple(self._items(before, after))
        if not items:
            return None
        change = Change(str(next(self._change_ids)), author, updated, items)
        issue.history.append(change)
        return change

    def _items(self, before: Fields, after: Fields) -> Iterator[ChangeItem]:
        profile = self.profile
        if before.summary != after.summary:
            yield ChangeItem("summary", None, before.summary, None, after.summary)
        if before.description != after.description:
            yield ChangeItem("description", None, before.description, None, after.description)
        if before.priority_id != after.priority_id:
            names = {priority.id: priority.name for priority in profile.priorities}
            old, new = before.priority_id, after.priority_id
            yield ChangeItem("priority", old, names[old], new, names[new])
        if before.labels != after.labels:
            yield ChangeItem("labels", None, " ".join(before.labels), None, " ".join(after.labels))
        if before.resolution_id != after.resolution_id:
            texts = {resolution.id: resolution.name for resolution in profile.resolutions}
            was, is_now = before.resolution_id, after.resolution_id
            yield ChangeItem("resolution", was, texts.get(was or ""), is_now, texts.get(is_now or ""))
        if before.status_id != after.status_id:
            left, reached = profile.status(before.status_id), profile.status(after.status_id)
            yield ChangeItem("status", left.id, left.name, reached.id, reached.name)

    def _index(self, issue: Issue, fields: Fields | None) -> None:
        now = self.now()
        issue.remember(now + timedelta(seconds=self.search_lag_s), fields, now)

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
