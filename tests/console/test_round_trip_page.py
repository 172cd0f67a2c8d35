"""The test incident in the console: sent by admins, seen by those who see the integration, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector_core.engine.backoff import HORIZON_S
from connector_core.store import IntegrationState
from connector_core.words.round_trips import TITLES
from tests.support.pages import shown
from tests.support.served import GUEST, VIEWER, Served, Visitor

DESK = "/integrations/acme-desk"
PAGE = f"{DESK}/test"


@pytest.fixture
def served(tmp_path):
    """Serve an integration."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme")
    yield opened
    opened.stop()


def go(served, seconds=300):
    """Let the daemon work for a while."""
    app, clock = served.app, served.clock
    for _ in range(seconds):
        clock.forward(1)
        for claim in app.store.lanes.claim("boot", clock.now(), 8, HORIZON_S):
            app.engine.work(claim)
        app.round_trips.step("acme-desk")
        if not app.store.round_trips.last("acme-desk").is_running:
            return


def test_a_test_is_sent_and_each_step_of_it_is_shown(served, admin):
    """The button leads back to the page, which shows the ticket with its address, and that both directions work."""
    offered = admin.get(DESK).text
    answer = admin.post(PAGE, action="send")
    running = shown(admin.get(PAGE).text)
    go(served)
    page = admin.get(PAGE).text
    front = admin.get(DESK).text

    assert f'href="{PAGE}"' in offered
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert "One is running." in running
    assert "Both directions work, without a webhook" in page
    assert 'href="https://desk.example.test/T-1"' in page
    assert all(title.format(desk="Desk") in page for title in TITLES.values())
    assert "Last test: Both directions work" in front
    assert served.app.store.figures.ever() == {}
    assert admin.get("/links").text.count("T-1") == 0


def test_a_second_test_is_refused_while_one_is_under_way(served, admin):
    """With a sentence."""
    admin.post(PAGE, action="send")

    answer = admin.post(PAGE, seen_on=PAGE, action="send")

    assert answer.status_code == 422
    assert "Wait until it has ended" in answer.text


def test_a_test_of_an_integration_that_is_not_active_is_not_offered(served, admin):
    """The page says where to activate it; whoever sends the form all the same is refused."""
    record = served.app.registry.entry("acme-desk").record
    served.app.store.integrations.put(replace(record, state=IntegrationState.DISABLED))

    page = admin.get(PAGE).text
    answer = admin.post(PAGE, action="send")

    assert f'<a href="{DESK}/setup/enable">Activate</a>' in page
    assert answer.status_code == 422


def test_viewers_see_a_test_and_send_none(served, admin):
    """Nor do they change when one is sent by itself."""
    admin.post(PAGE, action="send")
    viewer = Visitor(served.url)
    viewer.log_in("vic", VIEWER)

    page = viewer.get(PAGE).text
    answer = viewer.post(PAGE, seen_on="/", action="send")

    assert "Send a test incident</button>" not in page
    assert "Ticket created in Desk" in page
    assert answer.status_code == 403


def test_nothing_of_a_test_is_seen_in_another_organization(served, admin):
    """Neither its page nor its timeline, and nothing is sent from there."""
    admin.post(PAGE, action="send")
    guest = Visitor(served.url)
    guest.log_in("gus", GUEST)
    link_id = served.app.store.round_trips.last("acme-desk").link_id

    assert guest.get(PAGE).status_code == 404
    assert guest.post(PAGE, seen_on="/", action="send").status_code in {403, 404}
    assert guest.get(f"/links/{link_id}").status_code == 404


def test_an_integration_is_not_removed_while_its_test_is_under_way(served, admin):
    """Nobody would close the ticket."""
    admin.post(PAGE, action="send")

    refused = admin.post(f"{DESK}/remove", name="acme-desk")
    go(served)
    removed = admin.post(f"{DESK}/remove", name="acme-desk")

    assert (refused.status_code, removed.status_code) == (422, 303)
    assert "under way" in refused.text


def test_a_form_from_elsewhere_sends_nothing(served, admin):
    """As all forms."""
    answer = admin.post(PAGE, action="send", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert served.app.store.round_trips.last("acme-desk") is None


@pytest.mark.parametrize(("given", "kept"), [("03:30", "03:30"), ("nightly", "03:00"), ("", "")])
def test_a_test_each_day_is_set_in_the_console(served, admin, given, kept):
    """It is in the record, and shown."""
    answer = admin.post(PAGE, action="daily", test_at=given)

    assert answer.status_code == 303
    assert served.app.registry.entry("acme-desk").record.test_at == kept
    assert f'value="{kept}"' in admin.get(PAGE).text


def test_a_time_that_is_none_is_refused(served, admin):
    """Nothing is changed."""
    answer = admin.post(PAGE, action="daily", test_at="25:99")

    assert answer.status_code == 422
    assert served.app.registry.entry("acme-desk").record.test_at == ""


def test_a_daily_test_that_failed_is_the_status_of_the_integration(served, admin):
    """On the front page, with the button that leads to it, until one passes."""
    admin.post(PAGE, action="daily", test_at="03:30")
    admin.post(PAGE, action="send")
    record = served.app.registry.entry("acme-desk").record
    served.app.store.integrations.put(replace(record, state=IntegrationState.DISABLED))
    go(served, 2)
    served.app.store.integrations.put(replace(record, state=IntegrationState.ACTIVE))
    failed = admin.get("/").text
    admin.post(PAGE, action="send")
    go(served)

    assert "The last test incident failed. Ticket not created in Desk." in failed
    assert f'href="{PAGE}"' in failed
    assert "The last test incident failed" not in admin.get("/").text


def test_what_a_helpdesk_says_is_shown_as_text(served, admin):
    """A reason of others is no markup."""
    admin.post(PAGE, action="send")
    store = served.app.store
    trip = store.round_trips.running("acme-desk")
    leg = trip.present
    store.round_trips.keep("acme", trip.failing(leg, served.clock.now(), "x", "<script>alert(1)</script>"), trip)

    page = admin.get(PAGE).text

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
