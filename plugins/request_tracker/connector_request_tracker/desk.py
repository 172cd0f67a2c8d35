"""Tickets of Request Tracker: reading, creating, changing and closing them, with their comments and our marks."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import connector_core as core
from connector_core.kit import answers, comments, desk_comments, desk_marks, grants, kept, marks, paging, values
from connector_core.kit.absences import Absent
from connector_core.kit.comment_texts import comment_text
from connector_core.kit.editing import Written
from connector_core.kit.html_markup import HTML
from connector_core.kit.rest import segment
from connector_core.kit.signing import moment_of, name_of
from connector_core.kit.texts import clean
from connector_core.kit.values import Json
from connector_request_tracker.api import PAGES, RIGHT_FIX, RULES, is_number, quoted
from connector_request_tracker.settings import PLUGIN, TrackerSettings

DELETED = "deleted"
#: What a ticket refers to, before its marker: always the same, wherever incident and connector move.
MARK = "urn:connector:"
_SHOWN = "Subject,Status,Priority,LastUpdated,Queue"
_LINKS = ",_hyperlinks"  # what shows where a ticket leads; it makes a search slower
_NAMES = {core.FieldName.TITLE: "Subject", core.FieldName.PRIORITY: "Priority", core.FieldName.STATUS: "Status"}
#: Comments that customers do not see, and those that go to them.
_INTERNAL, _PUBLIC = "Comment", "Correspond"
_OF_COMMENTS = {"fields": "Type,Creator,Created", "fields[Creator]": "RealName,Name"}
_OF_USER = re.compile(r"\d+-(\d+)-\w+")
_UNSIZED = paging.PageNumber("page", size=100, size_parameter="per_page")


@dataclass
class Tracker(desk_comments.CommentedDesk[TrackerSettings], desk_marks.MarkedDesk[TrackerSettings]):
    """A Request Tracker, for one integration."""

    #: Of the ticket at work: its version, on which a write depends.
    etag: str = ""

    info = PLUGIN
    rules = RULES
    api_path = "/REST/2.0"
    longest_title = 200
    at_once = 50
    names = marks.TicketNames(alone=r"#?([1-9]\d{0,17})", below=r"Ticket/\w+\.html\?(?:[^#]*&)?id=([1-9]\d{0,17})\b")
    mark_fix = internal_fix = RIGHT_FIX

    def whoami(self) -> grants.Account:
        """Return the user of the token, whose number is in it."""
        if not name_of(values.as_object(self.rest.get("/rt")).get("Version")):
            raise core.AuthError("What answers there is not Request Tracker.", code="not_request_tracker")
        user = _OF_USER.fullmatch(self.secret("token").get_secret_value().strip())
        shown = values.whole(self.rest.get(f"/user/{segment(user[1])}")) if user else {}
        name = name_of(shown.get("RealName") or shown.get("Name"))
        return grants.Account(name_of(shown.get("id")), name, (grants.site_at(self.site_url),))

    def search(self, query: str, also: str = "") -> Iterator[Json]:
        """Yield the tickets that a query in TicketSQL finds, the oldest first; deleted ones are in no search."""
        return self.rest.pages("/tickets", "items", PAGES, params=_asking(query, also))

    def is_id(self, text: str) -> bool:
        """Return whether it is a number."""
        return is_number(text)

    def found(self, ids: Sequence[str], since: datetime | None) -> Iterable[Json]:
        """Search for tickets by their numbers; merged and deleted ones are not found."""
        # Of "2026-11-28T05:00:00Z" only the day counts in a search, and without a zone it is of the user's.
        later = f" AND LastUpdated > '{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC'" if since else ""
        return self.search(f"({_any_of(ids)}){later}")

    def look(self, ticket_id: str) -> Json:
        """Read one; in place of one that was merged another one comes."""
        reply = self.rest.call("GET", f"/ticket/{segment(ticket_id)}", about=answers.Subject.TICKET)
        shown, self.etag = values.whole(reply.body), reply.etag
        if not is_number(number := name_of(shown.get("id"))):
            raise values.unreadable()
        if number != ticket_id:
            raise Absent.merged(number, f"#{number}")
        if shown.get("Status") == DELETED:
            fix = "Give it another status in Request Tracker, then retry."
            raise Absent.deleted("It has the status deleted.", fix)
        return shown

    def snapshot(self, shown: Json) -> core.TicketSnapshot | core.UnreadableTicket:
        """Return what an answer shows; the description is never asked for, since nobody can change it."""
        number, status, priority = (name_of(shown.get(name)) for name in ("id", "Status", "Priority"))
        subject, place = shown.get("Subject"), name_of(values.value_at(shown, "Queue.id"))
        if not (is_number(number) and isinstance(subject, str) and status):
            return core.UnreadableTicket(
                id=number, reason="Request Tracker shows it without number, subject or status."
            )
        has_priority = is_number(priority.removeprefix("-"))
        return core.TicketSnapshot(
            id=number,
            key=f"#{number}",
            url=f"{self.site_url}/Ticket/Display.html?id={number}",
            title=clean(subject),
            priority=self.settings.priorities.ours(int(priority)) if has_priority else None,
            priority_name=priority or None,
            status=status,
            done=self._is_done(number, status, place),
            updated=moment_of(str(shown.get("LastUpdated"))),
            place=place,
            unknown=frozenset({core.FieldName.DESCRIPTION} | (set() if has_priority else {core.FieldName.PRIORITY})),
        )

    def _is_done(self, number: str, status: str, place: str) -> bool:
        """Return whether nothing is left to be done in a status: each queue may have its own, and only a search tells.

        What is known of a status in a queue holds for as long as the process: a lifecycle is part of Request Tracker's
        own configuration. Somebody may move the ticket meanwhile, so that a search without a find says nothing.
        """
        key = f"is done: {place} {status}"
        told: bool | None = True if status == DELETED else kept.known(self.integration, key)
        if told is not None:
            return told
        for kind, is_done in (("__Inactive__", True), ("__Active__", False)):
            query = f"id = {number} AND Status = {quoted(status)} AND Status = '{kind}'"
            if any(name_of(one.get("id")) == number for one in self.search(query)):
                return kept.keep(self.integration, key, is_done)
        return False

    def create(self, incident: core.Incident, marker: str) -> core.TicketSnapshot:
        """Create a ticket; it shows what was sent where reading it fails: it is there all the same."""
        ours = MARK + marker
        body: dict[str, object] = {_NAMES[name]: value for name, value in self.sent(incident).items()}
        body |= {"Queue": self.settings.queue, "RefersTo": [ours, *filter(None, [incident.url])]}
        body |= {"Content": self.details.write(incident, marker), "ContentType": "text/plain"}
        number = name_of(values.value_at(self.rest.post("/ticket", body), "id"))
        if not is_number(number):
            raise values.unreadable(outcome_unknown=True)
        made = self.made(core.TicketSnapshot(id=number, key=f"#{number}"), incident)
        if self.shown and ours not in references(self.shown):
            self.notes.append("Request Tracker did not take the links of the ticket.")
        return made

    def write(self, known: core.TicketSnapshot, fields: Mapping[core.FieldName, object]) -> Written:
        """Write fields to the version that was read; return the ticket, and what somebody made of them behind that.

        The status of the answer says nothing, so it is read back.
        """
        before, version, sent = self.shown, self.etag, {_NAMES[name]: value for name, value in fields.items()}
        based_on = {"If-Match": version} if version else {}
        try:
            answer = self.rest.put(f"/ticket/{segment(known.id)}", sent, headers=based_on)
        except answers.Conflict as exc:  # if only with a comment
            raise core.TicketChanged(self.read(known)) from exc
        after = self.read(known)
        others = [name for name, value in fields.items() if str(self.shown.get(_NAMES[name])) != str(value)]
        changes = Counter(self._changed_since(version, before, known.id) if others else ())
        if refused := [name.value for name in others if not changes[_NAMES[name]]]:
            said = _sentences(answer) or "Request Tracker gives no reason."
            raise answers.FieldsRefused(f"Request Tracker refused it: {said}", dict.fromkeys(refused, said))
        return Written(after, behind=frozenset(name for name in others if changes[_NAMES[name]] > 1))

    def _changed_since(self, version: str, before: Json, number: str) -> Iterator[str]:
        """Yield the name of a field for each time it was changed since a version, which is its last transaction."""
        last = re.search(r"\d+", version)
        if last is None:  # something between us takes it away
            yield from (name for name in self.shown if self.shown[name] != before.get(name))
            return
        query = f"ObjectType = 'RT::Ticket' AND ObjectId = {number} AND id > {last[0]}"
        for change in self.rest.pages("/transactions", "items", PAGES, params={"query": query, "fields": "Field"}):
            yield name_of(change.get("Field"))

    def may_become(self, shown: Json) -> Collection[str]:
        """Return what its lifecycle lets follow."""
        return following(shown)

    def marked(self, change: core.FindTicket) -> Iterable[Json]:
        """Search by the link that is our mark."""
        return self.search(f"RefersTo = {quoted(MARK + change.marker)}", _LINKS)

    def marker_of(self, shown: Json) -> str:
        """Return the marker that a ticket refers to."""
        return next((marks.marker_in(one) for one in references(shown) if one.startswith(MARK)), "")

    def called(self, wanted: Sequence[str]) -> Iterable[Json]:
        """Search by number; those that were merged or deleted are not found."""
        return self.search(_any_of(wanted), _LINKS) if wanted else ()

    def leave_mark(self, mark: core.MarkTicket, shown: Json) -> None:
        """Have a ticket refer to our mark and to the incident's page, beside what it refers to; a former mark goes."""
        ours, present = MARK + mark.marker, references(shown)
        former = [one for one in present if one.startswith(MARK) and one != ours]
        links = [one for one in (ours, mark.incident.url) if one and one not in present]
        if links or former:
            body = {"AddRefersTo": links, "DeleteRefersTo": former}
            self.notes.append(_sentences(self.rest.put(f"/ticket/{segment(mark.ticket.id)}", body)))

    def page_of_marked(self, cursor: str | None) -> desk_marks.MarkedPage:
        """Read a page of the tickets of the queue that refer to anything."""
        query = f"Queue = {quoted(self.settings.queue)} AND RefersTo IS NOT NULL"
        return desk_marks.MarkedPage.numbered(self.rest, "/tickets", "items", PAGES, cursor, **_asking(query, _LINKS))

    def entries(self, ticket_id: str, since: datetime) -> Iterator[comments.Entry]:  # noqa: ARG002 - it lists all
        """Yield the comments of a ticket; the first message is none of them."""
        path = f"/ticket/{segment(ticket_id)}/history"
        for shown in self.rest.pages(path, "items", _UNSIZED, params=_OF_COMMENTS, about=answers.Subject.TICKET):
            number, kind, by = name_of(shown.get("id")), shown.get("Type"), values.as_object(shown.get("Creator"))
            author, at = name_of(by.get("RealName") or by.get("Name")), moment_of(str(shown.get("Created")))
            if kind in {_INTERNAL, _PUBLIC}:
                yield comments.Entry(number, author, partial(self._text, number), at, is_public=kind == _PUBLIC)

    def _text(self, transaction: str) -> str:
        """Read the text of a comment, and none of the files with it, however large they are."""
        path = f"/transaction/{segment(transaction)}/attachments"
        parts = self.rest.pages(path, "items", _UNSIZED, params={"fields": "ContentType"})
        kinds = {name_of(part.get("id")): str(part.get("ContentType")) for part in parts}
        for kind in ("text/plain", "text/html"):
            number = next((number for number, its in kinds.items() if its.startswith(kind)), None)
            if number is not None:
                content = values.whole(self.rest.get(f"/attachment/{segment(number)}")).get("Content")
                text = clean(b64decode(str(content or "")).decode("utf-8", "replace"))
                return HTML.unescape(text) if kind == "text/html" else text
        return ""

    def add_comment(self, draft: core.WriteComment) -> comments.Shown:
        """Write a comment; where it is then is its number."""
        path = f"/ticket/{segment(draft.ticket.id)}/{'correspond' if draft.public else 'comment'}"
        body = {"Content": comment_text(draft, with_marker=True), "ContentType": "text/plain"}
        number = self.rest.call("POST", path, body=body, about=answers.Subject.TICKET).location.rpartition("/")[2]
        if not is_number(number):
            raise values.unreadable(outcome_unknown=True)
        return comments.Shown(number, draft.public)


def following(shown: object) -> list[str]:
    """Return the statuses that a ticket may be given next, by its lifecycle and the rights of the token's user."""
    links = values.as_objects(values.value_at(shown, "_hyperlinks"))
    return [status for link in links if link.get("ref") == "lifecycle" and (status := name_of(link.get("to")))]


def references(shown: object) -> list[str]:
    """Return the addresses that a ticket refers to: our mark is one."""
    return [name_of(link.get("_url")) for link in values.as_objects(values.value_at(shown, "_hyperlinks"))]


def _asking(query: str, also: str) -> dict[str, str]:
    return {"query": query, "fields": _SHOWN + also, "orderby": "id", "order": "ASC"}


def _any_of(numbers: Sequence[str]) -> str:
    return " OR ".join(f"id = {number}" for number in sorted(numbers, key=int))


def _sentences(answer: object) -> str:
    """Return what Request Tracker says of a write."""
    return " ".join(filter(None, map(values.sentence, answer if isinstance(answer, list) else [])))
