"""Single sign-on: in by a real provider, and out of every answer that proves nothing."""

from __future__ import annotations

import re

import pytest
import requests
from starlette.responses import PlainTextResponse, Response

from connector_core.clock import SystemClock
from connector_core.store import AuditFilter, Via
from tests.support.oidc import SECRET, Forger, query_of, real_provider, settings, unsigned
from tests.support.pages import shown
from tests.support.served import ADMIN, Served, Visitor

HOUR = 3600


class Guest(Visitor):
    """Somebody who signs in by a provider."""

    def start(self, wanted="/"):
        """Begin; return the answer that sends to the provider."""
        return self.get("/login/sign-on", params={"next": wanted}, allow_redirects=False)

    def back(self, **parameters):
        """Come back with the provider's answer."""
        return self.get("/login/callback", params=parameters, allow_redirects=False)


@pytest.fixture(scope="module")
def forger():
    """Run the provider that lies."""
    opened = Forger()
    yield opened
    opened.stop()


@pytest.fixture(scope="module")
def desk(tmp_path_factory, forger):
    """Serve a console that trusts it, on a clock that is set."""
    opened = Served(tmp_path_factory.mktemp("sign-on"), oidc=settings(forger.url))
    opened.add("acme-desk", "acme", "Dark")
    opened.add("globex-desk", "globex", "Loud")
    yield opened
    opened.stop()


@pytest.fixture
def served(desk, forger):
    """Have it tell the truth first; an hour later, so that nothing of a former test is remembered."""
    forger.claims, forger.userinfo, forger.header, forger.document = {}, None, {}, {}
    forger.answers, forger.token = {}, None
    desk.clock.forward(2 * HOUR)
    forger.now = lambda: desk.clock.now().timestamp()
    return desk


@pytest.fixture
def guest(served):
    """Come with a fresh browser."""
    return Guest(served.url)


def enter(guest, forger, wanted="/", code="code-1"):
    """Go to the provider and back; return the last answer."""
    forger.request = query_of(guest.start(wanted).headers["location"])
    forger.used.clear()
    return guest.back(code=code, state=forger.request["state"])


def latest(served):
    """Return the last thing that was done."""
    return served.app.store.audit.find(AuditFilter(), 1)[0]


def test_a_real_provider_signs_in_and_out(tmp_path, monkeypatch):
    """With the form that it shows, by its keys, and back to the page that was wanted; its session ends, too."""
    monkeypatch.setattr("connector_core.sign_on.provider.DEADLINE_S", 60.0)  # it makes its key for the first token
    people = {"grace": {"preferred_username": "grace", "groups": ["desk-admins"]}, "eve": {"groups": ["other"]}}
    with real_provider(**people) as issuer:
        served = Served(tmp_path, oidc=settings(issuer), clock=SystemClock())
        try:
            guest = Guest(served.url)
            asked = guest.get("/links", allow_redirects=False)
            page = guest.get(asked.headers["location"])
            address = re.search(r'href="(/login/sign-on[^"]*)"', page.text)[1]
            at_provider = guest.get(address, allow_redirects=False).headers["location"]
            consent = requests.post(at_provider, data={"sub": "grace"}, timeout=20, allow_redirects=False)
            entered = guest.back(**query_of(consent.headers["location"]))
            again = guest.back(**query_of(consent.headers["location"]))
            links = guest.get("/links")
            left = guest.post("/logout", seen_on="/")
            ending = re.search(r'href="([^"]*end_session[^"]*)"', left.text)[1].replace("&amp;", "&")
            ended = requests.get(ending, timeout=20, allow_redirects=False)

            stranger = Guest(served.url)
            at_provider = stranger.start().headers["location"]
            consent = requests.post(at_provider, data={"sub": "eve"}, timeout=20, allow_redirects=False)
            refused = stranger.back(**query_of(consent.headers["location"]))
            denied = requests.post(at_provider, data={"action": "deny"}, timeout=20, allow_redirects=False)
        finally:
            served.stop()

    assert entered.headers["location"] == "/links"
    assert "grace" in shown(links.text)
    assert again.status_code == 403
    assert guest.session.cookies.get("connector_sign_on") is None
    assert "You are signed out." in shown(left.text)
    assert ended.status_code < 400
    assert query_of(ending)["post_logout_redirect_uri"].endswith("/login")
    assert refused.status_code == 403
    assert "gives no role" in shown(refused.text)
    assert query_of(denied.headers["location"])["error"] == "access_denied"


