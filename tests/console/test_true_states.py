"""What a page says is so now: findings end with what they are about, and what needs nobody leaves the list."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core.contract.models import NOT_CHECKED, Finding, Severity
from connector_core.health.checkups import UNCHECKED_AGAIN_AFTER, is_due
from connector_core.store import Checkup, LinkState, LinkStatus, Progress, Run, StoredEntry
from connector_core.store.postgres_steps import TABLES
from connector_core.words.names import Names
from connector_core.words.timeline import told
from tests.support.rows import everything
from tests.support.served import AT, ServedLink

DESK = "/integrations/acme-desk"


@pytest.fixture
def served(tmp_path):
    """Serve a link."""
    opened = ServedLink(tmp_path)
    yield opened
    opened.stop()


def found(served, code="desk_missing", title="The desk is gone"):
    """Let the last check have found a problem."""
    problem = Finding(code=code, severity=Severity.PROBLEM, title=title)
    served.app.store.checkups.record(Checkup("acme-desk", served.clock.now(), (problem,)))


def test_a_finding_ends_when_the_settings_change(served, admin):
    """What a check found of settings of before is said no more, and is tried again at once."""
    found(served)
    assert "The desk is gone" in admin.get("/").text

    served.app.setup.answer("acme-desk", {"desk": "2"})

    assert "The desk is gone" not in admin.get("/").text
    assert served.app.store.checkups.of("acme-desk") is None
    assert served.app.store.checkups.unchecked() == ["acme-desk"]


def test_an_activation_keeps_what_its_own_check_found(served):
    """Only settings that a check looks at end its findings, not that the integration rests or works again."""
    found(served)

    served.app.setup.activate("acme-desk")

    assert served.app.store.checkups.of("acme-desk") is not None


def test_what_did_not_answer_is_no_fault_of_the_integration(served, admin):
    """A check during an outage says nothing of the integration, and is done again within minutes."""
    found(served, NOT_CHECKED, "This could not be checked")
    last = served.app.store.checkups.of("acme-desk")
    record = served.app.registry.entry("acme-desk").record

    assert "This could not be checked" not in admin.get("/").text
    assert not is_due(record, last, last.at + timedelta(seconds=30))
    assert is_due(record, last, last.at + UNCHECKED_AGAIN_AFTER + timedelta(seconds=1))


@pytest.mark.parametrize("kind", ["reconcile_changed", "reconcile_full"])
def test_tickets_are_said_to_be_read_when_they_were(served, admin, kind):
    """Whichever way they were read."""
    at = served.clock.now()
    served.app.store.runs.add(Run("acme-desk", kind, at, at, "ok"))

    page = admin.get(DESK).text

    assert "<dt>Tickets last read</dt><dd><time" in page


def test_needs_attention_is_counted_on_every_page(served, admin):
    """The number in the navigation is that of the links that need somebody, and is gone with them."""
    block(served)

    assert 'Needs attention <span class="badge bad">1</span>' in admin.get("/links").text

    served.app.operations.unlink(served.app.store.links.get(served.number))

    assert "Needs attention <span" not in admin.get("/links").text
    assert "Display is dark" not in admin.get("/unfinished").text


def test_nobody_sees_the_number_of_another_organization(served):
    """Who may see another organization only is told of its links only."""
    block(served)

    assert served.app.store.overview.count(("blocked",)) == 1
    assert served.app.store.overview.count(("blocked",), {"acme"}) == 1
    assert served.app.store.overview.count(("blocked",), {"globex"}) == 0
    assert served.app.store.overview.count(("blocked",), ()) == 0


@pytest.mark.parametrize(
    ("state", "code", "button"),
    [
        (LinkState.CONFLICT, "conflict", "Choose a value"),
        (LinkState.GONE, "ticket_deleted", "Choose what to do"),
        (LinkState.PAUSED, "authorization_needed", "Authorize again"),
        (LinkState.BLOCKED, "settings_incomplete", "Finish setup"),
        (LinkState.BLOCKED, "refused", "Retry"),
    ],
)
def test_each_row_has_the_button_that_settles_it(served, admin, state, code, button):
    """Another try is offered where it helps, and what has to be done elsewhere."""
    block(served, LinkStatus(state, code, "Because."))

    assert f">{button}<" in admin.get("/unfinished").text


def block(served, status=None):
    """Let the link need somebody."""
    (claim,) = served.app.store.lanes.claim("boot", served.clock.now(), 8, 60.0)
    status = status or LinkStatus(LinkState.BLOCKED, "refused", "Refused.")
    served.app.store.links.record(claim, Progress(status=status), served.clock.now())


def test_disabling_asks_first(served, admin):
    """The page says what stops, and that nothing is lost; only its button disables."""
    page = admin.get(f"{DESK}/disable").text

    assert "While disabled, nothing is synced" in page
    assert served.app.registry.entry("acme-desk").record.state == "active"
    admin.post(f"{DESK}/disable")
    assert served.app.registry.entry("acme-desk").record.state == "disabled"


@pytest.mark.parametrize("path", ["/check", "/setup/hand-over"])
def test_the_address_of_a_form_leads_to_a_page(served, admin, path):
    """Typed or kept as a bookmark it is no dead end; machines are told as before."""
    browser = {"Accept": "text/html"}

    answer = admin.get(DESK + path, headers=browser, allow_redirects=False)

    assert answer.status_code == 303
    assert admin.get(DESK + path, headers=browser).status_code == 200
    assert admin.get(DESK + path).status_code == 405
    assert admin.get("/v1/nothing", headers=browser).text == "Not Found"


def test_a_check_is_answered_with_a_redirect(served, admin):
    """Reloading the page checks nothing again, and the page stays live."""
    answer = admin.post(f"{DESK}/check", seen_on=DESK)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{DESK}?said=checked")


def test_looking_at_pages_writes_nothing(served, admin):
    """A GET changes no row of any table, whichever page it is."""
    admin.get("/")
    tables = [name for name in TABLES if name != "session"]  # when a login was last used is kept
    before = everything(served.app.store, tables)

    for path in ("/", DESK, f"{DESK}/disable", f"{DESK}/remove", f"{DESK}/rules", f"{DESK}/setup/enable", "/links"):
        assert admin.get(path).status_code == 200
    admin.get("/nothing", headers={"Accept": "text/html"})

    assert everything(served.app.store, tables) == before


def test_a_timeline_shows_no_change_that_did_not_happen():
    """A ticket that was left open shows what was to be written, not an arrow from one value to the other."""
    values = {"field": "status", "ticket": "open", "incident": "closed"}
    entry = StoredEntry("ticket_left_open", "ticket", AT, values)

    (detail,) = told(entry, Names()).details

    assert (detail.before, detail.text) == (None, "closed (not written)")
