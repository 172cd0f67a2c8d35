"""Activity in the console: what happened over all links, narrowed by the address, live, and as a file."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from connector_core.store import Actor, TimelineEntry, TimelineKind, Via, activity
from connector_core.store.acting import acting
from connector_core.web.console.activity_page import KINDS, RESULTS
from tests.support.served import GUEST, Served, Visitor

HOSTILE = "=cmd|'/c calc'!A1<script>alert(1)</script>"


@pytest.fixture
def served(tmp_path):
    """Serve a console with links of two organizations."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", "Dark", "Silent")
    opened.add("globex-desk", "globex", "Theirs")
    yield opened
    opened.stop()


@pytest.fixture
def dark(served):
    """Return a link of acme."""
    return next(link for link in served.app.store.links.find(organization="acme") if link.incident.title == "Dark")


def append(served, link, kind, side="connector", **values):
    """Let something have happened a minute later."""
    served.clock.forward(60)
    served.app.store.timelines.append(link.id, (TimelineEntry(TimelineKind(kind), side, served.clock.now(), values),))


def titles(page):
    """Return the titles of the links that a page is about, a row each."""
    return re.findall(r'<th scope="row"[^>]*><a href="/links/\d+">([^<]*)</a>', page)


def test_each_row_leads_to_its_link(served, admin, dark):
    """The latest first, in the words of the link's own page, with what came of it."""
    append(served, dark, "incident_unsupported", "incident", field="title", note="Read only")

    page = admin.get("/activity").text

    assert titles(page) == ["Dark", "Theirs", "Silent", "Dark"]
    assert f'href="/links/{dark.id}"' in page
    row = page[page.index("<tbody>") : page.index("</tr>", page.index("<tbody>"))]
    assert "not synced" in row
    assert "Read only" in row
    own = admin.get(f"/links/{dark.id}").text.split('class="timeline"')[1]
    assert re.search(r"<strong>([^<]*)</strong>", own)[1] in row
    assert 'data-live="activity"' in page
    assert '<a href="/activity" aria-current="page">' in page


def test_filters_stand_in_the_address(served, admin, dark):
    """Integration, side, kind, result, person and time; nonsense is no condition and no error."""
    with acting(Actor("ada", Via.CONSOLE, served.clock.now())):
        append(served, dark, "resumed")
    append(served, dark, "link_blocked")

    assert titles(admin.get("/activity?integration=globex-desk").text) == ["Theirs"]
    assert titles(admin.get("/activity?kind=people").text) == ["Dark"]
    assert titles(admin.get("/activity?person=ADA").text) == ["Dark"]
    assert titles(admin.get("/activity?result=failed&kind=problems").text) == ["Dark"]
    assert "No results" in admin.get("/activity?result=failed&kind=people").text
    assert titles(admin.get("/activity?side=incident").text) == ["Theirs", "Silent", "Dark"]
    assert "No results" in admin.get("/activity?until=2020-01-01").text
    unknown = ("side=x", "kind=x", "since=x", "until=9999-12-31", "before=x", "before=2026-01-01,1", "person=%00")
    for nonsense in unknown:
        assert admin.get(f"/activity?{nonsense}").status_code == 200, nonsense
    assert admin.get("/activity?integration=nothing").status_code == 404
    assert admin.get("/audit?until=9999-12-31").status_code == 200


def test_pages_lead_to_the_first_entry(served, admin, dark):
    """Filters go with one from page to page."""
    for _ in range(60):
        append(served, dark, "agreed")
    first = admin.get("/activity?integration=acme-desk").text
    older = re.search(r'href="(/activity\?[^"]*before=[^"]+)"', first)[1].replace("&amp;", "&")
    second = admin.get(older).text

    assert len(titles(first)) == 50
    assert titles(second) == ["Dark"] * 10 + ["Silent", "Dark"]
    assert ">Older<" not in second
    assert '<a href="/activity?integration=acme-desk">Latest</a>' in second


def test_a_long_search_says_how_far_it_came(served, admin, dark, monkeypatch):
    """Instead of keeping somebody waiting it offers to go on."""
    monkeypatch.setattr(activity, "DEEPEST", 3)
    for _ in range(4):
        append(served, dark, "agreed")

    page = admin.get("/activity?side=incident").text
    older = re.search(r'href="(/activity\?[^"]*before=[^"]+)">Search older<', page)[1].replace("&amp;", "&")

    assert "No results so far" in page
    assert "Searched back to" in page
    assert titles(admin.get(older).text) == ["Theirs", "Silent"]
    assert len(json.loads(admin.get("/activity/export?as=json&side=incident").text)) == 3


def test_it_is_exported_without_formulas(served, admin, dark):
    """What the filters give, in words; a spreadsheet runs nothing that somebody typed."""
    append(served, dark, "ticket_changed", "ticket", changed_by=HOSTILE, title=["a", "b"])

    table = admin.get("/activity/export?as=csv&integration=acme-desk")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    told = json.loads(admin.get("/activity/export?as=json&side=ticket").text)

    assert table.headers["Content-Disposition"] == 'attachment; filename="activity.csv"'
    assert len(rows) == 3
    assert rows[0]["title"] == "Dark"
    assert HOSTILE in rows[0]["text"]
    assert not any(cell.startswith("=") for row in rows for cell in row.values())
    assert HOSTILE in told[0]["text"]
    assert ["a", "b"] in told[0]["details"].values()
    assert "<script>alert" not in admin.get("/activity").text


def test_nothing_of_another_organization(served, dark):
    """Neither on the page nor in a file, whatever is asked for."""
    append(served, dark, "resumed", by="ada")
    guest = Visitor(served.url)
    guest.log_in("gus", GUEST)

    assert titles(guest.get("/activity").text) == ["Theirs"]
    assert [one["title"] for one in json.loads(guest.get("/activity/export?as=json").text)] == ["Theirs"]
    assert "No results" in guest.get("/activity?person=ada").text
    assert guest.get("/activity?integration=acme-desk").status_code == 404
    assert guest.get("/activity/export?integration=acme-desk").status_code == 404
    assert Visitor(served.url).get("/activity/export", allow_redirects=False).status_code == 303


def test_each_kind_is_in_one_group():
    """Whatever is filtered for is found once; a result is one of a kind that is known."""
    known = [kind for _, kinds in KINDS.values() for kind in kinds]
    results = [kind for _, _, kinds in RESULTS.values() for kind in kinds]

    assert len(known) == len(set(known))
    assert len(results) == len(set(results))
    assert set(results) <= set(known)
