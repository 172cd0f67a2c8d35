"""Deliveries: what came in and what was called, the latest first, with filters in the address, and as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.health.delivery_words import RESULTS, WAYS, reason_of
from connector_core.store import Logged, LoggedFilter, LoggedPage, Result, Way
from connector_core.web.console import visible
from connector_core.web.console.dates import day, end_of_day
from connector_core.web.console.exports import MOST_EXPORTED, Row, exported
from connector_core.web.console.visits import Visit

PAGE = 50
MOST_LETTERS = 200
_DIGITS = 18
FILTERS = ("way", "integration", "result", "status", "q", "link", "kept", "since", "until")
STATUSES = {"2": "2xx", "3": "3xx", "4": "4xx", "5": "5xx"}
COLUMNS = (
    *("at", "way", "organization", "integration", "client", "method", "address", "event", "about", "link", "result"),
    *("reason", "status", "milliseconds", "bytes", "attempt", "id"),
)


@dataclass(frozen=True)
class Line:
    """An entry in words."""

    entry: Logged
    result: str
    tone: str
    reason: str


def show(visit: Visit) -> Response:
    """List deliveries and calls, as the address says."""
    wanted = wanted_of(visit)
    found = visit.app.store.delivery_log.find(replace(wanted, limit=PAGE + 1))
    asked = asked_of(visit.query)
    older = _older(found)
    return visit.page(
        "deliveries.html",
        lines=[line(entry) for entry in found.entries[:PAGE]],
        replays={entry.id: entry.facts.get("replay_of") for entry in found.entries},
        asked={name: asked.get(name, "") for name in FILTERS},
        narrowed=urlencode(asked),
        is_latest=not visit.query.get("before"),
        latest=f"/deliveries?{urlencode(asked)}" if asked else "/deliveries",
        older="" if older is None else urlencode({**asked, "before": older}),
        is_searched=len(found.entries) <= PAGE and found.searched_to is not None,
        integrations=[seen.id for seen in visible.integrations(visit)],
        results=[(result.value, label) for result, (label, _) in RESULTS.items()],
        statuses=STATUSES,
        most=MOST_EXPORTED,
        is_on=visit.app.delivery_log.is_on,
    )


def export(visit: Visit) -> Response:
    """Give what the filters give as a file, the latest at most."""
    return exported("deliveries", COLUMNS, (row(entry) for entry in _all(visit)), visit.query.get("as"))


def row(entry: Logged) -> Row:
    """Return an entry as exports have it; nothing of headers and bodies is in it."""
    said = line(entry)
    return {
        "at": entry.at.isoformat(),
        "way": WAYS[entry.way],
        "organization": entry.organization,
        "integration": entry.integration_id,
        "client": entry.client,
        "method": entry.method,
        "address": entry.address,
        "event": entry.event,
        "about": entry.about.replace("\n", " "),
        "link": entry.link_id,
        "result": said.result,
        "reason": said.reason,
        "status": entry.status,
        "milliseconds": entry.took_ms,
        "bytes": entry.size,
        "attempt": entry.attempt or None,
        "id": entry.id,
    }


def line(entry: Logged) -> Line:
    """Put an entry into words."""
    label, tone = RESULTS[entry.result]
    return Line(entry, label, tone, reason_of(entry))


def asked_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return the filters among the parameters of an address."""
    return {name: query[name].strip()[:MOST_LETTERS] for name in FILTERS if query.get(name, "").strip()}


def wanted_of(visit: Visit, given: Mapping[str, str] | None = None) -> LoggedFilter:
    """Read the filters of the address; what is no value of a filter is no condition."""
    query = visit.query if given is None else given
    asked = asked_of(query)
    if "integration" in asked:
        visible.integration(visit, asked["integration"])
    return LoggedFilter(
        organizations=visit.user.organizations,
        way=Way(asked["way"]) if asked.get("way") in set(Way) else None,
        integration_id=asked.get("integration"),
        result=Result(asked["result"]) if asked.get("result") in set(Result) else None,
        status=_number(asked.get("status", "")),
        link_id=_number(asked.get("link", "")),
        text=asked.get("q", "").replace("\0", ""),
        only_samples=asked.get("kept") == "yes",
        since=day(asked.get("since", ""), visit.zone),
        until=end_of_day(asked.get("until", ""), visit.zone),
        before=_number(query.get("before", "")),
    )


def _all(visit: Visit) -> Iterator[Logged]:
    wanted, left = replace(wanted_of(visit), before=None, limit=1_000), MOST_EXPORTED
    while left > 0:
        found = visit.app.store.delivery_log.find(wanted)
        yield from found.entries[:left]
        left -= len(found.entries)
        before = found.entries[-1].id if len(found.entries) == wanted.limit else found.searched_to
        if before is None:
            return
        wanted = replace(wanted, before=before)


def _older(found: LoggedPage) -> int | None:
    return found.searched_to if len(found.entries) <= PAGE else found.entries[PAGE - 1].id


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if is_number else None
