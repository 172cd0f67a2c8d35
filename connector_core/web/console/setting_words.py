"""Settings as people read them: the names of questions and answers in place of the keys and ids that are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from connector_core.app import App
from connector_core.contract.errors import ConnectorError
from connector_core.contract.merge import ConflictRule, Direction
from connector_core.contract.routing import RoutingRules, read
from connector_core.contract.setup_steps import in_words
from connector_core.setup.answering import looked_at
from connector_core.store import About, Subject

DIRECTIONS = {
    Direction.BOTH: "both ways",
    Direction.TO_TICKET: "to the ticket only",
    Direction.FROM_TICKET: "from the ticket only",
    Direction.OFF: "not at all",
}
WINNERS = {
    ConflictRule.LATEST_WINS: "the later change",
    ConflictRule.INCIDENT_WINS: "the incident",
    ConflictRule.TICKET_WINS: "the ticket",
    ConflictRule.ASK: "ask me",
}

_DRAFT, _RULE = "draft: ", "rule: "
_WORDS: Mapping[str, str] = {str(key): text for words in (DIRECTIONS, WINNERS) for key, text in words.items()}


@dataclass(frozen=True)
class SettingWords:
    """The names of one integration's or source's settings, and of answers by question and value."""

    names: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def name(self, key: str) -> str:
        """Return what a setting is called.

        >>> SettingWords({"desk": "Service desk"}).name("draft: desk")
        'Service desk (draft)'
        >>> SettingWords().name("rule: title")
        'Sync of title'
        """
        if key.startswith(_DRAFT):
            return f"{self.name(key.removeprefix(_DRAFT))} (draft)"
        if key.startswith(_RULE):
            return f"Sync of {key.removeprefix(_RULE)}"
        return self.names.get(key) or key.replace("_", " ").capitalize()

    def text(self, key: str, value: str | None) -> str:
        """Return a value of a setting; None stands for one that is not set.

        >>> SettingWords(labels={("desk", "10"): "IT help"}).text("desk", "10")
        'IT help (10)'
        >>> SettingWords().text("rule: title", "to_ticket, ask")
        'to the ticket only, ask me'
        >>> SettingWords().text("conditions", '["backlog", "test_failed"]')
        'backlog, test failed'
        >>> SettingWords().text("rules", '[{"when":{"title":"fan"},"to":["desk"]},{"to":[]}]').splitlines()
        ['1. title contains "fan": desk', '2. any incident: no ticket']
        """
        if value is None:
            return "default" if key.startswith(_RULE) else "not set"
        if key.startswith(_RULE):
            return ", ".join(_WORDS.get(part, part) for part in value.split(", "))
        if value.startswith("["):
            return _listed(value)
        return in_words(value, self.labels.get((key.removeprefix(_DRAFT), value)))


def rules_in_words(rules: RoutingRules) -> str:
    """Return rules of routing, one a line."""
    lines = (f"{number}. {rule.when}: {', '.join(rule.to) or 'no ticket'}" for number, rule in enumerate(rules, 1))
    return "\n".join(lines) or "no rules"


def _listed(value: str) -> str:
    """Write a list that is stored as JSON: rules of routing, or words of ours; as it is where it was cut."""
    try:
        found = json.loads(value)
        if all(isinstance(one, str) for one in found):
            return ", ".join(found).replace("_", " ") or "none"
        return rules_in_words(read(value))
    except ValueError:
        return value


def setting_words(app: App, about: About) -> SettingWords:
    """Return the words for what an entry is about; where a plugin fails, or it was removed, those of the keys alone."""
    try:
        if about.subject is Subject.INTEGRATION:
            labels, steps = app.setup.labels(about.name), looked_at(app.registry.entry(about.name))
        elif about.subject is Subject.SOURCE:
            labels, steps = app.source_setup.labels(about.name), app.source_setup.looked_at(about.name)
        else:
            return SettingWords()
    except ConnectorError:
        return SettingWords()
    return SettingWords({asked.key: asked.label for step in steps for asked in step.fields}, labels)
