"""What Jira refused while one ticket is closed, and what is done differently since.

Validators ask for fields that no list calls required, and that may not even be on the screen; other fields are shown
and not taken. Pure, apart from what it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connector_core import Incident, RemoteError
from connector_core.kit.answers import FieldsRefused
from connector_core.kit.fields import Gap
from connector_jira_jsm.api.responses import named_in
from connector_jira_jsm.fields.filling import fill_screen
from connector_jira_jsm.tickets.planning import Barred, gaps_of
from connector_jira_jsm.tickets.workflow import RESOLUTION, Chart, Here, Step

Values = dict[str, object]


@dataclass
class Refusals:
    """What was refused to one ticket, and what follows from it for the next try."""

    #: What settings have for the fields of screens.
    texts: Mapping[str, str]
    incident: Incident
    #: The refusal that nothing could be done about, of those the last.
    last: RemoteError | None = None
    #: Jira's sentence for each field that is left out since it was refused.
    left_out: dict[str, str] = field(default_factory=dict)
    #: Fields that were set by an edit, since a validator asked for them and no screen has them.
    set_beforehand: set[str] = field(default_factory=set)
    #: Statuses whose screens are to be read anew.
    doubted: set[str] = field(default_factory=set)
    _blocked: set[tuple[str, str]] = field(default_factory=set)
    _added: dict[str, Values] = field(default_factory=dict)  # by step

    def values_of(self, step: Step) -> Values:
        """Return what a step's screen is filled in with."""
        filled = fill_screen(step.screen, self.texts, self.incident).values
        return {name: one for name, one in filled.items() if name not in self.left_out} | self._added.get(step.id, {})

    def gaps(self, step: Step) -> tuple[Gap, ...]:
        """Return the fields that keep a step from being taken."""
        added = self._added.get(step.id, {})
        return tuple(gap for gap in gaps_of(step, self.texts, self.incident) if gap.field.id not in added)

    def barred(self, chart: Chart) -> Barred:
        """Return the steps that were refused, or cannot be filled in."""
        every = ((status, step) for status, steps in chart.onward.items() for step in steps)
        return self._blocked | {(status, step.id) for status, step in every if self.gaps(step)}

    def adapt(self, step: Step, refusal: RemoteError, values: Values) -> bool:
        """Fill a step in otherwise next time, one field more or one less; return whether that is another try."""
        screen = {one.id: one for one in step.screen}
        named = named_in(refusal, {name: screen[name].name for name in values if name in screen})
        if optional := {name: text for name, text in named.items() if not screen[name].insists}:
            self.left_out |= optional
            self._added.pop(step.id, None)
            return True
        if RESOLUTION in _asked(refusal, values) and step.id not in self._added and (added := self._resolution(step)):
            self._added[step.id] = added
            return True
        return False

    def to_set_beforehand(self, refusal: RemoteError, values: Values) -> dict[str, str]:
        """Return the texts for fields that a validator asks for and an edit may set, each once."""
        asked = _asked(refusal, values) - self.set_beforehand - self.left_out.keys()
        wanted = {name: text for name, text in self.texts.items() if name in asked}
        self.set_beforehand |= wanted.keys()
        return wanted

    def block(self, here: Here, step: Step, refusal: RemoteError) -> None:
        """Take a step no more, unless its screen was only remembered: that may be out of date."""
        status = here.ticket.status
        if step.id in here.recalled and status not in self.doubted:
            self.doubted.add(status)
            return
        self._blocked.add((status, step.id))
        self.last = refusal

    def _resolution(self, step: Step) -> Values:
        shown = [replace(one, required=True, has_value=False) for one in step.screen if one.id == RESOLUTION]
        return dict(fill_screen(shown, self.texts, self.incident).values)


def _asked(refusal: RemoteError, values: Values) -> frozenset[str]:
    """Return the fields that a refusal asks for and that were not sent."""
    return frozenset(refusal.fields if isinstance(refusal, FieldsRefused) else ()) - values.keys()
