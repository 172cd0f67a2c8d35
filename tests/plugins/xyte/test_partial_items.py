"""Items of lists that do not tell everything: what is absent is unknown, keeps what was known, and is no change."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from connector_core import Priority
from connector_core.testing import FrozenClock
from connector_xyte.mapping import differs, read_incident, remembered
from connector_xyte_sandbox.quirks import Quirks
from tests.support.xyte.handles import Reader
from tests.support.xyte.hub_in_memory import HubInMemory

KEPT = ("title", "description", "priority", "issue")
WHOLE = {"id": "i-1", "title": "Fan", "description": "Hot.", "priority": "high", "issue": "fan", "status": "active"}


@given(absent=st.sets(st.sampled_from(KEPT)), null=st.sets(st.sampled_from(["title", "priority"])))
def test_absent_is_no_change(absent: set[str], null: set[str]):
    """Any subset of what is kept in sync may be missing, and title and priority null; what was known stays known."""
    before = read_incident(WHOLE, "active")
    item = {name: None if name in null else value for name, value in WHOLE.items() if name not in absent}
    seen = read_incident(item, "active")
    assert before is not None
    assert seen is not None

    assert not differs(before.digest, seen)
    assert remembered(before.digest, seen) == before.digest
    assert seen.untold == absent | null
    assert not differs(seen.digest, before)


@given(name=st.sampled_from(KEPT), absent=st.sets(st.sampled_from(KEPT)))
def test_what_is_told_and_another_is_a_change(name: str, absent: set[str]):
    """A change is seen among whatever else is absent."""
    before = read_incident(WHOLE, "active")
    item = {key: value for key, value in WHOLE.items() if key not in absent - {name}} | {name: "low"}
    seen = read_incident(item, "active")
    assert before is not None
    assert seen is not None

    assert differs(before.digest, seen)


def test_an_incident_keeps_what_its_list_leaves_out():
    """A change comes with the title and the priority that were known, and so does the end."""
    clock = FrozenClock()
    hub = HubInMemory(clock=clock)
    followed: list[object] = []
    reader = Reader(replace(hub.source(), followed=lambda: followed))
    reader.look()
    name = hub.organization.open("Display offline", priority="high")
    assert reader.look() == [("opened", name)]
    followed.append(reader.events[0].incident)
    hub.organization.quirks = replace(Quirks(), leaves_out=frozenset({"title", "priority", "issue"}))

    assert reader.look() == []
    hub.organization.change(name, description="It smells.")
    changed = reader.look()
    hub.organization.resolve(name)
    ended = reader.look()

    assert (changed, ended) == ([("updated", name)], [("resolved", name)])
    shown = reader.events[0].incident
    assert (shown.title, shown.priority, shown.description) == ("Display offline", Priority.HIGH, "It smells.")


def test_what_is_told_later_than_the_incident_is_compared_from_then_on():
    """To tell it for the first time is no change; to tell another one after that is."""
    hub = HubInMemory(clock=FrozenClock())
    hub.organization.quirks = replace(Quirks(), leaves_out=frozenset({"priority"}))
    reader = Reader(hub.source())
    reader.look()
    name = hub.organization.open("Display offline", priority="high")
    opened = reader.look()

    hub.organization.quirks = Quirks()
    told = reader.look()
    hub.organization.change(name, priority="low")
    changed = reader.look()

    assert (opened, told, changed) == ([("opened", name)], [], [("updated", name)])
