"""The sides in memory that ship for tests: they keep the contract, and what goes wrong goes wrong as switched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from connector_core import (
    CreateTicket,
    EventType,
    FieldName,
    Incident,
    NotCreated,
    Priority,
    RemoteError,
    RetryLater,
    TicketGone,
    TicketQuery,
    WebhookRejected,
    WriteIncident,
)
from connector_core.plugins import load_plugins
from connector_core.testing import (
    FrozenClock,
    MemoryDesk,
    MemoryPlatform,
    PluginContract,
    make_integration,
    make_source,
)
from tests.support.changes import close, look_for, write

SECRET = "whsec_c2VjcmV0"


class TestDesk(PluginContract):
    """The contract that every plugin keeps."""

    settings = {"desk": "1", "token": "a-token"}  # noqa: RUF012 - as documented

    def plugin(self):
        """Load it from its own entry point."""
        return load_plugins(entry_points=[MemoryDesk().entry_point()]).get("desk")


class TestPlatform(PluginContract):
    """The contract that every plugin keeps."""

    settings = {"secret": SECRET}  # noqa: RUF012 - as documented

    def plugin(self):
        """Load it from its own entry point."""
        return load_plugins(entry_points=[MemoryPlatform().entry_point()]).get("platform")


@pytest.fixture
def clock():
    """Stop the time."""
    return FrozenClock()


@pytest.fixture
def desk(clock):
    """Make a desk."""
    return MemoryDesk(clock)


@pytest.fixture
def platform(clock):
    """Make a platform."""
    return MemoryPlatform(clock)


def called(side, hook, **arguments):
    """Call a hook as the core does, on a handle with the secret."""
    plugin = load_plugins(entry_points=[side.entry_point()]).get(side.name)
    if isinstance(side, MemoryPlatform):
        source = make_source(plugin.info, {"secret": SECRET}, clock=side.clock)
        return getattr(plugin, hook)(source=source, **arguments)
    handle = make_integration(plugin.info, {"desk": "1"}, webhook_secrets=("old", SECRET))
    return getattr(plugin, hook)(integration=handle, **arguments)


def opening(marker="m-1"):
    """Return what a link wants of a desk when its incident is new."""
    incident = Incident(id="inc-1", title="Display offline", priority=Priority.HIGH)
    return CreateTicket(incident=incident, marker=marker)


def test_a_lost_create_is_found_by_its_marker_as_it_was_made(desk, clock):
    """What people changed since is seen beside it; of another marker there certainly is none."""
    desk.lose_answer = True
    with pytest.raises(RetryLater) as caught:
        called(desk, "on_incident_event", change=opening())
    desk.edit("1", title="Edited")

    found = called(desk, "on_incident_event", change=look_for(opening(), clock.now()))
    other = called(desk, "on_incident_event", change=look_for(opening("m-2"), clock.now()))

    assert caught.value.outcome_unknown
    assert (found.ticket.title, found.as_created.title) == ("Edited", "Display offline")
    assert other == NotCreated()
    assert len(desk.tickets) == 1


def test_a_change_and_a_close_are_written_and_told(desk):
    """Each has a later time than the one before, although no time passed."""
    made = called(desk, "on_incident_event", change=opening()).ticket
    renamed = write(opening(), made, FieldName.TITLE, incident=Incident(id="inc-1", title="Dark"))
    called(desk, "on_incident_event", change=renamed)
    closed = called(desk, "on_incident_event", change=close(opening(), made)).ticket

    assert (closed.title, closed.priority, closed.done, closed.status) == ("Dark", Priority.HIGH, True, "Done")
    assert [delivery.tickets[0].title for delivery in desk.told] == ["Display offline", "Dark", "Dark"]
    assert made.updated < desk.told[1].tickets[0].updated < closed.updated


def test_what_is_hidden_or_deleted_is_gone(desk):
    """It is not shown, and a write says so."""
    made = called(desk, "on_incident_event", change=opening()).ticket
    desk.tickets["1"].hidden = True
    query = TicketQuery(ids=frozenset({"1"}))

    assert called(desk, "fetch_tickets", query=query) == []
    with pytest.raises(TicketGone):
        called(desk, "on_incident_event", change=close(opening(), made))
    desk.delete("1")
    assert desk.told[-1].deleted == {"1"}


def test_only_what_changed_since_is_shown(desk, clock):
    """The time is the desk's own."""
    for number in (1, 2):
        called(desk, "on_incident_event", change=opening(marker=f"m-{number}"))
    clock.forward(10)
    since = clock.now()
    desk.edit("2", title="Later")
    query = TicketQuery(ids=frozenset({"1", "2"}), changed_since=since)

    assert [ticket.id for ticket in called(desk, "fetch_tickets", query=query)] == ["2"]


