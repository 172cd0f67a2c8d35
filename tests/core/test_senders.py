"""By whose secret a delivery was signed: found by a few tries among thousands, and strangers cost what is bounded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from connector_core import Signature, Site, WebhookRejected
from connector_core.inbound.senders import SEARCH_BURST_BYTES, Allowance, Senders
from connector_core.registry.listeners import Index, Listeners
from connector_core.testing import FrozenClock

MANY = 10_000
A_BODY = 8_500


def url(number):
    """Return the address of a site."""
    return f"https://site-{number}.example.test"


def listeners(secrets, *, at=url):
    """Make active integrations, each with its secret, at the site that `at` says."""
    entries = {
        str(number): SimpleNamespace(
            record=SimpleNamespace(
                id=str(number),
                organization=f"org-{number}",
                webhook_secrets=(SecretStr(secret),),
                has_unreadable=False,
                problem_code="",
                site=Site(id=at(number), name="", url=at(number)) if at(number) else None,
            )
        )
        for number, secret in enumerate(secrets)
    }
    return Listeners(entries, Index(entry.record for entry in entries.values()))


class Sent:
    """A delivery that one secret signed; counts how many were tried."""

    def __init__(self, secret, site="", part=""):
        self.tries = 0
        self._secret = secret
        self.signature = Signature(is_by=self._is_by, site=site, part=part)

    def _is_by(self, secret):
        self.tries += 1
        return secret.get_secret_value() == self._secret


@pytest.fixture
def clock():
    """Return the clock of the allowance."""
    return FrozenClock()


@pytest.fixture
def senders(clock):
    """Make what is tried."""
    return Senders(clock)


@pytest.fixture(scope="module")
def many():
    """Make ten thousand integrations, each with a site and a secret of its own."""
    return listeners([f"secret-{number}" for number in range(MANY)])


@pytest.mark.parametrize("number", [0, MANY // 2, MANY - 1], ids=["first", "middle", "last"])
def test_of_a_known_site_the_first_try_is_right(senders, many, number):
    """Whichever of ten thousand it is, also when it was never heard of before."""
    sent = Sent(f"secret-{number}", url(number))

    assert senders.likely(many, sent.signature).get_secret_value() == f"secret-{number}"
    assert sent.tries == 1


def test_what_nobody_likely_signed_costs_few_tries_before_it_is_searched_for(senders, many):
    """A stranger's word for the site is tried, and what signed lately; no more."""
    for number in range(100):
        senders.likely(many, Sent(f"secret-{number}", url(number)).signature)
    sent = Sent("nobody's", url(7))

    assert senders.likely(many, sent.signature) is None
    assert sent.tries <= 6


@pytest.mark.parametrize("site", ["", "https://elsewhere.example.test", "https://[odd"])
def test_of_an_unknown_site_it_is_searched_for_once(senders, many, site):
    """Afterwards it is known who signs for that site and project."""
    first, second = (Sent("secret-9000", site, "SUP") for _ in range(2))

    assert senders.likely(many, first.signature) is None
    found = senders.search(many, first.signature, A_BODY)
    again = senders.likely(many, second.signature)

    assert found.get_secret_value() == again.get_secret_value() == "secret-9000"
    assert second.tries == 1


def test_many_secrets_at_one_site_are_told_apart_by_the_project(senders):
    """Each is searched for once; nobody's is tried a thousand times for each delivery."""
    one_site = listeners([f"secret-{number}" for number in range(1000)], at=lambda _: url(1))
    for number in range(0, 1000, 50):
        senders.search(one_site, Sent(f"secret-{number}", url(1), f"P{number}").signature, 10)

    for number in range(0, 1000, 50):
        sent = Sent(f"secret-{number}", url(1), f"P{number}")
        assert senders.likely(one_site, sent.signature) is not None
        assert sent.tries == 1
    unknown = Sent("nobody's", url(1), "P1")
    assert senders.likely(one_site, unknown.signature) is None
    assert unknown.tries <= 25


def test_a_secret_that_no_integration_has_any_more_opens_nothing(senders):
    """What signed before is remembered by its secret, and whose that is is looked up each time."""
    senders.likely(listeners(["former"]), Sent("former", url(0)).signature)
    sent = Sent("former", url(0))

    assert senders.likely(listeners(["present"]), sent.signature) is None
    assert senders.search(listeners(["present"]), sent.signature, A_BODY) is None


def searched_until_refused(senders, many):
    """Search for what nobody signed until that is refused; return how often it was not, and the refusal."""
    for searches in range(1000):
        try:
            senders.search(many, Sent("nobody's").signature, A_BODY)
        except WebhookRejected as refusal:
            return searches, refusal
    return 1000, None


