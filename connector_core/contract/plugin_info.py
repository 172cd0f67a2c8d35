"""What a plugin says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from connector_core.contract.durations import Duration, duration_field
from connector_core.contract.models import FieldName
from connector_core.contract.shaping import Shaping

SAME_PLACE = "same_place"
SAME_PLACE_FIX = "disable or remove one of them, unless their rules take different incidents"


def same_place(twins: Sequence[str]) -> str:
    """Say that tickets are made where those of other integrations are made too."""
    return f"tickets are made in the same place as those of {' and '.join(twins)}: each incident gets one by each"


class Settings(BaseModel):
    """Settings of a plugin: unknown keys are refused, every field carries a description."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class PolledSettings(Settings):
    """Settings of a source that is polled: a plugin with `poll_incidents` has settings of this kind."""

    poll_every: Duration = duration_field("30s", "How often the platform is asked what changed.")


@dataclass(frozen=True)
class PluginInfo:
    """Identity and settings models of a plugin.

    `name` equals the entry-point name and the key in the configuration. `settings` validates one integration (or
    source), `plugin_settings` what is shared by all of them. `webhook_route` is the path segment that the ticketing
    system calls, None when it calls nobody. `link_settings` names the settings that a link keeps as they were when its
    ticket was created; all others are always today's. `place_settings` names the settings that say where tickets are
    made: integrations alike in them make a ticket each. `platform` is what people call an incident platform, where that
    is not the title: it names the place where comments were written. `templates` names the settings that are templates
    over the incident for a field of the ticket, and `cut_marks` what the plugin puts at the end of a text that it cut:
    both are taken off again when the field comes back. `renewal_leeway_s` is how long after a renewal the grant of
    before is still taken: so long a renewal whose answer was lost is asked for again every few seconds.
    """

    name: str
    title: str
    settings: type[Settings]
    plugin_settings: type[Settings] = Settings
    webhook_route: str | None = None
    link_settings: frozenset[str] = frozenset()
    place_settings: frozenset[str] = frozenset()
    platform: str = ""
    templates: Mapping[FieldName, str] = field(default_factory=dict, hash=False)
    cut_marks: tuple[str, ...] = ()
    renewal_leeway_s: float = 0.0

    def is_one_place(self, one: Settings, other: Settings) -> bool:
        """Return whether both make tickets in the same place; what one of them leaves open may be as the other."""
        values = [(getattr(one, name), getattr(other, name)) for name in self.place_settings or self.link_settings]
        return any(value[0] is not None for value in values) and all(
            here == there or here is None or there is None for here, there in values
        )

    def shaping(self, settings: Settings | None) -> Shaping:
        """Return what happens to fields on their way to tickets by settings."""
        found = {name: getattr(settings, setting, None) for name, setting in self.templates.items()}
        return Shaping({name: text for name, text in found.items() if text}, self.cut_marks)
