"""What somebody else changed since a form was opened, beside what was to be saved over it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector_core.app import App
from connector_core.contract.errors import ConnectorError
from connector_core.contract.routing import RoutingRules, read
from connector_core.contract.setup_steps import in_words
from connector_core.setup.answering import looked_at
from connector_core.store import About, Overtaken, Subject


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


def values(app: App, form: Mapping[str, str], overtaken: Overtaken) -> list[Value]:
    """Return every setting that somebody else changed, those that would be overwritten first."""
    about = overtaken.entries[0].about
    if about.subject is Subject.ROUTING:
        return [_routing(app, about.organization, form)]
    labels, names = _names(app, about)
    found: dict[str, Value] = {}
    for entry in overtaken.entries:
        for name, (before, after) in entry.changes.items():
            key = name.removeprefix("draft: ")
            mine = overtaken.mine.get(name, overtaken.mine.get(key, overtaken.mine.get(f"draft: {key}")))
            first = found.get(key)
            found[key] = Value(
                names.get(key, key.replace("_", " ").capitalize()),
                first.before if first is not None else _text(key, before, labels),
                _text(key, after, labels),
                "" if mine is None else _text(key, mine[1], labels),
                mine is not None,
            )
    return sorted(found.values(), key=lambda value: not value.is_mine)


def _text(key: str, value: str | None, labels: Mapping[tuple[str, str], str]) -> str:
    return "nothing" if value is None else in_words(value, labels.get((key, value)))


def _names(app: App, about: About) -> tuple[Mapping[tuple[str, str], str], Mapping[str, str]]:
    """Return what people read for values, and for the settings; a plugin that fails leaves both as stored."""
    try:
        if about.subject is Subject.INTEGRATION:
            labels, steps = app.setup.labels(about.name), looked_at(app.registry.entry(about.name))
        elif about.subject is Subject.SOURCE:
            labels, steps = app.source_setup.labels(about.name), app.source_setup.looked_at(about.name)
        else:
            return {}, {}
    except ConnectorError:
        return {}, {}
    return labels, {asked.key: asked.label for step in steps for asked in step.fields}


def _routing(app: App, organization: str, form: Mapping[str, str]) -> Value:
    present = app.store.routing.in_force(organization)
    try:
        mine = read(form.get("rules", ""))
    except ValueError:
        mine = ()
    return Value("Rules", "", _rules(() if present is None else present.rules), _rules(mine), is_mine=True)


def _rules(rules: RoutingRules) -> str:
    lines = (f"{number}. {rule.when}: {', '.join(rule.to) or 'no ticket'}" for number, rule in enumerate(rules, 1))
    return "; ".join(lines) or "no rules"
