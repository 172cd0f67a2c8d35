"""Present settings for open incidents: what would change, how far a run is, and what can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError
from connector_core.contract.setup_steps import answer_to, in_words
from connector_core.setup.answering import looked_at
from connector_core.setup.open_incidents import Preview
from connector_core.store import Left, SettingsChange
from connector_core.web.console import visible
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import NotVisible, Visit, go

MOST_LEFT = 50
_DIGITS = 18
REASONS: Mapping[str, str] = {
    Left.CHANGED: "It has other settings by now.",
    Left.CLOSED: "It was closed meanwhile.",
}


@dataclass(frozen=True)
class Changed:
    """One setting in words, before and after."""

    label: str
    before: str
    after: str


def show(visit: Visit) -> Response:
    """Show what applying the present settings would change, and the latest runs."""
    seen = _seen(visit)
    flow, store = visit.app.open_incidents, visit.app.store.link_settings
    preview, runs = flow.preview(seen.id), store.runs(seen.id)
    words = _Words(visit, seen)
    latest = runs[0] if runs else None
    return visit.page(
        "open_incidents.html",
        seen=seen,
        preview=preview,
        groups=[(one, words.of(one.changed), words.of(one.kept)) for one in preview.affected],
        kept=_kept(preview, words),
        runs=runs,
        latest=latest,
        left=[] if latest is None else [(one, _reason(one)) for one in store.left(latest.id, MOST_LEFT)],
    )


def begin(visit: Visit) -> Response:
    """Begin to apply the settings that were shown."""
    seen = _seen(visit)
    visit.app.open_incidents.begin(seen.id, visit.user.name, visit.form.get("version", ""))
    return go(_address(seen), "settings_begun")


def undo(visit: Visit) -> Response:
    """Take back what a run did, for all its links or for one, and go back to where the button was."""
    seen = _seen(visit)
    run, link = _number(visit.form.get("run", "")), visit.form.get("link", "")
    if link:
        number = visible.link(visit, link).id
        visit.app.open_incidents.undo(seen.id, run, visit.user.name, number)
        return go(f"/links/{number}", "settings_undone")
    visit.app.open_incidents.undo(seen.id, run, visit.user.name)
    return go(_address(seen), "settings_undone")


def of_link(visit: Visit, link_id: int, integration_id: str) -> tuple[SettingsChange, list[Changed]] | None:
    """Return how the settings of a link were changed, in words, if that can be taken back."""
    change = visit.app.store.link_settings.of_link(link_id)
    if change is None or not visit.app.registry.usable(integration_id):
        return None
    return change, _Words(visit, visible.usable(visit, integration_id)).of(change.changed)


def _seen(visit: Visit) -> Usable:
    if not visit.user.is_admin:
        raise NotVisible("There is nothing to do here for viewers.")
    return visible.usable(visit, visit.named("integration"))


def _address(seen: Usable) -> str:
    return f"/integrations/{seen.id}/open-incidents"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 0


def _kept(preview: Preview, words: _Words) -> list[Changed]:
    """Return what stays although it is another one today, once for each former value."""
    found = {(name, str(pair)): {name: pair} for one in preview.kept for name, pair in one.kept.items()}
    return [changed for pair in found.values() for changed in words.of(pair)]


def _reason(change: SettingsChange) -> str:
    return REASONS.get(change.reason, change.reason)


class _Words:
    """The settings of an integration as its steps call them, with the names of their values."""

    def __init__(self, visit: Visit, seen: Usable) -> None:
        try:
            steps = looked_at(seen.entry)
        except ConnectorError:
            steps = ()  # the page is the more needed when a plugin fails
        self._labels = {asked.key: asked.label for step in steps for asked in step.fields}
        self._values = visit.app.setup.labels(seen.id)

    def of(self, changed: Mapping[str, tuple[Any, Any]]) -> list[Changed]:
        """Put settings into words."""
        return [
            Changed(
                self._labels.get(name, name.replace("_", " ").capitalize()),
                self._value(name, old),
                self._value(name, new),
            )
            for name, (old, new) in changed.items()
        ]

    def _value(self, name: str, value: object) -> str:
        if value in (None, ""):
            return "nothing"
        text = answer_to({name: value}, name)
        return in_words(text, self._values.get((name, text)))
