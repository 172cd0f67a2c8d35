"""Present settings for open incidents, in the console: previewed, applied, undone; for admins of the organization."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connector_core.contract.models import TicketSnapshot
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import LinkState, LinkStatus, Progress, Rest
from connector_core.testing import MemoryPlatform
from tests.core.test_settings_of_open_incidents import ClosingDesk
from tests.support.pages import shown
from tests.support.served import GUEST, VIEWER, Served, Visitor

PAGE = "/integrations/helpdesk/open-incidents"


@pytest.fixture
def served(tmp_path):
    """Serve a console whose helpdesk has an open incident of before its close status changed."""
    made = Served(tmp_path, points=[ClosingDesk().entry_point(), MemoryPlatform().entry_point()])
    made.add("helpdesk", "acme", "Display offline")
    now = made.clock.now()
    (claim,) = made.app.store.lanes.claim("boot", now, 8, HORIZON_S)
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Display offline", done=False, updated=now)
    made.app.store.links.record(claim, Progress(ticket=ticket, status=LinkStatus(LinkState.IN_SYNC)), now)
    made.app.store.lanes.release(claim, Rest(), now)
    made.app.store.integrations.remember_label("helpdesk", "close_status", "10002", "<b>Closed</b>")
    made.app.setup.change("helpdesk", lambda known: replace(known, answers={"desk": "2", "close_status": "10002"}))
    yield made
    made.stop()


def number_of(served):
    """Return the number of its link."""
    return served.app.store.links.find(integration_id="helpdesk")[0].id


def version(page):
    """Return what the page names the settings that it shows."""
    return re.search(r'name="version" value="(\w+)"', page)[1]


def test_they_are_previewed_applied_and_undone(served, admin):
    """From the integration's page; each step is a click, and the link tells of it with names."""
    assert f'href="{PAGE}"' in admin.get("/integrations/helpdesk").text
    page = admin.get(PAGE).text
    assert "Close status: nothing <b>Closed</b> (10002)" in " ".join(shown(page).split())
    assert "Desk: 1 stays (now 2)" in " ".join(shown(page).split())

    answer = admin.post(PAGE, version=version(page))

    assert answer.headers["Location"] == f"{PAGE}?said=settings_begun"
    assert "0 of 1 done" in admin.get(PAGE).text
    served.app.open_incidents.work("helpdesk")
    page = " ".join(shown(admin.get(PAGE).text).split())
    assert "1 of 1 incident changed" in page
    assert "Nothing. All 1 open incidents have the current settings, as far as their tickets allow." in page
    link = admin.get(f"/links/{number_of(served)}")
    assert "New settings applied by ada." in link.text
    assert "&lt;b&gt;Closed&lt;/b&gt; (10002)" in link.text
    run = served.app.store.link_settings.runs("helpdesk")[0].id

    answer = admin.post(
        f"{PAGE}/undo", seen_on=f"/links/{number_of(served)}", run=str(run), link=str(number_of(served))
    )

    assert answer.headers["Location"] == f"/links/{number_of(served)}?said=settings_undone"
    served.app.open_incidents.work("helpdesk")
    assert served.app.store.links.get(number_of(served)).settings == {"desk": "1"}
    assert "Apply to 1 incident" in admin.get(PAGE).text


def test_settings_that_changed_since_are_not_applied(served, admin):
    """Whoever clicks sees what is done; a form that somebody made up is refused too."""
    old = version(admin.get(PAGE).text)
    served.app.setup.change("helpdesk", lambda known: replace(known, answers={"desk": "2", "close_status": "9"}))

    answers = [admin.post(PAGE, version=old), admin.post(PAGE), admin.post(f"{PAGE}/undo", seen_on=PAGE, run="٣")]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert "Someone else changed the settings" in answers[0].text
    assert served.app.store.link_settings.runs("helpdesk") == []


@pytest.mark.parametrize(("name", "password"), [("vic", VIEWER), ("gus", GUEST)])
def test_others_neither_see_nor_apply_them(served, admin, name, password):
    """Viewers only look at integrations; an admin of another organization does not know of this one."""
    run = served.app.open_incidents.begin("helpdesk", "ada")
    served.app.open_incidents.work("helpdesk")
    visitor = Visitor(served.url)
    visitor.log_in(name, password)

    assert visitor.get(PAGE).status_code == 404
    for path, fields in ((PAGE, {"version": "x"}), (f"{PAGE}/undo", {"run": str(run)})):
        assert visitor.post(path, seen_on="/", **fields).status_code in {403, 404}
    assert len(served.app.store.link_settings.runs("helpdesk")) == 1


def test_a_link_of_another_integration_is_not_undone_by_its_number(served, admin):
    """The run and the link have to belong together; nothing is changed else."""
    run = served.app.open_incidents.begin("helpdesk", "ada")
    served.app.open_incidents.work("helpdesk")
    (other,) = served.add("other", "globex", "Loud")

    assert admin.post(f"{PAGE}/undo", seen_on=PAGE, run=str(run), link=str(other)).status_code == 303
    served.app.open_incidents.work("helpdesk")

    assert served.app.store.link_settings.runs("helpdesk")[0].total == 0
    assert served.app.store.links.get(other).settings == {"desk": "1"}
