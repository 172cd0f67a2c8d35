"""How an integration's webhook fares: whether deliveries arrive, who signed them, and what was never told.

A webhook that was disabled, filtered or deleted says nothing. What gives it away is a change that reading finds
although a delivery should have told of it long ago.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from connector_core.contract.models import Finding, Severity
from connector_core.contract.setup_steps import Answered, answer_to
from connector_core.health.refusals import NO_ROUTE, RECENT, Refused
from connector_core.store import IGNORED, MISSED, REFUSED, SIGNED, IntegrationRecord, IntegrationState, Store

ADDRESS = "address"
MANAGED_WEBHOOK = "managed_webhook"  # the name of an answer that belongs to the core
LATE = timedelta(minutes=3)  # a change older than this, found by reading, was told by nobody


@dataclass(frozen=True)
class SecretUse:
    """How often one of the secrets signed; `which` is present, former, or address for one that needs none."""

    which: str
    count: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True)
class HookHealth:
    """How a webhook fares; `state` is off, asleep, waiting, arriving, silent or refused."""

    state: str
    last_at: datetime | None
    secrets: tuple[SecretUse, ...] = ()
    ignored: Mapping[str, int] | None = None
    missed: int = 0
    missed_at: datetime | None = None


def name_of(secret: SecretStr) -> str:
    """Return a short name of a secret that does not give it away."""
    return hashlib.sha256(b"webhook secret:" + secret.get_secret_value().encode("utf-8", "replace")).hexdigest()[:12]


def health(store: Store, record: IntegrationRecord) -> HookHealth:
    """Say how the webhook of an integration fares."""
    facts, last_at = store.webhooks.facts(record.id), store.webhooks.last_delivery_at(record.id)
    missed, addressed = facts.get(MISSED), facts.get(SIGNED + ADDRESS)
    uses = [SecretUse(ADDRESS, addressed.count, addressed.last_at)] if addressed else []
    for number, secret in enumerate(record.webhook_secrets):
        fact = facts.get(SIGNED + name_of(secret))
        which = "former" if number else "present"
        uses.append(SecretUse(which) if fact is None else SecretUse(which, fact.count, fact.last_at))
    return HookHealth(
        state=_state(store, record, last_at, missed.last_at if missed else None),
        last_at=last_at,
        secrets=tuple(uses),
        ignored={name.removeprefix(IGNORED): fact.count for name, fact in facts.items() if name.startswith(IGNORED)},
        missed=missed.count if missed else 0,
        missed_at=missed.last_at if missed else None,
    )


@dataclass(frozen=True)
class Arrived:
    """A signed delivery that came: when, the sender's word for it, and whether it was about a ticket of ours."""

    at: datetime
    event: str = ""
    is_ours: bool = False


def arrived(store: Store, record: IntegrationRecord, since: datetime) -> Arrived | None:
    """Return the latest signed delivery since a time, one that is ignored too; None where none came."""
    times = [use.last_at for use in health(store, record).secrets if use.last_at is not None and use.last_at >= since]
    if not times:
        return None
    latest = store.webhooks.latest_event(record.id)
    if latest is None or latest[2] < since:
        return Arrived(max(times))  # one that had come before
    event, is_ours, at = latest
    return Arrived(at, event, is_ours)


def states(
    store: Store, records: Iterable[IntegrationRecord], routes: Mapping[str, str | None], now: datetime
) -> dict[str, str]:
    """Say how the webhooks of many integrations fare, in one word each; the store is asked once for all.

    The records may be without their secrets; `routes` are where the deliveries of plugins come in.
    """
    records, turned_away = list(records), suspected(store, records, routes, now)
    facts_of, told = store.webhooks.facts_of_all(), store.webhooks.registered() | store.integrations.signed()
    last, changes = store.webhooks.last_deliveries(), store.webhooks.secret_changes()
    found = {}
    for record in records:
        facts = facts_of.get(record.id, {})
        is_told = record.id in told or bool(_told_by(store, record, facts))
        missed = facts.get(MISSED)
        found[record.id] = _word(
            record,
            is_told=is_told,
            last_at=last.get(record.id),
            missed_at=missed.last_at if missed else None,
            changed_at=changes.get(record.id),
        )
        opened = store.integrations.opened(record.id) if record.id in turned_away else None
        if opened is not None and refused(store, opened, routes.get(record.plugin), now):
            found[record.id] = "refused"
    return found


def suspected(
    store: Store, records: Iterable[IntegrationRecord], routes: Mapping[str, str | None], now: datetime
) -> frozenset[str]:
    """Return those of some integrations of which deliveries may have been refused lately; few questions for many."""
    facts_of = store.webhooks.facts_of_all()
    noisy = {
        route
        for route in {NO_ROUTE, *filter(None, routes.values())}
        if any(now - fact.last_at < RECENT for fact in store.webhooks.refused(route).values())
    }
    return frozenset(
        record.id
        for record in records
        if noisy & {NO_ROUTE, routes.get(record.plugin)}
        or any(name.startswith(REFUSED) for name in facts_of.get(record.id, {}))
    )


