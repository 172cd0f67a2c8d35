"""What a stand-in of a vendor's system can be told to do, by the demo and by tests.

It is a distribution of its own, which need not import the core: it names a function under the entry-point group
`connector_core.sandboxes`, by the name of the plugin that it is for. Called with a port, 0 for any free one, that
function starts the stand-in on loopback and gives back a `Sandbox` for a ticketing plugin, a `SourceSandbox` for an
incident source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


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
