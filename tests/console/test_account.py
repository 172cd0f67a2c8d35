"""The menu of whoever is signed in: theme, time zone, sessions, and signing out of all of them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connector_core.store import AuditFilter, Preferences
from tests.support.pages import shown
from tests.support.served import ADMIN, VIEWER, Served, Visitor


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console with an integration."""
    opened = Served(tmp_path_factory.mktemp("account"))
    opened.add("acme-desk", "acme", "Dark")
    yield opened
    opened.stop()


@pytest.fixture
def viewer(served):
    """Sign in somebody who may only look."""
    visitor = Visitor(served.url)
    assert visitor.log_in("vic", VIEWER).status_code == 303
    yield visitor
    served.app.store.sessions.prefer("vic", Preferences(), served.clock.now())
    served.app.store.sessions.end_all()


def test_the_menu_says_who_one_is(served, viewer):
    """Without a script: it is a part that opens, with plain forms in it."""
    page = viewer.get("/links?q=dark").text
    menu = page[page.index('<details class="menu">') : page.index("</details>")]

    assert re.sub(r"\s+", " ", shown(menu)).strip().startswith("Account of vic viewer vic Viewer")
    assert 'name="back" value="/links?q=dark"' in menu
    assert 'action="/logout"' in menu
    assert 'formaction="/logout/everywhere"' in menu


def test_a_theme_holds_on_every_page_in_every_browser(served, viewer):
    """A viewer may choose it, too; back to the page where one was; System is what everybody has."""
    chosen = viewer.post("/account", seen_on="/links", theme="dark", back="/links?q=dark")
    other = Visitor(served.url)
    other.log_in("vic", VIEWER)
    dark = other.get("/").text
    viewer.post("/account", seen_on="/", theme="")

    assert chosen.headers["location"] == "/links?q=dark"
    assert 'data-theme="dark"' in dark
    assert '<meta name="color-scheme" content="dark">' in dark
    assert "data-theme" not in other.get("/").text
    assert "data-theme" not in Visitor(served.url).get("/login").text


def test_times_are_shown_in_the_zone_that_was_chosen(served, viewer):
    """Also without a script; the page tells the script; days of filters begin in it."""
    before = viewer.get("/account").text
    viewer.post("/account", zone="America/New_York", theme="light")
    after = viewer.get("/account").text

    assert "10:00 UTC" in before
    assert "05:00 EST" in after
    assert 'data-zone="America/New_York"' in after
    assert 'data-theme="light"' in after
    assert "data-zone" not in Visitor(served.url).get("/login").text


def test_days_of_filters_begin_in_the_zone_that_was_chosen(served):
    """What was done at ten in UTC was done on that day here, and on the next one in Kiribati."""
    store, now = served.app.store, served.clock.now()
    ada = Visitor(served.url)
    ada.log_in("ada", ADMIN)
    today, tomorrow = now.date(), now.date() + timedelta(days=1)

    in_utc = [rows_of(ada, day) for day in (today, tomorrow)]
    store.sessions.prefer("ada", Preferences("Pacific/Kiritimati"), now)
    there = [rows_of(ada, day) for day in (today, tomorrow)]
    labelled = ada.get("/audit").text
    store.sessions.prefer("ada", Preferences(), now)

    assert [bool(rows) for rows in in_utc] == [True, False]
    assert [bool(rows) for rows in there] == [False, True]
    assert "From (Pacific/Kiritimati)" in labelled


def rows_of(visitor, day):
    """Return what the audit log has of a day."""
    return visitor.get(f"/audit/export?as=json&since={day}&until={day}").json()


@pytest.mark.parametrize(
    "form",
    [{"zone": "Mars/Olympus"}, {"zone": "../../etc/passwd"}, {"theme": "neon"}, {"theme": '"><script>'}, {}],
    ids=str,
)
def test_what_there_is_not_is_not_chosen(served, viewer, form):
    """Whatever is sent."""
    answer = viewer.post("/account", **form)

    assert answer.status_code == 303
    assert served.app.store.sessions.of_person("vic")[0].preferences == Preferences()


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(viewer, back):
    """Back is a page of ours."""
    assert viewer.post("/account", theme="dark", back=back).headers["location"] == "/"


def test_one_sees_ones_own_sessions(served, viewer):
    """Since when, last seen when, and from where; not those of others, nor those that have ended."""
    other = Visitor(served.url)
    other.log_in("vic", VIEWER)
    ada = Visitor(served.url)
    ada.log_in("ada", ADMIN)

    rows = re.findall(r"<tr>.*?</tr>", viewer.get("/account").text, re.DOTALL)[1:]

    assert len(rows) == 2
    assert all("127.0.0.1" in row for row in rows)
    assert sum("this browser" in row for row in rows) == 1


def test_signing_out_everywhere_ends_all_sessions_of_one_person(served, viewer):
    """In every browser and at every node, for they are in the database; others stay; the audit log has each."""
    other, ada = Visitor(served.url), Visitor(served.url)
    other.log_in("vic", VIEWER)
    ada.log_in("ada", ADMIN)

    left = viewer.post("/logout/everywhere", seen_on="/")

    pages = [one.get("/", allow_redirects=False).status_code for one in (viewer, other, ada)]
    acts = [entry.act.value for entry in served.app.store.audit.find(AuditFilter(by="vic"), 2)]
    assert left.headers["location"] == "/login?said=logged_out_everywhere"
    assert "You are signed out in every browser." in viewer.get(left.headers["location"]).text
    assert pages == [303, 303, 200]
    assert acts == ["signed out", "signed out"]


@pytest.mark.parametrize("path", ["/account", "/logout", "/logout/everywhere"])
def test_nobody_else_sends_these_forms(served, viewer, path):
    """Neither another site nor a page without the form's token; and looking at an address does nothing."""
    token = viewer.form_token("/")
    of_others = viewer.post(path, seen_on="/", headers={"Sec-Fetch-Site": "cross-site"}, theme="dark")
    without = viewer.session.post(served.url + path, data={"theme": "dark"}, timeout=20)
    looked = viewer.get(path, allow_redirects=False)

    assert token
    assert [of_others.status_code, without.status_code] == [403, 403]
    assert looked.status_code in {200, 405}
    assert viewer.get("/", allow_redirects=False).status_code == 200
