"""The audit log in the console: what was done on any page is there, for who administers it, and as a file."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from connector_core.contract.routing import RoutingRule
from connector_core.store import Actor, AuditFilter, Via
from connector_core.store.acting import acting
from tests.support.pages import shown
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

HOSTILE = "=cmd|'/c calc'!A1<script>alert(1)</script>"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console with an integration of either organization."""
    opened = Served(tmp_path_factory.mktemp("audit"))
    opened.add("acme-desk", "acme", "Dark")
    opened.add("globex-desk", "globex", "Loud")
    yield opened
    opened.stop()


@pytest.fixture
def guest(served):
    """Log in who administers one organization only."""
    visitor = Visitor(served.url)
    assert visitor.log_in("gus", GUEST).status_code == 303
    return visitor


@pytest.fixture
def link(served):
    """Return the address of a link."""
    return f"/links/{served.app.store.links.find(organization='acme')[0].id}"


def latest(served):
    """Return the last thing that was done."""
    return served.app.store.audit.find(AuditFilter(), 1)[0]


def test_what_is_done_on_pages_is_in_it(served, admin, link):
    """Each with who, what, and both values; from a form to the log without anybody writing it down by hand."""
    assert (latest(served).by.name, latest(served).act) == ("ada", "signed in")
    assert admin.post(link, seen_on=link, action="retry").status_code == 303
    assert (latest(served).act, f"/links/{latest(served).about.name}") == ("retried", link)
    one = "/integrations/acme-desk"
    assert admin.post(f"{one}/setup/step/desk/update", seen_on=f"{one}/setup/step/desk", desk="7").status_code == 303
    assert latest(served).changes["desk"] == ("1", "7")
    assert admin.post(f"{one}/disable", seen_on=one, sure="yes").status_code in {200, 303}
    assert latest(served).act == "disabled"

    page = admin.get("/audit").text

    text = shown(page)
    assert all(word in text for word in ("ada", "console", "Disabled integration", "Retried link", "Signed in"))
    assert "Desk: 1 → Desk 7 (7)" in " ".join(text.split()).replace(" :", ":")
    assert 'href="/integrations/acme-desk"' in page
    assert "by ada" in " ".join(shown(admin.get(link).text).split())


def test_it_is_narrowed_by_its_address(served, admin):
    """Filters, dates and pages; nonsense in them is no error."""
    for _ in range(60):
        admin.log_in("ada", ADMIN)
    page = admin.get("/audit?subject=session&by=ada").text
    older = re.search(r'href="(/audit\?[^"]*before=\d+)"', page)[1].replace("&amp;", "&")

    assert page.count("Signed in") == 50
    assert "Retried" not in shown(page)
    assert "subject=session" in older
    assert "Signed in" in admin.get(older).text
    assert "No results" in admin.get("/audit?by=nobody").text
    assert "No results" in admin.get("/audit?until=2020-01-01").text
    assert "Signed in" in admin.get("/audit?since=2020-01-01&until=nonsense&before=-1&subject=%00").text
    assert admin.get(f"/audit?before={'9' * 30}&name={'x' * 5000}").status_code == 200
    for day in ("9999-12-31", "0001-01-01", "10000-01-01", "2024-02-30"):
        for page in ("/audit", "/audit/export"):
            assert admin.get(f"{page}?since={day}&until={day}").status_code == 200
    assert "Signed in" in admin.get("/audit?until=9999-12-31").text


def test_each_sees_what_they_administer(served, admin, guest):
    """An admin of one organization sees nothing of another's, nor anybody's logins; a viewer sees nothing."""
    assert admin.post("/integrations/acme-desk/check", seen_on="/integrations/acme-desk").status_code in {200, 303}
    number = served.app.store.links.find(organization="globex")[0].id
    guest.post(f"/links/{number}", seen_on=f"/links/{number}", action="retry")
    viewer = Visitor(served.url)
    viewer.log_in("vic", VIEWER)

    seen = shown(guest.get("/audit").text)

    assert "Retried" in seen
    assert [word for word in ("ada", "acme", "Signed in", "vic") if re.search(rf"\b{word}\b", seen)] == []
    assert "No results" in shown(guest.get("/audit?name=acme-desk").text)
    assert "acme-desk" not in guest.get("/audit/export?as=json").text
    assert viewer.get("/audit").status_code == 404
    assert viewer.get("/audit/export").status_code == 404
    assert 'href="/audit"' not in viewer.get("/").text
    assert Visitor(served.url).get("/audit/export", allow_redirects=False).status_code == 303


def test_it_is_exported_without_formulas(served, admin):
    """A spreadsheet runs nothing that somebody typed into a form."""
    with acting(Actor(HOSTILE, Via.TERMINAL, served.clock.now())):
        (link,) = served.app.store.links.find(organization="globex")
        served.app.store.links.resume(link.id, served.clock.now())

    table = admin.get("/audit/export?as=csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    told = json.loads(admin.get("/audit/export?as=json").text)

    assert table.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    assert rows[0]["by"] == f"'{HOSTILE}"
    assert told[0]["by"] == HOSTILE
    assert len(rows) == len(told) > 1
    assert "<script>" not in admin.get("/audit").text


@pytest.mark.parametrize("name", [
    "=1+1", " =1+1", "\n=1+1", "\uff1d1+1", "\uff20SUM(1)", "mail;=1+1", "mail\t=1+1", 'mail"; "=1+1', "mail,\r\n+1",
])  # fmt: skip
def test_no_cell_of_a_spreadsheet_is_a_formula(served, admin, name):
    """However it parts a line: some do at a semicolon or a tab; a blank before the sign changes nothing."""
    with acting(Actor(name, Via.TERMINAL, served.clock.now())):
        served.app.store.routing.put("acme", (RoutingRule(to=("acme-desk",)),), None, name, served.clock.now())
        served.app.store.routing.put("acme", (), served.app.store.routing.made("acme"), name, served.clock.now())

    text = admin.get("/audit/export?as=csv").text

    parted = [cell for row in csv.reader(io.StringIO(text)) for cell in row] + re.split(r"[;\t\r\n]", text)
    cells = [cell.strip(' "\r\n') for cell in parted]
    assert any(cell.endswith(("+1", "SUM(1)")) for cell in cells)
    assert [cell for cell in cells if re.match(r"[=+@\uff1d\uff0b\uff20-]", cell)] == []
