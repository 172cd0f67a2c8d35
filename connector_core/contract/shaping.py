"""What is added to a field on its way to the ticket, and taken off again on the way back.

A template puts words around a value, such as `[Lobby] Fan failed`; a text that is too long is cut, with a mark at its
end. Whoever edits such a text in the ticketing system edits the value in it: synced back with what was added, it would
be added once more at each turn.

    shaping = Shaping({FieldName.TITLE: "[{{ incident.location.name }}] {{ incident.title }}"})
    shaping.taken_off(FieldName.TITLE, "[Lobby] Fan is hot", incident, last)  # "Fan is hot"

Pure: no clock, no I/O, no vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import FieldName, Incident
from connector_core.contract.templates import can_be_undone, parts_around, words_around

Value = str | None

_REPLACED = "\N{REPLACEMENT CHARACTER}"
_MOST_PLACES = 20  # where the value may stand in what the ticket shows
_FIELDS = frozenset({FieldName.TITLE, FieldName.DESCRIPTION})  # those that are texts


@dataclass(frozen=True)
class Shown:
    """One value as each side showed it when both last agreed."""

    incident: Value
    ticket: Value


@dataclass(frozen=True)
class Shaping:
    """How an integration shapes fields on their way to the ticket.

    `templates` are the texts that a field is put into. `cut_marks` are what stands at the end of a text that was cut.
    """

    templates: Mapping[FieldName, str] = field(default_factory=dict)
    cut_marks: tuple[str, ...] = ()

    def goes_one_way(self, name: FieldName) -> bool:
        """Return whether a field's template cannot be undone, so that the value cannot come back."""
        template = self.templates.get(name)
        return template is not None and not can_be_undone(template, name)

    def taken_off(self, name: FieldName, value: Value, incident: Incident, last: Shown) -> Value:
        """Return a ticket's value as the incident would show it.

        First with what the template puts around it today, then with what it put there when both sides last agreed: the
        incident may have moved since. Where nothing of it is there, a person took it away, and the whole is the value.
        """
        if value is None or name not in _FIELDS:
            return value
        template = self.templates.get(name)
        if template is None:
            return self._completed(value, last)
        frames = [_today(template, name, incident), _of_last(template, name, last)]
        for before, after in filter(None, frames):
            inner = _between(value, before, after)
            if inner is not None:
                whole = self._completed(inner, Shown(last.incident, _between(last.ticket or "", before, after)))
                return whole or (None if name is FieldName.DESCRIPTION else value)
        return value

    def shows(self, name: FieldName, written: Value, shown: Value, incident: Incident) -> bool:
        """Return whether a ticket's value is one that was written, blanks and what is added or cut here apart."""
        last = Shown(written, shown)
        here = self.taken_off(name, shown, incident, last)
        return " ".join((here or "").split()) == " ".join((written or "").split())

    def _completed(self, value: str, last: Shown) -> str:
        """Put the end of the incident's text back in place of the mark that tells where the ticket's was cut."""
        for mark in self.cut_marks:
            if not (value.endswith(mark) and last.ticket and last.incident and last.ticket.endswith(mark)):
                continue
            shown = last.ticket.removesuffix(mark).rstrip()
            if shown and last.incident.startswith(shown):
                return value.removesuffix(mark).rstrip() + last.incident[len(shown) :]
        return value


def _today(template: str, name: FieldName, incident: Incident) -> tuple[str, str] | None:
    """Return what a template puts around the value for an incident as it is; None where it cannot be undone."""
    if parts_around(template, name.value) is None:
        return None
    try:
        return words_around(template, incident, name.value)
    except ConfigError:
        return None


def _of_last(template: str, name: FieldName, last: Shown) -> tuple[str, str] | None:
    """Return what stood around the value when both sides last agreed, if that is what the template makes."""
    parts = parts_around(template, name.value)
    if parts is None or not last.incident or not last.ticket:
        return None
    start = last.ticket.find(last.incident)
    for _ in range(_MOST_PLACES):
        if start < 0:
            break
        before, after = last.ticket[:start], last.ticket[start + len(last.incident) :]
        if _is_made_of(parts[0], before) and _is_made_of(parts[1], after):
            return before, after
        start = last.ticket.find(last.incident, start + 1)
    return None


def _between(value: str, before: str, after: str) -> str | None:
    """Return what stands between words; one of both may have been taken away, None when nothing is left of them."""
    start = re.match(_loose(before), value) if before.strip() else None
    rest = value[start.end() :] if start else value
    end = re.match(_loose(after[::-1]), rest[::-1]) if after.strip() else None
    if start is None and end is None and (before.strip() or after.strip()):
        return None
    return (rest[: len(rest) - end.end()] if end else rest).strip()


def _is_made_of(parts: Sequence[str | None], words: str) -> bool:
    """Return whether words are what a template's parts make: fixed ones as they are, with anything in between."""
    fixed: list[list[str]] = [[]]
    for part in parts:
        if part is None:
            fixed.append([])
        else:
            fixed[-1].append(part)
    literals = [_squeezed("".join(run)) for run in fixed]
    rest = _squeezed(words)
    if len(literals) == 1:
        return rest == literals[0]
    first, *middle, end = literals
    if not (rest.startswith(first) and rest.endswith(end) and len(rest) >= len(first) + len(end)):
        return False
    rest = rest[len(first) : len(rest) - len(end)]
    for literal in middle:
        _, found, rest = rest.partition(literal) if literal else ("", "x", rest)
        if not found:
            return False
    return True


def _squeezed(words: str) -> str:
    return "".join(c for c in words if c.isprintable() and not c.isspace() and c != _REPLACED)


@lru_cache(maxsize=256)
def _loose(words: str) -> str:
    """Match words however their blanks are spelt, and without what cannot be seen: other systems tidy texts up."""
    pattern = []
    for piece in re.split(r"(\s+)", words):
        if not piece or piece.isspace():
            pattern.append(r"\s*" if piece else "")
        else:
            pattern.extend(re.escape(c) if c.isprintable() else f"(?:{re.escape(c)}|{_REPLACED})?" for c in piece)
    return "".join(pattern)
