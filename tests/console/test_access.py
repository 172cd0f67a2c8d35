"""Who gets in, what they may do, and what they see."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from connector_core.config import read_config
from connector_core.config.starting import refuse_start
from connector_core.contract.errors import ConfigError
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

OTHER = "$argon2id$v=19$m=65536,t=3,p=4$b3RoZXJzYWx0$QW5vdGhlciBoYXNoIHRoYW4gYmVmb3JlIGl0IHdhcw"
PAGES = (
    "/",
    "/integrations/new",
    "/integrations/acme-desk",
    "/integrations/acme-desk/setup/step/desk",
    "/links",
    "/activity",
    "/unfinished",
)


@pytest.fixture
def served(tmp_path):
    """Serve two organizations with an integration and a link each."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", "Acme's display is dark")
    opened.add("globex-desk", "globex", "Globex's sensor is silent")
    yield opened
    opened.stop()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_without_a_login_and_back_to_it_afterwards(served, path):
    """Every page asks for the password first, and is what one sees next."""
    visitor = Visitor(served.url)
    asked = visitor.get(path, allow_redirects=False)
    wanted = parse_qs(urlsplit(asked.headers["location"]).query)["next"][0]

    entered = visitor.log_in("ada", ADMIN, wanted=wanted)

    assert asked.status_code == 303
    assert entered.headers["location"] == path
    assert visitor.get(path).status_code == 200


def test_pages_may_load_from_here_only(admin):
    """Nothing is loaded from elsewhere, nothing runs or styles inline, nothing may frame us or be cached."""
    answer = admin.get("/")
    policy = answer.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text
    assert "https://" not in answer.text


@pytest.mark.parametrize(
    ("public_url", "name"), [("http://127.0.0.1", "connector_session"), ("https://c.example.com", "__Host-connector")]
)
def test_the_cookie_is_kept_from_scripts_and_other_sites(tmp_path, public_url, name):
    """HttpOnly and SameSite always, Secure and bound to the host behind TLS."""
    served = Served(tmp_path, public_url=public_url)
    cookie = Visitor(served.url).log_in("ada", ADMIN).headers["set-cookie"]
    served.stop()

    assert cookie.startswith(f"{name}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ("Secure" in cookie) == public_url.startswith("https")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_login_leads_to_our_own_pages_only(served, wanted):
    """An address of somebody else's is not gone on to."""
    assert Visitor(served.url).log_in("ada", ADMIN, wanted=wanted).headers["location"] == "/"


def test_wrong_passwords_are_slowed_down_and_the_right_one_works_afterwards(served):
    """A few tries are free, then even the right password has to wait."""
    visitor = Visitor(served.url)
    tries = [visitor.log_in("ada", f"wrong {number}").status_code for number in range(6)]
    too_early = visitor.log_in("ada", ADMIN).status_code
    served.clock.forward(3600)

    assert tries == [401, 401, 401, 401, 401, 429]
    assert too_early == 429
    assert visitor.log_in("ada", ADMIN).status_code == 303


def test_unknown_names_look_like_wrong_passwords(served):
    """The answer does not tell whether a name exists."""
    known, unknown = (Visitor(served.url).log_in(name, "wrong") for name in ("ada", "nobody"))

    assert known.status_code == unknown.status_code == 401
    assert known.text.replace("ada", "") == unknown.text.replace("nobody", "")


def test_logins_end(served, admin):
    """By logging out, when unused for long although a page looks again by itself, after their time, and by command."""
    assert admin.post("/logout", seen_on="/").status_code == 303
    assert "login" in admin.get("/").url
    admin.log_in("ada", ADMIN)
    served.clock.forward(timedelta(hours=2).total_seconds())
    assert "login" in admin.get("/").url
    admin.log_in("ada", ADMIN)
    for _ in range(4):
        served.clock.forward(timedelta(minutes=30).total_seconds())
        live = admin.get("/", headers={"X-Live": "1"}).url
    assert "login" in live
    admin.log_in("ada", ADMIN)
    for _ in range(12):
        served.clock.forward(timedelta(hours=1).total_seconds())
        last = admin.get("/").url
    assert "login" in last
    admin.log_in("ada", ADMIN)
    assert served.app.store.sessions.end_all("ada") == 1
    assert "login" in admin.get("/").url


def test_a_stolen_database_opens_nothing(served, admin):
    """The token is in the cookie only, not in the database."""
    token = admin.session.cookies["connector_session"]

    assert served.app.store.sessions.get(token) is not None
    assert token.encode() not in served.app.store.database.path.read_bytes()


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("forged", {}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
        (None, {"Sec-Fetch-Site": "same-site"}),
        (None, {"Origin": "https://evil.example"}),
    ],
)
def test_a_change_needs_our_own_form(served, admin, token, headers):
    """A form without our token, or sent from elsewhere, changes nothing; the same from our page does."""
    fields = {} if token is None else {"form_token": token}

    refused = admin.post("/integrations/acme-desk/disable", seen_on="/", headers=headers, **fields)
    state = served.app.registry.entry("acme-desk").record.state
    accepted = admin.post("/integrations/acme-desk/disable", seen_on="/")

    assert refused.status_code == 403
    assert state == "active"
    assert accepted.status_code == 303
    assert served.app.registry.entry("acme-desk").record.state == "disabled"


