"""Which integration an inbound webhook is for: the signature says of which organization, the ticket says for whom."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector_core import Delivery, InboundRequest, Signature, Site, TicketSnapshot, WebhookRejected
from connector_core.inbound.intake import Intake
from connector_core.registry.listeners import Index, Listeners
from connector_core.store import Accepted, Holders

TOKEN = SecretStr("told to the ticketing system only")
REQUEST = InboundRequest(headers={"secret": "b"}, body=b"{}", received_at=datetime(2026, 11, 23, tzinfo=UTC))
HERE = Site(id="cloud-here", name="here", url="https://here.example.test")
THERE = Site(id="cloud-there", name="there", url="https://there.example.test")
ELSEWHERE = "https://elsewhere.example.test"


@dataclass(frozen=True)
class Handle:
    """What the plugin is given."""

    webhook_secrets: tuple[SecretStr, ...]
    webhook_registration: object = None


class FakePlugin:
    """Takes a request whose header names one of the integration's secrets; shows the ticket 1 at an address."""

    name = "fake"
    info = SimpleNamespace(times_are_exact=True)

    def __init__(self, site, told=None, *, says_who=True):
        self.says_who = says_who
        self.asked = []
        self.tried = []
        url = f"{site}/browse/T-1" if site else None
        ticket = TicketSnapshot(id="1", key="T-1", url=url, title="x", updated=REQUEST.received_at)
        told = told or {"tickets": (ticket,)}
        self.delivery = Delivery(id="1", event="e", site=site, signed_by=0, **told)

    def implements(self, hook):
        """Say who may have sent a request, or leave it to each integration to find out."""
        return self.says_who and hook == "find_signature"

    def find_signature(self, request):
        """Say which secret made the signature, and of which site it is."""
        secret = request.headers["secret"]
        site = self.delivery.site if self.delivery is not None else ""

        def is_by(one):
            self.tried.append(one.get_secret_value())
            return one.get_secret_value() == secret

        return Signature(is_by, is_given=bool(secret), site=site)

    def on_inbound_webhook(self, integration, request):
        """Read what one of the integration's secrets signed."""
        self.asked.append(integration.webhook_registration or integration.webhook_secrets)
        if request.is_addressed:
            return Delivery(id="1", event="e", hints=frozenset({"1"}), site=self.delivery.site)
        secrets = [secret.get_secret_value() for secret in integration.webhook_secrets]
        return self.delivery if request.headers["secret"] in secrets else None


@dataclass
class One:
    """An integration: its secrets, organization and site, and whether it has the ticket or is just creating one.

    `is_locked` says that no key opens its secrets.
    """

    name: str
    secrets: tuple[str, ...] = ("b",)
    organization: str = "acme"
    site: Site | None = HERE
    has: str = ""
    webhook_registration: object = None
    is_locked: bool = False
    is_disabled: bool = False


def intake(*integrations, site=HERE.url, told=None, says_who=True):
    """Make an intake for integrations; return it, and what is stored as (integration, what became of the ticket).

    `told` is what a delivery tells of the ticket in place of showing it; `says_who`, whether the plugin can say who may
    have sent a request.
    """
    stored = []
    plugin = FakePlugin(site, told, says_who=says_who)
    entries = {
        one.name: SimpleNamespace(
            record=SimpleNamespace(
                id=one.name,
                organization=one.organization,
                webhook_secrets=tuple(map(SecretStr, one.secrets)),
                site=one.site,
                has_unreadable=one.is_locked,
                problem_code="",
            ),
            plugin=plugin,
            handle=Handle(tuple(map(SecretStr, one.secrets)), one.webhook_registration),
        )
        for one in integrations
    }
    disabled = [entries.pop(one.name) for one in integrations if one.is_disabled]

    def accept(organization, given, at):
        assert organization
        assert at == REQUEST.received_at
        for name, delivery, _ in given:
            believed = "shown" if delivery.tickets else "gone" if delivery.deleted else ""
            what = believed or ("read" if delivery.hints == {"1"} else delivery.ignored)
            stored.append((name, what))
        future = Future()
        future.set_result(Accepted(new=1))
        return future

    def holders(names, ids):
        assert ids == {"1"}
        having = {kind: [one.name for one in integrations if one.has == kind] for kind in ("linked", "creating")}
        return Holders(*(frozenset(names) & frozenset(having[kind]) for kind in ("linked", "creating")))

    registry = SimpleNamespace(
        routes=lambda: {"fake"},
        listeners=lambda _: Listeners(entries, Index(entry.record for entry in entries.values())),
        disabled=lambda _: iter(disabled),
        site=lambda entry: entry.record.site,
    )
    store = SimpleNamespace(
        inbox=SimpleNamespace(accept_deliveries=accept),
        links=SimpleNamespace(holders=holders),
        webhooks=SimpleNamespace(
            token=lambda _: TOKEN,
            registered=lambda: {one.name for one in integrations if one.webhook_registration is not None},
        ),
    )
    return Intake(store, registry, structlog.get_logger()), stored


