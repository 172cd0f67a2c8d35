"""The contract between core and plugins: every hook, on one screen.

Each call is addressed to one plugin, and the first argument is a handle of the integration (or source) it is about;
its settings are there but where it is an `AnyIntegration` (`AnySource`), whose set-up may be unfinished. What a hook
gives back is held against its annotation here.
Any hook may raise from the tree in `connector_core.contract.errors`; anything else is reported as the plugin's fault.
No hook may keep state that the core cannot lose, sleep, or start threads, and none is required: implementing a hook
is the declaration of the ability. A plugin with `on_incident_event` is a ticketing plugin, one with `apply_change` a
source plugin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import pluggy

from connector_core.contract.handles import AnyIntegration, AnySource, Integration, Source
from connector_core.contract.models import (
    Absence,
    AuthorizationRequest,
    CommentDraft,
    Delivery,
    FieldChange,
    FieldName,
    Finding,
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
    WrittenComment,
)
from connector_core.contract.plugin_info import PluginInfo
from connector_core.contract.setup_steps import SetupStep

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import Response

PROJECT_NAME = "connector_core"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec(firstresult=True)
def describe_plugin() -> PluginInfo:
    """Say who the plugin is; called once at start-up, must not touch the network."""


@hookspec(firstresult=True)
def authorize(integration: AnyIntegration, request: AuthorizationRequest) -> Redirect | Grant:
    """Start, finish or renew an authorization.

    A plugin without this hook proves itself with its settings, and requests of its session carry nothing of the core's.
    The answers to steps `before_authorization` are there when it is called, `integration.settings` perhaps not yet.
    The core makes `state` and holds it against what comes back, before it calls: a plugin compares nothing.
    A renewal is never called twice at once for one integration, and its result is stored before it is used. Raise
    `AuthError` only when a person has to authorize again; `RetryLater` keeps the present grant.
    """


@hookspec(firstresult=True)
def is_curable(response: Response) -> bool:
    """Return whether a renewed grant may do better than the one that was refused by this answer, whose status is 401.

    Without this hook, any may. Called amid a request, with the whole answer: no I/O.
    """


@hookspec(firstresult=True)
def configure_steps(integration: AnyIntegration) -> Sequence[SetupStep]:
    """List the steps of set-up; a step loads its choices when asked to.

    Those with `before_authorization` come before access is authorized, all others need it.
    """


@hookspec(firstresult=True)
def check_integration(integration: Integration) -> Sequence[Finding]:
    """Try, without changing anything, what the integration will need; called at activation and by a person."""


@hookspec(firstresult=True)
def find_site(integration: AnyIntegration) -> Site | None:
    """Say what the site of the authorization is called now, under the same id; None when that cannot be told.

    Called when an integration becomes active, and hourly: sites are renamed, and their addresses are shown to people
    and compared with those that deliveries name. An id that is still the address may be replaced by a better one.
    `Site.is_proven` is for ids that somebody else than the site vouches for.
    """


@hookspec(firstresult=True)
def on_incident_event(integration: Integration, change: IncidentChange) -> Receipt | NotCreated:
    """Write a change to the ticketing system; calls about one incident never overlap.

    May be called again with the same change after a crash, so it must be repeatable. Raise
    `RetryLater(outcome_unknown=True)` when a `CreateTicket` may have worked all the same: the next call then is a
    `FindTicket`, which only looks for what was created; to that alone `NotCreated` is an answer. The same look comes
    first where a daemon that is not known may have created it (`FindTicket.of_earlier_life`). A look is repeated after
    `RetryLater.after_s`, else after a wait that grows to a quarter of an hour; `attempt_age_s` grows meanwhile, and
    begins anew with the process. A marker is `cnx-`, then small letters a to f, digits and hyphens, at most 40
    characters in all: it fits into headers, addresses and searches.

    `CloseTicket` begins with a look: a ticket that somebody has finished by then is not written, only shown. Where a
    look before `WriteFields` shows that a person changed what is to be written, raise `TicketChanged` and write
    nothing: both changes are then weighed.

    What a close needs, such as a code or notes, is asked for in set-up, as settings with lists or with texts that are
    templates (`is_template`, `mistake_in`, `render`). A ticket that needs more than that is a `RemoteError`, whose
    `fix` says what to do with it: it stops this link only. A `ConfigError` says that the settings are to blame: it
    stops whatever is written with the same ones, until a person has changed them.
    """


@hookspec(firstresult=True)
def find_signature(request: InboundRequest) -> Signature:
    """Say of a request on the plugin's webhook route who may have sent it; nothing is believed yet.

    With this hook a sender is found among thousands by a few tries; without it every integration is asked to read the
    request. Runs on the server's event loop for everything that a stranger sends: no I/O, no parsing.
    """


@hookspec(firstresult=True)
def on_inbound_webhook(integration: AnyIntegration, request: InboundRequest) -> Delivery | None:
    """Verify and read a request on the plugin's webhook route; None when it was not signed for this integration.

    Runs on the server's event loop: no I/O but a look into `integration.memory`. Raise `WebhookRejected` for a
    request that is authentic but unreadable. Of the deliveries with one `Delivery.id` the first is taken: where the
    sender gives no id, make one of all that the signature is over, which has to differ from one event to the next.
    """


@hookspec(firstresult=True)
def keep_webhook(integration: Integration, address: str, known: HookRegistration | None) -> HookRegistration | None:
    """See to it that a webhook of our own tells `address` of changes; called at activation and hourly, repeatable.

    Give back None when the integration wants none: its setting `managed_webhook`, by that name, says whether it does.
    `address` holds a secret, by which such deliveries are known: a secret that the other side makes for signing them
    cannot be kept here (`integration.memory` is no place for secrets), so that they are read as `Delivery.hints`.
    """


@hookspec(firstresult=True)
def drop_webhook(integration: AnyIntegration, known: HookRegistration) -> bool:
    """Remove a webhook of our own, or find it removed."""


@hookspec(firstresult=True)
def fetch_tickets(integration: Integration, query: TicketQuery) -> Sequence[TicketSnapshot | UnreadableTicket]:
    """Read linked tickets, in as few calls as the ticketing system allows.

    What is left out counts as gone: a ticket that is there and cannot be read is given back as unreadable.
    """


@hookspec(firstresult=True)
def find_tickets(integration: Integration, names: Sequence[str]) -> Mapping[str, FoundTicket]:
    """Find tickets by what people call them, a key, an id or an address of their page; none for one that is not there.

    Without this hook people have to give the id of `TicketSnapshot`. Names are as somebody typed them: whatever cannot
    be one of this site's tickets is left out, not sent.
    """


@hookspec(firstresult=True)
def mark_ticket(integration: Integration, mark: MarkTicket) -> MarkedTicket:
    """Put our mark on a ticket that somebody linked with an incident by hand; repeatable.

    What `FindTicket` and `list_marked` go by has to be on it then. Its title, description and other fields, which
    people wrote, stay as they are.
    """


@hookspec(firstresult=True)
def list_marked(integration: Integration, cursor: str | None) -> MarkedTickets:
    """List the tickets with a mark of ours, page by page, from the beginning where `cursor` is None.

    For a database that was lost with all links: each is found again by it. A page is a call or a few; what cannot be
    gone on with any more is a `RemoteError`, after which the list is read from the beginning.
    """


@hookspec(firstresult=True)
def explain_absence(integration: Integration, tickets: Sequence[TicketSnapshot]) -> Mapping[str, Absence]:
    """Say why linked tickets, shown as last seen, cannot be found, by id; none for one that is there after all."""


@hookspec(firstresult=True)
def check_ticket(integration: Integration, ticket: TicketSnapshot) -> Sequence[Finding]:
    """Say what of the link's settings does not fit a ticket that people moved to another place; nothing is changed."""


