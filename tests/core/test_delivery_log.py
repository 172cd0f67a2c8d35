"""The delivery log in the store, and its recorder: found, bounded, forgotten, sealed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import structlog
from pydantic import SecretStr

from connector_core import Delivery
from connector_core.contract.models import InboundRequest
from connector_core.delivery_log import recorder
from connector_core.delivery_log.entries import Arrival, Whose, working_on
from connector_core.delivery_log.recorder import DeliveryLog, Keeping
from connector_core.http.calls import MOST_BODY, Answer, Call, Part
from connector_core.metrics import Metrics
from connector_core.secrets import SecretBox
from connector_core.store import Accepted, LoggedFilter, NewEntry, Result, Way, delivery_log, payloads
from connector_core.store.opening import open_store


@pytest.fixture
def now(store, clock):
    """Return the present."""
    return clock.now()


def entry(now, **more):
    """Return a delivery that was accepted."""
    return NewEntry(
        **{"at": now, "way": Way.IN, "kind": "webhook", "result": Result.ACCEPTED, "organization": "acme", **more}
    )


def found(store, **wanted):
    """Return the ids of what fits, the latest first."""
    return [one.id for one in store.delivery_log.find(LoggedFilter(**wanted)).entries]


def logging(store, clock, **more):
    """Return a log whose thread does not run: it is written when it is told to."""
    keeping = Keeping(**{"enabled": True, "keep": timedelta(7), "payloads": timedelta(3), "most": 1024**2, **more})
    log = DeliveryLog(store.delivery_log, keeping, metrics=Metrics(), clock=clock, log=structlog.get_logger())
    log._is_open = True
    return log


def arrival(clock, number=1, body=b'{"a": 1}', **more):
    """Return a delivery that was accepted."""
    request = InboundRequest(headers={"content-type": "application/json"}, body=body, received_at=clock.now())
    made = Arrival(clock.now(), "webhook", "192.0.2.7", "/external/desk/webhook", "acme", "desk", request)
    made.deliveries = [("desk", Delivery(id=f"d{number}", event="changed", hints=frozenset({"77"})), "")]
    made.accepted = Accepted(new=1)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_each_filter_finds_its_own(store, now):
    """Direction, organization, integration, result, status, time, and text of what it is about."""
    first, second, third = store.delivery_log.add(
        [
            entry(now - timedelta(days=2), about="SUP-1\n10001", status=200),
            entry(now, organization="globex", integration_id="other", result=Result.IGNORED),
            entry(now, way=Way.OUT, result=Result.FAILED, status=404, link_id=7),
        ]
    )

    assert found(store) == [third, second, first]
    assert found(store, organizations=["acme"]) == [third, first]
    assert found(store, organizations=[]) == []
    assert found(store, organizations=["acme", "globex"], way=Way.IN) == [second, first]
    assert found(store, integration_id="other") == [second]
    assert found(store, result=Result.FAILED) == found(store, status=4) == found(store, status=404) == [third]
    assert found(store, link_id=7) == [third]
    assert found(store, text="sup-1") == [first]
    assert found(store, text="100%") == []
    assert found(store, since=now - timedelta(hours=1)) == [third, second]
    assert found(store, until=now - timedelta(hours=1)) == [first]
    assert found(store, before=third, limit=1) == [second]


def test_what_is_rare_is_found_by_searching_on(store, now, monkeypatch):
    """A page looks through so many entries; where it stopped is said, and nothing is passed over."""
    monkeypatch.setattr(delivery_log, "DEEPEST", 10)
    ids = store.delivery_log.add([entry(now, about="RARE-1" if n == 0 else "") for n in range(35)])

    pages, before = [], None
    while True:
        page = store.delivery_log.find(LoggedFilter(text="RARE", before=before))
        pages.append([one.id for one in page.entries])
        before = page.searched_to
        if before is None:
            break

    assert pages[-1] == [ids[0]]
    assert not any(pages[:-1])


def test_refused_ones_are_bounded_for_each_organization(store, now, monkeypatch):
    """Rubbish of one sender pushes out its own kind only."""
    monkeypatch.setattr(delivery_log, "MOST_REFUSED", 3)
    (kept,) = store.delivery_log.add([entry(now)])
    store.delivery_log.add([entry(now, result=Result.REFUSED)])
    for _ in range(5):
        store.delivery_log.add([entry(now, result=Result.REFUSED, organization="")])

    assert len(found(store, result=Result.REFUSED)) == 4
    assert kept in found(store)


def test_payloads_are_bounded_by_size_and_time_and_samples_stay(store, now):
    """The oldest go first; an entry whose payload went says so."""
    box = store.delivery_log.box()
    big = box.seal({"request": {"headers": {}, "body": "".join(map(str, range(3000)))}})
    old, sample, new = store.delivery_log.add([entry(now, payload=big) for _ in range(3)])
    assert store.delivery_log.keep(sample, is_sample=True)

    assert store.delivery_log.trim(len(big)) == 0

    assert store.delivery_log.payload(old) is None
    assert not store.delivery_log.get(old).has_payload
    assert store.delivery_log.payload(new)
    assert store.delivery_log.forget_payloads(now + timedelta(days=1), 10) == 1
    assert store.delivery_log.forget(now + timedelta(days=1), 10) == 2
    assert found(store) == [sample]
    assert store.delivery_log.payload(sample)


def test_so_many_samples_are_kept_of_each_organization(store, now, monkeypatch):
    """One more is refused, another organization's is not, and one that is let go makes room."""
    monkeypatch.setattr(delivery_log, "MOST_SAMPLES", 1)
    sealed = store.delivery_log.box().seal({})
    first, second, other = store.delivery_log.add(
        [entry(now, payload=sealed), entry(now, payload=sealed), entry(now, payload=sealed, organization="globex")]
    )

    assert store.delivery_log.keep(first, is_sample=True)
    assert not store.delivery_log.keep(second, is_sample=True)
    assert store.delivery_log.keep(other, is_sample=True)
    assert store.delivery_log.keep(first, is_sample=False)
    assert store.delivery_log.keep(second, is_sample=True)


