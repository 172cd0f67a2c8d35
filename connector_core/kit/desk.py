"""A ticketing system as a class: a plugin says what is particular to it, and the procedures of the hooks are here.

    class AcmeDesk(Desk[AcmeSettings]):
        info = PLUGIN
        rules = Answers("Acme Desk")
        ...

    on_incident_event = hook(hookspecs.on_incident_event, "desk:AcmeDesk.on_incident_event")
    fetch_tickets = hook(hookspecs.fetch_tickets, "desk:AcmeDesk.fetch_tickets")

Comments and marks are in `desk_comments.py` and `desk_marks.py`, for those that have them. Each procedure is also a
function of its own (`creating`, `editing`, `closing`), for a plugin that goes another way at one of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Generic

from pydantic import SecretStr
from typing_extensions import TypeVar

from connector_core.contract.errors import ConfigError, ConnectorError, RemoteError, TicketGone
from connector_core.contract.handles import Integration, finished
from connector_core.contract.models import (
    Absence,
    AbsenceKind,
    CloseTicket,
    FieldName,
    FindTicket,
    Grant,
    Incident,
    IncidentChange,
    NotCreated,
    Priority,
    Receipt,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WriteFields,
)
from connector_core.contract.plugin_info import PluginInfo, Settings
from connector_core.kit.absences import Absent
from connector_core.kit.answers import Answers, FieldsRefused
from connector_core.kit.closing import close_once, unreachable
from connector_core.kit.creating import as_sent, certain, create_once
from connector_core.kit.details import Details
from connector_core.kit.editing import Refused, Written, write_fields
from connector_core.kit.grants import CHECK_FIX, Account, header_grant, secret_needed, setting_given
from connector_core.kit.priorities import Paired
from connector_core.kit.rest import Auth, Rest, of_grant
from connector_core.kit.texts import one_line
from connector_core.kit.values import Json

S = TypeVar("S", bound=Settings)

#: A field as it is to be written, or why it cannot be.
Value = object | Refused


@dataclass
class Desk(ABC, Generic[S]):
    """One ticketing system for one integration: made anew for each call of a hook, so that it may remember a look.

    What has no body here is to be written; what has one is overridden where the system differs. Each raises errors of
    `connector_core.contract.errors`; those of calls come from `rest`.
    """

    integration: Integration[S | None]
    #: Who asks, when it is not whoever authorized the integration: a grant that is being proved, say.
    auth: Auth = None
    #: Of the ticket at work: what the last look at it showed.
    shown: Json = field(default_factory=dict)
    #: Sentences for the receipt, about what was written.
    notes: list[str] = field(default_factory=list)
    #: After `marked`: nothing that was given up is on its way any more, so that nobody has to wait for it.
    is_settled: bool = False

    #: Who the plugin is: `title` is the vendor's name in sentences, `settings` the model of S.
    info: ClassVar[PluginInfo]
    #: What answers of the API mean.
    rules: ClassVar[Answers]
    #: The most characters that a title may have.
    longest_title: ClassVar[int] = 255
    #: How descriptions are written.
    details: ClassVar[Details] = Details()
    #: How many seconds a create that was given up may take to arrive and to be found.
    settle_s: ClassVar[float] = 60.0
    #: How many tickets are read at once.
    at_once: ClassVar[int] = 100
    #: The `close_status` that says that people close tickets.
    keep_open: ClassVar[str] = "do_not_auto_close"
    #: How it is written that an incident has no priority.
    no_priority: ClassVar[Value] = Refused("A ticket always has a priority there.")
    #: The setting that has the address under which people open the system.
    address_setting: ClassVar[str] = "address"
    #: Where the API is below that address: a path without a slash at its end.
    api_path: ClassVar[str] = ""

    # What a plugin says.

    @abstractmethod
    def snapshot(self, shown: Json) -> TicketSnapshot | UnreadableTicket:
        """Return what an answer shows of a ticket; what it does not tell is `unknown`."""

    @abstractmethod
    def look(self, ticket_id: str) -> Json:
        """Read one ticket, as the API shows it.

        Raises:
            TicketGone: it is not there, or another one is in its place.
        """

    @abstractmethod
    def found(self, ids: Sequence[str], since: datetime | None) -> Iterable[Json]:
        """Search for tickets by their ids, at most `at_once`; where a time is given, those changed since are enough.

        More than was asked for may be given back: it is left out.
        """

    @abstractmethod
    def create(self, incident: Incident, marker: str) -> TicketSnapshot:
        """Create a ticket with the marker on it from the first moment; return it, or what was sent (`as_sent`).

        Once it is there no call may fail: it would be made again.

        Raises:
            RetryLater: with `outcome_unknown`, where the answer does not show whether it was made.
        """

    @abstractmethod
    def marked(self, change: FindTicket) -> Iterable[Json]:
        """Search for the tickets that carry `change.marker`, the oldest first; others are left out by `marker_of`."""

    @abstractmethod
    def marker_of(self, shown: Json) -> str:
        """Return the marker that a ticket carries, nothing where there is none."""

    @abstractmethod
    def write(self, known: TicketSnapshot, fields: Mapping[FieldName, object]) -> Written:
        """Write fields, as `values` gives them, over the ticket that `shown` shows; return it as it is then.

        `known` is that ticket. The field `STATUS` is written where `close` is not overridden.

        Raises:
            TicketChanged: somebody was faster.
            FieldsRefused: some cannot be written, by our names of them.
        """

    # What is mostly the same.

    def is_id(self, text: str) -> bool:
        """Return whether a text may be an id of a ticket: no other one is asked for."""
        return bool(text)

    @property
    def priorities(self) -> Paired | None:
        """How our priorities are written: by default the property of that name of the settings, which may have none."""
        return getattr(self.settings, "priorities", None)

    def priority(self, ours: Priority) -> Value:
        """Return a priority as it is written: to be said where there are no `priorities`."""
        if self.priorities is None:
            raise NotImplementedError
        return self.priorities.written_as(ours)

    def priority_name(self, ours: Priority) -> str | None:
        """Return what people call a priority there; None where only the ticket tells."""
        return self.priorities.called(ours) if self.priorities else None

    def is_over(self, ticket: TicketSnapshot) -> bool:
        """Return whether closing has nothing left to do: it is done, or has the chosen status, whatever that is."""
        return ticket.done or ticket.status == (self.close_status or None)

    def may_become(self, shown: Json) -> Collection[str] | None:  # noqa: ARG002 - for those whose workflow shows
        """Return the statuses that a ticket can be given next, as `close_status` has them; None where none tells."""
        return None

    def deleted(self, ids: Sequence[str]) -> Iterable[str]:  # noqa: ARG002 - for those that keep a list of them
        """Return which of some ids, at most `at_once`, are surely of deleted tickets; where `look` tells, nobody asks.

        Raises:
            ConfigError: the account may not know: then it is not told.
        """
        return ()

    def text_in(self, shown: Json) -> str | None:  # noqa: ARG002 - for those where it can be changed
        """Return the description that a ticket has: what people put into it stays when it is written anew."""
        return None

    def close(self, change: CloseTicket, before: TicketSnapshot) -> TicketSnapshot:  # noqa: ARG002 - for those that need it
        """Give the ticket that `shown` shows the chosen status; return it as it is then.

        What somebody made of it behind that is left to the next look: it would be taken for what became of ours.

        Raises:
            RemoteError: the status is refused, or cannot be given to it now.
        """
        offered = self.may_become(self.shown)
        if offered is not None and self.close_status not in offered:
            raise unreachable(self.info.spoken, before.status, self.close_status, offered)
        try:
            written = self.write(before, {FieldName.STATUS: self.close_status})
        except FieldsRefused as exc:
            said = (
                f"{self.info.spoken} did not close the ticket. It says: {exc.fields.get(FieldName.STATUS, exc.message)}"
            )
            raise RemoteError(said, code="close_refused") from exc
        is_theirs = FieldName.STATUS in written.behind
        ours = {"status": self.close_status, "done": True} if is_theirs else {}
        return written.ticket.model_copy(update=ours)

    def values(self, incident: Incident) -> Mapping[FieldName, Value]:
        """Return the fields of an incident that can be written, each as `write` takes it.

        A description is the incident's own words here: what is written is made of them and of what people wrote.
        """
        told: dict[FieldName, Value] = {
            FieldName.TITLE: one_line(incident.title, self.longest_title),
            FieldName.DESCRIPTION: incident.description,
            FieldName.PRIORITY: self.priority(incident.priority) if incident.priority else self.no_priority,
        }
        never = Refused(f"{self.info.spoken} lets nobody change it.")
        return told | dict.fromkeys(self.info.unchangeable, never)

    def sent(self, incident: Incident) -> dict[FieldName, object]:
        """Return the same for `create`, without what cannot be written.

        {NAMES[name]: value for name, value in self.sent(incident).items()}
        """
        return {name: value for name, value in self.values(incident).items() if not isinstance(value, Refused)}

    def whoami(self) -> Account:
        """Say whose the authorization is that `auth` sends: for `authorize`, which needs it."""
        raise NotImplementedError

    # What is to be had.

    @cached_property
    def settings(self) -> S:
        """The settings of the integration.

        Raises:
            ConfigError: its set-up is not finished.
        """
        return finished(self.integration).settings

    @property
    def site_url(self) -> str:
        """The address under which people open the system, from the answers given so far.

        Raises:
            ConfigError: it was not given yet.
        """
        return str(self.given(self.address_setting))

    @property
    def close_status(self) -> str:
        """The setting of that name: the status that a ticket gets when its incident is resolved."""
        return str(getattr(self.settings, "close_status", ""))

    @cached_property
    def rest(self) -> Rest:
        """The API."""
        return Rest(self.integration, self.site_url + self.api_path, self.rules, auth=self.auth)

    def given(self, name: str) -> Any:  # noqa: ANN401 - of the setting's type
        """Return an answer given so far, else what is active, as the setting is read; see `setting_given`."""
        return setting_given(self.integration, self.info.settings, name)

    def secret(self, name: str) -> SecretStr:
        """Return a secret given so far, else the one that is active.

        Raises:
            ConfigError: there is neither.
        """
        declared = self.info.settings.model_fields[name]
        return secret_needed(self.integration, name, declared.title or name.replace("_", " "))

    def account_of(self, grant: Grant) -> Account:
        """Ask `whoami` with a grant that the core does not have yet.

        code_flow(desk.integration, request, server, client_given(desk.integration), desk.account_of)
        """
        return type(self)(self.integration, of_grant(grant)).whoami()

    def header_grant(self, headers: Mapping[str, SecretStr], what: str = "token", fix: str = CHECK_FIX) -> Grant:
        """Make a grant of headers that settings hold, and prove that it works; see `grants.header_grant`."""
        url, vendor = self.site_url, self.info.spoken
        return header_grant(self.integration, headers, self.account_of, vendor=vendor, base_url=url, what=what, fix=fix)

    def read(self, known: TicketSnapshot) -> TicketSnapshot:
        """Look at a ticket, and at whether it is done; what is not shown is as it was known."""
        self.shown = self.look(known.id)
        return certain(self.snapshot(self.shown)).over(known)

    def made(self, ticket: TicketSnapshot, incident: Incident) -> TicketSnapshot:
        """Read a ticket that was just made; it is as it was sent where it cannot be read: it is there all the same.

        return self.made(TicketSnapshot(id=number), incident)
        """
        sent = self.as_sent(ticket, incident)
        try:
            return self.read(sent)
        except ConnectorError as exc:
            self.integration.log.info("new_ticket_unread", ticket=ticket.id, code=exc.code)
            self.notes.append(f"It could not be read: {exc.message}")
            return sent

    def as_sent(self, ticket: TicketSnapshot, incident: Incident) -> TicketSnapshot:
        """Return a ticket with what was sent to create it."""
        title = one_line(incident.title, self.longest_title)
        name = self.priority_name(incident.priority) if incident.priority else None
        return as_sent(ticket, incident, title=title, details=self.details, priority_name=name)

    # The hooks.

    @classmethod
    def on_incident_event(cls, integration: Integration[S], change: IncidentChange) -> Receipt | NotCreated:
        """Create a ticket, look for one, change or close it."""
        desk = cls(integration)
        receipt = desk._carried_out(change)
        if isinstance(receipt, NotCreated) or not desk.notes:
            return receipt
        return receipt.model_copy(update={"note": " ".join(dict.fromkeys(filter(None, [receipt.note, *desk.notes])))})

    @classmethod
    def explain_absence(cls, integration: Integration[S], tickets: Sequence[TicketSnapshot]) -> Mapping[str, Absence]:
        """Say why tickets cannot be found: by an `Absent` of the look at each, else where `deleted` knows it."""
        desk, reasons = cls(integration), dict[str, Absence]()
        for ticket in tickets:
            try:
                desk.look(ticket.id)
            except TicketGone as exc:
                reasons[ticket.id] = exc.absence if isinstance(exc, Absent) else Absence.untold()
        untold = [one for one, why in reasons.items() if why.kind is AbsenceKind.GONE and desk.is_id(one)]
        try:
            gone = set(desk.rest.by_chunks("deletions at once", untold, cls.at_once, desk.deleted)) if untold else set()
        except ConfigError as exc:
            integration.log.info("deletions_not_shown", code=exc.code)
            return reasons
        why = Absent.deleted(f"The ticket was deleted in {cls.info.spoken}.").absence
        return {**reasons, **{one: why for one in untold if one in gone}}

    @classmethod
    def fetch_tickets(
        cls, integration: Integration[S], query: TicketQuery
    ) -> Sequence[TicketSnapshot | UnreadableTicket]:
        """Read the tickets that are asked for, as many in a call as the system takes."""
        desk = cls(integration)

        def read(some: Sequence[str]) -> Iterable[TicketSnapshot | UnreadableTicket]:
            every = (desk.snapshot(shown) for shown in desk.found(some, query.changed_since))
            return [one for one in every if one.id in some or not one.id]

        return list(desk.rest.by_chunks("tickets", sorted(filter(desk.is_id, query.ids)), desk.at_once, read))

    def _carried_out(self, change: IncidentChange) -> Receipt | NotCreated:
        match change:
            case WriteFields(ticket=known):
                return write_fields(
                    change,
                    read=lambda: self.read(known),
                    write=lambda fields: self._written_over(change, fields),
                    values=self.values(change.incident),
                )
            case CloseTicket(ticket=known):
                return close_once(
                    change,
                    read=lambda: self.read(known),
                    write=lambda before: self.close(change, before),
                    is_over=self.is_over,
                    keeps_open=self.close_status == self.keep_open,
                )
            case _:
                found = list(self._made_before(change)) if isinstance(change, FindTicket) else []
                return create_once(
                    change,
                    make=lambda: Receipt(ticket=self.create(change.incident, change.marker)),
                    find=lambda: found,
                    settle_s=0.0 if self.is_settled else self.settle_s,
                    as_created=lambda ticket: self.as_sent(ticket, change.incident),
                )

    def _written_over(self, change: WriteFields, fields: Mapping[FieldName, object]) -> Written:
        if FieldName.DESCRIPTION in fields:
            text = self.details.rewrite(self.text_in(self.shown), change.incident, change.marker)
            fields = {**fields, FieldName.DESCRIPTION: text}
        return self.write(change.ticket, fields)

    def _made_before(self, change: FindTicket) -> Iterable[TicketSnapshot | UnreadableTicket]:
        return (self.snapshot(one) for one in self.marked(change) if self.marker_of(one) == change.marker)