def given_to(*integrations, site=HERE.url, address=None, told=None):
    """Return who got the delivery, and what became of the ticket that it shows."""
    made, stored = intake(*integrations, site=site, told=told)
    made.take_webhook("fake", REQUEST, address)
    return stored


def test_the_first_organization_whose_secret_matches_wins():
    """The order is that in which integrations were made, and one secret of an integration is enough."""
    others = [One("one", ("a",), "other"), One("two", ("x", "b"), "acme"), One("three", ("c",), "third")]

    assert given_to(*others) == [("two", "shown")]


@pytest.mark.parametrize("secrets", [("b",), (), ("another",)])
@pytest.mark.parametrize("site", [HERE.url, ""])
def test_inside_the_organization_it_is_for_the_integration_that_has_the_ticket(secrets, site):
    """One webhook serves them all, whether they have its secret, another, or none."""
    assert given_to(One("sup"), One("fac", secrets, has="linked"), site=site) == [("fac", "shown")]


def test_a_ticket_that_two_integrations_have_is_told_to_both():
    """Somebody linked one ticket to an incident of each."""
    both = (One("sup", has="linked"), One("fac", has="linked"), One("ops"))

    assert given_to(*both) == [("sup", "shown"), ("fac", "shown")]


def test_a_ticket_that_is_just_being_created_is_kept_for_whoever_creates():
    """Its delivery came before the answer to the create; whose it is shows later."""
    assert given_to(One("sup"), One("fac", has="creating")) == [("fac", "shown")]


def test_a_ticket_that_nobody_has_is_the_signers_to_ignore():
    """It is counted once, not for every integration of the organization."""
    assert given_to(One("sup", ("a",)), One("fac"), One("ops")) == [("fac", "not_linked")]


@pytest.mark.parametrize(
    ("site", "what"),
    [(HERE.url, "shown"), (HERE.url.upper(), "shown"), ("", "shown"), ("https://[odd", "shown"), (ELSEWHERE, "read")],
)
def test_a_delivery_of_an_address_that_is_not_the_sites_has_the_ticket_read(site, what):
    """The site may have been renamed; or it is a copy of the site, with the same tickets, webhooks and secrets."""
    assert given_to(One("sup", has="linked"), site=site) == [("sup", what)]


@pytest.mark.parametrize("told", [{"hints": frozenset({"1"})}, {"deleted": frozenset({"1"})}])
def test_of_an_address_that_is_not_the_sites_no_ticket_is_believed_to_be_gone(told):
    """That something happened to it is all that counts."""
    assert given_to(One("sup", has="linked"), site=ELSEWHERE, told=told) == [("sup", "read")]


@pytest.mark.parametrize(
    ("others", "what"),
    [((), "shown"), ((One("fac", site=None),), "read"), ((One("x", ("c",), "other", THERE),), "read")],
)
def test_an_integration_whose_site_is_not_known_believes_what_can_be_of_no_other(others, what):
    """It alone could have that site; of two, or when the site is known to be another's, the ticket is read."""
    assert given_to(One("sup", site=None, has="linked"), *others, site=THERE.url) == [("sup", what)]


def test_who_is_at_the_site_goes_before_who_may_be_there():
    """Both have a ticket of that id; of one of them the site is not known, so it may be another ticket."""
    assert given_to(One("fac", site=None, has="linked"), One("sup", has="linked")) == [("sup", "shown")]


