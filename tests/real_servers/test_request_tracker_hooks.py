"""The Request Tracker plugin at a real server: hooks called as the core calls them, and what goes wrong there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from connector_core import (
    AbsenceKind,
    AuthError,
    AuthorizationStart,
    CloseTicket,
    Comment,
    ConfigError,
    CreateTicket,
    FieldName,
    FindComment,
    FindTicket,
    Grant,
    InboundRequest,
    Incident,
    MarkTicket,
    NotCreated,
    Priority,
    RemoteError,
    RetryLater,
    Severity,
    TicketChanged,
    TicketGone,
    TicketQuery,
    WriteComment,
    WriteFields,
)
from connector_core.clock import SystemClock
from connector_core.plugins import load_plugins
from connector_core.testing import MemoryCore, make_integration
from connector_request_tracker.api import PAGES
from connector_request_tracker_sandbox import RequestTrackerSandbox
from connector_request_tracker_sandbox.site import HIDDEN_QUEUE, QUEUE, STAGED_QUEUE
from tests.support.deliveries import taking_deliveries
from tests.support.needed import require
from tests.support.pages_in_between import serving

pytestmark = pytest.mark.request_tracker

T, D, P = FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY
SECRET = r"it's $a @b \secret"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def site():
    """Serve one site for this file."""
    require("request-tracker")
    with RequestTrackerSandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def plugin():
    """Return the plugin, as the core calls it."""
    return load_plugins().get("request_tracker")


@pytest.fixture
def handle(site, plugin):
    """Return a function that makes a handle, authorized unless the test says otherwise."""

    def handle(*, is_authorized=True, grant=None, secrets=(), **settings):
        given = {"address": site.url, "token": SecretStr(site.token), "queue": QUEUE, **settings}
        core = MemoryCore(present=grant)
        made = make_integration(plugin.info, given, core=core, clock=SystemClock(), webhook_secrets=secrets)
        if is_authorized and grant is None:
            core.present = plugin.authorize(integration=made, request=START)
        return made

    return handle


START = AuthorizationStart(state="s", callback_url="https://c.example/oauth/callback")


@pytest.fixture
def desk(plugin, handle):
    """Return what opens, reads, writes and closes tickets as the core does."""
    return Desk(plugin, handle())


class Desk:
    """Calls hooks."""

    def __init__(self, plugin, integration):
        self.plugin = plugin
        self.integration = integration

    def do(self, change):
        """Have a change written."""
        return self.plugin.on_incident_event(integration=self.integration, change=change)

    def open(self, incident=None, marker=None):
        """Open a ticket; return it with the incident and the marker."""
        incident, marker = incident or an_incident(), marker or a_marker()
        receipt = self.do(CreateTicket(incident=incident, marker=marker))
        assert receipt.note == ""
        return receipt.ticket, incident, marker

    def write(self, ticket, incident, *fields):
        """Write fields."""
        return self.do(WriteFields(incident=incident, marker="cnx-1", ticket=ticket, fields=frozenset(fields)))

    def close(self, ticket, incident):
        """Close a ticket."""
        return self.do(CloseTicket(incident=incident, marker="cnx-1", ticket=ticket))

    def fetch(self, *ids, since=None):
        """Read tickets."""
        query = TicketQuery(ids=frozenset(ids), changed_since=since)
        return self.plugin.fetch_tickets(integration=self.integration, query=query)

    def why_gone(self, ticket):
        """Return why a ticket is not there."""
        return self.plugin.explain_absence(integration=self.integration, tickets=[ticket]).get(ticket.id)


def a_marker():
    """Return a marker as the core makes them."""
    return f"cnx-{uuid4().hex[:20]}"


def an_incident(**fields):
    """Return an incident."""
    given = {"title": "Display off", "description": "Room 4.\nNo picture.", "priority": "high", **fields}
    return Incident(id=uuid4().hex, url="https://hub.example/incidents/42", **given)


def test_a_ticket_says_what_the_incident_says(site, desk):
    """Title, words and priority; it refers to the incident, and is found by its mark."""
    ticket, incident, marker = desk.open()

    shown = site.ticket(ticket.id)
    found = desk.do(FindTicket(incident=incident, marker=marker, attempted_at=LONG_AGO, attempt_age_s=0))
    assert (shown["title"], shown["priority"], shown["status"]) == ("Display off", "high", "new")
    assert shown["description"].startswith("Room 4.\nNo picture.\n")
    assert (ticket.title, ticket.priority, ticket.done, ticket.key) == ("Display off", "high", False, f"#{ticket.id}")
    assert ticket.url == shown["url"]
    assert found.ticket.id == ticket.id
    assert (found.as_created.title, found.as_created.description) == ("Display off", "Room 4.\nNo picture.")
    assert not found.as_created.done


def test_what_was_finished_since_is_seen_by_how_it_was_made(site, desk):
    """The answer to a create was lost, and somebody was quick."""
    ticket, incident, marker = desk.open()
    site.finish_ticket(ticket.id)
    site.edit_ticket(ticket.id, title="Solved")

    found = desk.do(FindTicket(incident=incident, marker=marker, attempted_at=LONG_AGO, attempt_age_s=0))

    assert (found.ticket.title, found.ticket.done) == ("Solved", True)
    assert (found.as_created.title, found.as_created.done) == ("Display off", False)


def test_what_was_never_made_is_said_when_that_is_certain(desk):
    """A call that was given up may still arrive: before that nothing is created again."""
    incident = an_incident()

    with pytest.raises(RetryLater) as caught:
        desk.do(FindTicket(incident=incident, marker=a_marker(), attempted_at=LONG_AGO, attempt_age_s=1))
    late = desk.do(FindTicket(incident=incident, marker=a_marker(), attempted_at=LONG_AGO, attempt_age_s=600))

    assert caught.value.code == "looking_for_lost_answer"
    assert late == NotCreated()


def test_fields_are_written_and_read_back(site, desk):
    """In three calls; numbers are sent, for Request Tracker would store any word."""
    ticket, incident, _ = desk.open()
    before = site.call_count()

    receipt = desk.write(ticket, incident.model_copy(update={"title": "Two\nlines", "priority": Priority.LOW}), T, P)

    assert site.call_count() - before == 3
    assert (receipt.ticket.title, receipt.ticket.priority, receipt.refused) == ("Two lines", "low", {})
    assert (site.ticket(ticket.id)["title"], site.ticket(ticket.id)["priority"]) == ("Two lines", "low")


def test_a_description_is_never_tried(site, desk):
    """Request Tracker keeps the first message; the plugin says so once for all."""
    ticket, incident, _ = desk.open()
    before = site.call_count()

    receipt = desk.write(ticket, incident.model_copy(update={"description": "New"}), D)

    assert desk.plugin.info.unchangeable == {D}
    assert D in receipt.refused
    assert site.call_count() == before


def test_a_persons_change_is_not_written_over(site, desk):
    """It is shown instead, to be weighed."""
    ticket, incident, _ = desk.open()
    site.edit_ticket(ticket.id, title="A person's")

    with pytest.raises(TicketChanged) as caught:
        desk.write(ticket, incident.model_copy(update={"title": "Ours"}), T)

    assert caught.value.ticket.title == "A person's"
    assert site.ticket(ticket.id)["title"] == "A person's"


def test_a_change_between_look_and_write_is_not_written_over(site, desk):
    """The version that was read is named with each write (If-Match): a stale one writes nothing."""
    from connector_request_tracker.desk import Tracker  # noqa: PLC0415 - the only test that looks inside

    ticket, _, _ = desk.open()
    tracker = Tracker(desk.integration)
    tracker.read(ticket)
    site.write_comment(ticket.id, "On it", internal=True)

    with pytest.raises(TicketChanged):
        tracker.write(ticket, {T: "Ours"})

    assert site.ticket(ticket.id)["title"] == "Display off"


@pytest.mark.parametrize(
    ("title", "priority"), [("Display off", "high"), ("A person's", "low")], ids=["as they were", "otherwise"]
)
def test_a_change_right_behind_our_write_is_a_persons(site, desk, monkeypatch, title, priority):
    """The receipt shows what was written: what somebody made of it before we read it back is seen as theirs."""
    ticket, incident, _ = desk.open()
    send = desk.integration.session.request

    def request(method, url, **more):
        answer = send(method, url, **more)
        if method == "PUT":
            site.edit_ticket(ticket.id, title=title, priority=priority)
        return answer

    monkeypatch.setattr(desk.integration.session, "request", request)
    receipt = desk.write(ticket, incident.model_copy(update={"title": "Ours", "priority": Priority.CRITICAL}), T, P)
    (read,) = desk.fetch(ticket.id)

    assert (receipt.refused, receipt.unkept) == ({}, {})
    assert (receipt.ticket.title, receipt.ticket.priority) == ("Ours", "critical")
    assert (read.title, read.priority) == (title, priority)


def test_a_refused_sentence_is_told_for_its_fields(site, desk):
    """The status of the answer is 200 whatever became of it."""
    ticket, incident, _ = desk.open()
    site.take_right("ModifyTicket")
    try:
        receipt = desk.write(ticket, incident.model_copy(update={"title": "Ours", "priority": Priority.LOW}), T, P)
        with pytest.raises(RemoteError) as caught:
            desk.close(ticket, incident)
    finally:
        site.give_right("ModifyTicket")

    assert set(receipt.refused) == {T, P}
    assert "Permission Denied" in receipt.refused[T]
    assert receipt.ticket.title == "Display off"
    assert "resolved" in caught.value.message
    assert site.ticket(ticket.id)["status"] == "new"


def test_a_resolved_incident_closes_its_ticket_once(site, desk):
    """What somebody finished by then is left alone."""
    ticket, incident, _ = desk.open()
    other, of_other, _ = desk.open()
    site.move_ticket(other.id, "rejected")

    closed, left = desk.close(ticket, incident), desk.close(other, of_other)

    assert (closed.ticket.status, closed.ticket.done) == ("resolved", True)
    assert (left.ticket.status, left.ticket.done) == ("rejected", True)
    assert (site.ticket(ticket.id)["status"], site.ticket(other.id)["status"]) == ("resolved", "rejected")


def test_do_not_auto_close_asks_for_nothing(site, plugin, handle):
    """It is a choice beside the statuses."""
    desk = Desk(plugin, handle(close_status="do_not_auto_close"))
    ticket, incident, _ = desk.open()
    before = site.call_count()

    receipt = desk.close(ticket, incident)

    assert (receipt.ticket, site.call_count()) == (ticket, before)
    assert "not closed automatically" in receipt.note


def test_a_close_goes_by_the_lifecycle_of_the_ticket(site, plugin, handle):
    """What may not follow is not tried, and said with what may; later it works."""
    desk = Desk(plugin, handle(queue=STAGED_QUEUE, close_status="done"))
    ticket, incident, _ = desk.open()

    with pytest.raises(RemoteError) as caught:
        desk.close(ticket, incident)
    for status in ("accepted", "in work"):
        site.move_ticket(ticket.id, status)
    (at_work,) = desk.fetch(ticket.id)
    receipt = desk.close(at_work, incident)

    assert caught.value.code == "status_unreachable"
    assert "accepted, declined" in caught.value.message
    assert not at_work.done
    assert (receipt.ticket.status, receipt.ticket.done) == ("done", True)


def test_a_status_that_is_none_is_not_written(site, plugin, handle):
    """The check warns of it, the close says it, and the ticket stays as it is."""
    desk = Desk(plugin, handle(close_status="vanished"))
    ticket, incident, _ = desk.open()

    findings = {one.code: one for one in plugin.check_integration(integration=desk.integration)}
    with pytest.raises(RemoteError):
        desk.close(ticket, incident)

    assert findings["close_status"].severity is Severity.WARNING
    assert site.ticket(ticket.id)["status"] == "new"


def test_many_tickets_are_read_in_few_calls(site, desk):
    """Those that are not there are left out, whatever stands for a number."""
    opened = [desk.open()[0] for _ in range(3)]
    before = site.call_count()

    found = desk.fetch(*(ticket.id for ticket in opened), "999999", "1 OR id > 0")

    assert sorted(one.id for one in found) == sorted(ticket.id for ticket in opened)
    assert site.call_count() - before == 1


def test_what_changed_is_found_by_a_time(site, desk):
    """With the margin that the core subtracts."""
    one, two = desk.open()[0], desk.open()[0]
    site.edit_ticket(two.id, title="Changed")

    since = desk.fetch(one.id, two.id, since=datetime.now(UTC) - timedelta(minutes=2))
    none = desk.fetch(one.id, two.id, since=datetime.now(UTC) + timedelta(minutes=2))

    assert {ticket.id: ticket.title for ticket in since} == {one.id: "Display off", two.id: "Changed"}
    assert none == []


def test_why_a_ticket_is_not_found(site, desk):
    """Merged into another, deleted, hidden, or never there; one that is there has no reason."""
    kept, merged, deleted, hidden = (desk.open()[0] for _ in range(4))
    site.merge_ticket(merged.id, into=kept.id)
    site.delete_ticket(deleted.id)
    site.hide_ticket(hidden.id)

    found = {one.id for one in desk.fetch(kept.id, merged.id, deleted.id, hidden.id)}
    reasons = {one.id: desk.why_gone(one) for one in (kept, merged, deleted, hidden)}
    never = desk.why_gone(kept.model_copy(update={"id": "999999"}))
    site.unhide_ticket(hidden.id)

    assert found == {kept.id}
    assert reasons[kept.id] is None
    assert (reasons[merged.id].kind, reasons[merged.id].into) == (AbsenceKind.MERGED, kept.id)
    assert reasons[deleted.id].kind is AbsenceKind.DELETED
    assert reasons[hidden.id].kind is AbsenceKind.HIDDEN
    assert never.kind is AbsenceKind.DELETED
    assert desk.why_gone(hidden) is None


def test_a_write_to_what_is_not_there_any_more_writes_nothing(site, desk):
    """Not to the ticket that a merged one leads to, either."""
    incident = an_incident(title="Ours")
    kept, merged, deleted, hidden = (desk.open()[0] for _ in range(4))
    site.merge_ticket(merged.id, into=kept.id)
    site.delete_ticket(deleted.id)
    site.hide_ticket(hidden.id)

    for ticket in (merged, deleted, hidden):
        with pytest.raises(TicketGone):
            desk.write(ticket, incident, T)
        with pytest.raises(TicketGone):
            desk.close(ticket, incident)

    assert site.ticket(kept.id)["title"] == "Display off"


def a_draft(ticket, *, public=False, text="Is it <b>hot</b>?"):
    """Return a comment to be written."""
    comment = Comment(id="c1", author="Ada", text=text, created_at=datetime.now(UTC))
    return WriteComment(ticket=ticket, comment=comment, platform="Hub", marker=a_marker(), public=public)


@pytest.mark.parametrize("public", [False, True], ids=["internal", "public"])
def test_comments_are_written_once_and_known_as_ours(site, desk, public):
    """Internal ones are comments, public ones correspondence; after a lost answer the one is found."""
    ticket, _, _ = desk.open()
    draft = a_draft(ticket, public=public)

    written = desk.plugin.write_comment(integration=desk.integration, draft=draft)
    look = FindComment(**draft.model_dump(), attempted_at=datetime.now(UTC), attempt_age_s=0)
    found = desk.plugin.write_comment(integration=desk.integration, draft=look)
    other = look.model_copy(update={"marker": a_marker(), "attempt_age_s": 600})
    read = desk.plugin.fetch_comments(integration=desk.integration, ticket=ticket, since=LONG_AGO)

    assert found.id == written.id
    assert desk.plugin.write_comment(integration=desk.integration, draft=other) == NotCreated()
    assert [(one.id, one.own, one.internal, one.text) for one in read] == [
        (written.id, True, not public, "Is it <b>hot</b>?")
    ]
    assert [one["internal"] for one in site.comments(ticket.id)] == [not public]


def test_what_people_write_is_read(site, desk):
    """With who wrote it; the first message is no comment, and a page of markup is its words."""
    ticket, _, _ = desk.open()
    site.write_comment(ticket.id, "Between us", internal=True)
    site.write_comment(ticket.id, "We are on it")
    site._agent.post(f"/ticket/{ticket.id}/comment", Content="<p>a &amp; <b>b</b></p>", ContentType="text/html")

    read = desk.plugin.fetch_comments(integration=desk.integration, ticket=ticket, since=LONG_AGO)
    later = desk.plugin.fetch_comments(
        integration=desk.integration, ticket=ticket, since=datetime.now(UTC) + timedelta(hours=1)
    )

    assert [(one.text, one.internal, one.own, one.author) for one in read] == [
        ("Between us", True, False, "Agent"),
        ("We are on it", False, False, "Agent"),
        ("a & b", True, False, "Agent"),
    ]
    assert later == []


def test_a_comment_without_the_right_is_a_matter_of_set_up(site, desk):
    """Request Tracker answers it as a mistake of ours; whoever may change a ticket may also comment it."""
    ticket, _, _ = desk.open()
    for right in ("CommentOnTicket", "ModifyTicket"):
        site.take_right(right)
    try:
        with pytest.raises(ConfigError) as caught:
            desk.plugin.write_comment(integration=desk.integration, draft=a_draft(ticket))
        findings = desk.plugin.check_integration(integration=desk.integration)
    finally:
        for right in ("CommentOnTicket", "ModifyTicket"):
            site.give_right(right)

    assert caught.value.code == "permission_missing"
    assert [one.detail for one in findings if one.severity is Severity.PROBLEM] == ["ModifyTicket"]
    assert site.comments(ticket.id) == []


def test_a_working_integration_is_found_to_be_one(site, desk):
    """Nothing is written by looking."""
    desk.open()
    tickets = len(site.tickets())

    findings = desk.plugin.check_integration(integration=desk.integration)

    assert {one.severity for one in findings} == {Severity.OK}
    assert {"site", "queue", "rights", "close_status"} <= {one.code for one in findings}
    assert len(site.tickets()) == tickets


@pytest.mark.parametrize("right", ["CreateTicket", "SeeQueue"])
def test_a_missing_right_is_found_and_creates_nothing(site, desk, right):
    """By the check, and by the first incident."""
    tickets = len(site.tickets())
    site.take_right(right)
    try:
        findings = desk.plugin.check_integration(integration=desk.integration)
        refused = [] if right == "SeeQueue" else [desk.do]
        for do in refused:
            with pytest.raises(ConfigError):
                do(CreateTicket(incident=an_incident(), marker=a_marker()))
    finally:
        site.give_right(right)

    assert Severity.PROBLEM in {one.severity for one in findings}
    assert all(one.fix for one in findings if one.severity is Severity.PROBLEM)
    assert len(site.tickets()) == tickets


def test_a_queue_that_is_hidden_is_found(plugin, handle):
    """Request Tracker tells nobody whether it is there."""
    findings = plugin.check_integration(integration=handle(queue=HIDDEN_QUEUE))

    assert "queue_missing" in {one.code for one in findings if one.severity is Severity.PROBLEM}


def test_whose_the_token_is(site, plugin, handle):
    """Its own user, at the address that people know."""
    grant = handle().core.grant()

    assert (grant.account_name, grant.site.url) == ("Connector", site.url)
    assert site.token not in repr(grant)


@pytest.mark.parametrize("token", ["1-2-3", "nonsense", "1-27-" + "0" * 32])
def test_a_wrong_token_is_refused(plugin, handle, token):
    """With what to do about it."""
    with pytest.raises(AuthError) as caught:
        plugin.authorize(integration=handle(is_authorized=False, token=SecretStr(token)), request=START)

    assert "does not accept the token" in caught.value.message
    assert "Auth Tokens" in caught.value.fix
    assert token not in f"{caught.value.message} {caught.value.detail}"


@pytest.mark.parametrize("path", ["/Ticket", "/NoAuth"])
def test_a_wrong_address_answers_with_a_page(site, plugin, handle, path):
    """The log-in comes with status 200 for whatever is asked outside the interface."""
    with pytest.raises((RetryLater, ConfigError)) as caught:
        plugin.authorize(integration=handle(is_authorized=False, address=f"{site.url}{path}"), request=START)

    assert caught.value.fix or "page" in caught.value.message


def test_nothing_there_is_waited_for(plugin, handle):
    """A closed port is no refusal."""
    with pytest.raises(RetryLater):
        plugin.authorize(integration=handle(is_authorized=False, address="http://127.0.0.1:9"), request=START)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b"<html>This instance sleeps</html>"),
        (404, "text/html", b"<html>Not here</html>"),
        (403, "text/html", b"<html>A firewall</html>"),
        (200, "application/json", b'{"items": [{"id": "1", "Sub'),
        (200, "application/json", b'{"ok": true}'),
    ],
)
def test_a_page_in_place_of_the_interface_makes_no_ticket_gone(plugin, handle, status, kind, body):
    """Nor half a page of it, nor something else in JSON; nothing is called created, finished or deleted by it."""
    with serving(status, kind, body) as address:
        integration = handle(address=address, grant=Grant(headers={}))
        ticket = Desk(plugin, integration)
        shown = a_snapshot()
        for call in (
            lambda: ticket.fetch("1"),
            lambda: ticket.close(shown, an_incident()),
            lambda: ticket.write(shown, an_incident(title="x"), T),
            lambda: ticket.why_gone(shown),
            lambda: ticket.do(
                FindTicket(incident=an_incident(), marker=a_marker(), attempted_at=LONG_AGO, attempt_age_s=900)
            ),
        ):
            with pytest.raises((RetryLater, ConfigError)) as caught:
                call()
            assert not isinstance(caught.value, TicketGone)


def a_snapshot():
    """Return a ticket as it may have been seen."""
    from connector_core import TicketSnapshot  # noqa: PLC0415 - here alone

    return TicketSnapshot(id="1", key="#1", title="Display off", status="new", priority=Priority.HIGH)


def test_a_search_that_finds_everything_leads_to_no_other_ticket(plugin, handle):
    """What was not asked for is left out, and a ticket without the mark is not ours."""
    everything = (
        b'{"pages": 1, "items": [{"id": "1", "Subject": "Not ours", "Status": "new", "Priority": "5"},'
        b' {"id": "2", "Subject": "Nor this", "Status": "new", "Priority": "5"}], "id": 1, "_hyperlinks": []}'
    )
    with serving(200, "application/json", everything) as address:
        desk = Desk(plugin, handle(address=address, grant=Grant(headers={})))

        found = desk.fetch("2")
        look = FindTicket(incident=an_incident(), marker=a_marker(), attempted_at=LONG_AGO, attempt_age_s=900)

        assert [one.id for one in found] == ["2"]
        assert desk.do(look) == NotCreated()


def test_the_scrip_that_is_handed_out_signs_what_it_tells(site, plugin, handle):
    """As somebody pastes it: one delivery for each request, known as ours, with who did what."""
    with taking_deliveries() as taken:
        integration = handle(secrets=(SECRET,))
        integration = type(integration)(**{**vars(integration), "webhook_url": taken.url})
        desk = Desk(plugin, integration)
        steps = {step.key: step for step in plugin.configure_steps(integration=integration)}
        (script,) = steps["webhook"].values
        site.register_webhook(taken.url, SECRET, script=script.value)
        ticket, _, _ = desk.open()
        taken.next()

        site.edit_ticket(ticket.id, title="Lobby", priority="low")
        edited = read_of(plugin, integration, taken.next())
        site.write_comment(ticket.id, "On it", internal=True)
        commented = read_of(plugin, integration, taken.next())

        other, _, _ = desk.open()
        taken.next()
        site.merge_ticket(other.id, into=ticket.id)
        merged = read_of(plugin, integration, taken.next())

        assert SECRET not in script.masked
        assert merged.hints == {ticket.id, other.id}
        assert (edited.hints, edited.signed_by) == ({ticket.id}, 0)
        assert edited.changed_by == {T: "Agent", P: "Agent"}
        assert commented.commented == {ticket.id: {site.comments(ticket.id)[0]["id"]}}


def read_of(plugin, integration, taken):
    """Have a delivery read as it came."""
    headers = {name.lower(): value for name, value in taken.headers.items()}
    request = InboundRequest(headers=headers, body=taken.body, received_at=datetime.now(UTC))
    assert plugin.find_signature(request).is_by(SecretStr(SECRET))
    return plugin.on_inbound_webhook(integration=integration, request=request)


def test_what_set_up_asks(site, plugin, handle):
    """Address and token first; lists come from the site, a status that none shows yet can be typed."""
    ticket, _, _ = Desk(plugin, handle(queue=STAGED_QUEUE)).open()
    steps = {step.key: step for step in plugin.configure_steps(integration=handle(queue=STAGED_QUEUE))}
    asked = {field.key: field for step in steps.values() for field in step.fields}

    queues = [choice.value for choice in asked["queue"].load()]
    statuses = [choice.value for choice in asked["close_status"].load()]

    assert steps["account"].before_authorization
    assert asked["address"].needs_again == {"token"}
    assert {QUEUE, STAGED_QUEUE} <= set(queues)
    assert HIDDEN_QUEUE not in queues
    assert statuses[-1] == "do_not_auto_close"
    assert {"declined", "accepted"} & set(statuses) or site.ticket(ticket.id)["status"] != "received"
    assert asked["close_status"].may_be_typed
    assert steps["webhook"].optional
    assert steps["webhook"].values == ()


def test_tickets_are_found_marked_and_listed(desk, site):
    """By number and address; a mark replaces a former one, and beside it a ticket refers to what it did."""
    ticket, incident, marker = desk.open()
    path = f"{site.url}/Ticket/Display.html?Foo=1&id={ticket.id}#txn-1"
    names = [ticket.id, f"#{ticket.id}", path]
    other, later = an_incident().model_copy(update={"url": "https://hub.example/incidents/77"}), a_marker()

    def found(*wanted):
        return desk.plugin.find_tickets(integration=desk.integration, names=wanted)

    assert {name: (one.ticket.id, one.marker) for name, one in found(*names, "#0", "x", "99999999").items()} == (
        dict.fromkeys(names, (ticket.id, marker))
    )
    mark = MarkTicket(incident=other, marker=later, ticket=ticket)
    assert [desk.plugin.mark_ticket(integration=desk.integration, mark=mark).note for _ in range(2)] == ["", ""]

    assert found(ticket.id)[ticket.id].marker == later
    look = FindTicket(incident=other, marker=later, attempted_at=LONG_AGO, attempt_age_s=900)
    assert desk.do(look).ticket.id == ticket.id
    links = {
        one.get("_url") for one in site._agent.get(f"/ticket/{ticket.id}")["_hyperlinks"] if one["ref"] == "refers-to"
    }
    assert links == {f"urn:connector:{later}", incident.url, other.url}


def test_all_pages_of_marks_are_listed(desk, monkeypatch):
    """From where the last one ended; tickets without a mark are only counted."""
    monkeypatch.setattr("connector_request_tracker.desk.PAGES", replace(PAGES, size=2))
    ours = {ticket.id: marker for ticket, _, marker in (desk.open() for _ in range(3))}
    listed, seen, cursor, pages = {}, 0, None, 0
    while pages == 0 or cursor is not None:
        page = desk.plugin.list_marked(integration=desk.integration, cursor=cursor)
        listed |= {one.ticket.id: one.marker for one in page.tickets}
        seen, cursor, pages = seen + page.seen, page.cursor, pages + 1

    assert ours.items() <= listed.items()
    assert pages >= 2
    assert seen >= len(listed)
