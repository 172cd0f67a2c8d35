"""A session sends the grant along, and what is refused is repeated once with a renewed one."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter

from connector_core import AuthError, Grant, PluginError, RetryLater, Site, hookimpl, no_grant
from connector_core.http.answers import MIB, Holding
from connector_core.http.grant_auth import GrantAuth
from connector_core.http.session import MAX_ANSWER_BYTES, HTTPSession
from connector_core.testing import MemoryCore, MemoryDesk, MemoryPlatform, make_integration
from tests.support.configured import registry_of

HERE = "https://desk.example.test/tickets"
ELSEWHERE = "https://other.example.test"
SITE, OTHER = (Site(id=name, name=name, url=f"https://{name}.example.test") for name in ("desk", "other"))


def grant(number, **more):
    """Make the grant of a number."""
    return Grant(headers={"Authorization": SecretStr(f"Bearer {number}")}, **more)


def sent(requests_mock):
    """Return the grants that were sent, in order."""
    return [request.headers.get("Authorization") for request in requests_mock.request_history]


@pytest.fixture
def core():
    """Have a grant that can be renewed."""
    return MemoryCore(grant(1), renewer=lambda old: grant(2, site=old.site))


@pytest.fixture
def calls():
    """Note the calls that a session tells of."""
    return []


@pytest.fixture
def session(core, calls):
    """Open a session that sends the grant; a refusal that says `scope` is not cured by renewing."""

    def observe(call):
        assert call.took_s >= 0
        calls.append((call.method, None if call.answer is None else call.answer.status))

    with closing(HTTPSession("test", observe=observe)) as opened:
        opened.auth = GrantAuth(core, lambda response: b"scope" not in response.content, observe)
        yield opened


def test_a_request_without_a_grant_is_not_sent(session, core, requests_mock):
    """Nobody has authorized yet."""
    core.present = None
    requests_mock.get(HERE)

    with pytest.raises(AuthError):
        session.get(HERE)
    assert sent(requests_mock) == []


def test_what_is_refused_is_repeated_with_a_renewed_grant(session, core, calls, requests_mock):
    """The body is the same, the caller sees the last answer only, and both calls are counted."""
    requests_mock.post(HERE, [{"status_code": 401, "text": "no"}, {"json": {"id": 7}}])

    answer = session.post(HERE, json={"title": "Fan failed"})

    assert answer.json() == {"id": 7}
    assert sent(requests_mock) == ["Bearer 1", "Bearer 2"]
    assert {request.text for request in requests_mock.request_history} == {'{"title": "Fan failed"}'}
    assert (core.renewals, calls) == (1, [("POST", 401), ("POST", 200)])


def test_what_is_refused_twice_is_an_answer(session, core, calls, requests_mock):
    """One call renews once at most."""
    requests_mock.get(HERE, status_code=401, text="no")

    assert session.get(HERE).status_code == 401
    assert (core.renewals, calls) == (1, [("GET", 401), ("GET", 401)])


@pytest.mark.parametrize("answer", [{"status_code": 401, "text": "scope"}, {"status_code": 403}, {"status_code": 500}])
def test_what_a_renewal_does_not_cure_renews_nothing(session, core, requests_mock, answer):
    """Another status, or a refusal of which the plugin says so: a rotation would be used up for nothing."""
    requests_mock.get(HERE, **answer)

    assert session.get(HERE).status_code == answer["status_code"]
    assert (core.renewals, sent(requests_mock)) == (0, ["Bearer 1"])


def test_a_request_of_its_own_carries_no_grant(session, core, requests_mock):
    """That to where grants are made; and its refusal is none of the grant."""
    requests_mock.get(HERE, status_code=401)

    assert session.get(HERE, auth=no_grant).status_code == 401
    assert (core.renewals, sent(requests_mock)) == (0, [None])


@pytest.mark.parametrize("changes", [{"base_url": ELSEWHERE}, {"site": OTHER}, {"site": None}])
def test_a_grant_that_is_good_elsewhere_is_not_sent_here(session, core, requests_mock, changes):
    """Not even once: the call is to be made anew, and has certainly done nothing."""
    core.present = grant(1, base_url=HERE, site=SITE)
    core.renewer = lambda _: grant(2, **{"base_url": HERE, "site": SITE, **changes})
    requests_mock.post(HERE, status_code=401)

    with pytest.raises(RetryLater) as caught:
        session.post(HERE, json={})
    assert (caught.value.outcome_unknown, sent(requests_mock)) == (False, ["Bearer 1"])


def test_a_body_that_was_streamed_is_not_sent_by_halves(session, core, requests_mock):
    """The grant is good again, and whoever has the body sends it anew."""
    requests_mock.post(HERE, status_code=401)

    with pytest.raises(RetryLater) as caught:
        session.post(HERE, data=io.BytesIO(b"a log"))
    assert (caught.value.outcome_unknown, sent(requests_mock), core.renewals) == (False, ["Bearer 1"], 1)


@pytest.mark.parametrize("error", [AuthError("over"), RetryLater("busy")])
def test_a_renewal_that_fails_ends_the_call(session, core, calls, requests_mock, error):
    """With its own error, and the refusal is counted all the same."""

    def renewer(_):
        raise error

    core.renewer = renewer
    requests_mock.get(HERE, status_code=401)

    with pytest.raises(type(error)) as caught:
        session.get(HERE)
    assert caught.value is error
    assert calls == [("GET", 401)]


def test_a_lost_answer_to_the_repetition_is_unknown(session, calls, requests_mock):
    """It may have been carried out, unlike what was refused."""
    requests_mock.post(HERE, [{"status_code": 401}, {"exc": requests.ReadTimeout}])

    with pytest.raises(RetryLater) as caught:
        session.post(HERE, json={})
    assert caught.value.outcome_unknown
    assert calls == [("POST", 401), ("POST", None)]


def test_a_header_that_is_no_longer_sent_goes(session, core, requests_mock):
    """What the refused grant sent and the renewed one does not."""
    core.renewer = lambda _: Grant(headers={"X-Key": SecretStr("2")})
    requests_mock.get(HERE, [{"status_code": 401}, {}])

    session.get(HERE)

    assert sent(requests_mock) == ["Bearer 1", None]
    assert requests_mock.last_request.headers["X-Key"] == "2"


def test_an_endless_refusal_is_cut_off(session, core, requests_mock):
    """Before anybody is asked what it means."""
    requests_mock.get(HERE, status_code=401, body=io.BytesIO(b"x" * (MAX_ANSWER_BYTES + 1)))

    with pytest.raises(RetryLater) as caught:
        session.get(HERE)
    assert (caught.value.code, core.renewals) == ("answer_too_large", 0)


def test_a_refusal_counts_among_the_answers_of_its_session(registry, requests_mock):
    """It is held while the request is repeated; where there is no room for it, nobody is asked for another grant."""
    requests_mock.get(HERE, [{"status_code": 401, "content": b"x" * MIB}, {}])
    tokens = requests_mock.post(f"{ELSEWHERE}/token", json=2)
    handle = registry.entry("desk").handle
    budget = handle.session.holdings.own.budget
    handle.session.get(HERE)
    assert (budget.held // MIB, tokens.call_count) == (3, 1)
    handle.session.let_go()
    requests_mock.get(HERE, [{"status_code": 401, "content": b"x" * MIB}, {}])
    budget.patience_s = 0
    assert Holding(budget, "first").grow(MIB)
    assert Holding(budget, "another").grow(budget.total)

    with pytest.raises(RetryLater) as caught:
        handle.session.get(HERE)
    assert (caught.value.code, tokens.call_count) == ("answers_too_many", 1)


class DeskWithTokens(MemoryDesk):
    """A desk whose tokens are renewed over HTTP, with the session that the plugin is handed."""

    @hookimpl
    def authorize(self, integration, request):
        """Ask for a token, with the one before in the body."""
        self.asked = integration
        before = integration.core.grant().headers["Authorization"].get_secret_value()
        answer = integration.session.post(f"{ELSEWHERE}/token", json={"before": before})
        return Grant(headers={"Authorization": SecretStr(f"Bearer {answer.json()}")})


@pytest.fixture
def desk(clock):
    """Have a desk with tokens."""
    return DeskWithTokens(clock)


@pytest.fixture
def registry(store, clock, desk):
    """Have it in the real registry, with a first grant."""
    store.grants.save("desk", grant(1))
    return registry_of(store, clock, [desk.entry_point(), MemoryPlatform(clock).entry_point()])[0]


class BothAtOnce(HTTPAdapter):
    """Refuses the first token, once both threads have sent it, and says back what it is sent with any other."""

    def __init__(self):
        """Wait for two."""
        super().__init__()
        self.both = threading.Barrier(2, timeout=60)

    def send(self, request, *_, **options):
        """Answer."""
        answer = requests.Response()
        answer.request, answer.connection, answer.status_code = request, self, 200
        if request.headers["Authorization"] == "Bearer 1":
            self.both.wait()
            answer.status_code = 401
        answer.raw = io.BytesIO(request.body)
        return answer


def test_two_threads_that_are_refused_renew_once(store, clock):
    """Each of them sends its own request again, and both with the one new grant, which is stored."""
    asked = []

    class Counting(MemoryDesk):
        @hookimpl
        def authorize(self, integration, request):
            asked.append(request.grant)
            return grant(1 + len(asked))

    store.grants.save("desk", grant(1))
    points = [Counting(clock).entry_point(), MemoryPlatform(clock).entry_point()]
    session = registry_of(store, clock, points)[0].entry("desk").handle.session
    session.mount(HERE, BothAtOnce())

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda body: session.post(HERE, data=body).content, [b"a", b"b"]))

    assert (answers, asked, store.grants.get("desk")) == ([b"a", b"b"], [grant(1)], grant(2))


def test_a_renewal_cannot_ask_for_another(registry, desk, requests_mock):
    """Its requests carry no grant, over the same connections, and the one that it is about is at hand."""
    requests_mock.get(HERE, [{"status_code": 401}, {}])
    tokens = requests_mock.post(f"{ELSEWHERE}/token", json=2)
    handle = registry.entry("desk").handle

    handle.session.get(HERE)

    assert sent(tokens) == [None]
    assert (handle.core.grant(), desk.asked.settings) == (grant(2), handle.settings)
    assert desk.asked.session.adapters["https://"] is handle.session.adapters["https://"]
    with pytest.raises(PluginError):
        desk.asked.core.renew(grant(2))


def test_a_grant_about_to_end_is_renewed_before_it_is_sent(registry, store, clock, requests_mock):
    """Nothing has to be refused for it."""
    store.grants.save("desk", grant(1, expires_at=clock.now()))
    requests_mock.get(HERE)
    requests_mock.post(f"{ELSEWHERE}/token", json=2)

    registry.entry("desk").handle.session.get(HERE)

    assert sent(requests_mock) == [None, "Bearer 2"]


def test_the_plugin_says_what_a_renewal_cures(store, clock, requests_mock):
    """By a hook; nobody is asked for a new grant where it says no."""

    class Knowing(DeskWithTokens):
        @hookimpl
        def is_curable(self, response):
            return response.text != "scope"

    store.grants.save("desk", grant(1))
    points = [Knowing(clock).entry_point(), MemoryPlatform(clock).entry_point()]
    handle = registry_of(store, clock, points)[0].entry("desk").handle
    requests_mock.get(HERE, [{"status_code": 401, "text": "scope"}, {"status_code": 401, "text": "ended"}, {}])
    tokens = requests_mock.post(f"{ELSEWHERE}/token", json=2)

    assert handle.session.get(HERE).status_code == 401
    assert not tokens.called
    assert handle.session.get(HERE).status_code == 200
    assert tokens.call_count == 1


def test_a_change_of_settings_keeps_connections_and_empties_the_cache(registry, store):
    """What was learnt may be about other settings; where the site is does not change."""
    before = registry.entry("desk").handle
    before.cache["learnt"] = 1
    store.integrations.put(replace(registry.entry("desk").record, answers={"desk": "2"}))

    after = registry.entry("desk").handle

    assert (before.settings.desk, after.settings.desk, after.cache) == ("1", "2", {})
    assert after.session.adapters["https://"] is before.session.adapters["https://"]


def test_the_kit_sends_and_renews_as_the_core_does(desk, core, requests_mock):
    """A plugin's own tests see what it will see."""
    handle = make_integration(desk.describe_plugin(), {"desk": "1"}, core=core)
    requests_mock.get(HERE, [{"status_code": 401}, {}])

    assert handle.session.get(HERE).status_code == 200
    assert (sent(requests_mock), core.renewals) == (["Bearer 1", "Bearer 2"], 1)