def test_a_delivery_of_another_known_site_is_not_this_ones():
    """Ids of tickets are the same on many sites."""
    two = (One("sup", has="linked"), One("fac", site=THERE))

    assert given_to(*two, site=THERE.url) == [("fac", "shown")]
    assert given_to(One("sup", has="linked"), One("x", ("c",), "other", THERE), site=THERE.url) == [
        ("sup", "other_site")
    ]


def test_at_two_sites_an_address_that_nobody_has_is_read_by_who_has_the_ticket():
    """One of them was renamed; what either reads at its own site is true."""
    two = (One("sup", has="linked"), One("fac", site=THERE))

    assert given_to(*two, site=ELSEWHERE) == [("sup", "read")]
    assert given_to(*two, site="") == [("sup", "read")]


def shared(first, second, sites=(HERE, THERE)):
    """Return two organizations with one secret, and whether each has a ticket of that id."""
    return (
        One("one", organization="acme", site=sites[0], has=first),
        One("two", organization="globex", site=sites[1], has=second),
    )


@pytest.mark.parametrize(
    ("both", "site", "outcome"),
    [
        (shared("", ""), HERE.url, ("one", "shown")),
        (shared("linked", "linked"), THERE.url, ("two", "shown")),
        (shared("linked", ""), THERE.url, ("two", "shown")),
        (shared("", "linked", (HERE, HERE)), HERE.url, ("two", "shown")),
        (shared("", ""), ELSEWHERE, ("one", "read")),
    ],
)
def test_a_secret_that_two_organizations_share_is_for_whose_site_it_is(both, site, outcome):
    """And at one site, for whose ticket it is; nobody's ticket is the first one's to ignore."""
    assert given_to(*both, site=site) == [outcome]


@pytest.mark.parametrize(
    ("both", "site"),
    [
        (shared("linked", "linked", (HERE, HERE)), HERE.url),
        (shared("linked", ""), ELSEWHERE),
        (shared("linked", ""), ""),
        (shared("", "linked"), ELSEWHERE),
    ],
)
def test_a_shared_secret_opens_no_door_when_it_cannot_be_told_whose_it_is(both, site):
    """Both have it at one site, or no site or an unknown one is named; on its own address it can be told."""
    made, stored = intake(*both, site=site)

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("fake", REQUEST)
    made.take_webhook("fake", REQUEST, "two")

    assert (caught.value.status, caught.value.code) == (403, "secret_shared")
    assert [name for name, _ in stored] == ["two"]


def test_an_address_of_one_integration_is_for_that_one():
    """With its id in the address only that integration's secret counts, and only its tickets do."""
    assert given_to(One("two", has="linked"), One("three"), address="three") == [("three", "shown")]


HOOKED = {"secrets": (), "webhook_registration": "1000"}


@pytest.mark.parametrize(
    ("integrations", "site", "outcome"),
    [
        ([One("sup", **HOOKED)], HERE.url, [("sup", "read")]),
        ([One("sup", **HOOKED)], ELSEWHERE, [("sup", "read")]),
        ([One("sup", **HOOKED), One("fac", **HOOKED)], HERE.url, [("sup", "read"), ("fac", "read")]),
        ([One("sup", **HOOKED), One("fac", **HOOKED)], ELSEWHERE, [("sup", "read")]),
        ([One("sup", **HOOKED), One("x", site=THERE, organization="globex", **HOOKED)], THERE.url, [("x", "read")]),
        (
            [One("sup", **HOOKED), One("x", site=THERE, organization="globex", has="linked", **HOOKED)],
            ELSEWHERE,
            [("x", "read")],
        ),
        ([One("sup", has="linked", **HOOKED), One("x", (), "globex", THERE)], THERE.url, None),
    ],
)
def test_a_webhook_of_our_own_is_for_the_site_that_it_names(integrations, site, outcome):
    """A renamed one is for who has the ticket; that of another known site is nobody's here. It is read in any case."""
    made, stored = intake(*integrations, site=site)
    request = replace(REQUEST, token=TOKEN)
    if outcome is None:
        with pytest.raises(WebhookRejected):
            made.take_webhook("fake", request)
    else:
        made.take_webhook("fake", request)

    assert stored == (outcome or [])


