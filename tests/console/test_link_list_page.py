"""The list of links in the console: totals, pages, filters, several at once, exports, and its boundaries."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from connector_core import EventType, Incident, IncidentEvent, Priority
from connector_core.contract.models import Device, Location
from connector_core.store import AuditFilter, Target
from tests.support.pages import shown
from tests.support.rows import sql
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

HOSTILE = "=cmd|'/c calc'!A1"


@pytest.fixture
def served(tmp_path):
    """Serve a console with 120 links of one organization and one of another."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", *(f"Display {number:03}" for number in range(120)))
    opened.add("globex-desk", "globex", "Theirs")
    yield opened
    opened.stop()


def titles(page):
    """Return the titles of the links that a page lists, in their order."""
    return re.findall(r'<th scope="row"[^>]*><a href="/links/\d+">([^<]*)</a>', page)


def tell(served, name, **fields):
    """Tell of one more incident."""
    now = served.clock.now()
    event = IncidentEvent(
        id=f"evt-{name}", type=EventType.OPENED, occurred_at=now, incident=Incident(id=name, title=name, **fields)
    )
    target = Target("acme-desk", {"desk": "1"}, now)
    served.app.store.inbox.accept_events("acme", [event], [target], now).result()
    return next(link for link in served.app.store.links.find(text=name) if link.incident_id == name)


def address(page, text):
    """Return where a link of a page leads."""
    return re.search(rf'<a href="([^"]+)">{text}</a>', page)[1].replace("&amp;", "&")


def with_ticket(served, link, key, *, state="in_sync", code="", url=""):
    """Let a link have a ticket, and stand somewhere."""
    ticket = json.dumps({"id": key, "key": key, "title": HOSTILE, "status": "Open", "url": url})
    sql(
        served.app.store,
        "UPDATE link SET ticket = ?, ticket_id = ?, ticket_key = ?, state = ?, code = ?, reason = ? WHERE id = ?",
        *(ticket, key, key, state, code, "Deleted.", link.id),
    )


def test_there_is_a_total_and_every_page(served, admin):
    """One walks through all of them, each once, forth and back."""
    first = admin.get("/links?integration=acme-desk&sort=oldest").text
    second = admin.get(address(first, "Next")).text
    last = admin.get(address(first, "Last")).text

    assert "120 links. Page 1 of 3." in shown(first)
    assert titles(first) + titles(second) + titles(last) == [f"Display {number:03}" for number in range(120)]
    assert titles(admin.get(address(last, "Previous")).text) == titles(second)
    assert titles(admin.get(address(last, "First")).text) == titles(first)
    assert ">Next<" not in last
    assert "121 links. Page 1 of 3." in shown(admin.get("/links").text)
    assert titles(admin.get("/links?from=99999").text) == []


def test_filters_stand_in_the_address(served, admin):
    """State, priority, whether open, organization, space and age; nonsense in them is no condition and no error."""
    served.clock.forward(timedelta(days=8).total_seconds())
    admin.log_in("ada", ADMIN)
    tell(served, "hot", priority=Priority.CRITICAL, device=Device(name="Fan 7"), location=Location(path="HQ/Hall"))

    narrow = ("priority=critical", "place=hq/hall", "place=FAN+7", "age=7d", "priority=critical&open=open", "q=ho")
    for query in narrow:
        assert titles(admin.get(f"/links?{query}&sort=created").text) == ["hot"], query
    assert titles(admin.get("/links?age=over7d&organization=globex").text) == ["Theirs"]
    assert "No results" in admin.get("/links?open=closed").text
    assert "No results" in admin.get("/links?state=differs").text
    page = admin.get("/links?sort=priority&priority=critical").text
    assert "Fan 7 \N{MIDDLE DOT} HQ/Hall" in page
    assert '<option value="priority" selected>' in page
    for nonsense in ("state=x", "priority=x", "open=x", "age=x", "sort=x", "from=x", "place=%00", f"q={'x' * 5000}"):
        assert admin.get(f"/links?{nonsense}").status_code == 200, nonsense
    assert admin.get("/links?organization=nobody").status_code == 404


def test_only_addresses_of_the_web_can_be_clicked(served, admin):
    """An incident opens in its platform; what is no page of the web is text."""
    tell(served, "good", url="https://platform.example/incidents/1")
    tell(served, "bad", url="javascript:alert(1)")

    page = admin.get("/links?sort=created").text

    assert '<a href="https://platform.example/incidents/1" rel="noreferrer">good</a>' in page
    assert "javascript:" not in page


def test_several_are_retried_after_a_question(served, admin):
    """Nothing happens before yes; then each is in its timeline and in the audit log, as a single one would be."""
    links = served.app.store.links.find(integration_id="acme-desk", limit=3)
    boxes = {f"link-{link.id}": "on" for link in links[:2]}
    back = "integration=acme-desk&sort=oldest"
    before = served.app.store.audit.find(AuditFilter(), 100)

    asked = admin.post("/links", seen_on="/links", action="retry", back=back, **boxes)

    assert asked.status_code == 200
    assert all(link.incident.title in asked.text for link in links[:2])
    assert links[2].incident.title not in asked.text
    assert served.app.store.audit.find(AuditFilter(), 100) == before
    done = admin.post("/links", seen_on="/links", action="retry", back=back, sure="yes", **boxes)
    page = admin.get(done.headers["location"]).text
    acts = served.app.store.audit.find(AuditFilter(), 100)[: -len(before)]
    assert sorted((one.act, one.about.name, one.by.name) for one in acts) == sorted(
        ("retried", str(link.id), "ada") for link in links[:2]
    )
    for link in links[:2]:
        entry = served.app.store.timelines.read(link.id)[-1]
        assert (entry.kind, entry.values["by"]) == ("resumed", "ada")
    assert "Retried: 2 links." in shown(page)
    assert titles(page)[0] == "Display 000"


