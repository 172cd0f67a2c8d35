"""One delivery or call: what was sent and answered, and what it led to; keep it, or feed it in again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from connector_core.contract.errors import ConfigError
from connector_core.health.delivery_words import NOT_KEPT
from connector_core.store import Link, Logged, Way
from connector_core.store.delivery_log import MOST_SAMPLES
from connector_core.web.console import deliveries_page
from connector_core.web.console.visits import NotVisible, Visit, go

_DIGITS = 18


@dataclass(frozen=True)
class Side:
    """A request or an answer, as a page shows it; `missing` says why there is no body."""

    title: str
    headers: Sequence[tuple[str, str]]
    body: str
    missing: str


def show(visit: Visit) -> Response:
    """Show an entry with its headers and bodies."""
    entry = _entry(visit)
    payload = visit.app.store.delivery_log.payload(entry.id) if entry.has_payload else None
    return visit.page(
        "delivery.html",
        entry=entry,
        line=deliveries_page.line(entry),
        sides=_sides(entry, payload),
        is_lost=entry.has_payload and payload is None,
        links=[visit.app.registry.worded(link) for link in _links(visit, entry)],
        can_replay=visit.user.is_admin and payload is not None and entry.can_replay,
        can_keep=visit.user.is_admin and entry.has_payload and entry.way is Way.IN,
        replay_of=entry.facts.get("replay_of"),
        about=entry.about.split("\n") if entry.about else [],
    )


def act(visit: Visit) -> Response:
    """Keep a delivery, let it go, or feed it in again."""
    entry, action = _entry(visit), visit.form.get("action")
    if action == "replay":
        if not entry.can_replay:
            raise ConfigError(
                "This one cannot be replayed.",
                code="not_replayable",
                fix="Only accepted deliveries whose bodies are still kept can be replayed. Have it sent again.",
            )
        number = visit.app.replaying.begin(
            [entry.id], visit.user.organizations, {"delivery": entry.id}, visit.user.name
        )
        return go(f"/deliveries/replays/{number}")
    if action in {"keep", "release"} and not visit.app.store.delivery_log.keep(entry.id, is_sample=action == "keep"):
        raise ConfigError(
            f"{MOST_SAMPLES} deliveries are kept as samples already.",
            code="too_many_samples",
            fix="Stop keeping one of them first.",
        )
    return go(f"/deliveries/{entry.id}")


def _entry(visit: Visit) -> Logged:
    """Return the entry that the address names.

    Raises:
        NotVisible: there is none, or not for this person.
    """
    number = visit.named("entry")
    is_number = number.isascii() and number.isdecimal() and len(number) <= _DIGITS
    found = visit.app.store.delivery_log.get(int(number)) if is_number else None
    if found is None or not visit.user.sees(found.organization):
        raise NotVisible("There is no such delivery. It may have been deleted when its retention time ended.")
    return found


def _links(visit: Visit, entry: Logged) -> list[Link]:
    """Return the links that it is about."""
    numbers = entry.facts.get("links") or ([] if entry.link_id is None else [entry.link_id])
    found = [visit.app.store.links.get(number) for number in numbers]
    return [link for link in found if link is not None and visit.user.sees(link.organization)]


def _sides(entry: Logged, payload: Mapping[str, Any] | None) -> list[Side]:
    if payload is None:
        return []
    return [
        Side(title, sorted(part["headers"].items()), _pretty(part["body"]), NOT_KEPT.get(entry.facts.get(name, ""), ""))
        for name, title in (("request", "Request"), ("answer", "Response"))
        if (part := payload.get(name)) is not None
    ]


def _pretty(body: str) -> str:
    """Return JSON with a line for each value, anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
