"""How a webhook fares: which secret signs, what is ignored, and that silence is noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core import Delivery
from connector_core.health.webhook_health import LATE, findings, health, name_of
from tests.support.sync_lab import edited, happen, make_lab

pytestmark = pytest.mark.lengthy_on_postgresql


@pytest.fixture
def lab(store, clock):
    """Put a lab together whose reconciler has listened for a while."""
    made = make_lab(store, clock)
    made.reconciler = replace(made.reconciler, listening_since=clock.now())
    made.clock.forward(60)
    return made


def record_of(lab):
    """Return the integration as it is stored."""
    (record,) = lab.store.integrations.every()
    return record


def deliver(lab, number, secret="s3cret", **parts):
    """Take a delivery that was signed with a secret."""
    delivery = Delivery(id=f"d{number}", event="e", signed_by=0, **parts)
    lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now(), name_of(SecretStr(secret))).result()


def changed_unheard(lab, *, ago=LATE + timedelta(minutes=1)):
    """Let a person change the ticket without a delivery, and read it a while later."""
    lab.clock.forward(1)
    edited(lab, title=f"changed at {lab.clock.now()}")
    lab.clock.forward(ago.total_seconds())
    lab.reconciler.reconcile("desk", full=True)


def test_a_webhook_that_says_nothing_is_noticed(lab):
    """A change found by reading, that a delivery should have told long ago, is counted and is a finding."""
    happen(lab)
    deliver(lab, 1)
    changed_unheard(lab)

    found = health(lab.store, record_of(lab))

    assert (found.state, found.missed) == ("silent", 1)
    (finding,) = findings(lab.store, record_of(lab), lab.clock.now())
    assert finding.code == "webhook_silent"
    assert finding.fix


def test_a_delivery_ends_the_silence(lab):
    """Once something arrives again the finding is gone; the count stays."""
    happen(lab)
    changed_unheard(lab)
    lab.clock.forward(1)
    deliver(lab, 1)

    found = health(lab.store, record_of(lab))

    assert (found.state, found.missed) == ("arriving", 1)
    assert findings(lab.store, record_of(lab), lab.clock.now()) == []


def test_a_fresh_change_may_still_be_told(lab):
    """A delivery has some minutes before its change counts as missed."""
    happen(lab)
    changed_unheard(lab, ago=LATE / 2)

    assert health(lab.store, record_of(lab)).missed == 0


def test_what_changed_while_nobody_listened_is_no_silence(lab):
    """After a stop the changes of meanwhile were told in vain."""
    happen(lab)
    lab.reconciler = replace(lab.reconciler, listening_since=lab.clock.now() + timedelta(minutes=5))
    changed_unheard(lab)

    assert health(lab.store, record_of(lab)).missed == 0


def test_without_a_secret_nobody_is_expected_to_tell(lab):
    """Where no webhook is set up, reading is how changes are found."""
    happen(lab)
    lab.change_record(webhook_secrets=())
    changed_unheard(lab)

    assert (health(lab.store, record_of(lab)).state, health(lab.store, record_of(lab)).missed) == ("off", 0)


def test_which_secret_signed_is_known(lab):
    """Present and former secret are told apart, and use of the former one is a finding."""
    both = (SecretStr("new"), SecretStr("s3cret"))
    lab.store.integrations.put(replace(record_of(lab), webhook_secrets=both))
    deliver(lab, 1)
    deliver(lab, 2)

    present, former = health(lab.store, record_of(lab)).secrets

    assert (present.which, present.count, former.which, former.count) == ("present", 0, "former", 2)
    assert former.last_at == lab.clock.now()
    assert [one.code for one in findings(lab.store, record_of(lab), lab.clock.now())] == ["webhook_former_secret"]


def test_what_is_ignored_is_counted_by_reason(lab):
    """Unknown events, thin issues, strangers' tickets and repeated deliveries each have their count."""
    ticket = happen(lab).ticket
    deliver(lab, 1, ignored="event_unknown")
    deliver(lab, 2, tickets=(ticket.model_copy(update={"id": "99"}),))
    deliver(lab, 2)
    deliver(lab, 3, tickets=(ticket,))

    ignored = health(lab.store, record_of(lab)).ignored

    assert ignored == {"event_unknown": 1, "not_linked": 1, "duplicate": 1}


def test_nothing_yet_is_said_to_be_nothing_yet(lab):
    """A secret without any delivery is waited for."""
    assert health(lab.store, record_of(lab)).state == "waiting"
    assert findings(lab.store, record_of(lab), lab.clock.now()) == []


def test_a_secrets_name_does_not_give_it_away():
    """It is short, the same for the same secret, and holds nothing of it."""
    assert name_of(SecretStr("a")) == name_of(SecretStr("a")) != name_of(SecretStr("b"))
    assert "hunter2" not in name_of(SecretStr("hunter2"))


def test_how_a_webhook_fares_is_told_without_a_look_at_all_integrations(lab, monkeypatch):
    """It is asked for each of them in turn: the others matter only where a secret signed that is not its own."""
    record = record_of(lab)
    monkeypatch.setattr(lab.store.integrations, "every", lambda: pytest.fail("all integrations were read"))

    assert health(lab.store, record).state == "waiting"


def test_a_webhook_that_delivered_after_a_missed_change_is_not_silent(lab):
    """A change that was refused is found by reading later; deliveries since then show that the webhook works."""
    happen(lab)
    lab.clock.forward(1)
    edited(lab, title="Changed, and nobody told")
    lab.clock.forward(10)
    deliver(lab, 1)
    lab.clock.forward(LATE.total_seconds() + 60)
    lab.reconciler.reconcile("desk", full=True)

    found = health(lab.store, record_of(lab))

    assert (found.state, found.missed) == ("arriving", 1)
