"""Reading tickets again: one question for what changed; and when fields changed, where both sides did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import (
    ConfigError,
    ConnectorError,
    Delivery,
    EventType,
    FieldChange,
    FieldName,
    RemoteError,
    RetryLater,
    hookimpl,
)
from connector_core.contract.merge import ConflictRule, FieldRule
from connector_core.contract.models import LONGEST_NAME
from connector_core.polling.reconcile import RunKind
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk, recorded
from tests.support.sync_lab import edited, happen, make_lab

pytestmark = pytest.mark.lengthy_on_postgresql

COMMENTED_AFTER_S = 100


class DeskWithHistory(MemoryDesk):
    """A desk that can tell when, and by whom, fields were changed: it gives `history`, or raises it."""

    history: object = None

    @hookimpl
    @recorded
    def when_changed(self, integration, ticket):
        """Tell."""
        if isinstance(self.history, ConnectorError):
            raise self.history
        return self.history


@pytest.fixture
def lab(store, clock):
    """Put a lab together whose desk has a history."""
    return make_lab(store, clock, desk=DeskWithHistory(clock))


def queries(lab, *, after=0):
    """Return what the desk was asked to show, from a call on."""
    return [call.about for call in lab.calls[after:] if call.hook == "fetch_tickets"]


def test_what_changed_is_asked_for_once(lab):
    """After a full look one question names all tickets and where they live."""
    happen(lab)
    happen(lab, id="inc-2", title="Another")
    reconciler = lab.operations.reconciler

    assert reconciler.reconcile("desk").kind == RunKind.FULL
    before = len(lab.calls)
    run = reconciler.reconcile("desk")

    (query,) = queries(lab, after=before)
    assert run.kind == RunKind.CHANGED
    assert query.ids == {"1", "2"}
    assert query.changed_since is not None


def test_a_changed_ticket_of_older_settings_is_read_as_they_see_it(lab):
    """What one question found of them is read again with the settings that the link keeps, and nothing else is."""
    happen(lab)
    reconciler = lab.operations.reconciler
    reconciler.reconcile("desk")
    lab.change_record(answers={"desk": "2"})
    before = len(lab.calls)

    reconciler.reconcile("desk")

    changed, again = queries(lab, after=before)
    assert (changed.ids, changed.changed_since is None) == ({"1"}, False)
    assert (again.ids, again.changed_since is None) == ({"1"}, True)
    assert [call.handle.settings.desk for call in lab.calls[before:]] == ["2", "1"]


def test_a_change_that_the_index_did_not_know_at_the_last_look_is_found_at_the_next(lab):
    """The core looks back behind its last look, as far as the plugin says that a search may lag."""
    lab.desk.index_lag = timedelta(seconds=90)
    happen(lab)
    lab.clock.forward(600)
    lab.operations.reconciler.reconcile("desk", full=True)
    edited(lab, title="Seen to")
    lab.clock.forward(60)
    lab.operations.reconciler.reconcile("desk")

    lab.clock.forward(60)
    lab.operations.reconciler.reconcile("desk")

    assert lab.store.links.get(1).ticket.title == "Seen to"
    assert queries(lab)[-1].changed_since == lab.clock.now() - timedelta(seconds=60) - timedelta(minutes=2)


def in_conflict(lab):
    """Let a person change the ticket's title, then a comment move its time; return when the title was changed."""
    happen(lab)
    lab.clock.forward(10)
    person_at = lab.clock.now()
    edited(lab, title="ticket's")
    lab.clock.forward(COMMENTED_AFTER_S)
    lab.store.inbox.see_tickets("desk", [edited(lab)], lab.clock.now())
    lab.clock.forward(20)
    return person_at


def test_the_later_change_of_a_field_wins_not_the_later_touch_of_a_ticket(lab):
    """The ticketing system is asked when the field changed, and by whom; the incident changed later than that."""
    person_at = in_conflict(lab)
    lab.desk.history = {FieldName.TITLE: FieldChange(at=person_at, by="Hana")}

    link = happen(lab, EventType.UPDATED, before_s=60, title="incident's")

    assert (link.incident.title, link.ticket.title) == ("incident's", "incident's")
    (told,) = [entry for entry in lab.store.timelines.read(link.id) if entry.values.get("conflict")]
    assert told.values["ticket_changed_by"] == "Hana"


