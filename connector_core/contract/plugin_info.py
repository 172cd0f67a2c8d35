"""What a plugin says about itself, and the stand-in of its vendor's system that it may bring along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

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


class SourceSandbox(Protocol):
    """An incident platform on loopback, with people and devices in it that can be told what to do.

    An incident is a mapping with `id, title, description, priority, status` at least.
    """

    title: str
    url: str

    def stop(self) -> None:
        """End it; nothing is left behind."""
        ...

    def source_settings(self) -> Mapping[str, Any]:
        """Return what goes under `source:` beside the plugin's name, secrets as `SecretStr`."""
        ...

    def open(self, title: str, **fields: Any) -> str:  # noqa: ANN401 - any field of an incident
        """Open an incident; return its id."""
        ...

    def change(self, incident_id: str, **fields: str) -> None:
        """Change fields of an incident."""
        ...

    def resolve(self, incident_id: str) -> None:
        """Resolve an incident."""
        ...

    def incident(self, incident_id: str) -> Mapping[str, Any]:
        """Show one incident; KeyError when there is none."""
        ...

    def call_count(self) -> int:
        """Return how many API calls were answered so far."""
        ...


class Sandbox(Protocol):
    """A ticketing system on loopback, with a person in it who can be told what to do.

    A ticket is a mapping with `id, key, url, title, description, priority, status, done, updated`.
    """

    title: str
    url: str

    def stop(self) -> None:
        """End it; nothing is left behind."""
        ...

    def plugin_settings(self) -> Mapping[str, Any]:
        """Return what goes under `plugins: <name>:`."""
        ...

    def integration_settings(self) -> Mapping[str, Any]:
        """Return plugin-specific settings of a working integration."""
        ...

    def approve(self, authorize_url: str) -> str:
        """Play the person who consents; return the callback address that their browser would be sent to."""
        ...

    def register_webhook(self, url: str, secret: str) -> None:
        """Send signed deliveries to an address from now on."""
        ...

    def tickets(self) -> Sequence[Mapping[str, Any]]:
        """List all tickets."""
        ...

    def ticket(self, ticket_id: str) -> Mapping[str, Any]:
        """Show one ticket; KeyError when there is none."""
        ...

    def edit_ticket(
        self, ticket_id: str, *, title: str | None = None, description: str | None = None, priority: str | None = None
    ) -> None:
        """Change fields as a person would; `priority` is one of ours."""
        ...

    def finish_ticket(self, ticket_id: str) -> None:
        """Move a ticket to a done status as a person would."""
        ...

    def call_count(self) -> int:
        """Return how many API calls were answered so far."""
        ...
