"""What a stand-in of a vendor's system can be told to do, by the demo and by tests.

It is a distribution of its own, which need not import the core: it names a function under the entry-point group
`connector_core.sandboxes`, by the name of the plugin that it is for. Called with a port, 0 for any free one, that
function starts the stand-in on loopback and gives back a `Sandbox` for a ticketing plugin, a `SourceSandbox` for an
incident source. One that serves the vendor's own server raises `FileNotFoundError` where that is not on this machine;
its text is the line that installs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable


class SourceSandbox(Protocol):
    """An incident platform on loopback, with people and devices in it that can be told what to do.

    An incident is a mapping with `id, title, description, priority, status` at least.
    """

    #: What people call the platform.
    title: str
    #: Where it listens, on loopback.
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


class SandboxAbility(StrEnum):
    """What not every ticketing system can do; its stand-in names what it can, as plain texts or as these."""

    CONSENT = "consent"  # access is authorized on a page of it; otherwise the settings prove themselves
    WEBHOOKS = "webhooks"  # it tells of changes; otherwise they are only read
    COMMENTS = "comments"  # tickets have comments, internal ones too
    EDITS_DESCRIPTION = "edits_description"  # people change the description of a ticket
    DELETES = "deletes"  # people delete tickets
    INTERRUPTS = "interrupts"  # people act between an edit and the reading of its answer, see `Interruptible`


@runtime_checkable
class Interruptible(Protocol):
    """What a `Sandbox` can be told besides where it has the ability `INTERRUPTS`."""

    def interrupt(self, act: Callable[[], object]) -> None:
        """Call `act` once, between the next edit by the API and the reading of what it answers."""
        ...


class Sandbox(Protocol):
    """A ticketing system on loopback, with a person in it who can be told what to do.

    A ticket is a mapping with `id, key, url, title, description, priority, status, done, updated`, a comment one with
    `id, author, text, internal`. What belongs to an ability is called only where `abilities` has it.
    """

    #: What people call the ticketing system.
    title: str
    #: Where it listens, on loopback.
    url: str

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do, by the names of `SandboxAbility`."""
        ...

    def stop(self) -> None:
        """End it; nothing is left behind."""
        ...

    def plugin_settings(self) -> Mapping[str, Any]:
        """Return what goes under `plugins: <name>:`, secrets as `SecretStr`."""
        ...

    def integration_settings(self) -> Mapping[str, Any]:
        """Return plugin-specific settings of a working integration, secrets as `SecretStr`."""
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

    def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket as a person would."""
        ...

    def comments(self, ticket_id: str) -> Sequence[Mapping[str, Any]]:
        """List the comments of a ticket, the oldest first."""
        ...

    def write_comment(self, ticket_id: str, text: str, *, internal: bool = False) -> str:
        """Comment on a ticket as a person would; return the comment's id."""
        ...

    def call_count(self) -> int:
        """Return how many API calls were answered so far."""
        ...
