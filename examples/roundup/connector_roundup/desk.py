"""How incidents become issues, how changes of theirs reach them, and how issues are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

import connector_core as core
from connector_core.kit import answers, creating, desk_marks, editing, kept, marks, paging, rest, signing, values
from connector_core.kit.priorities import Level, Priorities
from connector_roundup.tracker import PLUGIN, RULES, RoundupSettings

MAIL_ID = "<{}@connector>"  # of a message: it can be searched for, and is shown to nobody
FIELDS = {"@fields": "title,status,priority,activity,messages", "@verbose": "2"}  # 2: with names of priorities


class RoundupDesk(desk_marks.MarkedDesk[RoundupSettings]):
    """A tracker, for one integration."""

    info = PLUGIN
    rules = RULES
    api_path = "/rest/data"
    no_priority = None
    settle_s = 30.0  # so long a call that was given up may take to arrive
    names = marks.TicketNames(alone=r"(?:issue)?([1-9]\d{0,17})", below=r"issue([1-9]\d{0,17})\b")
    mark_fix = "Let the user add messages to issues."

    @cached_property
    def rest(self) -> rest.Rest:
        """The interface for whoever the settings name, in set-up the answers so far."""
        proof = rest.basic(self.given("user"), self.secret("password"))
        # Without these two a change is refused: it could come from another site's page.
        needed = {"X-Requested-With": "rest", "Origin": self.site_url}
        url = self.site_url + self.api_path
        return rest.Rest(self.integration, url, self.rules, auth=rest.carrying(proof), headers=needed)

    def search(self, path: str, params: Mapping[str, str]) -> list[values.Json]:
        """List what a search finds."""
        return values.listed(self.rest.get(path, params=params), "data.collection")

    def levels(self, kind: str) -> list[Level]:
        """List what a tracker has under `status` or `priority`, in its own order."""
        found = self.search(f"/{kind}", {"@fields": "name", "@sort": "order"})
        return [Level(str(one.get("id")), str(one.get("name"))) for one in found]

    @property
    def priorities(self) -> Priorities:
        """The tracker's priorities, paired with ours by their order; asked for once an hour."""
        return Priorities.spread(kept.kept(self.integration, "priorities", lambda: self.levels("priority"), for_s=3600))

    def found(self, ids: Sequence[str], since: datetime | None) -> Iterable[values.Json]:
        """Read issues, or those that were changed last: in a filter, a time is taken for one of the user's zone."""
        if since is not None:
            return self._latest(since)
        path = "/issue?" + "&".join(f"id={rest.segment(one)}" for one in ids)  # each by itself: id=1,2 finds nothing
        return self.search(path, FIELDS)

    def _latest(self, since: datetime) -> Iterator[values.Json]:
        pages = paging.PageNumber("@page_index", size=100, size_parameter="@page_size")
        for issue in self.rest.pages("/issue", "data.collection", pages, params={**FIELDS, "@sort": "-activity"}):
            if (_moment(issue.get("activity")) or since) < since.replace(microsecond=0):
                return
            yield issue

    def look(self, ticket_id: str) -> values.Json:
        """Read one; one that was retired is read as before."""
        read = self.rest.get(_path(ticket_id), about=answers.Subject.TICKET, params=FIELDS)
        told = values.whole(values.value_at(read, "data.attributes"))
        return {"id": ticket_id, **told, "etag": values.value_at(read, "data.@etag")}

    def snapshot(self, shown: values.Json) -> core.TicketSnapshot | core.UnreadableTicket:
        """Return an issue as the core has tickets; what was not told is not empty, but unknown."""
        if not (number := signing.name_of(shown.get("id"))):
            return core.UnreadableTicket(reason="It has no id.")
        status, priority = (signing.name_of(values.value_at(shown, f"{name}.name")) for name in ("status", "priority"))
        return core.TicketSnapshot(
            id=number,
            key=f"issue{number}",
            url=f"{self.site_url}/issue{number}",
            title=str(shown.get("title") or ""),
            priority=self.priorities.ours(values.value_at(shown, "priority.id"), priority),
            priority_name=priority or None,
            status=status,
            done=status in {self.settings.close_status, *self.settings.done_statuses},
            updated=_moment(shown.get("activity")),
            unknown=frozenset(name for name in core.FieldName if name.value not in shown),
        )

    def write(self, known: core.TicketSnapshot, fields: Mapping[core.FieldName, object]) -> editing.Written:
        """Change fields, unless someone changed anything since the look; what was set and shows no more, they did.

        Roundup refuses what it cannot set, and answers with what it set.
        """
        try:
            answer = self._patch(_path(known.id), self.shown.get("etag"), fields)
        except answers.Conflict:
            raise core.TicketChanged(self.read(known)) from None
        made, now = values.as_object(values.value_at(answer, "data.attribute")), self.read(known)
        holds = {name: values.value_at(self.shown, f"{name}.id") or self.shown.get(name) for name in made}
        return editing.Written(now, frozenset(name for name in fields if made.get(name) != holds.get(name)))

    def _patch(self, path: str, etag: object, body: object) -> object:
        """Change what looked like that when it was last read: that has to be named as the base of a change."""
        return self.rest.patch(path, body, headers={"If-Match": str(etag)})

    def create(self, incident: core.Incident, marker: str) -> core.TicketSnapshot:
        """Create an issue at an address that creates one once; return it as it was sent."""
        message = self._message(self.details.write(incident, marker), marker)
        address = values.value_at(self.rest.post("/issue/@poe", {}, may_repeat=True), "data.link")
        self.integration.memory.remember(marker, address)
        fields = {"messages": [message]} | self.sent(incident)
        number = values.value_at(self.rest.post(self.rest.linked(address), fields), "data.id")
        ticket = creating.certain(self.snapshot({"id": number}), outcome_unknown=True)
        kept.forget(self.integration, marker)
        return self.as_sent(ticket, incident)

    def _message(self, text: str, marker: str) -> object:
        """Make a message, which may be made again: nobody sees one that no issue has."""
        told = {"content": text, "messageid": MAIL_ID.format(marker), "author": self.settings.user}
        return values.value_at(self.rest.post("/msg", told, may_repeat=True), "data.id")

    def marked(self, change: core.FindTicket) -> Iterable[values.Json]:
        """Find the issue that an earlier attempt made; one that is on its way still finds its address used up."""
        mail_id, address = MAIL_ID.format(change.marker), self.integration.memory.recall(change.marker)
        if (found := self._issues_of(self._markers("/msg", messageid=mail_id))) or address is None:
            return found
        try:  # Roundup takes the address before it reads the values, and whatever comes second is refused
            self.rest.post(self.rest.linked(address), {})
        except core.RemoteError as exc:
            self.is_settled = "POE token" not in exc.detail
        return self._issues_of(self._markers("/msg", messageid=mail_id))

    def marker_of(self, shown: values.Json) -> str:
        """Return the marker of a message of the issue."""
        return next(iter(self._markers_on(shown).values()), "")

    def leave_mark(self, mark: core.MarkTicket, shown: values.Json) -> None:
        """Add a message with the marker; one that has a former marker gets the new one."""
        if former := next(iter(self._markers_on(shown)), ""):
            path, told = f"/msg/{rest.segment(former)}", {"messageid": MAIL_ID.format(mark.marker)}
            self._patch(path, values.value_at(self.rest.get(path), "data.@etag"), told)
        else:
            added = self._message(f"Linked with an incident: {mark.incident.url or mark.incident.id}", mark.marker)
            self._patch(_path(mark.ticket.id), shown.get("etag"), {"@op": "add", "messages": added})

    def page_of_marked(self, cursor: str | None) -> desk_marks.MarkedPage:
        """List the issues of a hundred messages with a marker."""
        page = int(cursor or 1)
        markers = self._markers("/msg", **{"@page_size": "100", "@page_index": str(page)})
        found = [{**one, "markers": markers} for one in self._issues_of(markers)]
        return desk_marks.MarkedPage(found, str(page + 1) if markers else None)

    def _markers_on(self, shown: values.Json) -> dict[str, str]:
        """Return the markers of the messages of an issue, by the ids of these."""
        own = {str(one.get("id")): None for one in values.as_objects(shown.get("messages"))}
        known = shown.get("markers") or (self._markers("/msg?" + "&".join(f"id={one}" for one in own)) if own else {})
        return {one: known[one] for one in own if one in known}

    def _markers(self, path: str, **asked: str) -> dict[str, str]:
        """Return the markers of messages, by their ids."""
        found = self.search(path, {"messageid": "@connector>", "@fields": "messageid", "@sort": "id", **asked})
        return {str(one.get("id")): marks.marker_in(str(one.get("messageid"))) for one in found}

    def _issues_of(self, markers: Mapping[str, str]) -> list[values.Json]:
        """Return the issues of messages."""
        return self.search("/issue", {**FIELDS, "messages": ",".join(markers)}) if markers else []


def _path(number: str) -> str:
    return f"/issue/{rest.segment(number)}"


def _moment(value: object) -> datetime | None:
    """Read a time like 2026-11-28.03:56:22, which is UTC whatever zone the user has; None for anything else."""
    return signing.moment_of(str(value).replace(".", "T"))
