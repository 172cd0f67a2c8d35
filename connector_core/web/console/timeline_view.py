"""The timeline of a link in words: what happened where, and the values that matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector_core.store import TimelineEntry
from connector_core.web.console.words import in_browser

# Names of ours that tell a person nothing.
_SKIPPED = frozenset({"event", "code", "comment"})
_PAIR = 2

# A decision names the values of both sides; what is written on one side comes from the other.
_OTHER = {"ticket": "incident", "incident": "ticket"}


@dataclass(frozen=True)
class Detail:
    """One value beside an entry; `before` is what it was, when that is known."""

    label: str
    text: str
    before: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """An entry as a page shows it."""

    entry: TimelineEntry
    text: str
    details: Sequence[Detail]


def told(timeline: Iterable[TimelineEntry]) -> list[Told]:
    """Put a timeline into words, the latest first."""
    return [Told(entry, _text_of(entry), list(_details(entry))) for entry in reversed(list(timeline))]


def _text_of(entry: TimelineEntry) -> str:
    """Say it without the other side's name of the event, which is in brackets at the end."""
    if entry.kind == "ticket_changed":
        return re.sub(r" \([\w:.-]+\)\.$", ".", entry.text)
    return in_browser(entry.text)


def _details(entry: TimelineEntry) -> Iterable[Detail]:
    values = dict(entry.values)
    if "field" in values and entry.side in _OTHER:
        field, before, after = values.pop("field"), values.pop(entry.side, None), values.pop(_OTHER[entry.side], None)
        yield Detail(str(field), _text(after), before=_text(before))
    yield from _others(values)


def _others(values: Mapping[str, Any]) -> Iterable[Detail]:
    for name, value in values.items():
        label = name.replace("_", " ")
        if name in _SKIPPED or value in (None, "", False):
            continue
        if isinstance(value, list | tuple) and len(value) == _PAIR:
            yield Detail(label, _text(value[1]), before=_text(value[0]))
        elif name.endswith("_at") and (moment := _moment(value)) is not None:
            yield Detail(label, "", at=moment)
        elif value is True:
            yield Detail(label, "yes")
        else:
            yield Detail(label, _text(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value in (None, "") else str(value)


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
