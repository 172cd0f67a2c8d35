"""The test incident of an integration: send one, watch each leg, see what it left, and have one sent each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from connector_core.health.webhook_findings import trouble_in_words
from connector_core.setup.synced import set_test_at
from connector_core.store import LegState, Outcome, RoundTrip
from connector_core.web.console import visible
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import Visit, go
from connector_core.words.advice import Way, for_browser
from connector_core.words.round_trips import STATES, ToldLeg, told, verdict

TONES = {Outcome.PASSED: "good", Outcome.FAILED: "bad", Outcome.RUNNING: "fair"}
LEG_TONES = {
    LegState.DONE: "good",
    LegState.FAILED: "bad",
    LegState.UNDER_WAY: "fair",
    LegState.WAITING: "fair",
    LegState.SKIPPED: "fair",
}
DAILY = "daily"


@dataclass(frozen=True)
class ShownLeg:
    """A leg as the page shows it, with where to go."""

    told: ToldLeg
    word: str
    tone: str
    ways: Sequence[Way]


def show(visit: Visit) -> Response:
    """Show the latest test, what it left, and when one is sent by itself."""
    return _page(visit, visible.usable(visit, visit.named("integration")))


def act(visit: Visit) -> Response:
    """Send one, or change when one is sent by itself."""
    seen = visible.usable(visit, visit.named("integration"))
    address = f"/integrations/{seen.id}/test"
    if visit.form.get("action") == DAILY:
        set_test_at(visit.app.setup, seen.id, visit.form.get("test_at", ""))
        return go(address, "updated")
    visit.app.round_trips.start(seen.id, visit.user.name)
    return go(address)


def _page(visit: Visit, seen: Usable) -> Response:
    store = visit.app.store
    trip = store.round_trips.last(seen.id)
    names = visit.app.registry.names(seen.id, seen.record.organization)
    return visit.page(
        "round_trip.html",
        seen=seen,
        trip=trip,
        verdict="" if trip is None else verdict(trip),
        tone="" if trip is None else TONES[trip.outcome],
        legs=[] if trip is None else _legs(visit, seen, trip),
        left_open=store.round_trips.left_open(seen.id),
        is_running=trip is not None and trip.is_running,
        is_active=seen.record.state.value == "active",
        has_link=trip is not None and store.links.get(trip.link_id) is not None,
        names=names,
    )


def _legs(visit: Visit, seen: Usable, trip: RoundTrip) -> list[ShownLeg]:
    names = visit.app.registry.names(seen.id, seen.record.organization)
    webhook_fix = trouble_in_words(visit.app.store, seen.record, seen.route, visit.app.clock.now())
    return [
        ShownLeg(one, STATES[one.state], LEG_TONES[one.state], for_browser(() if one.advice is None else (one.advice,)))
        for one in told(trip, names, webhook_fix)
    ]
