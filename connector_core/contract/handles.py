"""What a hook is handed: the integration or source it works for, with the tools to do so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr

from connector_core.clock import Clock
from connector_core.contract.memory import Memory, Notebook
from connector_core.contract.models import Grant, HookRegistration, Incident
from connector_core.contract.shaping import Shaping

if TYPE_CHECKING:  # the face of the core is imported by every command; these two would double its start-up
    import requests
    from structlog.typing import FilteringBoundLogger


class Core(Protocol):
    """What a plugin asks of the core, or tells it, about one integration."""

    def grant(self) -> Grant | None:
        """Return the present grant, renewed if it is about to end; None when nobody has authorized yet."""
        ...

    def renew(self, refused: Grant) -> Grant:
        """Return a grant that is not the refused one: two threads that were refused do not renew twice.

        The session does this by itself where a request is answered with the status 401.

        Raises:
            AuthError: a person has to authorize again.
            RetryLater: the other side could not be asked now.
        """
        ...

    def near_limit(self, until: datetime) -> None:
        """Say that the site comes near its rate limit, until a time: what can wait then does."""
        ...

    def tell_label(self, key: str, value: str, label: str) -> None:
        """Say what people call an answer, by its key and value, as a list of choices would.

        The key of a group's row with an empty value names the row.
        """
        ...

    def is_linked(self, ticket_id: str) -> bool:
        """Return whether a link has a ticket of this site: it is not one whose creation nobody heard of."""
        ...

    def follows(self, ticket_id: str) -> bool:
        """Return whether a delivery about a ticket may matter: a link has it, or one is just being created.

        Most deliveries are about tickets that nobody follows: nothing more of them needs to be read.
        """
        ...


@dataclass(frozen=True)
class Integration:
    """One configured connection of an organization to a ticketing system.

    `settings` and `plugin_settings` are instances of the models that the plugin's `PluginInfo` names; for work on a
    link, `settings` are those that were active when the link was made. While set-up is unfinished `settings` is
    None and only `answers`, the raw values given so far, can be read. `session` sends the grant's headers, renews the
    grant before it ends, and where it is refused all the same renews it and repeats the request, once; a request with
    `auth=no_grant` goes without. While a grant is being renewed, no request carries one. `core` is whom the plugin asks
    and tells. `cache` lives as long as the process and may be emptied at any time; `memory` is the same across
    restarts, for what takes calls to learn. `webhook_registration` is what `keep_webhook` last gave back.
    `reads_comments` says that comments of tickets are synced: webhooks of our own should tell of them. `shaping` is
    what the plugin does to fields on their way to tickets.
    """

    id: str
    organization: str
    settings: Any
    answers: Mapping[str, Any]
    plugin_settings: Any
    session: requests.Session
    core: Core
    webhook_secrets: tuple[SecretStr, ...]
    webhook_url: str
    clock: Clock
    log: FilteringBoundLogger
    cache: dict[str, Any]
    webhook_registration: HookRegistration | None = None
    reads_comments: bool = False
    memory: Memory = field(default_factory=Notebook)
    shaping: Shaping = field(default_factory=Shaping)


@dataclass(frozen=True)
class Source:
    """The incident platform of one organization; `settings` is an instance of the source plugin's model.

    While set-up is unfinished `settings` is None and only `answers`, the raw values given so far, can be read; of a
    source that is written in the file there are no answers. `cache` lives as long as the process and may be emptied at
    any time. `events_url` is where the platform may push events to. `followed` gives the incidents that have a ticket
    which is not over: they are known already, whatever the cursor says.
    """

    organization: str
    settings: Any
    plugin_settings: Any
    session: requests.Session
    clock: Clock
    log: FilteringBoundLogger
    cache: dict[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    events_url: str = ""
    followed: Callable[[], Sequence[Incident]] = tuple


def no_grant(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: the `auth` of those that must not carry the grant, as to where grants are made."""
    return request