def test_a_webhook_is_read_when_one_of_the_secrets_signed_it(desk):
    """It says which; what is signed but no delivery is rejected, and what is not signed is for nobody."""
    called(desk, "on_incident_event", change=opening())
    sent = desk.told[0]

    read = called(desk, "on_inbound_webhook", request=desk.signed(sent, SECRET))

    assert read == sent.model_copy(update={"signed_by": 1})
    assert called(desk, "on_inbound_webhook", request=desk.signed(sent, "another")) is None
    changed = replace(desk.signed(sent, SECRET), body=b"{}")
    assert called(desk, "on_inbound_webhook", request=changed) is None


def test_events_are_polled_from_where_the_last_look_ended(platform, clock):
    """The first look begins when the integration became active; the same look again shows the same."""
    platform.open("Before")
    clock.forward(10)
    since = clock.now()
    platform.open("After")
    first = called(platform, "poll_incidents", cursor=None, active_since=since)
    platform.resolve("inc-1")

    second = called(platform, "poll_incidents", cursor=first.cursor, active_since=since)

    assert [event.incident.title for event in first.events] == ["After"]
    assert [(event.type, event.incident.id) for event in second.events] == [(EventType.RESOLVED, "inc-1")]
    assert (first.open_incidents, second.open_incidents) == (2, 1)
    assert called(platform, "poll_incidents", cursor=first.cursor, active_since=since) == second


def test_events_are_pushed_with_a_signature(platform):
    """Another secret opens no door."""
    platform.open("Display offline")

    pushed = called(platform, "on_source_push", request=platform.signed(*platform.told, secret=SECRET))

    assert list(pushed) == platform.told
    with pytest.raises(WebhookRejected):
        called(platform, "on_source_push", request=platform.signed(*platform.told, secret="another"))


def test_a_change_with_the_same_key_is_one_change(platform):
    """The second gets the answer of the first, and nothing else is told."""
    platform.open("Display offline")
    update = WriteIncident(
        incident_id="inc-1", title="Dark", fields=frozenset({FieldName.TITLE}), idempotency_key="k-1"
    )
    first = called(platform, "apply_change", update=update)
    platform.change("inc-1", title="Bright")

    assert called(platform, "apply_change", update=update) == first
    assert platform.incidents["inc-1"].title == "Bright"
    assert len(platform.told) == 3


def test_refusals_come_one_after_the_other_and_an_outage_until_it_ends(desk):
    """Neither does anything; each call is in the log."""
    desk.refuse_with(RemoteError("No."), None, RemoteError("No way."))
    said = []
    for _ in range(3):
        try:
            called(desk, "on_incident_event", change=opening())
        except RemoteError as exc:
            said.append(exc.message)
    desk.down = RetryLater("No answer.")
    for _ in range(2):
        with pytest.raises(RetryLater):
            called(desk, "on_incident_event", change=opening())

    assert said == ["No.", "No way."]
    assert (len(desk.tickets), len(desk.called("on_incident_event"))) == (1, 5)


def test_something_may_happen_between_effect_and_answer(desk):
    """It sees the call and its answer."""
    seen = []
    desk.during = lambda call, answer: seen.append((call.hook, answer.ticket.id, len(desk.tickets)))
    called(desk, "on_incident_event", change=opening())

    assert seen == [("on_incident_event", "1", 1)]


def test_a_hook_that_is_left_out_is_an_ability_it_has_not(platform):
    """So it can be seen how the connector does without."""
    point = platform.entry_point(without={"poll_incidents"})

    (plugin,) = load_plugins(entry_points=[point]).ready

    assert not plugin.implements("poll_incidents")
    assert plugin.implements("apply_change")


def test_time_passes_or_the_clock_is_set(clock):
    """Both move what it shows; only one counts as time that passed."""
    began = clock.now()
    clock.forward(5)
    clock.set_by(-3600)

    assert ((clock.now() - began).total_seconds(), clock.monotonic()) == (-3595, 5)


def test_no_secret_shows_in_the_log_of_calls(desk):
    """A handle's settings hide theirs."""
    plugin = load_plugins(entry_points=[desk.entry_point()]).get("desk")
    handle = make_integration(plugin.info, {"desk": "1", "token": SecretStr("t0ps3cret")})
    plugin.check_integration(handle)

    assert "t0ps3cret" not in repr(desk.calls)