@pytest.mark.parametrize("secrets", [(), ("",), ("a",)])
def test_nobody_matches_means_forbidden(secrets):
    """No secret, an empty one and a wrong one are all 403."""
    made, stored = intake(One("one", secrets))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("fake", REQUEST)

    assert caught.value.status == 403
    assert stored == []


ones = st.builds(
    One,
    name=st.just(""),
    secrets=st.sampled_from([("b",), ("a",), (), ("a", "b")]),
    organization=st.sampled_from(["acme", "globex"]),
    site=st.sampled_from([HERE, THERE, None]),
    has=st.sampled_from(["", "linked", "creating"]),
)


@given(st.lists(ones, min_size=1, max_size=5), st.sampled_from([HERE.url, THERE.url, ELSEWHERE, ""]))
def test_whatever_there_is_nothing_crosses_and_nothing_is_lost(drawn, site):
    """Of any integrations: one organization gets it, that of a matching secret; who has the ticket there is told.

    What it shows is believed only by those whose site it names, or who cannot be of another.
    """
    named = [One(str(number), one.secrets, one.organization, one.site, one.has) for number, one in enumerate(drawn)]
    by_name = {one.name: one for one in named}
    signers = [one for one in named if "b" in one.secrets]
    made, outcome = intake(*named, site=site)
    try:
        made.take_webhook("fake", REQUEST)
    except WebhookRejected as exc:
        refused = exc.code
    else:
        refused = ""

    if refused:
        assert outcome == []
        assert refused == ("secret_shared" if signers else "signature_mismatch")
        assert not signers or len({one.organization for one in signers}) == 2
        return

    organizations = {by_name[name].organization for name, _ in outcome}
    assert len(organizations) == 1
    assert organizations <= {one.organization for one in signers}
    told = {name for name, _ in outcome}
    for one in named:
        is_here = one.site is not None and one.site.url == site
        if one.organization in organizations and one.has == "linked" and is_here:
            assert one.name in told
    for name, what in outcome:
        at = by_name[name].site
        if what == "shown" and site:
            assert at is None or at.url == site


def outcome_of(named, site, address, *, says_who):
    """Return who got the delivery, or why it was refused."""
    made, stored = intake(*named, site=site, says_who=says_who)
    try:
        made.take_webhook("fake", REQUEST, address)
    except WebhookRejected as exc:
        return exc.code
    return stored


@given(
    st.lists(ones, min_size=1, max_size=6),
    st.sampled_from([HERE.url, THERE.url, ELSEWHERE, "", "https://[odd"]),
    st.sampled_from([None, "0", "3"]),
)
def test_who_is_found_by_a_few_tries_is_who_is_found_one_by_one(drawn, site, address):
    """The first active integration whose secret matches wins, in whichever order the secrets are tried."""
    named = [One(str(number), one.secrets, one.organization, one.site, one.has) for number, one in enumerate(drawn)]

    quick, plain = (outcome_of(named, site, address, says_who=says_who) for says_who in (True, False))

    assert quick == plain


def test_without_a_signature_nobody_is_asked():
    """It is said so, and no secret is tried; unless there is none at all."""
    made, stored = intake(One("one"), One("two"))

    for entries, code in ((made, "signature_missing"), (intake(One("one", ()))[0], "signature_mismatch")):
        with pytest.raises(WebhookRejected) as caught:
            entries.take_webhook("fake", replace(REQUEST, headers={"secret": ""}))
        assert (caught.value.status, caught.value.code) == (403, code)
    assert stored == []


@pytest.mark.parametrize("address", [None, "rests"])
def test_what_a_disabled_integration_signed_is_refused_as_that(address):
    """It is no wrong secret, wherever it came to; with the secret of none it still is."""
    made, stored = intake(One("works", ("a",)), One("rests", ("b",), is_disabled=True))

    with pytest.raises(WebhookRejected) as signed:
        made.take_webhook("fake", REQUEST, address)
    with pytest.raises(WebhookRejected) as forged:
        made.take_webhook("fake", replace(REQUEST, headers={"secret": "c"}), address)

    assert (signed.value.status, signed.value.reply, signed.value.code) == (403, "forbidden", "integration_disabled")
    assert (forged.value.status, forged.value.reply) == (403, "forbidden")
    assert (signed.value.integration, forged.value.integration) == ("rests", "")
    assert forged.value.code == ("integration_unknown" if address else "signature_mismatch")
    assert stored == []