def test_strangers_get_so_many_searches_and_known_senders_are_taken_all_the_while(senders, many, clock):
    """Beyond that they are told when to come again; the pause makes up for what the last search cost."""
    searches, refusal = searched_until_refused(senders, many)

    assert 0 < searches <= SEARCH_BURST_BYTES / (MANY * A_BODY) + 1
    assert (refusal.status, refusal.code) == (429, "search_limit")
    assert senders.likely(many, Sent("secret-5", url(5)).signature) is not None
    clock.forward(refusal.after_s)
    senders.search(many, Sent("nobody's").signature, A_BODY)


def test_a_search_costs_by_what_it_hashes(senders, many):
    """One body of 25 MiB, held against all, uses up what thousands of small ones would."""
    senders.search(many, Sent("nobody's").signature, 25 * 1024 * 1024)

    with pytest.raises(WebhookRejected) as caught:
        senders.search(many, Sent("nobody's").signature, 1)
    assert caught.value.after_s > 60


def test_few_integrations_are_searched_thousands_of_times_a_second(senders):
    """Where there is little to try nobody is told to wait."""
    few = listeners(["a", "b"])

    for _ in range(5000):
        senders.search(few, Sent("nobody's").signature, A_BODY)


def test_a_secret_with_zeros_behind_it_is_the_same_one(senders):
    """The key of a signature is filled up with zeros: both sign alike, and the first of them wins."""
    both = listeners(["secret", "secret\0\0"])

    assert [entry.record.id for entry in both.holders(SecretStr("secret\0"))] == ["0", "1"]


def test_what_signed_lately_is_tried_where_nothing_is_named(senders, many):
    """A thin delivery names no site; that of the last sender is found by a few tries."""
    senders.search(many, Sent("secret-9000", "", "A").signature, A_BODY)
    sent = Sent("secret-9000", "", "B")

    assert senders.likely(many, sent.signature) is not None
    assert sent.tries == 1


def test_only_the_last_few_senders_are_tried_for_everybody(senders, many):
    """Each once, however often it signed; and none that has gone."""
    for number in (1, 2, 3, 3, 3, 4, 5, 6):
        senders.search(many, Sent(f"secret-{number}", part=f"P{number}").signature, 1)

    sent = {number: Sent(f"secret-{number}") for number in (1, 2, 3, 6)}
    found = {number: senders.likely(many, one.signature) is not None for number, one in sent.items()}
    assert found == {1: False, 2: False, 3: True, 6: True}
    assert sent[1].tries == 4

    stranger = Sent("nobody's")
    assert senders.likely(listeners(["another"]), stranger.signature) is None
    assert stranger.tries == 0


def test_a_secret_that_many_at_one_site_have_is_tried_once(senders):
    """Integrations of one site often share a secret; the empty one is none."""
    same = listeners(["shared"] * 50 + [""], at=lambda _: url(1))
    sent = Sent("nobody's", url(1))

    assert senders.likely(same, sent.signature) is None
    assert sent.tries == 1


def test_of_countless_places_the_latest_are_remembered(senders):
    """Strangers' deliveries are remembered for nobody, and memory is bounded for everybody else."""
    one_site = listeners([f"secret-{number}" for number in range(100)], at=lambda _: url(1))
    for number in range(5000):
        senders.likely(one_site, Sent("secret-3", url(1), f"P{number}").signature)
    senders.search(one_site, Sent("secret-99", url(1), "P0").signature, 1)
    senders.search(one_site, Sent("secret-98", url(1), "P1").signature, 1)
    for number in range(2, 4096):
        senders.likely(one_site, Sent("secret-3", url(1), f"Q{number}").signature)

    kept, oldest = Sent("secret-99", url(1), "P0"), Sent("secret-98", url(1), "P1")
    assert senders.likely(one_site, kept.signature) is not None
    assert kept.tries == 1
    for number in range(5000):
        senders.likely(one_site, Sent("secret-3", url(1), f"R{number}").signature)
    for number in (60, 61, 62, 63):
        senders.search(one_site, Sent(f"secret-{number}", url(1), f"S{number}").signature, 1)
    assert senders.likely(one_site, oldest.signature) is None


def test_an_allowance_is_made_up_for_by_the_second():
    """What is left may be spent at once, what was spent beyond it has to be waited for, and no more is saved up."""
    clock = FrozenClock()
    allowance = Allowance(clock, per_s=10, burst=100)

    assert [allowance.spend(60), allowance.spend(60)] == [0, 0]
    assert allowance.spend(1) == 3  # 20 too many, and a second in which something is saved up
    clock.forward(1)
    assert allowance.spend(1) == 2
    clock.forward(1)
    assert allowance.spend(1) == 1  # nothing is left, and nothing is owed
    clock.forward(1)
    assert allowance.spend(10) == 0
    clock.forward(1000)
    assert [allowance.spend(99), allowance.spend(99), allowance.spend(1)] == [0, 0, 10.8]
