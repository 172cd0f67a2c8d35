"""Deliveries in the console: what came in, what was called, who sees which, and replays."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
import requests
import requests_mock

from connector_core import Delivery, RetryLater
from connector_core.delivery_log import recorder
from connector_core.store import LoggedFilter, NewEntry, Preferences, Result, Way
from connector_core.testing import MemoryDesk
from tests.support.activation import activate
from tests.support.pages import shown
from tests.support.rows import sql
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

HOSTILE = "=cmd|'/c calc'!A1<script>alert(1)</script>"
DESK = MemoryDesk()


@pytest.fixture
def served(tmp_path):
    """Serve a console that logs, with links of two organizations."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", "Dark")
    opened.add("globex-desk", "globex", "Theirs")
    activate(opened.app, "acme-desk", "acme", secret="acme secret")
    activate(opened.app, "globex-desk", "globex", secret="globex secret")
    opened.app.delivery_log.start()
    yield opened
    opened.app.delivery_log.stop()
    opened.stop()


def send(served, delivery, secret="acme secret", path="/external/desk/webhook", **headers):
    """Send a webhook, and have it logged; return the answer and the entry."""
    request = DESK.signed(delivery, secret)
    answer = requests.post(served.url + path, data=request.body, headers={**request.headers, **headers}, timeout=10)
    return answer, latest(served)


def latest(served):
    """Return the latest entry."""
    served.app.delivery_log.flush()
    return served.app.store.delivery_log.find(LoggedFilter(limit=1)).entries[0]


def delivery(number=1, **more):
    """Return a delivery about a ticket that is to be read."""
    return Delivery(id=f"d-{number}", event="ticket_changed", **{"hints": frozenset({"77"}), **more})


def link_up(served, ticket="77"):
    """Have the link of acme linked to a ticket."""
    shown = json.dumps({"id": ticket, "key": "T-77", "title": "Dark", "status": "Open", "url": ""})
    sql(
        served.app.store,
        "UPDATE link SET ticket = ?, ticket_id = ?, ticket_key = 'T-77' WHERE integration_id = 'acme-desk'",
        *(shown, ticket),
    )


def test_days_of_the_filter_are_those_of_the_zone_that_was_chosen(served, admin):
    """In the list, in the export and in what a replay would send again; each says whose days they are."""
    _, entry = send(served, delivery())
    here = entry.at.date()

    def found(day):
        asked = f"since={day}&until={day}"
        listed = f'href="/deliveries/{entry.id}"' in admin.get(f"/deliveries?{asked}").text
        exported = bool(admin.get(f"/deliveries/export?as=json&{asked}").json())
        return listed, exported, "1 delivery" in shown(admin.get(f"/deliveries/replay?way=in&{asked}").text)

    in_utc = [found(here + timedelta(days=one)) for one in (0, 1)]
    served.app.store.sessions.prefer("ada", Preferences("Pacific/Kiritimati"), served.clock.now())
    there = [found(here + timedelta(days=one)) for one in (0, 1)]

    assert in_utc == [(True, True, True), (False, False, False)]
    assert there == [(False, False, False), (True, True, True)]
    assert "To (Pacific/Kiritimati)" in shown(admin.get("/deliveries").text)


def test_an_accepted_delivery_leads_to_its_link(served, admin):
    """When, from where, whose, about what, what came of it; its page has the body and the link, and no secret."""
    link_up(served)

    answer, entry = send(served, delivery(), Cookie="session=top-secret-cookie")

    assert answer.json()["accepted"] == 1
    assert (entry.way, entry.result, entry.organization) == (Way.IN, Result.ACCEPTED, "acme")
    assert (entry.integration_id, entry.client, entry.status) == ("acme-desk", "127.0.0.1", 200)
    assert entry.size > 0
    listed = admin.get("/deliveries").text
    assert f'href="/deliveries/{entry.id}"' in listed
    page = admin.get(f"/deliveries/{entry.id}").text
    assert f'href="/links/{entry.link_id}"' in page
    assert "&#34;event&#34;: &#34;ticket_changed&#34;" in page
    assert "x-desk-signature" in page
    assert DESK.signed(delivery(), "acme secret").headers["x-desk-signature"] not in page
    assert "top-secret-cookie" not in page


