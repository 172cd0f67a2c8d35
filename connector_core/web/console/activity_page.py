"""Activity: what happened over all links, the latest first, with filters in the address, and as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.store import DELAYED, FAILED, Activity, ActivityFilter, Happened
from connector_core.web.console import visible
from connector_core.web.console.dates import day, end_of_day
from connector_core.web.console.exports import MOST_EXPORTED, Row, exported
from connector_core.web.console.visits import Visit
from connector_core.words.timeline import Detail, told

PAGE = 50
MOST_LETTERS = 200
_DIGITS = 18
FILTERS = ("integration", "side", "kind", "result", "person", "since", "until")
SIDES = ("incident", "ticket", "connector")
_GONE = ("ticket_deleted", "ticket_archived", "ticket_hidden", "ticket_merged", "ticket_gone")
_NOT_TAKEN = ("ticket_left_open", "ticket_finished", "ticket_unchangeable", "ticket_unkept", "ticket_refused")
_COMMENTS_NOT_TAKEN = ("comment_unsupported", "comment_left")
_COMMENTS_WRITTEN = ("comment_to_ticket", "comment_to_incident")
#: Kinds of entries, each in one group; what a filter calls a group, and what people read.
KINDS: Mapping[str, tuple[str, frozenset[str]]] = {
    "incidents": (
        "Incident events",
        frozenset({"incident_opened", "incident_updated", "incident_resolved", "incident_event_late"}),
    ),
    "tickets": ("Ticket changes", frozenset({"ticket_changed", "ticket_moved", "history_read", *_GONE})),
    "created": ("Tickets created", frozenset({"ticket_created", "ticket_found", "no_ticket"})),
    "fields": (
        "Field sync",
        frozenset({"agreed", "ticket_written", "incident_written", "incident_unsupported", *_NOT_TAKEN}),
    ),
    "comments": (
        "Comments",
        frozenset({"incident_commented", "ticket_commented", *_COMMENTS_WRITTEN, *_COMMENTS_NOT_TAKEN}),
    ),
    "problems": (
        "Conflicts and failures",
        frozenset({"conflict", "link_waiting", "link_blocked", "link_paused", "link_gone"}),
    ),
    "people": (
        "User actions",
        frozenset({"resumed", "recreated", "discarded", "unlinked", "conflict_resolved"}),
    ),
}
#: What came of it, where something was to be done: what people read, how good it is, and the kinds.
RESULTS: Mapping[str, tuple[str, str, frozenset[str]]] = {
    "synced": (
        "synced",
        "good",
        frozenset({"ticket_created", "ticket_found", "ticket_written", "incident_written", *_COMMENTS_WRITTEN}),
    ),
    "not_synced": (
        "not synced",
        "fair",
        frozenset({"no_ticket", "incident_unsupported", *_NOT_TAKEN, *_COMMENTS_NOT_TAKEN}),
    ),
    "waiting": ("waiting", "fair", DELAYED),
    "failed": ("failed", "bad", FAILED),
}
COLUMNS = (
    *("at", "organization", "integration", "link", "incident", "title", "ticket", "side", "kind", "result", "text"),
    "details",
)


@dataclass(frozen=True)
class Line:
    """An entry in words, and what came of it as label and tone; empty where nothing was to be done."""

    happened: Happened
    side: str
    text: str
    details: Sequence[Detail]
    result: str
    tone: str


def show(visit: Visit) -> Response:
    """List what happened, as the address says."""
    found = visit.app.store.overview.happened(replace(_wanted(visit), limit=PAGE + 1))
    asked = _asked(visit.query)
    shown = found.entries[:PAGE]
    older = _older(found)
    return visit.page(
        "activity.html",
        lines=[_line(visit, one) for one in shown],
        asked={name: asked.get(name, "") for name in FILTERS},
        narrowed=urlencode(asked),
        latest=f"/activity?{urlencode(asked)}" if asked else "/activity",
        is_latest=not visit.query.get("before"),
        older="" if older is None else urlencode({**asked, "before": _written(older)}),
        searched_to=None if len(found.entries) > PAGE or older is None else older[0],
        integrations=[seen.id for seen in visible.integrations(visit)],
        sides=SIDES,
        kinds=[(name, label) for name, (label, _) in KINDS.items()],
        results=[(name, label) for name, (label, _, _) in RESULTS.items()],
        most=MOST_EXPORTED,
    )


def export(visit: Visit) -> Response:
    """Give what the filters give as a file, the latest at most."""
    return exported("activity", COLUMNS, (row(visit, one) for one in _all(visit)), visit.query.get("as"))


def row(visit: Visit, one: Happened) -> Row:
    """Return an entry as exports have it."""
    line = _line(visit, one)
    return {
        "at": one.entry.at.isoformat(),
        "organization": one.organization,
        "integration": one.integration_id,
        "link": one.link_id,
        "incident": one.incident_id,
        "title": one.title,
        "ticket": one.ticket_key,
        "side": one.entry.side,
        "kind": one.entry.kind,
        "result": line.result,
        "text": line.text,
        "details": {detail.label: _detail(detail) for detail in line.details},
    }


def _all(visit: Visit) -> list[Happened]:
    """Return the latest of what fits, however far back it lies."""
    wanted = replace(_wanted(visit), before=None)
    entries: list[Happened] = []
    while len(entries) < MOST_EXPORTED:
        found = visit.app.store.overview.happened(replace(wanted, limit=MOST_EXPORTED - len(entries)))
        entries += found.entries
        if found.searched_to is None:
            break
        wanted = replace(wanted, before=found.searched_to)
    return entries


def _line(visit: Visit, one: Happened) -> Line:
    """Put an entry into words, the same as the page of its link does."""
    names = visit.app.registry.names(one.integration_id, one.organization)
    said = told(one.entry, names)
    label, tone = next(((label, tone) for label, tone, kinds in RESULTS.values() if one.entry.kind in kinds), ("", ""))
    return Line(one, said.side, said.text, said.details, label, tone)


def _detail(detail: Detail) -> object:
    value = detail.text if detail.at is None else detail.at.isoformat()
    return value if detail.before is None else [detail.before, value]


def _older(found: Activity) -> tuple[datetime, int] | None:
    """Return before what one goes on; None at the end."""
    if len(found.entries) <= PAGE:
        return found.searched_to
    last = found.entries[PAGE - 1]
    return last.entry.at, last.id


def _written(place: tuple[datetime, int]) -> str:
    return f"{place[0].isoformat()},{place[1]}"


def _before(text: str) -> tuple[datetime, int] | None:
    """Read what `_written` wrote; None for anything else."""
    at, _, number = text.partition(",")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    is_place = moment.tzinfo is not None and number.isdecimal() and len(number) <= _DIGITS
    return (moment, int(number)) if is_place else None


def _asked(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[name].strip()[:MOST_LETTERS] for name in FILTERS if query.get(name, "").strip()}


def _wanted(visit: Visit) -> ActivityFilter:
    """Read the filters of the address; what is no value of a filter is no condition."""
    asked = _asked(visit.query)
    if "integration" in asked:
        visible.integration(visit, asked["integration"])
    return ActivityFilter(
        organizations=visit.user.organizations,
        integration_id=asked.get("integration"),
        side=asked["side"] if asked.get("side") in SIDES else None,
        kinds=_kinds(asked.get("kind", ""), asked.get("result", "")),
        person=asked.get("person", ""),
        since=day(asked.get("since", ""), visit.zone),
        until=end_of_day(asked.get("until", ""), visit.zone),
        before=_before(visit.query.get("before", "")),
    )


def _kinds(kind: str, result: str) -> frozenset[str] | None:
    groups = [KINDS[kind][1]] if kind in KINDS else []
    groups += [RESULTS[result][2]] if result in RESULTS else []
    return frozenset.intersection(*groups) if groups else None
