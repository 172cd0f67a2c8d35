"""What a plugin says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from connector_core.contract.durations import Duration, duration_field
from connector_core.contract.models import FieldName
from connector_core.contract.shaping import Shaping


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
    ticket was created; all others are always today's. `platform` is what people call an incident platform, where that
    is not the title: it names the place where comments were written. `templates` names the settings that are templates
    over the incident for a field of the ticket, and `cut_marks` what the plugin puts at the end of a text that it cut:
    both are taken off again when the field comes back.
    """

    name: str
    title: str
    settings: type[Settings]
    plugin_settings: type[Settings] = Settings
    webhook_route: str | None = None
    link_settings: frozenset[str] = frozenset()
    platform: str = ""
    templates: Mapping[FieldName, str] = field(default_factory=dict, hash=False)
    cut_marks: tuple[str, ...] = ()

    def shaping(self, settings: Settings | None) -> Shaping:
        """Return what happens to fields on their way to tickets by settings."""
        found = {name: getattr(settings, setting, None) for name, setting in self.templates.items()}
        return Shaping({name: text for name, text in found.items() if text}, self.cut_marks)