def refused(store: Store, record: IntegrationRecord, route: str | None, now: datetime) -> list[Refused]:
    """Return what was turned away since the last delivery that was taken, the latest first.

    When it cannot be told whose it was, it is told of every integration that it may have been meant for.
    """
    if route is None or record.state is not IntegrationState.ACTIVE:
        return []
    since = max(filter(None, (now - RECENT, store.webhooks.last_delivery_at(record.id), record.active_since)))
    facts = {
        name.removeprefix(REFUSED): fact
        for name, fact in store.webhooks.facts(record.id).items()
        if name.startswith(REFUSED)
    }
    found = [Refused(code, fact.count, fact.last_at) for code, fact in facts.items() if fact.last_at > since]
    changed_at = store.webhooks.secret_changed_at(record.id)
    since = since if changed_at is None else max(since, changed_at)
    unknown = store.webhooks.refused(NO_ROUTE) if store.webhooks.last_delivery_at(record.id) is None else {}
    nobodys = [
        Refused(code, fact.count, fact.last_at)
        for code, fact in (*store.webhooks.refused(route).items(), *unknown.items())
        if fact.last_at > since
    ]
    if nobodys and _may_be_meant(store, record):
        found += nobodys
    return sorted(found, key=lambda one: one.last_at, reverse=True)


def _may_be_meant(store: Store, record: IntegrationRecord) -> bool:
    """Return whether a delivery that nobody's secret signed may have been meant for an integration.

    One without a secret is meant if no other has one: its webhook may be there before its secret is.
    """
    return is_expected(store, record) or not store.integrations.is_any_signed(record.plugin)


def sharing(store: Store, record: IntegrationRecord) -> list[IntegrationRecord]:
    """Return the other active integrations of the organization that one webhook may serve as well."""
    return [
        one
        for one in store.integrations.of_organization(record.organization)
        if one.id != record.id and one.plugin == record.plugin and one.state is IntegrationState.ACTIVE
    ]


def told_by(store: Store, record: IntegrationRecord) -> list[IntegrationRecord]:
    """Return the others by whose secret, which still is theirs, deliveries for an integration were signed."""
    return _told_by(store, record, store.webhooks.facts(record.id))


def _told_by(store: Store, record: IntegrationRecord, facts: Iterable[str]) -> list[IntegrationRecord]:
    signers = {name for name in facts if name.startswith(SIGNED)}
    if not signers:
        return []
    own = {SIGNED + ADDRESS, *(SIGNED + name_of(secret) for secret in record.webhook_secrets)}
    others = signers - own
    if not others:  # nearly always: the secrets of all integrations need not be opened for each of them
        return []
    return [
        one
        for one in sharing(store, record)
        if any(SIGNED + name_of(secret) in others for secret in one.webhook_secrets)
    ]


def is_expected(store: Store, record: IntegrationRecord) -> bool:
    """Return whether deliveries are to be expected: a secret is set, or a plugin registered a webhook by itself."""
    own = store.webhooks.managed(record.id)
    return bool(record.webhook_secrets) or (own is not None and own.registration is not None)


def is_managed(record: Answered) -> bool:
    """Return whether a plugin is to register the webhook by itself."""
    return answer_to(record.answers, MANAGED_WEBHOOK) == "true"


def findings(store: Store, record: IntegrationRecord, now: datetime) -> list[Finding]:
    """Return what a person should know about the webhook; nothing where none is set up."""
    own = store.webhooks.managed(record.id)
    if own is not None and own.problem:
        title = "The webhook could not be registered, renewed or removed"
        return [
            Finding(code="webhook_not_kept", severity=Severity.WARNING, title=title, detail=own.problem, fix=own.fix)
        ]
    found = health(store, record)
    if found.state == "silent":
        last = f"{found.last_at:%Y-%m-%d %H:%M} UTC" if found.last_at else "never"
        return [
            Finding(
                code="webhook_silent",
                severity=Severity.WARNING,
                title="The webhook is silent: changes were found only by polling",
                detail=f"{found.missed} so far, the latest of {found.missed_at:%Y-%m-%d %H:%M} UTC; "
                f"last delivery: {last}.",
                fix="Look whether the webhook in the ticketing system is enabled, has the events of the set-up step, "
                "no narrower filter, and our address. Until then tickets are read more often.",
            )
        ]
    former = next((use for use in found.secrets if use.which == "former"), None)
    if former is not None and former.last_at is not None and now - former.last_at < RECENT:
        return [
            Finding(
                code="webhook_former_secret",
                severity=Severity.WARNING,
                title="The webhook still signs with the former secret",
                detail=f"{former.count} times, last at {former.last_at:%Y-%m-%d %H:%M} UTC.",
                fix="Put the present secret into the ticketing system before the former one is forgotten here.",
            )
        ]
    return []


def _state(store: Store, record: IntegrationRecord, last_at: datetime | None, missed_at: datetime | None) -> str:
    return _word(
        record,
        is_told=is_expected(store, record) or bool(told_by(store, record)),
        last_at=last_at,
        missed_at=missed_at,
        changed_at=store.webhooks.secret_changed_at(record.id),
    )


def _word(
    record: IntegrationRecord,
    *,
    is_told: bool,
    last_at: datetime | None,
    missed_at: datetime | None,
    changed_at: datetime | None,
) -> str:
    if not is_told:
        return "off"
    if missed_at is not None and (last_at is None or missed_at > last_at):
        return "silent"
    if last_at is not None and (changed_at is None or last_at >= changed_at):
        return "arriving"
    return "waiting" if record.state is IntegrationState.ACTIVE else "asleep"