def test_a_proxy_that_keeps_the_name_to_itself_is_in_nobodys_way(served, admin):
    """Browsers that say no more than where a form came from are at the address that people know."""
    cookies = "; ".join(f"{one.name}={one.value}" for one in admin.session.cookies)
    headers = {"Origin": served.app.config.server.public_url, "Host": "inside.example:8080", "Cookie": cookies}

    accepted = admin.post("/integrations/acme-desk/disable", seen_on="/", headers=headers)

    assert accepted.status_code == 303
    assert served.app.registry.entry("acme-desk").record.state == "disabled"


def test_an_unknown_page_is_a_page(admin):
    """With the menu, and a way back."""
    answer = admin.get("/no/such/page", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "<nav" in answer.text
    assert "Page not found" in answer.text


def test_viewers_look_and_change_nothing(served):
    """A viewer opens every page; every change is refused, but logging out."""
    visitor = Visitor(served.url)
    visitor.log_in("vic", VIEWER)

    assert [visitor.get(path).status_code for path in PAGES] == [200] * len(PAGES)
    assert 'name="organization"' not in visitor.get("/integrations/new").text
    for path in (
        "/integrations/new",
        "/integrations/acme-desk/disable",
        "/integrations/acme-desk/setup/enable",
        "/unfinished",
    ):
        assert visitor.post(path, seen_on="/").status_code == 403
    assert served.app.registry.entry("acme-desk").record.state == "active"
    assert visitor.post("/logout", seen_on="/").status_code == 303


def test_nothing_of_another_organization_is_seen(served):
    """Pages, searches and actions of somebody who is limited to one organization know nothing of the other."""
    (link,) = served.app.store.links.find(integration_id="acme-desk")
    visitor = Visitor(served.url)
    visitor.log_in("gus", GUEST)

    lists = ("/links", "/links?q=display", "/links?q=inc-acme-desk-0", "/activity", "/unfinished")
    for path in ("/", *lists, "/links/export?as=csv", "/activity/export?as=csv", "/integrations/new"):
        text = visitor.get(path).text
        assert "display is dark" not in text, path
        assert "Acme Inc." not in text, path
        assert 'href="/integrations/acme-desk' not in text, path
    assert "Globex" in visitor.get("/links").text
    for path in (
        "/integrations/acme-desk",
        "/integrations/acme-desk/setup",
        "/integrations/acme-desk/remove",
        f"/links/{link.id}",
        "/links?integration=acme-desk",
    ):
        assert visitor.get(path).status_code == 404, path
    assert visitor.post(f"/links/{link.id}", seen_on="/", action="retry").status_code == 404
    assert visitor.post("/integrations/acme-desk/disable", seen_on="/").status_code == 404
    assert visitor.post("/integrations/new", organization="acme", plugin="desk", name="x").status_code == 404


def test_a_changed_password_ends_the_login(served):
    """A login ends with the password that it was made with, also over a restart; others go on."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)
    path = served.app.config.path
    path.write_text(
        path.read_text().replace(served.app.config.console.users["ada"].password_hash.get_secret_value(), OTHER)
    )
    served.restart()

    moved = Visitor(served.url)
    moved.session.cookies.update(visitor.session.cookies)

    assert "login" in moved.get("/").url


@pytest.mark.parametrize("console", ["", "console: {password: a secret}", "console: {enabled: false}"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::", "192.0.2.7", "connector.example.com"])
def test_a_public_address_needs_a_password(tmp_path, host, console):
    """Without one the connector does not start, and says what to do."""
    config, _ = read_config(_with(tmp_path, f'server: {{host: "{host}"}}\n{console}'), [])

    if host in {"127.0.0.1", "localhost", "::1"} or console:
        refuse_start(config)
    else:
        with pytest.raises(ConfigError) as refused:
            refuse_start(config)
        assert "console.password" in refused.value.fix


def test_without_a_console_there_is_none(served):
    """Switched off, its addresses are not there; health is."""
    path = served.app.config.path
    path.write_text(path.read_text().replace("console:\n", "console:\n  enabled: false\n"))
    served.restart()

    assert [Visitor(served.url).get(page).status_code for page in ("/", "/login", "/healthz")] == [404, 404, 200]


def _with(folder, text):
    path = folder / "other.yaml"
    path.write_text(f"secret_key: a passphrase of many letters\n{text}\n")
    return path