@pytest.mark.parametrize("answer", [None, {}, RemoteError("not permitted")])
def test_without_the_fields_time_the_tickets_counts(store, clock, answer):
    """A plugin that cannot tell, or a refusal, leaves what was known."""
    lab = make_lab(store, clock, desk=DeskWithHistory(clock), without={"when_changed"} if answer is None else ())
    in_conflict(lab)
    lab.desk.history = answer

    link = happen(lab, EventType.UPDATED, before_s=60, title="incident's")

    assert link.incident.title == "ticket's"


def test_nobody_is_asked_while_there_is_no_conflict(lab):
    """One side that changed needs no times."""
    happen(lab)

    assert happen(lab, EventType.UPDATED, title="changed").ticket.title == "changed"
    assert lab.desk.called("when_changed") == []


@pytest.mark.parametrize("fault", [None, RetryLater("down"), RemoteError("not permitted")])
def test_who_is_asked_once_where_a_person_has_to_decide(lab, fault):
    """The question names who changed the ticket, if that can be told; it does not wait for that."""
    lab.change_record(rules={FieldName.TITLE: FieldRule(on_conflict=ConflictRule.ASK)})
    in_conflict(lab)
    lab.desk.history = fault or {FieldName.TITLE: FieldChange(at=lab.clock.now(), by="Hana")}
    happen(lab, EventType.UPDATED, title="incident's")
    link = happen(lab, EventType.UPDATED, title="incident's again")

    (entry,) = [entry for entry in lab.store.timelines.read(link.id) if entry.kind == "conflict"]
    assert (link.status.state, len(lab.desk.called("when_changed"))) == (LinkState.CONFLICT, 1)
    assert entry.values.get("ticket_changed_by") == (None if fault else "Hana")


def test_a_person_can_ask(lab):
    """One call, and the answer is in the timeline; a field whose author is unknown says so."""
    happen(lab)
    at = lab.clock.now()
    lab.desk.history = {
        FieldName.TITLE: FieldChange(at=at, by="Hana\x1b[31m"),
        FieldName.STATUS: FieldChange(at=at, by="hana@example.test"),
    }
    before = len(lab.calls)

    lab.operations.ask_who(lab.store.links.get(1))

    entry = lab.store.timelines.read(1)[-1]
    assert [call.hook for call in lab.calls[before:]] == ["when_changed"]
    assert entry.values["changes"] == [
        {"field": "title", "by": "Hana [31m", "at": at.isoformat()},
        {"field": "status", "by": "", "at": at.isoformat()},
    ]


def test_a_plugin_without_history_cannot_be_asked(store, clock):
    """That is said."""
    lab = make_lab(store, clock)
    happen(lab)

    with pytest.raises(ConfigError) as caught:
        lab.operations.ask_who(lab.store.links.get(1))

    assert caught.value.code == "history_unknown"


def test_a_delivery_tells_who_changed_what(lab):
    """Only what really differs is ascribed; what another delivery should have told of stays without a name."""
    happen(lab)
    lab.clock.forward(1)
    ticket = edited(lab, title="new", status="Waiting", priority_name="Rush")
    by = {FieldName.TITLE: "Hana", FieldName.STATUS: "Hana", FieldName.DESCRIPTION: "Hana"}
    delivery = Delivery(id="d", event="edited", tickets=(ticket,), changed_by=by)

    lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now()).result()

    entry = lab.store.timelines.read(1)[-1]
    assert entry.values["changed_by"] == "Hana (title, status)"
    assert entry.values["priority_name"] == [None, "Rush"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Hana  Y.\n", "Hana Y."),
        ("hana@example.test", ""),
        ("\u202eanaH", "anaH"),
        ("x" * 5000, "x" * LONGEST_NAME),
        ("", ""),
    ],
)
def test_a_name_of_somebody_is_short_and_printable(given, kept):
    """It is a stranger's text, and an e-mail address is not kept."""
    assert Delivery(id="d", event="e", changed_by={FieldName.TITLE: given}).changed_by == {FieldName.TITLE: kept}
