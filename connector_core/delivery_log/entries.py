"""What is noted of a delivery and of a call while it happens, and how that becomes an entry of the log.

Noting keeps references only, since it stands in the way of the work; all else is done by the thread of the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector_core.contract.models import Delivery, InboundRequest, IncidentEvent
from connector_core.delivery_log.masking import Masking
from connector_core.http.calls import MOST_BODY, Call
from connector_core.store import Accepted, NewEntry, Result, Way

#: Of what came in and was refused less is kept: strangers may have sent it.
MOST_REFUSED_BODY = 16 * 1024
LONGEST_ABOUT, LONGEST_TEXT, MOST_IDS = 400, 200, 20
_REFUSED = 400

Known = Callable[[], Iterable[str]]

_at_work: ContextVar[tuple[int, int]] = ContextVar("at_work", default=(0, 0))


@contextmanager
def working_on(link_id: int, attempt: int) -> Iterator[None]:
    """Have the calls of a block logged as made for a link, as the first or a later attempt."""
    before = _at_work.set((link_id, attempt))
    try:
        yield
    finally:
        _at_work.reset(before)


@dataclass
class Arrival:
    """One request that came in, and what became of it as far as that is known."""

    at: datetime
    kind: str
    client: str
    path: str
    organization: str = ""
    integration_id: str = ""
    request: InboundRequest | None = None
    #: Of its body, in bytes; the body itself is let go where it is too large to be kept.
    size: int = 0
    #: What was read of a webhook, for whom, and which secret signed it.
    deliveries: Sequence[tuple[str, Delivery, str]] = ()
    events: Sequence[IncidentEvent] = ()
    #: How many events of a list could not be read.
    unreadable: int = 0
    accepted: Accepted | None = None
    status: int = 0
    #: Why it was refused or put off.
    code: str = ""
    is_put_off: bool = False
    took_ms: int = 0
    #: The entry that is fed in again.
    replay_of: int = 0
    known: Known = field(default=tuple, repr=False)

    @property
    def is_refused(self) -> bool:
        """Return whether nothing was taken of it."""
        return self.accepted is None and not self.is_put_off


@dataclass(frozen=True)
class Whose:
    """For whom a call is made, and which values are its secrets."""

    organization: str
    integration_id: str = ""
    known: Known = field(default=tuple, repr=False)


@dataclass(frozen=True)
class Noted:
    """A call, for whom it was made, and for which link."""

    at: datetime
    whose: Whose
    call: Call
    link_id: int = 0
    attempt: int = 0

    @classmethod
    def of(cls, at: datetime, whose: Whose, call: Call) -> Noted:
        """Note a call on the thread that makes it."""
        return cls(at, whose, call, *_at_work.get())

    @property
    def organization(self) -> str:
        """Whose it is."""
        return self.whose.organization


@dataclass(frozen=True)
class Draft:
    """An entry, and the payload that belongs to it; None where there is none."""

    entry: NewEntry
    payload: Mapping[str, Any] | None = None


def of_arrival(arrival: Arrival, *, with_payload: bool) -> Draft:
    """Return the entry of what came in."""
    result, code = _result_of(arrival)
    request = arrival.request
    tickets = _tickets(one for _, one, _ in arrival.deliveries)
    incidents = tuple(dict.fromkeys(event.incident.id for event in arrival.events))[:MOST_IDS]
    masking = Masking(arrival.known())
    payload: dict[str, Any] | None = None
    facts: dict[str, Any] = {}
    if request is not None and with_payload:
        payload, facts = _payload_of(arrival, request, result, masking)
    counts = arrival.accepted
    if counts is not None and counts.new + counts.duplicate + counts.ignored + arrival.unreadable > 1:
        facts |= {"accepted": counts.new, "duplicate": counts.duplicate, "ignored": counts.ignored}
        facts |= {"refused": arrival.unreadable} if arrival.unreadable else {}
    if arrival.replay_of:
        facts["replay_of"] = arrival.replay_of
    return Draft(
        NewEntry(
            at=arrival.at,
            way=Way.IN,
            kind=arrival.kind,
            result=result,
            organization=arrival.organization,
            integration_id=arrival.integration_id,
            client=arrival.client,
            method="POST",
            address=masking.finished(arrival.path)[:LONGEST_TEXT],
            code=code,
            status=arrival.status or None,
            took_ms=arrival.took_ms,
            size=arrival.size,
            event=masking.finished(_event_of(arrival))[:LONGEST_TEXT],
            about=masking.finished("\n".join((*incidents, *tickets)))[:LONGEST_ABOUT],
            tickets=tuple(id_ for id_ in tickets if id_),
            incidents=incidents,
            facts=facts,
        ),
        payload,
    )


def of_call(noted: Noted, *, with_payload: bool) -> Draft:
    """Return the entry of a call."""
    call = noted.call
    masking = Masking(noted.whose.known())
    address = masking.address(call.url)
    sent = call.sent
    facts: dict[str, Any] = {}
    payload: dict[str, Any] | None = None
    if with_payload:
        payload = {"request": _side(masking, sent.headers, sent.body, facts, "request")}
        if call.answer is not None:
            payload["answer"] = _side(masking, call.answer.headers, call.answer.body, facts, "answer")
        payload = _finished(masking, payload)
    return Draft(
        NewEntry(
            at=noted.at,
            way=Way.OUT,
            kind="call",
            result=_outcome(call),
            organization=noted.organization,
            integration_id=noted.whose.integration_id,
            method=call.method[:20],
            address=masking.finished(address)[: 2 * LONGEST_TEXT],
            code=call.code,
            status=None if call.answer is None else call.answer.status,
            took_ms=round(call.took_s * 1000),
            size=0 if call.answer is None else call.answer.size,
            attempt=noted.attempt,
            link_id=noted.link_id or None,
            facts=facts,
        ),
        payload,
    )


def _outcome(call: Call) -> Result:
    if call.answer is None:
        return Result.NO_ANSWER
    return Result.ANSWERED if call.answer.status < _REFUSED else Result.FAILED


def _result_of(arrival: Arrival) -> tuple[Result, str]:
    """Return what became of a request, and why."""
    accepted = arrival.accepted
    if accepted is None:
        return (Result.PUT_OFF if arrival.is_put_off else Result.REFUSED), arrival.code
    if accepted.new:
        return Result.ACCEPTED, ""
    if accepted.duplicate:
        return Result.DUPLICATE, ""
    why = next((one.ignored for _, one, _ in arrival.deliveries if one.ignored), "")
    if not accepted.ignored and arrival.unreadable:
        return Result.REFUSED, arrival.code or "event_unreadable"
    return Result.IGNORED, why or ("no_integration" if arrival.events else "not_linked")


def _event_of(arrival: Arrival) -> str:
    if arrival.deliveries:
        return arrival.deliveries[0][1].event
    kinds = dict.fromkeys(event.type.value for event in arrival.events)
    return ", ".join(kinds)


def _tickets(deliveries: Iterable[Delivery]) -> tuple[str, ...]:
    """Return the ids and keys of the tickets that deliveries are about."""
    found: dict[str, None] = {}
    for one in deliveries:
        for ticket in one.tickets:
            found |= dict.fromkeys((ticket.key, ticket.id))
        found |= dict.fromkeys(sorted({*one.hints, *one.deleted, *one.commented}))
    return tuple(found)[:MOST_IDS]


def _payload_of(
    arrival: Arrival, request: InboundRequest, result: Result, masking: Masking
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is kept of a request: its headers and body, and what was read of it, to be fed in again.

    What was read is kept as it is, sealed, and never shown; nothing of it is kept if it has a secret in it that is
    known.
    """
    facts: dict[str, Any] = {}
    most = MOST_REFUSED_BODY if result is Result.REFUSED else MOST_BODY
    body = request.body if arrival.size <= most else None
    kept: dict[str, Any] = {"request": _side(masking, request.headers, body, facts, "request")}
    kept = _finished(masking, kept)
    read = _read_of(arrival)
    if read and result in {Result.ACCEPTED, Result.DUPLICATE, Result.IGNORED}:
        text = json.dumps(read, ensure_ascii=False)
        if not masking.is_touched(text) and len(text) <= 2 * MOST_BODY:
            kept["read"], facts["read"] = read, True
    return kept, facts


def _read_of(arrival: Arrival) -> dict[str, Any]:
    if arrival.replay_of:
        return {}
    if arrival.events:
        return {"events": [event.model_dump(mode="json") for event in arrival.events]}
    deliveries = [[name, one.model_dump(mode="json"), secret] for name, one, secret in arrival.deliveries]
    return {"deliveries": deliveries} if deliveries else {}


def _side(
    masking: Masking, headers: Mapping[str, str], body: bytes | str | None, facts: dict[str, Any], side: str
) -> dict[str, Any]:
    """Return headers and body of one side; say in `facts` why a body is missing."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    text, why = masking.body(body, str(kind))
    if why:
        facts[side] = why
    return {"headers": masking.headers(headers), "body": text}


def _finished(masking: Masking, payload: dict[str, Any]) -> dict[str, Any]:
    """Take out of every text what was found at any place."""
    return {
        side: {
            "headers": {name: masking.finished(value) for name, value in kept["headers"].items()},
            "body": masking.finished(kept["body"]),
        }
        for side, kept in payload.items()
    }
