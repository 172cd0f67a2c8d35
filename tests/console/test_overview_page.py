"""The overview and the list of first steps: true at every moment, each organization's own, light, without scripts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connector_core.store import TimelineEntry, TimelineKind
from tests.support.pages import shown
from tests.support.rows import sql
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

MOST_BYTES = 100_000
PERIODS = ("24h", "7d", "30d")


@pytest.fixture
def served(tmp_path):
    """Serve a console with links of two organizations."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", "Dark", "Silent")
    opened.add("globex-desk", "globex", "Theirs")
    yield opened
    opened.stop()


def append(served, number, *kinds):
    """Let something have happened to a link."""
    now = served.clock.now()
    served.app.store.timelines.append(number, [TimelineEntry(TimelineKind(kind), "ticket", now) for kind in kinds])


def totals(page):
    """Return the first numbers of the table, which are those of the whole period."""
    row = page[page.index(">Total<") : page.index("</tr>", page.index(">Total<"))]
    return re.findall(r"<td>([^<]*)</td>", row)


def steps(page):
    """Return the titles of the first steps, and which of them are done."""
    section = page[page.index('class="checklist"') : page.index("</ol>")]
    found = re.findall(r'<li class="(\w+)">.*?<(?:a href="[^"]*"|strong)>([^<]*)<', section)
    return {title: state == "done" for state, title in found}


# Figures


def test_the_same_numbers_stand_in_chart_and_table(served, admin):
    """Of all integrations or of one; over a day, a week and a month."""
    served.clock.forward(40)
    append(served, 1, "ticket_created", "ticket_written", "ticket_written", "incident_written", "link_blocked")

    for period in PERIODS:
        page = admin.get(f"/overview?period={period}").text
        assert totals(page)[:4] == ["3", "1", "2", "1"], period
        assert totals(page)[6:8] == ["0", "1"]
        assert 'aria-label="Incidents and requests: Incidents in 3, Requests created 1"' in page
        assert 'aria-label="Time from incident to request: Median 41.5 s, 95 % within 41.5 s"' in page
    one = admin.get("/overview?integration=globex-desk").text
    assert totals(one)[:4] == ["1", "0", "0", "0"]
    assert ">To Desk<" in one
    assert 'href="/overview?period=7d&amp;integration=globex-desk"' in one


def test_a_period_ends_where_it_says(served):
    """What lies further back is in the longer ones only."""
    append(served, 1, "ticket_created")
    counted = []
    for days in (2, 10):
        served.clock.forward(timedelta(days=days).total_seconds())
        ada = Visitor(served.url)
        ada.log_in("ada", ADMIN)  # the login of before has ended by then
        counted.append([totals(ada.get(f"/overview?period={period}").text)[1] for period in PERIODS])

    assert counted == [["0", "1", "1"], ["0", "0", "1"]]


def test_nonsense_in_the_address_is_no_error(admin):
    """An unknown period is the first one; an integration that is not there is not found."""
    assert 'aria-current="true">24 hours<' in admin.get("/overview?period=%00<script>").text
    assert admin.get("/overview?integration=nothing").status_code == 404
    assert admin.get("/overview?integration=%00%27").status_code == 404


def test_figures_of_one_organization_are_not_in_anothers(served):
    """Whoever is limited to one sees and may ask for its own only; waiting changes and first steps too."""
    append(served, 1, "ticket_created", "link_blocked")
    guest = Visitor(served.url)
    guest.log_in("gus", GUEST)

    for period in PERIODS:
        page = guest.get(f"/overview?period={period}").text
        assert totals(page)[:2] == ["1", "0"]
        assert totals(page)[7] == "0"
        assert "acme" not in shown(page).lower()
        assert "integration=acme" not in page
        assert re.search(r"<dt>Now</dt><dd>1</dd>", page)
    front = guest.get("/").text
    assert "acme" not in shown(front).lower()
    assert "Incidents in</dt><dd>1<" in front
    assert guest.get("/overview?integration=acme-desk").status_code == 404


def test_what_waits_is_looked_at_by_the_clock(served, admin):
    """The most at once and the longest wait are those of the last minutes; now is now."""
    served.clock.forward(600)
    served.app.schedule.jobs["backlog"].run()

    page = admin.get("/overview").text

    assert totals(page)[8:] == ["3", "10 min"]
    assert "<dt>Now</dt><dd>3</dd>" in page
    assert "<dt>Oldest now</dt><dd>10 min</dd>" in page


def test_pages_are_light_and_need_no_script(served, admin):
    """With every bar drawn; nothing in them is a script or a style of its own."""
    now = served.clock.now()
    for span, size, count, letters in (("hour", timedelta(hours=1), 200, 13), ("day", timedelta(days=1), 31, 10)):
        for back in range(count):
            start = (now - back * size).isoformat()[:letters]
            told = "INSERT INTO figure VALUES ('acme-desk', ?, ?, 99999, 88888, 77777, 66666, 555, 444, 3333, 98765)"
            sql(served.app.store, f"{told} ON CONFLICT DO NOTHING", span, start)
            sql(served.app.store, "INSERT INTO figure_time VALUES ('acme-desk', ?, ?, 30, 5)", span, start)
    for path in [*(f"/overview?period={period}" for period in PERIODS), "/", "/integrations/acme-desk"]:
        answer = admin.get(path)
        loaded = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text))
        weight = len(answer.content) + sum(len(admin.get(one).content) for one in loaded)
        assert weight <= MOST_BYTES, (path, weight)
        assert answer.text.count("<svg") >= 1
        assert answer.text.count("<script") == 1
        assert 'style="' not in answer.text


# First steps


def test_first_steps_are_ticked_as_they_come_true(served, admin):
    """And are gone for good once a change came back."""
    served.app.store.integrations.remove("globex-desk")
    before = steps(admin.get("/").text)

    append(served, 1, "ticket_created")
    after = steps(admin.get("/").text)
    append(served, 1, "incident_written")

    assert before["First incident seen"] is True
    assert before["First request created"] is False
    assert before["Enable"] is True
    assert {title for title in after if after[title] != before[title]} == {"First request created"}
    assert 'class="checklist"' not in admin.get("/").text


def test_first_steps_end_with_the_request_where_nothing_can_come_back(served, admin):
    """Where every field is synced one way only nobody is told to wait."""
    served.app.store.integrations.remove("globex-desk")
    append(served, 1, "ticket_created")
    rules = {f"{name}.direction": "to_ticket" for name in ("title", "description", "priority", "status")}
    winners = {f"{name}.on_conflict": "latest_wins" for name in ("title", "description", "priority", "status")}
    assert admin.post("/integrations/acme-desk/rules", **rules, **winners).status_code == 303

    assert 'class="checklist"' not in admin.get("/").text


def test_a_viewer_sees_how_far_it_is_and_gets_no_link_to_change_it(served):
    """What is left to do is said, without a place where it is done."""
    served.app.store.integrations.remove("globex-desk")
    viewer = Visitor(served.url)
    viewer.log_in("vic", VIEWER)

    page = viewer.get("/").text

    assert "First request created" in page
    section = page[page.index('class="checklist"') : page.index("</ol>")]
    assert re.findall(r'<li class="(?:next|open)">[^\n]*<a ', section) == []


def test_an_empty_console_says_where_to_begin(tmp_path):
    """The first of the steps leads to where incidents come from."""
    served = Served(tmp_path)
    try:
        ada = Visitor(served.url)
        ada.log_in("ada", ADMIN)
        page = ada.get("/").text
    finally:
        served.stop()
    assert steps(page) != {}
    assert not any(steps(page).values())