def test_duplicates_and_ignored_ones_say_why(served):
    """The same once more is a duplicate; a ticket that nobody has is not linked."""
    _, ignored = send(served, delivery())
    link_up(served)
    _, duplicate = send(served, delivery())

    assert (ignored.result, ignored.code) == (Result.IGNORED, "not_linked")
    assert duplicate.result is Result.DUPLICATE


def test_a_refused_delivery_is_nobodys_and_shown_to_who_sees_all(served, admin, visitor_of):
    """Of an unknown secret nobody knows the organization: an admin of one does not see it, nor its page."""
    answer, entry = send(served, delivery(), secret="somebody else's")

    assert answer.status_code == 403
    assert (entry.result, entry.code, entry.organization) == (Result.REFUSED, "signature_mismatch", "")
    assert "no secret here made their signature" in admin.get("/deliveries?result=refused").text
    assert admin.get(f"/deliveries/{entry.id}").status_code == 200
    guest = visitor_of("gus", GUEST)
    assert f"/deliveries/{entry.id}" not in guest.get("/deliveries").text
    assert guest.get(f"/deliveries/{entry.id}").status_code == 404


def test_nothing_of_one_organization_is_in_anothers_log(served, visitor_of):
    """Not in the list under any filter, nor on a page, in an export, or in a replay."""
    link_up(served)
    _, entry = send(served, delivery())
    number = served.app.replaying.begin([entry.id], ["acme"], {"delivery": entry.id}, "ada")
    guest = visitor_of("gus", GUEST)

    for address in (
        *("/deliveries", "/deliveries?q=77", "/deliveries?result=accepted", f"/deliveries?link={entry.link_id}"),
        *("/deliveries/export?as=csv", "/deliveries/export?as=json", "/deliveries/replays", "/audit"),
    ):
        shown = guest.get(address).text
        assert "ticket_changed" not in shown, address
        assert "acme-desk" not in shown, address
    assert guest.get("/deliveries?integration=acme-desk").status_code == 404
    assert guest.get(f"/deliveries/{entry.id}").status_code == 404
    assert guest.get(f"/deliveries/replays/{number}").status_code == 404
    page = "/deliveries/replays"
    assert guest.post(f"/deliveries/{entry.id}", seen_on="/", action="replay").status_code == 404
    assert guest.post(f"{page}/{number}", seen_on="/", action="stop").status_code == 404
    assert served.app.store.replays.get(number).ended_at is None
    assert guest.post("/deliveries/replay", seen_on="/", action="replay", sure="yes").status_code == 422


def test_a_call_is_logged_without_its_secrets(served, admin):
    """Method, host and path, status, time, whose; no value of the query, no token, also where it is echoed."""
    url = "http://desk.test/api/tickets"
    answer = {"echo": "Bearer abcdef-token", "access_token": "xyz98765"}
    session = served.app.registry.entry("acme-desk").handle.session

    with requests_mock.Mocker() as desk:
        desk.post(url, status_code=404, json=answer)
        session.post(
            f"{url}?jql=private",
            json={"password": "hunter-22", "title": "Fan failed", "note": "acme secret"},
            headers={"Authorization": "Bearer abcdef-token"},
        )

    entry = latest(served)
    assert (entry.way, entry.result, entry.status, entry.method) == (Way.OUT, Result.FAILED, 404, "POST")
    assert entry.address == "desk.test/api/tickets?jql=***"
    assert (entry.organization, entry.integration_id) == ("acme", "acme-desk")
    kept = json.dumps(served.app.store.delivery_log.payload(entry.id))
    assert "Fan failed" in kept
    for secret in ("hunter-22", "abcdef-token", "xyz98765", "acme secret"):
        assert secret not in kept
    assert "desk.test/api/tickets" in admin.get("/deliveries?way=out&status=4").text