def test_what_is_asked_of_the_provider(guest, forger):
    """A code for us, to this server's address, with PKCE; the secret goes in the header, encoded."""
    entered = enter(guest, forger, "/links?q=dark")

    assert entered.headers["location"] == "/links?q=dark"
    assert forger.request["response_type"] == "code"
    assert forger.request["redirect_uri"] == forger.form["redirect_uri"] == "http://127.0.0.1/login/callback"
    assert forger.request["code_challenge_method"] == "S256"
    assert set(forger.request["scope"].split()) == {"openid", "profile", "email"}
    assert forger.form["authorization"] == "connector:the+client%27s%3A+secret"
    assert SECRET not in str(forger.form)


def test_the_audit_log_says_who_and_that_it_was_single_sign_on(served, guest, forger):
    """By the provider's name, with the role that was given; a name like that of a user is still told apart."""
    forger.claims = {"preferred_username": "ada", "groups": ["acme-support", "none of ours"]}

    enter(guest, forger)

    entry = latest(served)
    assert (entry.by.name, entry.by.via, entry.act.value) == ("ada", Via.SIGN_ON, "signed in")
    assert entry.changes["role"] == (None, "viewer of acme")


def test_a_claim_limits_what_is_seen_and_done(served, guest, forger):
    """A viewer of one organization sees nothing of the other and changes nothing; the next sign-in takes a new role."""
    forger.claims = {"groups": ["acme-support"]}
    enter(guest, forger)
    front, other = guest.get("/"), guest.get("/integrations/globex-desk")
    refused = guest.post("/integrations/acme-desk/disable", seen_on="/", sure="yes")
    audit = guest.get("/audit")
    forger.claims = {"groups": ["acme-support", "desk-admins"]}
    before = guest.get("/integrations/globex-desk")

    again = Guest(served.url)
    enter(again, forger)

    assert "globex" not in shown(front.text).casefold()
    assert [other.status_code, refused.status_code, audit.status_code, before.status_code] == [404, 403, 404, 404]
    assert again.get("/integrations/globex-desk").status_code == 200


@pytest.mark.parametrize("groups", [None, ["others"], [["desk-admins"]], {"desk-admins": 1}])
def test_whoever_has_no_role_is_refused_with_a_sentence(guest, forger, groups):
    """Whatever the claim is; no session begins."""
    forger.claims = {"groups": groups}

    refused = enter(guest, forger)

    assert refused.status_code == 403
    assert "grace may not use this connector" in shown(refused.text)
    assert guest.get("/", allow_redirects=False).status_code == 303


def test_what_the_token_lacks_is_asked_for_once_more(guest, forger):
    """Some providers keep groups for the userinfo address; what it says of somebody else counts for nothing."""
    forger.claims = {"groups": None}
    forger.userinfo = {"sub": "somebody else", "groups": ["desk-admins"]}
    refused = enter(guest, forger)
    forger.userinfo = {"sub": "248289761001", "groups": ["desk-admins"], "preferred_username": "other"}

    entered = enter(guest, forger)

    assert (refused.status_code, entered.status_code) == (403, 303)
    assert "grace" in shown(guest.get("/").text)


def test_a_token_that_proves_nothing_signs_nobody_in(guest, forger):
    """Each lie alone is in tests/core/test_sign_on_tokens.py; the page says it and nothing of the token."""
    forger.claims = {"nonce": "of another sign-in"}
    other = enter(guest, forger)
    forger.claims = {"exp": 1}
    expired = enter(guest, forger)
    forger.token = unsigned({"sub": "1", "groups": ["desk-admins"]})
    nobody = enter(guest, forger)

    assert [one.status_code for one in (other, expired, nobody)] == [403] * 3
    assert "for another sign-in" in shown(other.text)
    assert "clock is wrong" in shown(expired.text)
    assert "not signed by the provider" in shown(nobody.text)
    assert guest.get("/", allow_redirects=False).status_code == 303