@hookspec(firstresult=True)
def when_changed(integration: Integration, ticket: TicketSnapshot) -> Mapping[FieldName, FieldChange]:
    """Say when, and by whom, fields of a ticket were last changed: both sides changed one, or a person asks."""


@hookspec(firstresult=True)
def write_comment(integration: Integration, draft: CommentDraft) -> WrittenComment | NotCreated:
    """Write a comment on a ticket (`WriteComment`), or look for one whose answer was lost (`FindComment`).

    As with tickets, `NotCreated` is an answer to a look alone. A comment must not be seen by customers unless
    `draft.public` says so; raise `RemoteError` where that cannot be had.
    """


@hookspec(firstresult=True)
def fetch_comments(integration: Integration, ticket: TicketSnapshot, since: datetime) -> Sequence[TicketComment]:
    """Read the comments of a ticket that were written since a time, the oldest first, also those of our own.

    One of which it is not certain that customers see it is internal. Where the first comment is the description, it is
    `own` on tickets that we made.
    """


@hookspec(firstresult=True)
def on_source_push(source: Source, request: InboundRequest) -> Push | Sequence[IncidentEvent]:
    """Verify and read a request on the source's events address; raise `WebhookRejected` for any other.

    A `Push` also tells of events of a list that cannot be taken, and of fields that are not known.
    """


@hookspec(firstresult=True)
def poll_incidents(source: Source, cursor: str | None, active_since: datetime) -> Poll:
    """Look what changed on the platform since a cursor that an earlier call gave back, None at the first.

    Called every `poll_every` of the settings while the organization has an active integration, never twice at once.
    `active_since` is when the first of those became active: what was opened before is not new at the first look.
    A failed look changes nothing: the next one begins at the same cursor. Raise `RetryLater` for whatever waiting may
    mend, `AuthError` when the platform no longer accepts us.
    """


@hookspec(firstresult=True)
def configure_source(source: AnySource) -> Sequence[SetupStep]:
    """List the steps of set-up that connect a source; their answers together are its settings.

    A step loads its choices when asked to. A step that is not optional is proved with `check_source` before it is
    saved; a finding whose code is the key of a question is shown beside that question.
    """


@hookspec(firstresult=True)
def check_source(source: Source) -> Sequence[Finding]:
    """Try, without changing anything, what the source will need; called by a person and in set-up."""


@hookspec(firstresult=True)
def apply_change(source: Source, update: IncidentUpdate) -> UpdateOutcome:
    """Write a change (`WriteIncident`) or a comment (`AddComment`) to the incident.

    Repeatable: `update.idempotency_key` is the same each time.
    """