def test_a_change_of_the_key_opens_old_payloads_and_seals_new_ones_anew(database_place, clock):
    """Whoever knows the former key alone opens none of the new ones; without the key there are none."""
    before, after = SecretStr("the former passphrase"), SecretStr("the new passphrase of today")
    store = open_store(database_place, SecretBox([before]))
    store.secrets.take_up(clock.now())
    former = store.delivery_log.box()
    (old,) = store.delivery_log.add([entry(clock.now(), payload=former.seal({"body": "old"}))])
    store.close()
    store = open_store(database_place, SecretBox([after, before]))
    store.secrets.take_up(clock.now())

    present = store.delivery_log.box()
    sealed = present.seal({"body": "new"})
    (new,) = store.delivery_log.add([entry(clock.now(), payload=sealed)])

    assert store.delivery_log.payload(old) == {"body": "old"}
    assert store.delivery_log.payload(new) == {"body": "new"}
    assert former.open(sealed) is None
    store.close()
    store = open_store(database_place, SecretBox([after]))
    store.secrets.take_up(clock.now())
    assert store.delivery_log.payload(old) == {"body": "old"}
    store.close()


def test_payloads_are_given_up_with_their_key(database_place, clock):
    """After the key was lost and given up, the log goes on with a key of its own; what was sealed stays shut."""
    store = open_store(database_place, SecretBox([SecretStr("a passphrase that is lost")]))
    store.secrets.take_up(clock.now())
    (lost,) = store.delivery_log.add([entry(clock.now(), payload=store.delivery_log.box().seal({"body": "x"}))])
    store.close()
    store = open_store(database_place, SecretBox([SecretStr("a passphrase of today")]), with_any_key=True)
    assert store.delivery_log.box() is None

    store.secrets.forget(clock.now())

    assert store.delivery_log.payload(lost) is None
    (new,) = store.delivery_log.add([entry(clock.now(), payload=store.delivery_log.box().seal({"body": "y"}))])
    assert store.delivery_log.payload(new) == {"body": "y"}
    store.close()