def test_keys_are_read_again_when_the_provider_rotates_them(served, guest, forger):
    """At once, without a restart; a stranger's key has them read again no more than every few seconds."""
    enter(guest, forger)
    served.clock.forward(11)
    forger.rotate()

    entered = enter(Guest(served.url), forger)
    read = forger.asked["/keys"]
    forger.token = "e30.e30.e30"
    refused = {enter(Guest(served.url), forger).status_code for _ in range(3)}

    assert entered.status_code == 303
    assert refused == {403}
    assert forger.asked["/keys"] == read


def test_an_answer_to_another_browser_or_a_used_one_signs_nobody_in(served, guest, forger):
    """The state belongs to the browser that began, for a quarter of an hour and once."""
    victim = Guest(served.url)
    forger.request = query_of(guest.start().headers["location"])
    state = forger.request["state"]
    stolen = victim.back(code="c", state=state)
    victim.start()
    other_attempt = victim.back(code="c", state=state)
    without = guest.back(code="c")
    forger.used.clear()
    entered = guest.back(code="c", state=state)
    replayed = guest.back(code="c", state=state)
    forger.request = query_of(Guest(served.url).start().headers["location"])
    late = Guest(served.url)
    forger.request = query_of(late.start().headers["location"])
    served.clock.forward(16 * 60)
    too_late = late.back(code="c2", state=forger.request["state"])

    assert [one.status_code for one in (stolen, other_attempt, without, replayed, too_late)] == [403] * 5
    assert entered.status_code == 303
    assert "another browser" in shown(stolen.text)


def test_a_code_that_was_used_already_is_refused(guest, forger):
    """The provider takes it once; the page says to sign in again."""
    forger.request = query_of(guest.start().headers["location"])
    forger.used.add("used")

    refused = guest.back(code="used", state=forger.request["state"])

    assert refused.status_code == 403
    assert "does not accept this sign-in any more" in shown(refused.text)


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example"])
def test_nobody_is_sent_elsewhere_after_signing_in(guest, forger, wanted):
    """What is no address of ours is the front page."""
    assert enter(guest, forger, wanted).headers["location"] == "/"


def test_the_cookie_of_an_attempt_is_of_our_making(served, guest, forger):
    """Something else in its place is no attempt, whatever it is."""
    forger.request = query_of(guest.start().headers["location"])
    cookie = guest.session.cookies.get("connector_sign_on")
    box = served.app.store.database.box
    odd = ["x", "{}", cookie[:-2], "é", box.seal("[]").decode(), box.seal('{"state": 1}').decode(), "A" * 5000]
    answers = []
    for value in odd:
        headers = {"Cookie": f"connector_sign_on={value}".encode()}
        url = f"{served.url}/login/callback?code=c&state={forger.request['state']}"
        answers.append(requests.get(url, headers=headers, timeout=20, allow_redirects=False).status_code)

    assert "verifier" not in cookie
    assert answers == [403] * len(odd)


DOWN = {
    "refuses": Response(status_code=500),
    "too many": Response(status_code=429),
    "no JSON": PlainTextResponse("<html>", 200),
    "no object": PlainTextResponse("[]", 200),
    "huge": PlainTextResponse('{"a": "' + "x" * 600_000 + '"}', 200),
    "gone": Response(status_code=404),
    "another": PlainTextResponse('{"issuer": "https://login.example.org"}', 200),
    "elsewhere": PlainTextResponse('{"issuer": "URL", "authorization_endpoint": "http://10.0.0.1/"}', 200),
    "a redirect": Response(status_code=302, headers={"location": "https://evil.example"}),
}


@pytest.mark.parametrize("how", DOWN)
def test_a_provider_that_does_not_answer_leaves_the_passwords(served, guest, forger, how):
    """A sentence on the sign-in page; it is not asked by each visitor; then it is back."""
    path = "/.well-known/openid-configuration"
    answer = DOWN[how]
    answer.body = answer.body.replace(b"URL", forger.url.encode())
    answer.headers["content-length"] = str(len(answer.body))
    forger.answers = {path: answer}
    before = forger.asked.get(path, 0)

    first, second = guest.start(), guest.start()

    assert {first.status_code, second.status_code} <= {403, 503}
    assert re.search(r"127\.0\.0\.1:\d+ (does not respond|has no discovery|names)", shown(first.text))
    assert forger.asked[path] == before + 1
    assert guest.log_in("ada", ADMIN).status_code == 303
    forger.answers = {}
    served.clock.forward(11)
    assert enter(Guest(served.url), forger).status_code == 303


