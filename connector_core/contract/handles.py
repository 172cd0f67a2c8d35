"""What a hook is handed: the integration or source it works for, with the tools to do so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, cast, overload

from pydantic import SecretStr
from typing_extensions import TypeVar

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError
from connector_core.contract.memory import Memory, Notebook
from connector_core.contract.models import Grant, HookRegistration, Incident
from connector_core.contract.plugin_info import Settings
from connector_core.contract.shaping import Shaping

if TYPE_CHECKING:  # the face of the core is imported by every command; these two would double its start-up
    import requests
    from structlog.typing import FilteringBoundLogger


#: The settings of an integration or a source: the plugin's model, or with None where set-up may be unfinished.
S_co = TypeVar("S_co", bound=Settings | None, default=Settings, covariant=True)
#: What all integrations of a plugin share: the plugin's model.
P_co = TypeVar("P_co", bound=Settings, default=Settings, covariant=True)

_Settings = TypeVar("_Settings", bound=Settings)
_Shared = TypeVar("_Shared", bound=Settings)


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
class Integration(Generic[S_co, P_co]):
    """One configured connection of an organization to a ticketing system.

    A plugin names its models in it: `Integration[MySettings]`, or `Integration[MySettings, MyPluginSettings]`. Hooks
    that are called before set-up is finished take `Integration[MySettings | None]`.
    """

    #: Names it in files, commands and logs.
    id: str
    #: The id of the organization that it belongs to.
    organization: str
    #: For work on a link those that were active when the link was made, as far as links keep them. None until the
    #: answers are settings that the model takes, all that it requires.
    settings: S_co
    #: The raw values given so far, by name.
    answers: Mapping[str, Any]
    #: What all integrations of the plugin share.
    plugin_settings: P_co
    #: Sends the grant's headers, renews the grant before it ends, and where it is refused all the same renews it and
    #: repeats the request, once; a request with `auth=no_grant` goes without. While a grant is being renewed, no
    #: request carries one.
    session: requests.Session
    #: Whom the plugin asks and tells.
    core: Core
    #: The secrets that webhooks may be signed with, the latest first.
    webhook_secrets: tuple[SecretStr, ...]
    #: Where the webhooks of the plugin's integrations are sent to.
    webhook_url: str
    #: What time it is; a plugin asks no other.
    clock: Clock
    #: Knows which integration it is about.
    log: FilteringBoundLogger
    #: Lives as long as the process and may be emptied at any time.
    cache: dict[str, Any]
    #: What `keep_webhook` last gave back.
    webhook_registration: HookRegistration | None = None
    #: Comments of tickets are synced: webhooks of our own should tell of them.
    reads_comments: bool = False
    #: The secrets given so far, by name.
    secret_answers: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    #: The same across restarts, for what takes calls to learn.
    memory: Memory = field(default_factory=Notebook)
    #: What the plugin does to fields on their way to tickets.
    shaping: Shaping = field(default_factory=Shaping)


@dataclass(frozen=True)
class Source(Generic[S_co, P_co]):
    """The incident platform of one organization.

    A plugin names its models in it: `Source[MySettings]`, or `Source[MySettings | None]` where hooks are called before
    set-up is finished.
    """

    #: The id of the organization.
    organization: str
    #: None while set-up is unfinished.
    settings: S_co
    #: What all sources of the plugin share.
    plugin_settings: P_co
    #: Sends requests within limits of time and size.
    session: requests.Session
    #: What time it is; a plugin asks no other.
    clock: Clock
    #: Knows which organization it is about.
    log: FilteringBoundLogger
    #: Lives as long as the process and may be emptied at any time.
    cache: dict[str, Any] = field(default_factory=dict)
    #: The raw values given so far, by name; none of a source that is written in the file.
    answers: Mapping[str, Any] = field(default_factory=dict)
    #: Where the platform may push events to.
    events_url: str = ""
    #: Gives the open incidents that have a ticket which is not over, or lack one by rules: they are known already,
    #: whatever the cursor says.
    followed: Callable[[], Sequence[Incident]] = tuple


#: A handle whose set-up may be unfinished.
AnyIntegration: TypeAlias = Integration[Settings | None]
AnySource: TypeAlias = Source[Settings | None]


@overload
def finished(handle: Integration[_Settings | None, _Shared]) -> Integration[_Settings, _Shared]: ...


@overload
def finished(handle: Source[_Settings | None, _Shared]) -> Source[_Settings, _Shared]: ...


def finished(
    handle: Integration[_Settings | None, _Shared] | Source[_Settings | None, _Shared],
) -> Integration[_Settings, _Shared] | Source[_Settings, _Shared]:
    """Return a handle as one that has settings.

    Raises:
        ConfigError: its set-up is not finished.
    """
    if handle.settings is None:
        what = "integration" if isinstance(handle, Integration) else "source"
        raise ConfigError(f"The set-up of this {what} is not finished.", code="setup_unfinished")
    return cast("Integration[_Settings, _Shared] | Source[_Settings, _Shared]", handle)


def no_grant(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: the `auth` of those that must not carry the grant, as to where grants are made."""
    return request