def test_the_recorder_keeps_what_fits_and_counts_the_rest(store, clock, monkeypatch):
    """A full queue drops the newest, an entry says how many, and nobody waits."""
    monkeypatch.setattr(recorder, "MOST_WAITING", 5)
    log = logging(store, clock)
    for number in range(8):
        log.arrived(arrival(clock, number))

    log.flush()

    entries = store.delivery_log.find(LoggedFilter()).entries
    assert [one.result for one in entries].count(Result.ACCEPTED) == 5
    assert [one.facts["others"] for one in entries if one.result is Result.OMITTED] == [3]


def test_only_so_many_bodies_are_kept_at_once(store, clock, monkeypatch):
    """The others have their entries."""
    monkeypatch.setattr(recorder, "PAYLOADS_AT_ONCE", 2)
    log = logging(store, clock)
    for number in range(4):
        log.arrived(arrival(clock, number))

    log.flush()

    assert [one.has_payload for one in store.delivery_log.find(LoggedFilter()).entries] == [False, False, True, True]


def test_a_large_body_is_let_go_and_its_size_is_kept(store, clock):
    """What was read of it is kept, so that it can be replayed."""
    log = logging(store, clock)
    log.arrived(arrival(clock, body=b"x" * (MOST_BODY + 1)))

    log.flush()

    (one,) = store.delivery_log.find(LoggedFilter()).entries
    assert one.size == MOST_BODY + 1
    assert one.facts["request"] == "too_large"
    assert one.can_replay


def test_what_holds_a_known_secret_is_masked_and_not_replayed(store, clock):
    """A ticket's text with the webhook's secret in it is shown without it, and what was read is not kept at all."""
    secret = "the webhook's secret"
    log = logging(store, clock)
    made = arrival(clock, body=f'{{"title": "it is {secret}"}}'.encode(), known=lambda: [secret])
    made.deliveries = [("desk", Delivery(id="d", event=secret, hints=frozenset({"77"})), "")]
    log.arrived(made)

    log.flush()

    (one,) = store.delivery_log.find(LoggedFilter()).entries
    assert secret not in str(store.delivery_log.payload(one.id))
    assert secret not in str(one)
    assert not one.can_replay


def test_a_call_of_a_lane_names_its_link_and_attempt(store, clock):
    """Others name none."""
    log = logging(store, clock)
    call = Call("GET", "https://desk.example/a?b=c", 0.25, Part({"X": "y"}), Answer({}, b"{}", 2, 200))
    with working_on(7, 3):
        log.called(Whose("acme", "desk"), call)
    log.called(Whose("acme", "desk"), call)

    log.flush()

    other, of_link = store.delivery_log.find(LoggedFilter()).entries
    assert (of_link.link_id, of_link.attempt, of_link.took_ms) == (7, 3, 250)
    assert (other.link_id, other.attempt) == (None, 0)


@pytest.mark.parametrize("more", [{"enabled": False}, {"payloads": timedelta(0)}])
def test_the_log_and_its_bodies_can_be_off(store, clock, more):
    """Without bodies there are entries; without the log there is nothing."""
    log = logging(store, clock, **more)
    if "enabled" in more:
        log._is_open = False
        log.start()
    log.arrived(arrival(clock))

    log.flush()

    entries = store.delivery_log.find(LoggedFilter()).entries
    assert [one.has_payload for one in entries] == ([] if "enabled" in more else [False])


def test_payload_texts_that_no_json_has_are_kept():
    """Half of a pair of surrogates goes in and comes out."""
    box = payloads.PayloadBox(["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="])

    assert box.open(box.seal({"body": "\ud800"})) == {"body": "\ud800"}
    assert box.open(b"rubbish") is None
