"""Tickets that are told in part: absent is not empty, and unreadable is not missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import (
    EventType,
    FieldName,
    Incident,
    IncidentChange,
    Integration,
    NotCreated,
    Priority,
    Receipt,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    hookimpl,
)
from connector_core.contract.field_values import with_written
from connector_core.contract.merge import (
    Action,
    Agreed,
    ConflictRule,
    FieldRule,
    Side,
    Sides,
    agreed_at_creation,
    agreed_at_finding,
    as_they_are,
    merge,
)
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk
from tests.support.sync_lab import edited, happen, make_lab, run, see

pytestmark = pytest.mark.lengthy_on_postgresql

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
INCIDENT = Incident(id="inc-1", title="Fan failed", description="Hot.", priority=Priority.HIGH)
KNOWN = TicketSnapshot(
    id="1",
    key="T-1",
    url="https://desk.example.test/T-1",
    title="Fan failed",
    description="Hot.",
    priority=Priority.HIGH,
    priority_name="High",
    status="Done",
    done=True,
    updated=AT,
    place="T",
)
FIELDS = st.frozensets(st.sampled_from(FieldName))


def test_nothing_told_is_no_change():
    """A snapshot with its id alone leaves everything as it was known."""
    assert TicketSnapshot(id="1", unknown=frozenset(FieldName)).over(KNOWN) == KNOWN


@given(unknown=FIELDS, before=FIELDS)
def test_what_is_absent_keeps_what_was_known(unknown: frozenset[FieldName], before: frozenset[FieldName]):
    """Only what neither told stays unknown, and no field that was not told looks changed."""
    known = KNOWN.model_copy(update={"unknown": before})
    shown = TicketSnapshot(id="1", title="New", status="Open", unknown=unknown, updated=AT + timedelta(seconds=1))

    after = shown.over(known)
    moved = {one.field for one in merge(as_they_are(INCIDENT, known), Sides(INCIDENT, AT, after))}

    assert after.unknown == unknown & before
    assert not moved & unknown
    assert TicketSnapshot.model_validate_json(after.model_dump_json(exclude_none=True)) == after


@pytest.mark.parametrize("title", ["", " ", "\u3000\n"])
def test_an_empty_title_is_none(store, clock, title):
    """A ticket without a title keeps the one that it had; an incident without one could not be read again."""
    lab = make_lab(store, clock)
    happen(lab)

    link = see(lab, title=title)

    assert link.status.state is LinkState.IN_SYNC
    assert link.incident.title == link.ticket.title == "Display offline"
    assert see(lab, title="Display dark").incident.title == "Display dark"


def test_unknown_status_is_neither_open_nor_done():
    """A ticket whose status is not told closes no incident, and one that was done is not open again."""
    thin = TicketSnapshot(id="1", unknown=frozenset({FieldName.STATUS}))
    for done in (True, False):
        known = KNOWN.model_copy(update={"done": done})
        for untold in (thin.model_copy(update={"done": True}), thin):
            shown = untold.over(known)
            decisions = merge(as_they_are(INCIDENT, known), Sides(INCIDENT, AT, shown))

            assert shown.done == done
            assert FieldName.STATUS not in {one.field for one in decisions}


def test_first_sight_of_a_field_is_taken_as_it_is():
    """A field that appears, since somebody shows it again, is nobody's change and overwrites nothing."""
    born = KNOWN.model_copy(update={"unknown": frozenset({FieldName.PRIORITY}), "done": False})
    base = agreed_at_creation(INCIDENT, born)
    shown = born.model_copy(update={"unknown": frozenset(), "priority": Priority.LOW})

    (decision,) = merge(base, Sides(INCIDENT, AT, shown))

    assert (decision.field, decision.action) == (FieldName.PRIORITY, Action.AGREE)
    assert not decision.conflict


def test_incident_is_synced_to_a_field_that_is_not_told():
    """The platform's change is tried although nobody knows what the ticket shows."""
    born = KNOWN.model_copy(update={"unknown": frozenset({FieldName.PRIORITY}), "done": False})
    base = agreed_at_creation(INCIDENT, born)
    changed = INCIDENT.model_copy(update={"priority": Priority.LOW})

    (decision,) = merge(base, Sides(changed, AT, born))

    assert (decision.field, decision.action, decision.conflict) == (FieldName.PRIORITY, Action.TO_TICKET, False)


def test_write_with_an_unknown_end_is_made_good_where_nothing_is_told():
    """A field that is not told is written once more, and its silence is no change."""
    known = KNOWN.model_copy(update={"done": False})
    base = as_they_are(INCIDENT, known)
    base[FieldName.TITLE] = Agreed(incident="Old", ticket="Old", pending=Side.TICKET, sent="Fan failed")
    thin = known.model_copy(update={"unknown": frozenset({FieldName.TITLE})})

    (decision,) = merge(base, Sides(INCIDENT, AT, thin))

    assert (decision.field, decision.action) == (FieldName.TITLE, Action.TO_TICKET)


