"""An incident platform in memory and the plugin that reaches it: what a correct source does, without a vendor.

It tells of its incidents both ways that there are: it can be polled, and it signs events that are pushed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from pydantic import Field, SecretStr

from connector_core import (
    AddComment,
    Clock,
    Comment,
    CommentOutcome,
    EventType,
    FieldKind,
    FieldName,
    Finding,
    InboundRequest,
    Incident,
    IncidentEvent,
    IncidentStatus,
    IncidentUpdate,
    PluginInfo,
    Poll,
    PolledSettings,
    RemoteError,
    Settings,
    SetupField,
    SetupStep,
    Severity,
    Source,
    UpdateOutcome,
    WebhookRejected,
    WriteIncident,
    hookimpl,
    read_signed_events,
)
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.testing.in_memory import InMemory, recorded

MOMENT = timedelta(milliseconds=1)


class MemoryPlatformSettings(PolledSettings):
    """Settings of a source in memory."""

    secret: SecretStr | None = Field(None, description="Secret that pushed events are signed with. None: none are.")


PlatformSource: TypeAlias = Source[MemoryPlatformSettings]
#: One whose set-up may be unfinished.
AnyPlatformSource: TypeAlias = Source[MemoryPlatformSettings | None]


class MemoryPlatform(InMemory):
    """An incident platform whose incidents are plain attributes.

    platform = MemoryPlatform(clock)
    name = platform.open("Display offline", priority=Priority.HIGH)
    platform.change(name, title="Display dark")  # as a person
    request = platform.signed(platform.told[-1], secret=secret)  # pushed; or let it be polled
    """

    settings_model: type[Settings] = MemoryPlatformSettings

    def __init__(self, clock: Clock | None = None, *, name: str = "platform", title: str = "Platform") -> None:
        super().__init__(clock, name, title)
        self.incidents: dict[str, Incident] = {}
        self.comments: dict[str, list[Comment]] = {}
        #: Every event so far, in order; the cursor of a look is how many of them were seen.
        self.told: list[IncidentEvent] = []
        #: Everything that the connector sent, also what was sent twice.
        self.updates: list[IncidentUpdate] = []
        #: Whether the connector's own changes are events too.
        self.tells_own_changes = True
        #: Whether an answer says when the change was made.
        self.tells_times = True
        #: What cannot be changed here, and why.
        self.unsupported: Mapping[FieldName, str] = {}
        #: What it answers to a comment; None when it has never heard of comments.
        self.comment_outcome: CommentOutcome | None = CommentOutcome()
        self.account_name = ""
        #: What every look tells beside the events.
        self.findings: tuple[Finding, ...] = ()
        self._answers: dict[str, UpdateOutcome] = {}
        self._comments = 0

    # What people and devices do

    def open(self, title: str, **fields: object) -> str:
        """Open an incident; return its id."""
        name, now = f"inc-{len(self.incidents) + 1}", self.clock.now()
        given = {"id": name, "title": title, "opened_at": now, "updated_at": now, **fields}
        self.incidents[name] = Incident.model_validate(given)
        self._tell_of(name, EventType.OPENED)
        return name

    def change(self, incident_id: str, **fields: object) -> None:
        """Change an incident."""
        self._changed(incident_id, fields)
        self._tell_of(incident_id, self._kind(incident_id))

    def resolve(self, incident_id: str) -> None:
        """Close an incident."""
        self.change(incident_id, status=IncidentStatus.CLOSED)

    def comment(self, incident_id: str, text: str, *, author: str = "Ada") -> Comment:
        """Comment on an incident."""
        self._comments += 1
        said = Comment(id=f"com-{self._comments}", author=author, text=text, created_at=self.clock.now())
        self.comments.setdefault(incident_id, []).append(said)
        self._tell_of(incident_id, EventType.COMMENTED, said)
        return said

    def tell(self, event: IncidentEvent) -> None:
        """Send an event: here it is only kept, to be polled or to be `signed`."""
        self.told.append(event)

    def signed(self, *events: IncidentEvent, secret: str) -> InboundRequest:
        """Return events as they are pushed."""
        body = f"[{','.join(event.model_dump_json() for event in events)}]".encode()
        headers = sign(signing_keys(secret), f"msg-{events[0].id}", self.clock.now(), body)
        return InboundRequest(headers=headers, body=body, received_at=self.clock.now())

    # What the connector calls

    @hookimpl
    def describe_plugin(self) -> PluginInfo:
        """Say who this is."""
        return PluginInfo(name=self.name, title=self.title, settings=self.settings_model)

    @hookimpl
    def configure_source(self, source: AnyPlatformSource) -> Sequence[SetupStep]:
        """Ask for what the settings hold."""
        secret = SetupField(
            "secret", "Secret", "The platform signs its events with it.", FieldKind.SECRET, required=False
        )
        every = SetupField("poll_every", "Interval", "How often it is asked what changed.", required=False)
        return (SetupStep("connect", f"Connect {self.title}", "It is reached in memory.", (secret, every)),)

    @hookimpl
    @recorded
    def check_source(self, source: PlatformSource) -> Sequence[Finding]:
        """Try what a look would do."""
        return [Finding(code="account", severity=Severity.OK, title=f"Connected to {self.account_name or self.title}.")]

    @hookimpl
    def on_source_push(self, source: PlatformSource, request: InboundRequest) -> Sequence[IncidentEvent]:
        """Read events that are signed with the secret; without one nobody is let in."""
        if source.settings.secret is None:
            raise WebhookRejected("no secret is set, so no event can be authentic", status=401)
        return read_signed_events((source.settings.secret,), request)

    @hookimpl
    @recorded
    def poll_incidents(self, source: PlatformSource, cursor: str | None, active_since: datetime) -> Poll:
        """Return what was told since the cursor; at the first look only what is new since the integration is active.

        The same look from the same cursor names its events alike, so a look that was not stored is no harm.
        """
        if cursor is None:
            events = [event for event in self.told if event.occurred_at >= active_since]
        else:
            events = self.told[int(cursor) :]
        return Poll(
            cursor=str(len(self.told)),
            events=tuple(events),
            open_incidents=sum(one.status is IncidentStatus.ACTIVE for one in self.incidents.values()),
            account_name=self.account_name,
            findings=self.findings,
        )

    @hookimpl
    @recorded
    def apply_change(self, source: PlatformSource, update: IncidentUpdate) -> UpdateOutcome:
        """Write a change or a comment to the incident; a key that was seen before gets the answer of before."""
        self.updates.append(update)
        known = self._answers.get(update.idempotency_key)
        if known is not None:
            return known
        if update.incident_id not in self.incidents:
            raise RemoteError("The platform does not know the incident.", code="incident_gone")
        outcome = self._commented(update) if isinstance(update, AddComment) else self._written(update)
        self._answers[update.idempotency_key] = outcome
        return outcome

    # Inside the platform

    def _commented(self, update: AddComment) -> UpdateOutcome:
        said = Comment(
            id=update.comment.id, author=update.comment.author, text=update.comment.text, created_at=self.clock.now()
        )
        self._keep(update.incident_id, said)
        return UpdateOutcome(comment=self.comment_outcome)

    def _written(self, update: WriteIncident) -> UpdateOutcome:
        refused = {name: why for name, why in self.unsupported.items() if name in update.fields}
        taken = update.fields - refused.keys() - {FieldName.STATUS}
        new: dict[str, object] = {name.value: getattr(update, name.value) for name in taken}
        if update.close and FieldName.STATUS not in refused:
            new["status"] = IncidentStatus.CLOSED
        applied_at = self._changed(update.incident_id, new)
        if self.tells_own_changes:
            self._tell_of(update.incident_id, self._kind(update.incident_id))
        return UpdateOutcome(unsupported=refused, applied_at=applied_at if self.tells_times else None)

    def _keep(self, incident_id: str, said: Comment) -> None:
        self.comments.setdefault(incident_id, []).append(said)
        if self.tells_own_changes:
            self._tell_of(incident_id, EventType.COMMENTED, said)

    def _kind(self, incident_id: str) -> EventType:
        is_over = self.incidents[incident_id].status is IncidentStatus.CLOSED
        return EventType.RESOLVED if is_over else EventType.UPDATED

    def _changed(self, incident_id: str, fields: Mapping[str, object]) -> datetime:
        before, now = self.incidents[incident_id], self.clock.now()
        at = now if before.updated_at is None else max(now, before.updated_at + MOMENT)
        self.incidents[incident_id] = before.model_copy(update={**fields, "updated_at": at})
        return at

    def _tell_of(self, incident_id: str, kind: EventType, said: Comment | None = None) -> None:
        incident = self.incidents[incident_id]
        self.tell(
            IncidentEvent(
                id=f"evt-{len(self.told) + 1}",
                type=kind,
                occurred_at=incident.updated_at or self.clock.now(),
                incident=incident,
                comment=said,
            )
        )
