"""The words of test incidents: for each leg what happened, why it did not, and the way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector_core.contract.advice import Advice, Remedy
from connector_core.store.records import Leg, LegFacts, LegState, Outcome, RoundTrip, TripCode
from connector_core.words.names import Names

TITLES: Mapping[Leg, str] = {
    Leg.CREATED: "Ticket created in {desk}",
    Leg.CHANGED: "Ticket changed in {desk}",
    Leg.RETURNED: "Change received from {desk}",
    Leg.CLOSED: "Ticket closed in {desk}",
}
_FAILED: Mapping[Leg, str] = {
    Leg.CREATED: "Ticket not created in {desk}",
    Leg.CHANGED: "Ticket not changed in {desk}",
    Leg.RETURNED: "Change not received from {desk}",
    Leg.CLOSED: "Ticket not closed in {desk}",
}
_LEFT_OPEN = "Ticket left open in {desk}"
STATES: Mapping[LegState, str] = {
    LegState.WAITING: "to do",
    LegState.UNDER_WAY: "running",
    LegState.DONE: "done",
    LegState.FAILED: "failed",
    LegState.SKIPPED: "skipped",
}
_SAID: Mapping[str, str] = {
    TripCode.BY_WEBHOOK: "By webhook.",
    TripCode.BY_POLLING: "By polling: no webhook is set up, so changes made in {desk} arrive with a delay.",
    TripCode.WEBHOOK_MISSING: "No webhook delivery arrived. The change was found only by polling.",
    TripCode.NOT_SEEN: "Neither a webhook delivery nor polling showed the change in time.",
    TripCode.NOT_CHANGED: "{desk} accepted none of the changes that were tried.",
    TripCode.LEFT_OPEN: "Your settings leave tickets open: close it in {desk}.",
    TripCode.TOO_SLOW: "It took too long.",
    TripCode.NOT_ACTIVE: "The integration was disabled meanwhile.",
    TripCode.LINK_GONE: "The link was removed meanwhile.",
}
_LATER = "It is closed automatically as soon as that is possible."
_BY_HAND = "Close it there, or fix the cause and retry its link."
#: What goes on by itself: nothing refused it.
_GOES_ON = frozenset({TripCode.TOO_SLOW, TripCode.NOT_ACTIVE})
_FIXES: Mapping[str, str] = {
    TripCode.WEBHOOK_MISSING: (
        "Check the webhook in {desk}: it must be enabled, have the address and the secret of the step Webhook and its"
        " events, and no filter that leaves these tickets out."
    ),
    TripCode.NOT_SEEN: (
        "Check that the connector's account may read the tickets it creates, and try again in a minute: a search may"
        " lag behind."
    ),
    TripCode.NOT_CHANGED: (
        "Check that the connector's account may edit tickets, and that title or priority are on the edit screen."
    ),
    TripCode.TOO_SLOW: "Try again when {desk} responds.",
}
_ADVICE: Mapping[str, Remedy] = {
    TripCode.NOT_ACTIVE: Remedy.ACTIVATE,
    "authorization_needed": Remedy.AUTHORIZE,
}
_VERDICTS: Mapping[Outcome, str] = {
    Outcome.RUNNING: "Running",
    Outcome.PASSED: "Both directions work",
    Outcome.FAILED: "Failed",
}


@dataclass(frozen=True)
class ToldLeg:
    """One leg in words; `took` is how long it took, empty while that is not known."""

    leg: Leg
    state: LegState
    title: str
    took: str
    text: str
    fix: str = ""
    advice: Advice | None = None


def told(trip: RoundTrip, names: Names, webhook_fix: str = "") -> Sequence[ToldLeg]:
    """Return the legs of a test in words; `webhook_fix` says what is known to be wrong with the webhook."""
    return [_leg(trip, leg, names, webhook_fix) for leg in Leg]


def verdict(trip: RoundTrip) -> str:
    """Return what a test showed, in a few words."""
    if trip.outcome is Outcome.PASSED and trip.of(Leg.RETURNED).why == TripCode.BY_POLLING:
        return "Both directions work, without a webhook"
    return _VERDICTS[trip.outcome]


def failure(trip: RoundTrip, names: Names) -> str:
    """Return why a test failed, in a sentence; empty for any other."""
    leg = trip.failed
    if leg is None:
        return ""
    told_leg = _leg(trip, leg, names, "")
    return f"{told_leg.title}. {told_leg.text}".strip()


def _leg(trip: RoundTrip, leg: Leg, names: Names, webhook_fix: str) -> ToldLeg:
    facts = trip.of(leg)
    is_failed = facts.state is LegState.FAILED
    is_open = leg is Leg.CLOSED and facts.why == TripCode.LEFT_OPEN
    title = (_LEFT_OPEN if is_open else (_FAILED if is_failed else TITLES)[leg]).format(desk=names.desk)
    fix = _FIXES.get(facts.why, "").format(desk=names.desk) if is_failed else ""
    if is_failed and facts.why == TripCode.WEBHOOK_MISSING and webhook_fix:
        fix = webhook_fix
    remedy = _ADVICE.get(facts.why)
    return ToldLeg(
        leg=leg,
        state=facts.state,
        title=title,
        took="" if is_open else _took(facts),
        text=" ".join(_sentences(trip, leg, facts, names)),
        fix=fix,
        advice=Advice(remedy, trip.integration_id) if remedy is not None and is_failed else None,
    )


def _sentences(trip: RoundTrip, leg: Leg, facts: LegFacts, names: Names) -> Iterator[str]:
    if leg is Leg.CHANGED and facts.state is LegState.DONE and trip.field is not None:
        yield f"The {trip.field}."
    if facts.why in _SAID:
        yield _SAID[facts.why].format(desk=names.desk)
    if facts.reason:
        yield facts.reason
    if facts.state is LegState.FAILED and not trip.is_running and trip.is_left_open and leg is trip.failed_last:
        then = _LATER if facts.why in _GOES_ON else _BY_HAND
        yield f"{trip.ticket_key} was left open in {names.desk}. {then}"


def _took(facts: LegFacts) -> str:
    """Say how long a leg took, such as 2.1 s; a failed one lasted as long as it was waited for."""
    seconds = facts.took_s
    return "" if seconds is None or facts.state is LegState.SKIPPED else f"{seconds:.1f} s"