@given(field=st.sampled_from([FieldName.TITLE, FieldName.DESCRIPTION, FieldName.STATUS]))
def test_what_a_ticket_took_is_known(field: FieldName):
    """A value that was written and not shown counts as shown."""
    thin = KNOWN.model_copy(update={"unknown": frozenset(FieldName)})

    assert with_written(thin, field, "closed").tells(field)


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        (FieldName.TITLE, "Fan", {"title": "Fan"}),
        (FieldName.TITLE, None, {"title": ""}),
        (FieldName.DESCRIPTION, "Text", {"description": "Text"}),
        (FieldName.DESCRIPTION, None, {"description": None}),
        (FieldName.PRIORITY, "high", {"priority": Priority.HIGH, "priority_name": None}),
        (FieldName.PRIORITY, None, {"priority": None, "priority_name": None}),
        (FieldName.STATUS, "closed", {"done": True}),
        (FieldName.STATUS, "active", {"done": False}),
    ],
)
def test_what_a_ticket_took_is_what_was_written(field: FieldName, value: str | None, shown: dict[str, object]):
    """Nothing but that field changes, and it has the value of the write."""
    thin = KNOWN.model_copy(update={"unknown": frozenset({field})})

    written = with_written(thin, field, value)

    assert written == KNOWN.model_copy(update={"unknown": frozenset(), **shown})


class OddDesk(MemoryDesk):
    """A desk whose answers can be made odd: `unread` instead of any ticket, and receipts that `thin` has made so."""

    unread: UnreadableTicket | None = None
    thin: Callable[[TicketSnapshot], TicketSnapshot] | None = None

    @hookimpl
    def fetch_tickets(
        self, integration: Integration, query: TicketQuery
    ) -> Sequence[TicketSnapshot | UnreadableTicket]:
        """Say that nothing can be read, where that is so."""
        return super().fetch_tickets(integration, query) if self.unread is None else [self.unread]

    @hookimpl
    def on_incident_event(self, integration: Integration, change: IncidentChange) -> Receipt | NotCreated:
        """Tell less of the ticket than there is."""
        receipt = super().on_incident_event(integration, change)
        if self.thin is None or isinstance(receipt, NotCreated):
            return receipt
        return receipt.model_copy(update={"ticket": self.thin(receipt.ticket)})


@pytest.fixture
def desk(clock):
    """A desk that can be odd."""
    return OddDesk(clock)


@pytest.fixture
def lab(store, clock, desk):
    """A lab with that desk."""
    return make_lab(store, clock, desk=desk)


@pytest.mark.parametrize("unread", [UnreadableTicket(id="1", reason="odd"), UnreadableTicket(reason="odd")])
def test_unreadable_tickets_are_not_missing(lab, desk, unread):
    """A full look marks nothing gone that is there and cannot be read, and says how many those are."""
    happen(lab)
    desk.unread = unread

    run_of_it = lab.operations.reconciler.reconcile("desk", full=True)
    (drift,) = lab.operations.drift("desk")

    assert (run_of_it.outcome, "could not be read" in run_of_it.detail) == ("ok", True)
    assert lab.store.links.get(1).status.state is LinkState.IN_SYNC
    assert drift.ticket == "unreadable"


def test_gone_ticket_that_is_unreadable_waits(lab, desk):
    """Retrying a link whose ticket is there again, and cannot be read, says so and goes on by itself."""
    happen(lab)
    lab.store.links.mark_gone("desk", "1", lab.clock.now())
    desk.unread = UnreadableTicket(id="1", reason="odd")
    lab.operations.retry(lab.store.links.get(1))

    link = run(lab)

    assert (link.status.state, link.status.code) == (LinkState.WAITING, "ticket_unreadable")
    assert link.status.next_try is not None


def test_edit_whose_answer_tells_nothing_is_no_change_of_the_ticket(lab, desk):
    """What was written counts as shown, what was not told stays as it was, and nothing comes back."""
    happen(lab, description="Hot.")
    desk.thin = lambda _: TicketSnapshot(id="1", unknown=frozenset(FieldName))

    link = happen(lab, EventType.UPDATED, title="Another", description="Hot.")

    assert (link.status.state, link.ticket.title, link.ticket.unknown) == (LinkState.IN_SYNC, "Another", frozenset())
    assert (link.ticket.key, link.ticket.priority) == ("T-1", Priority.HIGH)
    assert lab.platform.updates == []


def test_ticket_without_a_key_has_a_name(lab, desk):
    """Until its key is told a ticket goes by its id."""
    desk.thin = lambda ticket: ticket.model_copy(update={"key": ""})

    assert happen(lab).ticket.key == "1"
    assert see(lab, title="Seen to").ticket.key == "T-1"


def test_ticket_that_was_finished_meanwhile_is_not_closed_again(lab):
    """The desk in memory keeps the contract: a close looks first and writes nothing to what is done."""
    happen(lab)
    done = edited(lab, done=True, status="Canceled")

    link = happen(lab, EventType.RESOLVED)

    assert lab.desk.shown == [done]
    assert (link.status.state, link.ticket.status) == (LinkState.IN_SYNC, "Canceled")


@pytest.mark.parametrize(("title", "action"), [("Fan failed", Action.AGREE), ("Seen to", Action.ASK)])
def test_field_of_a_found_ticket_is_compared_when_it_shows(title: str, action: Action):
    """What a hidden field was made of is forgotten: until it shows nothing is to do, then both sides count as moved."""
    thin = KNOWN.model_copy(update={"unknown": frozenset({FieldName.TITLE}), "title": "", "done": False})
    base = agreed_at_finding(INCIDENT, thin, KNOWN, None)
    shown = thin.model_copy(update={"unknown": frozenset(), "title": title})
    rules = {FieldName.TITLE: FieldRule(on_conflict=ConflictRule.ASK)}

    (decision,) = merge(base, Sides(INCIDENT, AT, shown), rules)

    assert merge(base, Sides(INCIDENT, AT, thin), rules) == []
    assert (decision.field, decision.action) == (FieldName.TITLE, action)