def test_what_nobody_signed_is_held_against_no_secret():
    """A flood without signatures costs the connector no hashing, and keeps no signed delivery waiting."""
    made, _ = intake(One("one", ("a",)), One("two", ("b",)))

    made.inquire("fake", replace(REQUEST, headers={"secret": ""}))
    assert plugin_of(made).tried == []
    made.inquire("fake", REQUEST)
    assert plugin_of(made).tried == ["a", "b"]


def test_a_delivery_that_names_no_site_is_for_who_has_the_ticket():
    """An agent's change arrives although the address of another integration's site was never told."""
    unknown = One("one", webhook_registration="1000", site=Site(id="cloud-new", name="new", url=""))
    made, stored = intake(unknown, One("two", webhook_registration="1001", has="linked"), site="")

    made.take_webhook("fake", replace(REQUEST, token=TOKEN))

    assert stored == [("two", "read")]


def plugin_of(made):
    """Return the plugin behind an intake."""
    return made.registry.listeners("fake").every()[0].plugin


def test_of_one_organization_the_first_alone_reads():
    """The others that have its secret are asked only where its ticket is theirs."""
    made, stored = intake(One("one", has="linked"), One("two"), One("three"))

    made.take_webhook("fake", REQUEST)

    assert stored == [("one", "shown")]
    assert len(plugin_of(made).asked) == 1


def test_what_a_plugin_recognizes_and_does_not_read_is_refused():
    """Whatever it says of the signature: a delivery has to be read to be believed."""
    made, stored = intake(One("one"))
    plugin_of(made).delivery = None

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("fake", REQUEST)

    assert (caught.value.status, stored) == (403, [])


def test_of_a_site_that_is_known_only_those_at_it_read_what_came_to_our_own_webhook():
    """Its address proves nothing, so every integration with such a webhook would have to look."""
    hooked = [One("sup", (), webhook_registration="1000"), One("x", (), "globex", THERE, webhook_registration="1001")]
    made, stored = intake(*hooked, site=THERE.url)

    made.take_webhook("fake", replace(REQUEST, token=TOKEN))

    assert stored == [("x", "read")]
    assert plugin_of(made).asked == ["1001"]


@pytest.mark.parametrize("address", [None, "two"])
def test_what_a_secret_may_have_signed_that_cannot_be_opened_comes_again(address):
    """A refusal for good would lose it; it is told when to try again."""
    made, stored = intake(One("one", ("a",)), One("two", (), is_locked=True))

    with pytest.raises(WebhookRejected) as caught:
        made.take_webhook("fake", REQUEST, address)

    assert (caught.value.status, caught.value.integration, caught.value.after_s) == (503, address or "", 60)
    assert stored == []


@pytest.mark.parametrize(
    ("sent", "says_who", "is_settled"),
    [("b", True, True), ("nobody's", True, False), ("", True, True), ("nobody's", False, True)],
)
def test_what_a_few_tries_settle_needs_no_search(sent, says_who, is_settled):
    """Where nothing is signed, or only each integration can tell, there is nothing to search for either."""
    made, _ = intake(One("one"), says_who=says_who)

    assert made.inquire("fake", replace(REQUEST, headers={"secret": sent})).is_settled is is_settled


@pytest.mark.parametrize(
    ("ones", "sent", "token", "code"),
    [
        ([One("one")], "", None, "signature_missing"),
        ([One("one")], "", SecretStr("a guess"), "signature_missing"),
        ([One("one")], "nobody's", None, None),
        ([One("one")], "", TOKEN, None),
        ([], "b", None, "signature_mismatch"),
    ],
)
def test_what_nobody_can_have_signed_is_refused_by_its_headers(ones, sent, token, code):
    """Before a large body is read; one that came to our own address may be true without a signature."""
    made, stored = intake(*ones)
    headers = replace(REQUEST, headers={"secret": sent}, body=b"", token=token)
    if code is None:
        made.refuse_unsigned("fake", headers)
    else:
        with pytest.raises(WebhookRejected) as caught:
            made.refuse_unsigned("fake", headers)
        assert (caught.value.status, caught.value.code) == (403, code)
    assert stored == []
