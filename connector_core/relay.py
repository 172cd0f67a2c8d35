"""Calling the hooks of one plugin: a method for each, and what comes back is what the specification says.

What each hook is for, gets and may raise is told in `connector_core.contract.hookspecs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar, overload

import pluggy

from connector_core.contract import hookspecs
from connector_core.contract.errors import ConnectorError, PluginError
from connector_core.contract.handles import AnyIntegration, AnySource, finished
from connector_core.contract.hook_results import hook_of, kind_of
from connector_core.contract.models import (
    Absence,
    AuthorizationRenewal,
    AuthorizationRequest,
    AuthorizationReturn,
    AuthorizationStart,
    CloseTicket,
    CommentDraft,
    CreateTicket,
    Delivery,
    FieldChange,
    FieldName,
    FindComment,
    Finding,
    FindTicket,
    FoundTicket,
    Grant,
    HookRegistration,
    InboundRequest,
    IncidentChange,
    IncidentEvent,
    IncidentUpdate,
    MarkedTicket,
    MarkedTickets,
    MarkTicket,
    NotCreated,
    Poll,
    Push,
    Receipt,
    Redirect,
    Signature,
    Site,
    TicketComment,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    UpdateOutcome,
    WriteComment,
    WriteFields,
    WrittenComment,
)
from connector_core.contract.setup_steps import SetupStep
from connector_core.logs import get_logger

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import Response

log = get_logger(__name__)

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Relay:
    """The hooks of one plugin as methods, which all may raise the same.

    Raises:
        ConnectorError: whatever the plugin raised from our error tree, unchanged.
        PluginError: the plugin raised something else, gave back what the specification does not allow, or does not
            implement the hook.
        ConfigError: the hook works with settings, and the set-up is not finished.
        MemoryError: there is none left, which is nobody's fault.
    """

    def __init__(self, name: str, manager: pluggy.PluginManager, hooks: frozenset[str]) -> None:
        self.name = name
        self.hooks = hooks
        self._relay = manager.hook

    def implements(self, hook: str) -> bool:
        """Return whether the plugin has the ability that a hook stands for."""
        return hook in self.hooks

    # Authorization, set-up and checks

    @overload
    def authorize(self, integration: AnyIntegration, request: AuthorizationStart) -> Redirect | Grant: ...

    @overload
    def authorize(self, integration: AnyIntegration, request: AuthorizationReturn | AuthorizationRenewal) -> Grant: ...

    def authorize(self, integration: AnyIntegration, request: AuthorizationRequest) -> Redirect | Grant:
        """Start, finish or renew an authorization; only at its start people are sent elsewhere."""
        answer = self._call(hookspecs.authorize, integration, request)
        if isinstance(answer, Redirect) and not isinstance(request, AuthorizationStart):
            raise self._unfit("authorize", answer, f"Grant, to an {type(request).__name__}")
        return answer

    def is_curable(self, response: Response) -> bool:
        """Return whether a renewed grant may do better than the one that this answer refuses."""
        return self._call(hookspecs.is_curable, response)

    def configure_steps(self, integration: AnyIntegration) -> Sequence[SetupStep]:
        """List the steps of set-up."""
        return self._call(hookspecs.configure_steps, integration)

    def check_integration(self, integration: AnyIntegration) -> Sequence[Finding]:
        """Try what the integration will need."""
        return self._call(hookspecs.check_integration, finished(integration))

    def find_site(self, integration: AnyIntegration) -> Site | None:
        """Return what the site is called now."""
        return self._call(hookspecs.find_site, integration)

    # Tickets

    @overload
    def on_incident_event(self, integration: AnyIntegration, change: FindTicket) -> Receipt | NotCreated: ...

    @overload
    def on_incident_event(
        self, integration: AnyIntegration, change: CreateTicket | WriteFields | CloseTicket
    ) -> Receipt: ...

    def on_incident_event(self, integration: AnyIntegration, change: IncidentChange) -> Receipt | NotCreated:
        """Write a change to the ticketing system; only a look may end with nothing."""
        answer = self._call(hookspecs.on_incident_event, finished(integration), change)
        if isinstance(answer, NotCreated) and not isinstance(change, FindTicket):
            raise self._unfit("on_incident_event", answer, f"Receipt, to a {type(change).__name__}")
        return answer

    def fetch_tickets(
        self, integration: AnyIntegration, query: TicketQuery
    ) -> Sequence[TicketSnapshot | UnreadableTicket]:
        """Read linked tickets."""
        return self._call(hookspecs.fetch_tickets, finished(integration), query)

    def find_tickets(self, integration: AnyIntegration, names: Sequence[str]) -> Mapping[str, FoundTicket]:
        """Return the tickets that people call by some names."""
        return self._call(hookspecs.find_tickets, finished(integration), names)

    def mark_ticket(self, integration: AnyIntegration, mark: MarkTicket) -> MarkedTicket:
        """Put our mark on a ticket."""
        return self._call(hookspecs.mark_ticket, finished(integration), mark)

    def list_marked(self, integration: AnyIntegration, cursor: str | None) -> MarkedTickets:
        """Return some of the tickets with a mark of ours."""
        return self._call(hookspecs.list_marked, finished(integration), cursor)

    def explain_absence(self, integration: AnyIntegration, tickets: Sequence[TicketSnapshot]) -> Mapping[str, Absence]:
        """Return why tickets cannot be found, by id."""
        return self._call(hookspecs.explain_absence, finished(integration), tickets)

    def check_ticket(self, integration: AnyIntegration, ticket: TicketSnapshot) -> Sequence[Finding]:
        """Return what of the settings does not fit a ticket that was moved."""
        return self._call(hookspecs.check_ticket, finished(integration), ticket)

    def when_changed(self, integration: AnyIntegration, ticket: TicketSnapshot) -> Mapping[FieldName, FieldChange]:
        """Return when fields of a ticket were last changed, and by whom."""
        return self._call(hookspecs.when_changed, finished(integration), ticket)

    # Comments

    @overload
    def write_comment(self, integration: AnyIntegration, draft: FindComment) -> WrittenComment | NotCreated: ...

    @overload
    def write_comment(self, integration: AnyIntegration, draft: WriteComment) -> WrittenComment: ...

    def write_comment(self, integration: AnyIntegration, draft: CommentDraft) -> WrittenComment | NotCreated:
        """Write a comment on a ticket, or look for one; only a look may end with nothing."""
        answer = self._call(hookspecs.write_comment, finished(integration), draft)
        if isinstance(answer, NotCreated) and not isinstance(draft, FindComment):
            raise self._unfit("write_comment", answer, "WrittenComment, to a WriteComment")
        return answer

    def fetch_comments(
        self, integration: AnyIntegration, ticket: TicketSnapshot, since: datetime
    ) -> Sequence[TicketComment]:
        """Read the comments of a ticket since a time."""
        return self._call(hookspecs.fetch_comments, finished(integration), ticket, since)

    # Webhooks

    def find_signature(self, request: InboundRequest) -> Signature:
        """Return who may have sent a request."""
        return self._call(hookspecs.find_signature, request)

    def on_inbound_webhook(self, integration: AnyIntegration, request: InboundRequest) -> Delivery | None:
        """Verify and read a request; None when it was not signed for this integration."""
        return self._call(hookspecs.on_inbound_webhook, integration, request)

    def keep_webhook(
        self, integration: AnyIntegration, address: str, known: HookRegistration | None
    ) -> HookRegistration | None:
        """See to it that a webhook of our own is there, if it is wanted."""
        return self._call(hookspecs.keep_webhook, finished(integration), address, known)

    def drop_webhook(self, integration: AnyIntegration, known: HookRegistration) -> bool:
        """Remove a webhook of our own."""
        return self._call(hookspecs.drop_webhook, integration, known)

    # Sources

    def on_source_push(self, source: AnySource, request: InboundRequest) -> Push | Sequence[IncidentEvent]:
        """Verify and read a request on the source's events address."""
        return self._call(hookspecs.on_source_push, finished(source), request)

    def poll_incidents(self, source: AnySource, cursor: str | None, active_since: datetime) -> Poll:
        """Look what changed on the platform since a cursor."""
        return self._call(hookspecs.poll_incidents, finished(source), cursor, active_since)

    def configure_source(self, source: AnySource) -> Sequence[SetupStep]:
        """List the steps of set-up."""
        return self._call(hookspecs.configure_source, source)

    def check_source(self, source: AnySource) -> Sequence[Finding]:
        """Try what the source will need."""
        return self._call(hookspecs.check_source, finished(source))

    def apply_change(self, source: AnySource, update: IncidentUpdate) -> UpdateOutcome:
        """Write a change or a comment to the incident."""
        return self._call(hookspecs.apply_change, finished(source), update)

    # How

    def _call(self, spec: Callable[_Given, _Result], *given: _Given.args, **_: _Given.kwargs) -> _Result:
        """Call the hook of a specification, and hold what it gives back against that."""
        hook = hook_of(spec)
        if hook.name not in self.hooks:
            raise PluginError(f"The plugin {self.name} does not implement {hook.name}.", code="hook_missing")
        try:
            result: _Result = getattr(self._relay, hook.name)(**dict(zip(hook.arguments, given, strict=True)))
            fits = hook.fits(result)
        except (ConnectorError, MemoryError, KeyboardInterrupt):
            raise
        except BaseException as exc:
            # One of the places that catch everything: a fault of a plugin must not stop the work of the others, and one
            # that would end the process (`SystemExit`) does not.
            # The sentence leaves out the exception's text, which may hold anything; the log and the cause have it.
            log.exception("plugin_call_failed", plugin=self.name, hook=hook.name)
            kind = type(exc).__name__
            raise PluginError(
                f"The plugin {self.name} failed in {hook.name} ({kind}).",
                detail=f"{kind}: {exc}",
                fix="This is a fault of the plugin; the log has the traceback.",
            ) from exc
        finally:
            for one in given:
                let_go(one)
        if not fits:
            raise self._unfit(hook.name, result, hook.result)
        return result

    def _unfit(self, hook: str, result: object, expected: str) -> PluginError:
        return PluginError(
            f"The plugin {self.name} gave back {kind_of(result)} from {hook}, not {expected}.",
            fix="This is a fault of the plugin.",
        )


def let_go(argument: object) -> None:
    """Have the session of a handle count the answers of a hook no longer, which are worked off when it ends."""
    worked_off = getattr(getattr(argument, "session", None), "let_go", None)
    if worked_off is not None:
        worked_off()