def test_what_is_not_possible_is_left(served, admin):
    """A new ticket is made only where the old one is gone; the others are counted, before and after."""
    gone, fine = served.app.store.links.find(integration_id="acme-desk", limit=2)
    with_ticket(served, gone, "T-1", state="gone", code="ticket_deleted")
    boxes = {f"link-{link.id}": "on" for link in (gone, fine)}

    asked = shown(admin.post("/links", seen_on="/links", action="recreate", **boxes).text)
    done = admin.post("/links", seen_on="/links", action="recreate", sure="yes", **boxes)
    page = shown(admin.get(done.headers["location"]).text)
    none = admin.post("/links", seen_on="/links", action="recreate", sure="yes", **{f"link-{fine.id}": "on"})

    assert "1 of the 2 selected links stay as they are" in asked
    assert "New tickets requested: 1 link. 1 unchanged" in page
    assert served.app.store.links.get(gone.id).status.code == "recreating"
    assert served.app.store.links.get(fine.id).status.code != "recreating"
    assert "not possible for any of the selected links" in shown(none.text)
    assert 'name="action"' not in none.text
    empty = admin.post("/links", seen_on="/links", action="unlink", sure="yes")
    assert "no link was selected" in admin.get(empty.headers["location"]).text
    assert admin.post("/links", seen_on="/links", action="explode", **boxes).status_code == 404


def test_what_waits_is_not_said_to_wait_for_someone(served, admin):
    """It goes on by itself as soon as it is its turn; what is blocked does not."""
    (link,) = served.app.store.links.find(integration_id="globex-desk")
    with_ticket(served, link, "T-1", state="blocked", code="refused")

    waiting = shown(admin.get("/unfinished?integration=acme-desk").text)
    blocked = shown(admin.get("/unfinished?integration=globex-desk").text)

    assert ("when someone acts" in waiting, "soon" in waiting) == (False, True)
    assert "when someone acts" in blocked


def test_several_are_unlinked(served, admin):
    """Each is told in its timeline."""
    link = served.app.store.links.find(integration_id="acme-desk", limit=1)[0]

    admin.post("/links", seen_on="/links", action="unlink", sure="yes", **{f"link-{link.id}": "on"})

    assert served.app.store.links.get(link.id).status.state == "paused"
    assert served.app.store.timelines.read(link.id)[-1].kind == "unlinked"


def test_it_is_exported_as_the_filters_say(served, admin):
    """All pages of it, with place and addresses; a spreadsheet runs nothing that a platform sent."""
    link = tell(served, "hot", priority=Priority.HIGH, device=Device(name=HOSTILE), location=Location(name="Hall"))
    with_ticket(served, link, "T-1", url="https://desk.example/T-1")

    table = admin.get("/links/export?as=csv&integration=acme-desk&sort=created")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    (told,) = json.loads(admin.get("/links/export?as=json&priority=high").text)

    assert table.headers["Content-Disposition"] == 'attachment; filename="links.csv"'
    assert len(rows) == 121
    assert (rows[0]["incident"], rows[0]["ticket"], rows[0]["location"]) == ("hot", "T-1", "Hall")
    assert rows[0]["device"] == f"'{HOSTILE}"
    assert (told["device"], told["ticket_url"], told["priority"]) == (HOSTILE, "https://desk.example/T-1", "high")
    assert rows[-1]["title"] == "Display 000"


def test_nothing_of_another_organization(served):
    """Neither in lists and totals nor in exports, and nothing can be done to it among several."""
    guest, viewer = Visitor(served.url), Visitor(served.url)
    guest.log_in("gus", GUEST)
    viewer.log_in("vic", VIEWER)
    (theirs,) = served.app.store.links.find(organization="globex")
    link = served.app.store.links.find(organization="acme", limit=1)[0]
    boxes = {f"link-{link.id}": "on", f"link-{theirs.id}": "on"}

    assert "1 link. Page 1 of 1." in shown(guest.get("/links").text)
    assert "Acme" not in shown(guest.get("/links").text)
    assert "Display" not in json.dumps(guest.get("/links/export?as=json").json())
    assert guest.get("/links/export?organization=acme").status_code == 404
    assert guest.get("/links/export?integration=acme-desk").status_code == 404
    assert guest.post("/links", seen_on="/links", action="unlink", sure="yes", **boxes).status_code == 404
    assert served.app.store.links.get(theirs.id).status.state == served.app.store.links.get(link.id).status.state
    assert viewer.post("/links", seen_on="/links", action="unlink", sure="yes", **boxes).status_code == 403
    assert 'type="checkbox"' not in viewer.get("/links").text
    assert Visitor(served.url).get("/links/export", allow_redirects=False).status_code == 303


@pytest.mark.extended
def test_what_is_selected_stays_selected_while_the_list_follows(served, browser):
    """The list shows a new link by itself; the box stays checked, and the button acts on it."""
    page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    page.goto(f"{served.url}/login?next=/links%3Fsort%3Dcreated")
    page.fill("input[name=name]", "ada")
    page.fill("input[name=password]", ADMIN)
    page.click("form button")
    box = page.get_by_role("checkbox", name="Select Theirs")
    box.check()

    tell(served, "Brand new")

    expect(page.get_by_role("link", name="Brand new").first).to_be_visible()
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    page.get_by_role("button", name="Unlink").click()
    page.get_by_role("button", name="Unlink").click()
    expect(page.get_by_role("status")).to_have_text("Unlinked: 1 link.")
    (theirs,) = served.app.store.links.find(organization="globex")
    assert theirs.status.state == "paused"
    page.context.close()