def test_a_call_without_an_answer_is_logged_with_its_reason(served, admin):
    """The other side cannot be reached."""
    session = served.app.registry.entry("acme-desk").handle.session

    with pytest.raises(Exception, match="reached"):
        session.get("http://127.0.0.1:9/x")

    assert (latest(served).result, latest(served).code) == (Result.NO_ANSWER, "unreachable")
    assert "Could not be reached." in admin.get("/deliveries?result=no_answer").text


def test_a_flood_of_refused_deliveries_is_sampled_and_counted(served):
    """Some are logged, one entry says how many are not, and one that is signed is logged all the same."""
    for number in range(60):
        send(served, delivery(number), secret="somebody else's")
    send(served, delivery(99))
    served.clock.forward(recorder.OMISSIONS_EVERY_S)
    served.app.delivery_log._write()

    found = served.app.store.delivery_log.find(LoggedFilter(limit=200)).entries
    refused = [one for one in found if one.result is Result.REFUSED]
    assert len(refused) == recorder.REFUSED_BURST
    assert sum(one.facts["refused"] for one in found if one.result is Result.OMITTED) == 60 - len(refused)
    assert any(one.result is Result.IGNORED for one in found)


def test_a_log_that_cannot_be_written_holds_up_nothing(served, monkeypatch):
    """The delivery is taken; the log goes on with the next one."""
    monkeypatch.setattr(served.app.delivery_log._store, "add", _failing)

    answer = requests.post(
        f"{served.url}/external/desk/webhook",
        data=DESK.signed(delivery(), "acme secret").body,
        headers=DESK.signed(delivery(), "acme secret").headers,
        timeout=10,
    )
    served.app.delivery_log.flush()
    monkeypatch.undo()

    assert answer.status_code == 200
    assert send(served, delivery(2))[1].event == "ticket_changed"


def _failing(_entries):
    raise RetryLater("The disk is full.", code="store_full")


def test_a_replay_takes_what_was_ignored_once_its_ticket_is_linked(served, admin):
    """The page begins it, the daemon's job does it, the end is shown, and the new entry names the old one."""
    _, entry = send(served, delivery())
    link_up(served)

    answer = admin.post(f"/deliveries/{entry.id}", action="replay")
    place = answer.headers["location"]
    assert "running" in admin.get(place).text
    served.app.replaying.step()

    page = admin.get(place).text
    assert "1 of 1: 1 accepted, 0 ignored, 0 failed" in page
    again = latest(served)
    assert (again.result, again.facts["replay_of"]) == (Result.ACCEPTED, entry.id)
    assert not again.can_replay
    link = served.app.store.links.get(again.link_id)
    assert link.hints  # its ticket is to be read
    assert "started" in admin.get("/audit?subject=replay").text.lower()


def test_a_replay_by_filter_says_why_some_failed(served, admin):
    """What the filters give and was verified; of an integration that is disabled none is taken."""
    for number in range(3):
        send(served, delivery(number))
    send(served, delivery(9), secret="somebody else's")
    page = admin.get("/deliveries/replay?integration=acme-desk").text
    assert "Replay 3 deliveries" in page
    answer = admin.post(
        "/deliveries/replay",
        seen_on="/deliveries/replay?integration=acme-desk",
        action="replay",
        sure="yes",
        integration="acme-desk",
    )
    served.app.setup.disable("acme-desk")
    served.app.replaying.step()

    shown = admin.get(answer.headers["location"]).text
    assert "3 of 3: 0 accepted, 0 ignored, 3 failed" in shown
    assert "3: the integration is not active" in shown


