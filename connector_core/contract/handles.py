"""What a hook is handed: the integration or source it works for, with the tools to do so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from connector_core.clock import Clock
from connector_core.contract.memory import Memory, Notebook
from connector_core.contract.models import Grant, HookRegistration, Incident
from connector_core.contract.shaping import Shaping

if TYPE_CHECKING:  # the face of the core is imported by every command; these two would double its start-up
    import requests
    from structlog.typing import FilteringBoundLogger


def _nobody_listens(until: datetime) -> None:
    """Take a hint that nobody acts on."""


def _nobody_links(_: str) -> bool:
    """Know of no link."""
    return False


def _nobody_reads(key: str, value: str, label: str) -> None:
    """Take a name that nobody reads."""


@dataclass(frozen=True)
class Integration:
    """One configured connection of an organization to a ticketing system.

    `settings` and `plugin_settings` are instances of the models that the plugin's `PluginInfo` names; for work on a
    link, `settings` are those that were active when the link was made. While set-up is unfinished `settings` is
    None and only `answers`, the raw values given so far, can be read. `session` sends the grant's headers and
    renews the grant before it ends; `renew` renews it when the other side refuses it early (given the grant that
    was refused, so that two threads do not do it twice). `cache` lives as long as the process and may be emptied at
    any time; `memory` is the same across restarts, for what takes calls to learn. `near_limit` tells the core that
    the site comes near its rate limit, until a time: what can wait then does. `own_webhook` is what `keep_webhook`
    last gave back. `reads_comments` says that comments of tickets travel, so that webhooks of our own should tell of
    them. `tell_label` says what people call an answer, by its key and value, as a list of choices would; the key of a
    group's row with an empty value names the row. `shaping` is what the plugin does to fields on their way to tickets.
    `is_linked` tells whether a link has a ticket of this site, by its id: it is not one whose creation nobody heard of.
    """

    id: str
    organization: str
    settings: Any
    answers: Mapping[str, Any]
    plugin_settings: Any
    session: requests.Session
    grant: Callable[[], Grant | None]
    renew: Callable[[Grant], Grant]
    webhook_secrets: tuple[SecretStr, ...]
    webhook_url: str
    clock: Clock
    log: FilteringBoundLogger
    cache: dict[str, Any]
    near_limit: Callable[[datetime], None] = _nobody_listens
    own_webhook: HookRegistration | None = None
    reads_comments: bool = False
    memory: Memory = field(default_factory=Notebook)
    tell_label: Callable[[str, str, str], None] = _nobody_reads
    shaping: Shaping = field(default_factory=Shaping)
    is_linked: Callable[[str], bool] = _nobody_links


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
