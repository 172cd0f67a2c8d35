"""The errors of the connector, ordered by what the caller does next.

    ConnectorError
      ConfigError        a person must edit settings         -> exit, or a message on the step
      AuthError          a person must authorize again       -> pause the integration, ask
      RetryLater         wait, then the same call may work   -> reschedule (carries `after_s`, `scope`)
        TicketChanged    it is not as the change has it      -> seen as it is, then merged again at once
      RemoteError        the other side says no, for good    -> record, wait for a person
        TicketGone       the ticket is no longer there       -> the link is marked gone
      WebhookRejected    this request is not acceptable      -> 4xx, nothing stored
      PluginError        the plugin broke its contract       -> record, go on with the others

Every error has two texts: `message`, a sentence for a person that never holds a secret or a response body, and `detail`
for the log; secrets that stand in an address are taken out of both (`secret_addresses`). `code` is stable and may be
searched for. `fix` says what to do in another system, `advice` what to do in the product: a terminal says that as a
command, a page as a link.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from connector_core.contract.secret_addresses import hidden

if TYPE_CHECKING:
    from connector_core.contract.advice import Advice
    from connector_core.contract.models import TicketSnapshot


class Scope(StrEnum):
    """How much a `RetryLater` is about: one link, one authorization, everything at one site, or of one app."""

    LINK = "link"
    GRANT = "grant"
    SITE = "site"
    APP = "app"


class ConnectorError(Exception):
    """The root: whatever the connector raises on purpose."""

    default_code = "error"

    def __init__(
        self, message: str, *, code: str | None = None, detail: str = "", fix: str = "", advice: Advice | None = None
    ) -> None:
        self.message = hidden(message)
        super().__init__(self.message)
        self.code = code or self.default_code
        self.detail = hidden(detail)
        self.fix = fix
        self.advice = advice


class ConfigError(ConnectorError):
    """A person must edit settings before this can work."""

    default_code = "settings_invalid"


class AuthError(ConnectorError):
    """The other system no longer accepts our authorization; a person must authorize again.

    How that is done here is said by the core. What has to be done there first, such as to give a role back, belongs
    into `message`.
    """

    default_code = "authorization_needed"


class RetryLater(ConnectorError):
    """The same call may work later.

    `after_s` is the wait in seconds that the other side asked for, or None when it named none.
    `outcome_unknown` is True when the call may have taken effect although its answer never came.
    `scope` says who has to wait: only this link, every call with the same authorization, every call to the same site,
    or every call of the same app.
    """

    default_code = "temporarily_unavailable"

    def __init__(  # noqa: PLR0913 - three facts of its own beside the five that every error has
        self,
        message: str,
        *,
        after_s: float | None = None,
        outcome_unknown: bool = False,
        scope: Scope = Scope.LINK,
        code: str | None = None,
        detail: str = "",
        fix: str = "",
        advice: Advice | None = None,
    ) -> None:
        super().__init__(message, code=code, detail=detail, fix=fix, advice=advice)
        self.after_s = after_s
        self.outcome_unknown = outcome_unknown
        self.scope = scope


class TicketChanged(RetryLater):
    """The ticket is not as the change expects it, and nothing was written: a person was faster.

    `ticket` is how it is now. The core takes it as seen, merges again, and comes back at once with what is left to be
    written, so that no person's change is written over unseen.
    """

    default_code = "ticket_changed"

    def __init__(self, ticket: TicketSnapshot) -> None:
        super().__init__("The ticket was changed just now; it is looked at again.")
        self.ticket = ticket


class RemoteError(ConnectorError):
    """The other side refused for good; the same call would be refused again."""

    default_code = "refused"


class TicketGone(RemoteError):
    """The ticket was deleted, archived, or is hidden from our account."""

    default_code = "ticket_gone"


class WebhookRejected(ConnectorError):
    """An inbound request is not acceptable; `message` is for our log, the sender sees `status` and `reply`.

    `integration` is whose it was, when that is known: it is then counted there. `after_s` is how long the sender is to
    wait, in seconds, where waiting helps.
    """

    default_code = "rejected"

    def __init__(  # noqa: PLR0913 - what the sender is told, by keyword
        self,
        message: str,
        *,
        status: int = 400,
        reply: str = "bad request",
        code: str | None = None,
        integration: str = "",
        after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.after_s = after_s
        self.status = status
        self.reply = reply
        self.integration = integration


class PluginError(ConnectorError):
    """A plugin broke its contract: it raised something undocumented or gave back the wrong thing."""

    default_code = "plugin_broken"