def test_a_replay_goes_on_after_a_restart(served):
    """What was fed in before is not fed in again, and the rest is."""
    ids = [send(served, delivery(number))[1].id for number in range(3)]
    number = served.app.replaying.begin(ids, None, {}, "ada")
    replay = served.app.store.replays.get(number)
    first = served.app.store.delivery_log.get(ids[0])
    served.app.replaying._take_one(replay, first)  # and then the process was killed before it was noted
    served.app.delivery_log.stop()

    served.restart()
    served.app.replaying.step()

    replay = served.app.store.replays.get(number)
    assert (replay.done, replay.outcome) == (3, "done")


def test_a_sample_outlives_its_time(served, admin):
    """It is kept by whoever may, beyond time and size, until somebody lets it go."""
    _, sample = send(served, delivery(1))
    _, other = send(served, delivery(2))

    admin.post(f"/deliveries/{sample.id}", action="keep")
    served.app.store.delivery_log.trim(0)
    served.app.store.delivery_log.forget(served.clock.now().replace(year=2040), 100)

    assert served.app.store.delivery_log.get(other.id) is None
    page = admin.get(f"/deliveries/{sample.id}").text
    assert "Stop keeping" in page
    assert 'value="replay"' in page
    assert served.app.store.delivery_log.payload(sample.id)


def test_a_viewer_may_look_and_not_replay(served, visitor_of):
    """There is no button, and the form is refused."""
    _, entry = send(served, delivery())
    viewer = visitor_of("vic", VIEWER)

    page = viewer.get(f"/deliveries/{entry.id}").text

    assert 'value="replay"' not in page
    assert viewer.post(f"/deliveries/{entry.id}", seen_on="/", action="replay").status_code == 403
    assert viewer.get("/deliveries/replay").status_code == 404


def test_a_file_has_what_the_filters_give_and_no_formula(served, admin):
    """CSV and JSON with the same columns; a hostile event is a text, on the page, too."""
    now = served.clock.now()
    served.app.store.delivery_log.add(
        [NewEntry(now, Way.IN, "webhook", Result.ACCEPTED, "acme", "acme-desk", event=HOSTILE, about=HOSTILE)]
    )
    send(served, delivery())

    rows = list(csv.DictReader(io.StringIO(admin.get("/deliveries/export?as=csv&result=accepted").text)))
    assert [row["event"] for row in rows] == [f"'{HOSTILE}"]
    assert len(admin.get("/deliveries/export?as=json").json()) == 2
    assert "<script>alert" not in admin.get("/deliveries").text


def test_pages_go_on_by_their_place(served, admin):
    """Older entries are behind a link; nonsense in the address is no condition and no error."""
    now = served.clock.now()
    served.app.store.delivery_log.add(
        [NewEntry(now, Way.OUT, "call", Result.ANSWERED, "acme", method="GET", address=f"h/{n}") for n in range(60)]
    )

    first = admin.get("/deliveries?way=out").text
    older = re.search(r'href="(/deliveries\?[^"]*before=\d+)"', first)[1].replace("&amp;", "&")
    second = admin.get(older).text

    assert first.count('href="/deliveries/') - second.count('href="/deliveries/') > 30
    for nonsense in (
        "way=x&result=y&status=z&before=-1&since=0&link=" + "9" * 40,
        "q=%00",
        "before=999999999999999999",
    ):
        assert admin.get(f"/deliveries?{nonsense}").status_code == 200
    for nowhere in ("x", "9" * 30, "-1", "0"):
        assert admin.get(f"/deliveries/{nowhere}").status_code == 404
        assert admin.get(f"/deliveries/replays/{nowhere}").status_code == 404


@pytest.fixture
def visitor_of(served):
    """Log somebody in."""

    def log_in(name, password):
        visitor = Visitor(served.url)
        assert visitor.log_in(name, password).status_code == 303
        return visitor

    return log_in


@pytest.fixture
def admin(visitor_of):
    """Log the administrator in."""
    return visitor_of("ada", ADMIN)
