"""Lies about what a plugin's hooks give back, and about what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from connector_core.contract.errors import AuthError, ConnectorError, RemoteError, RetryLater, TicketChanged, TicketGone
from connector_core.contract.models import (
    Delivery,
    FieldName,
    Finding,
    NotCreated,
    Priority,
    Receipt,
    Severity,
    TicketSnapshot,
)
from connector_core.testing.conformance import changes
from connector_core.testing.conformance.ground import secrets_of
from connector_core.testing.conformance.system import WEBHOOK_SECRET

# Calls a hook as the plugin would answer.
Truth = Callable[..., Any]
# Answers in its place.
Lie = Callable[[Truth, str, dict[str, Any]], Any]


def receipt(change: Callable[[Receipt, Any], Receipt]) -> Lie:
    """Lie in receipts."""

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        answer = truth(hook, **given)
        return change(answer, given["change"]) if isinstance(answer, Receipt) else answer

    return says


def ticket(**lies: Any) -> Callable[[Receipt, Any], Receipt]:
    """Lie about the ticket of a receipt."""
    return lambda receipt, _: receipt.model_copy(update={"ticket": receipt.ticket.model_copy(update=lies)})


def asked(change: Callable[[Any], Any], name: str = "change") -> Lie:
    """Understand something else than was asked."""
    return lambda truth, hook, given: truth(hook, **{**given, name: change(given[name])})


def raised(change: Callable[[ConnectorError], BaseException]) -> Lie:
    """Raise something else."""

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        try:
            return truth(hook, **given)
        except TicketChanged:
            raise
        except ConnectorError as exc:
            raise change(exc) from exc

    return says


def found(change: Callable[[TicketSnapshot], TicketSnapshot]) -> Lie:
    """Lie about tickets that are read."""

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        found = truth(hook, **given)
        return [change(one) if isinstance(one, TicketSnapshot) else one for one in found]

    return says


def only(matches: Callable[[Any], bool], lied: Lie) -> Lie:
    """Lie about some changes only."""

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        return lied(truth, hook, given) if matches(given["change"]) else truth(hook, **given)

    return says


def never_created(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    about = given.get("change") or given["draft"]
    return NotCreated() if changes.is_look(about) else truth(hook, **given)


def looks_by_creating(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    return truth(
        hook, **{name: changes.unattempted(one) if changes.is_look(one) else one for name, one in given.items()}
    )


def another_priority(incident: Any) -> Any:
    shifted = {Priority.CRITICAL: Priority.LOW, Priority.HIGH: Priority.CRITICAL, Priority.LOW: Priority.HIGH}
    return incident.model_copy(update={"priority": shifted.get(incident.priority, incident.priority)})


def of_incident(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda asked: asked.model_copy(update={"incident": change(asked.incident)})


def without(field: FieldName) -> Callable[[Any], Any]:
    def drop(asked: Any) -> Any:
        return asked.model_copy(update={"fields": asked.fields - {field}}) if changes.is_write(asked) else asked

    return drop


def claims_title(receipt: Receipt, asked: Any) -> Receipt:
    if not changes.is_write(asked):
        return receipt
    title = asked.incident.title
    return receipt.model_copy(
        update={"ticket": receipt.ticket.model_copy(update={"title": title}), "refused": {}, "unkept": {}}
    )


def claims(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """Leave the title out, and show it as written."""
    receipt = truth(hook, **{**given, "change": without(FieldName.TITLE)(given["change"])})
    return claims_title(receipt, given["change"]) if isinstance(receipt, Receipt) else receipt


def writes_over(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    try:
        return truth(hook, **given)
    except TicketChanged as exc:
        return truth(hook, **{**given, "change": given["change"].model_copy(update={"ticket": exc.ticket})})


def takes_theirs_for_ours(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """Show what a person made of a ticket right behind a write as what became of the write."""
    receipt = truth(hook, **given)
    if isinstance(receipt, Receipt) and receipt.since is not None:
        return receipt.model_copy(update={"ticket": receipt.since, "since": None})
    return receipt


def writes_over_what_came_behind(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """Write once more what does not show right behind a write, as if the ticketing system had dropped it."""
    receipt = truth(hook, **given)
    if isinstance(receipt, Receipt) and receipt.since is not None:
        return truth(hook, **{**given, "change": given["change"].model_copy(update={"ticket": receipt.since})})
    return receipt


def silent_about_others(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """Say nothing of what a person set right before a write, whether it was written over or not."""
    try:
        receipt = truth(hook, **given)
    except TicketChanged as exc:
        return Receipt(ticket=exc.ticket)
    return receipt.model_copy(update={"note": ""}) if isinstance(receipt, Receipt) else receipt


def swallowed(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    try:
        return truth(hook, **given)
    except ConnectorError:
        return []


def too_late(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """Give back what changed after the look."""
    found, now = truth(hook, **given), given["integration"].clock.now()
    if given["query"].changed_since is None:
        return found
    return [one for one in found if not isinstance(one, TicketSnapshot) or one.updated is None or one.updated > now]


def never_changed(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    return [] if given["query"].changed_since is not None else truth(hook, **given)


def any_secret(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    handle = replace(given["integration"], webhook_secrets=(SecretStr(WEBHOOK_SECRET),))
    return truth(hook, **{**given, "integration": handle})


def headers_alone() -> Lie:
    """Believe any body that comes with headers which were right once."""
    seen: dict[tuple[tuple[str, str], ...], Any] = {}

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        key = tuple(sorted((name, text) for name, text in given["request"].headers.items() if name != "content-length"))
        try:
            delivery = truth(hook, **given)
        except ConnectorError:
            delivery = None
        if delivery is None:
            return seen.get(key)
        seen[key] = delivery
        return delivery

    return says


def unsigned() -> Lie:
    """Believe what was right once when a header of it is left out."""
    seen: dict[bytes, tuple[set[str], Any]] = {}

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        body, names = given["request"].body, set(given["request"].headers)
        try:
            delivery = truth(hook, **given)
        except ConnectorError:
            delivery = None
        if delivery is not None:
            seen.setdefault(body, (names, delivery))
        known, believed = seen.get(body, (set(), None))
        return believed if names < known else delivery

    return says


def delivery(**lies: Callable[[Any], Any]) -> Lie:
    """Lie in deliveries."""

    def says(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
        delivery = truth(hook, **given)
        if not isinstance(delivery, Delivery):
            return delivery
        return delivery.model_copy(update={name: of(getattr(delivery, name)) for name, of in lies.items()})

    return says


def mute(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    return None


def failing(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    delivery = truth(hook, **given)
    if delivery is None:
        raise RemoteError("The signature is wrong.")
    return delivery


def comments(**lies: Any) -> Lie:
    return lambda truth, hook, given: [one.model_copy(update=lies) for one in truth(hook, **given)]


def all_is_well(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    try:
        found: Sequence[Finding] = truth(hook, **given)
    except ConnectorError:
        return [Finding(code="all", severity=Severity.OK, title="All is well")]
    return [one.model_copy(update={"severity": Severity.OK}) for one in found]


def leaking(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    handle = given["integration"]
    try:
        return truth(hook, **given)
    except ConnectorError as exc:
        told = next(iter(secrets_of(handle, handle.core).values()), "")
        exc.detail = f"{exc.detail} (sent with {told})"
        raise


def other_error(exc: ConnectorError) -> BaseException:
    return KeyError(exc.message)


def without_outcome(exc: ConnectorError) -> BaseException:
    if isinstance(exc, RetryLater):
        exc.outcome_unknown = False
    return exc


def always_unknown(exc: ConnectorError) -> BaseException:
    if isinstance(exc, RetryLater):
        exc.outcome_unknown = True
    return exc


def without_wait(exc: ConnectorError) -> BaseException:
    if isinstance(exc, RetryLater):
        exc.after_s = None
    return exc


def as_gone(exc: ConnectorError) -> BaseException:
    return exc if isinstance(exc, AuthError) else TicketGone(exc.message)


def never_gone(exc: ConnectorError) -> BaseException:
    return RetryLater(exc.message) if isinstance(exc, TicketGone) else exc


def finds_whatever(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """Give the ticket of one name for all of them."""
    found = truth(hook, **given)
    return dict.fromkeys(given["names"], next(iter(found.values()))) if found else found


def lists_one_mark(truth: Truth, hook: str, given: dict[str, Any]) -> Any:
    """List one ticket, and say that it is the last."""
    page = truth(hook, **given)
    return page.model_copy(update={"tickets": page.tickets[:1], "cursor": None})
