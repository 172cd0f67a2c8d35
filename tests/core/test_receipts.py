"""What a ticket shows after a write that it took: in its own form where the plugin says so, else not agreed on."""

from __future__ import annotations

from typing import ClassVar

import pytest

from connector_core import EventType, FieldName, Priority, Receipt, WriteFields, hookimpl
from connector_core.contract.merge import Direction, FieldRule
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk
from tests.support.sync_lab import happen, kinds, make_lab, run

pytestmark = pytest.mark.lengthy_on_postgresql

UPDATE = ("on_incident_event", "WriteFields")
NEW = {
    FieldName.TITLE: {"title": "Fan failed"},
    FieldName.DESCRIPTION: {"description": "It smells."},
    FieldName.PRIORITY: {"priority": Priority.CRITICAL},
}
SHOWN = {
    FieldName.TITLE: {"title": "Something else"},
    FieldName.DESCRIPTION: {"description": "Something else"},
    FieldName.PRIORITY: {"priority": Priority.LOW},
}


class Forgetful(MemoryDesk):
    """A desk that answers an edit as done; `shows` is what the ticket shows then, `says` what the plugin says."""

    shows: ClassVar[dict[str, object]] = {}
    says: frozenset[FieldName] = frozenset()

    @hookimpl
    def on_incident_event(self, integration, change):
        """Take an edit, and show something else."""
        receipt = super().on_incident_event(integration, change)
        if not isinstance(change, WriteFields):
            return receipt
        ticket = self.tickets[change.ticket.id]
        ticket.become(ticket.whole.model_copy(update=self.shows), self.unshown)
        return Receipt(ticket=ticket.shown, as_written=self.says)


@pytest.fixture
def lab(store, clock):
    """Put a lab together that carries every field to a ticket which keeps none."""
    lab = make_lab(store, clock, desk=Forgetful(clock))
    both = dict.fromkeys(NEW, FieldRule(direction=Direction.BOTH))
    lab.change_record(rules={**lab.entry.record.rules, **both})
    happen(lab)
    return lab


@pytest.mark.parametrize("field", NEW)
def test_what_a_ticket_does_not_show_is_not_agreed_on(lab, field):
    """The plugin says nothing of it: the link is not in sync, and a person is told what the ticket shows."""
    lab.desk.shows = SHOWN[field]

    link = happen(lab, EventType.UPDATED, **NEW[field])

    assert (link.status.state, link.status.code) == (LinkState.BLOCKED, "write_not_kept")
    assert field in link.unkept
    assert [one.kind for one in lab.store.timelines.read(1) if one.values.get("field") == field] == ["ticket_unkept"]
    lab.store.lanes.wake(1, lab.clock.now())
    run(lab)
    assert kinds(lab).count(UPDATE) == 1


@pytest.mark.parametrize("field", NEW)
def test_the_tickets_own_form_of_what_was_written_is_agreed_on(lab, field):
    """A plugin that says so has its word: cut, cleaned, or the nearest priority."""
    lab.desk.shows, lab.desk.says = SHOWN[field], frozenset({field})

    link = happen(lab, EventType.UPDATED, **NEW[field])

    assert link.status.state is LinkState.IN_SYNC
    assert kinds(lab).count(UPDATE) == 1


@pytest.mark.parametrize("shown", ["Fan  failed ", " Fan\nfailed"])
def test_blanks_are_no_difference(lab, shown):
    """Systems tidy blanks up; no plugin has to speak of them."""
    lab.desk.shows = {"title": shown}

    assert happen(lab, EventType.UPDATED, title="Fan failed").status.state is LinkState.IN_SYNC