@pytest.mark.parametrize(
    ("path", "how"), [("/token", "refuses"), ("/token", "huge"), ("/token", "gone"), ("/keys", "no object")]
)
def test_a_provider_that_fails_on_the_way_back(guest, forger, path, how):
    """Nobody is signed in, and a sentence says that it is the provider."""
    forger.answers = {path: DOWN[how]}

    answer = enter(guest, forger, code=f"{path} {how}")

    assert answer.status_code in {403, 503}
    assert re.search(r"127\.0\.0\.1:\d+ does not", shown(answer.text))


def test_a_wrong_client_secret_says_what_to_correct(guest, forger):
    """It is ours to correct, not that of whoever signs in."""
    forger.answers = {"/token": PlainTextResponse('{"error": "invalid_client"}', 401)}

    assert "Correct console.oidc.client_id" in shown(enter(guest, forger).text)


def test_what_the_provider_declines(guest, forger):
    """It is said in our words; its own text, which anybody may have put into the address, is not on the page."""
    forger.request = query_of(guest.start().headers["location"])
    refused = guest.back(
        error="access_denied", error_description="<b>call 555</b>", state=forger.request["state"], iss=forger.url
    )

    assert refused.status_code == 403
    assert "did not sign you in" in shown(refused.text)
    assert "call 555" not in shown(refused.text)


def test_an_answer_of_another_provider_is_refused(guest, forger):
    """RFC 9207: it names itself in the address."""
    forger.request = query_of(guest.start().headers["location"])

    refused = guest.back(code="c", state=forger.request["state"], iss="https://login.example.org")

    assert refused.status_code == 403
    assert "not from the provider" in shown(refused.text)


def test_hostile_names_are_a_line_of_text(served, guest, forger):
    """Also of a provider that lets people write anything into their profile."""
    forger.claims = {"preferred_username": "<script>alert(1)</script>\n\r\u202e\x00" + "x" * 5000}

    enter(guest, forger)
    page = guest.get("/account")

    assert "<script>alert" not in page.text
    assert len(latest(served).by.name) <= 100
    assert latest(served).by.name.isprintable()


def test_what_is_wrong_is_said_of_what_was_tried(served, guest, forger):
    """A password is marked as wrong where one was; who came by single sign-on goes on there, unless it is down."""
    main = r'class="(?:button )?main wide"[^>]*>([^<]+)<'
    guest.get("/")
    forger.request = query_of(guest.start().headers["location"])
    declined = guest.back(error="access_denied", state=forger.request["state"]).text
    wrong = guest.session.post(f"{served.url}/login", data={"name": "ada", "password": "x"}, timeout=20).text
    forger.answers = {"/.well-known/openid-configuration": DOWN["refuses"]}
    served.clock.forward(HOUR)
    down = guest.start().text

    pages = (declined, down, wrong)
    assert [re.findall(main, page) for page in pages] == [["Sign in with Example"], ["Sign in"], ["Sign in"]]
    assert ["aria-invalid" in page for page in pages] == [False, False, True]
    assert re.search(r'id="password"[^>]* autofocus', wrong)
    assert not re.search(r'id="password"[^>]* autofocus', declined)


def test_answers_to_nothing_keep_nobody_out(served, guest, forger):
    """Any page may lead a browser here: what it did not begin is refused, and is no try of its address's."""
    other = Visitor(served.url)
    codes = [other.get("/login/callback?state=x&code=y", allow_redirects=False).status_code for _ in range(25)]

    assert codes == [403] * 25
    assert enter(guest, forger).status_code == 303


def test_failed_answers_are_slowed_down(served, guest, forger):
    """Whoever begins and sends many that fail waits, as with passwords; it is over after a while."""
    forger.claims = {"aud": "another client"}
    codes = [enter(guest, forger).status_code for _ in range(21)]
    forger.claims = {}
    served.clock.forward(2 * HOUR)

    assert codes[:20] == [403] * 20
    assert codes[20] == 429
    assert enter(guest, forger).status_code == 303


