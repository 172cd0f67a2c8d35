"""What somebody else changed since a form was opened, beside what was to be saved over it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector_core.app import App
from connector_core.contract.routing import read
from connector_core.store import Overtaken, Subject
from connector_core.web.console.setting_words import rules_in_words, setting_words


@dataclass(frozen=True)
class Value:
    """One setting: what it was when the form was opened, what it is by now, and what was to be saved.

    `mine` is empty with `is_mine` unset where nothing of it was to be saved.
    """

    label: str
    before: str
    theirs: str
    mine: str
    is_mine: bool

    @property
    def would_undo(self) -> bool:
        """Whether saving sets it back to what it was, as forms do that send all that they show."""
        return self.is_mine and self.mine == self.before


def values(app: App, form: Mapping[str, str], overtaken: Overtaken) -> list[Value]:
    """Return every setting that somebody else changed, those that would be overwritten first."""
    about = overtaken.entries[0].about
    if about.subject is Subject.ROUTING:
        return [_routing(app, about.organization, form, overtaken.entries[0].changes["rules"][0])]
    words = setting_words(app, about)
    found: dict[str, Value] = {}
    for entry in overtaken.entries:
        for name, (before, after) in entry.changes.items():
            key = name.removeprefix("draft: ")
            mine = overtaken.mine.get(name, overtaken.mine.get(key, overtaken.mine.get(f"draft: {key}")))
            first = found.get(key)
            found[key] = Value(
                words.name(key),
                first.before if first is not None else words.text(key, before),
                words.text(key, after),
                "" if mine is None else words.text(key, mine[1]),
                mine is not None,
            )
    return sorted(found.values(), key=lambda value: not value.is_mine)


def _routing(app: App, organization: str, form: Mapping[str, str], before: str | None) -> Value:
    present = app.store.routing.in_force(organization)
    theirs = rules_in_words(() if present is None else present.rules)
    return Value("Rules", _written(before), theirs, _written(form.get("rules")), is_mine=True)


def _written(rules: str | None) -> str:
    """Say rules that are written as JSON; the audit log cuts what is long."""
    try:
        return rules_in_words(() if rules is None else read(rules))
    except ValueError:
        return "too long to show here"
