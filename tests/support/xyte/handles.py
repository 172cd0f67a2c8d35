"""Handles of a source that reads a sandbox, and looks at it one after the other as the core makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import connector_xyte
from connector_core import AddComment, FieldName, Source, WriteIncident
from connector_core.testing import make_source


@dataclass
class Reader:
    """A source, and the cursor that its last look gave back."""

    source: Source
    cursor: str | None = None
    active_since: datetime | None = None
    findings: list[str] = field(default_factory=list)
    open_incidents: int | None = None
    events: tuple = ()

    def __post_init__(self):
        self.active_since = self.active_since or self.source.clock.now()

    def look(self):
        """Look once; return what happened as pairs of a word and the incident's id."""
        poll = connector_xyte.poll_incidents(self.source, self.cursor, self.active_since)
        self.cursor = poll.cursor
        self.findings = [finding.code for finding in poll.findings]
        self.open_incidents = poll.open_incidents
        self.events = poll.events
        return [(event.type.value.rpartition(".")[2], event.incident.id) for event in poll.events]


def make_source_of(sandbox, clock, **settings):
    """Return a source that reads a sandbox."""
    return make_source(connector_xyte.describe_plugin(), {**sandbox.source_settings(), **settings}, clock=clock)


def make_reader(sandbox, clock, **settings):
    """Return a reader of a sandbox that has looked once."""
    reader = Reader(make_source_of(sandbox, clock, **settings))
    reader.look()
    return reader


def update(incident_id, *, close=False, incident=None, **fields):
    """Return a change of an incident."""
    names = {FieldName(name) for name in fields} | ({FieldName.STATUS} if close else set())
    return WriteIncident(
        incident_id=incident_id,
        incident=incident,
        close=close,
        fields=frozenset(names),
        idempotency_key="chg_1",
        **fields,
    )


def comment_update(incident_id, comment, *, incident=None):
    """Return a comment for an incident."""
    return AddComment(incident_id=incident_id, incident=incident, comment=comment, idempotency_key="chg_1")