def test_other_rules_end_what_began_by_the_former_ones(tmp_path, forger):
    """Also the end of single sign-on itself; a password's session goes on."""
    served = Served(tmp_path, oidc=settings(forger.url))
    forger.claims, forger.token, forger.answers = {}, None, {}
    forger.now = lambda: served.clock.now().timestamp()
    guest, ada = Guest(served.url), Visitor(served.url)
    enter(guest, forger)
    ada.log_in("ada", ADMIN)
    stays = guest.get("/", allow_redirects=False).status_code
    text = served.path.read_text()
    served.path.write_text(text.replace('"desk-admins": {"role": "admin"}', '"desk-admins": {"role": "viewer"}'))
    served.restart()
    guest.url = ada.url = served.url
    changed = guest.get("/", allow_redirects=False).status_code
    of_ada = ada.get("/", allow_redirects=False).status_code
    served.stop()

    assert (stays, changed, of_ada) == (200, 303, 200)


def test_below_a_path(tmp_path, forger):
    """The way back is below it, and so is the page that was wanted; cookies are bound to it and to TLS."""
    served = Served(tmp_path, public_url="https://tools.example.com/connector", oidc=settings(forger.url))
    forger.claims, forger.token, forger.answers = {}, None, {}
    forger.now = lambda: served.clock.now().timestamp()
    guest = Guest(f"{served.url}/connector")
    begun = guest.start("/links")
    forger.request = query_of(begun.headers["location"])
    cookie = begun.headers["set-cookie"]
    headers = {"Cookie": cookie.partition(";")[0]}
    forger.used.clear()
    entered = requests.get(
        f"{guest.url}/login/callback",
        params={"code": "c", "state": forger.request["state"]},
        headers=headers,
        timeout=20,
        allow_redirects=False,
    )
    page = guest.get("/login").text
    served.stop()

    assert forger.request["redirect_uri"] == "https://tools.example.com/connector/login/callback"
    assert entered.headers["location"] == "/connector/links"
    assert cookie.startswith("__Secure-connector-sign-on=")
    assert "Path=/connector" in cookie
    assert 'href="/connector/login/sign-on' in page


def test_any_node_takes_who_comes_back(tmp_path, forger):
    """What one node began another one finishes: the attempt is with the browser, the session in the database."""
    served = Served(tmp_path, oidc=settings(forger.url))
    forger.claims, forger.token, forger.answers = {}, None, {}
    forger.now = lambda: served.clock.now().timestamp()
    guest = Guest(served.url)
    forger.request = query_of(guest.start().headers["location"])
    served.restart()  # another process, as far as what is in memory goes
    guest.url = served.url
    forger.used.clear()
    entered = guest.back(code="c", state=forger.request["state"])
    front = guest.get("/", allow_redirects=False)
    served.stop()

    assert (entered.status_code, front.status_code) == (303, 200)


def test_the_page_without_passwords(tmp_path, forger):
    """Only the button; without single sign-on there is no such address."""
    served = Served(tmp_path, oidc=settings(forger.url, label="Example & Sons"))
    text = served.path.read_text()
    served.path.write_text(re.sub(r"  users:\n(    .*\n)+", "", text))
    served.restart()
    page = Visitor(served.url).get("/login").text
    served.path.write_text(text.replace("  oidc:", "  # oidc:"))
    served.restart()
    gone = [
        Visitor(served.url).get(f"/login/{one}", allow_redirects=False).status_code for one in ("sign-on", "callback")
    ]
    served.stop()

    assert "Sign in with Example &amp; Sons" in page
    assert "password" not in shown(page).casefold()
    assert gone == [404, 404]


def test_where_one_wanted_to_go_is_kept_while_the_provider_is_slow(served, guest, monkeypatch):
    """On the way there as on the way back; never an address of others."""
    guest.get("/login/sign-on", params={"next": "/links?state=paused"}, allow_redirects=False)
    monkeypatch.setattr(served.app.page_calls, "has_room", lambda _: False)

    there = guest.get("/login/sign-on", params={"next": "/audit?by=ada"})
    back = guest.get("/login/callback?state=x")
    others = ("//evil.example", "https://evil.example")
    evil = [guest.get("/login/sign-on", params={"next": wanted}) for wanted in others]

    assert [answer.status_code for answer in (there, back, *evil)] == [503] * 4
    assert 'name="next" value="/audit?by=ada"' in there.text
    assert 'name="next" value="/links?state=paused"' in back.text
    assert all("evil.example" not in answer.text for answer in evil)
