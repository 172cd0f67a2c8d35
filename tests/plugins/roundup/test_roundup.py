"""The example of *Write a plugin* before the server that it is for."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from pydantic import SecretStr

import connector_roundup
from connector_core import (
    AuthError,
    CloseTicket,
    CreateTicket,
    FieldName,
    FindTicket,
    NotCreated,
    Priority,
    RemoteError,
    RetryLater,
    Severity,
    TicketChanged,
    TicketGone,
    TicketQuery,
    WriteFields,
)
from connector_core.kit import paging
from connector_core.testing import FrozenClock, PluginContract, make_integration
from connector_roundup import check_integration, configure_steps, fetch_tickets, on_incident_event

MOST_LINES = 200


class TestContract(PluginContract):
    """What every plugin keeps to."""

    module = connector_roundup
    settings = {"address": "https://issues.example.com", "user": "connector", "password": "a password"}  # noqa: RUF012 - as documented


@pytest.fixture
def marker():
    """Return a marker that no issue has."""
    return f"cnx-{uuid4().hex[:20]}"


def losing(integration, monkeypatch, *, path, reached):
    """Have the answer to the next POST of a path be lost, after it was carried out or before."""
    send = integration.session.request

    def request(method, url, **more):
        if method != "POST" or path not in url or url.endswith("/issue/@poe"):
            return send(method, url, **more)
        monkeypatch.setattr(integration.session, "request", send)
        if reached:
            send(method, url, **more)
        raise RetryLater("The answer was lost.", outcome_unknown=True)

    monkeypatch.setattr(integration.session, "request", request)


def issues_called(desk, title):
    """Return the issues of a title."""
    return [one for one in desk.tickets() if one["title"] == title]


def settled(integration, incident, marker, *, age_s=0.0):
    """Look for what an attempt may have made that ended so long ago."""
    at = integration.clock.now()
    look = FindTicket(incident=incident, marker=marker, attempted_at=at, attempt_age_s=age_s)
    return on_incident_event(integration, look)


def test_it_stays_a_tutorial():
    """Without blank lines and docstrings it has no more lines than a reader takes in within an hour."""
    lines = 0
    for path in Path(connector_roundup.__file__).parent.glob("*.py"):
        text = path.read_text()
        texts = [node.body[0] for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED) and has_text(node)]
        described = {number for one in texts for number in range(one.lineno, one.end_lineno + 1)}
        lines += sum(1 for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in described)

    assert 0 < lines <= MOST_LINES


DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def has_text(node):
    """Return whether it begins with a docstring."""
    return ast.get_docstring(node, clean=False) is not None


def test_an_incident_becomes_an_issue(desk, ticket, incident):
    """With all that is known of it in its first message; the receipt tells what was sent."""
    there = desk.ticket(ticket.id)
    assert (there["title"], there["priority"]) == ("Fan failed", "high")
    assert there["description"].startswith("It is hot.")
    assert there["description"].endswith("Reference: cnx-" + "0" * 20)
    assert (ticket.title, ticket.priority, ticket.description) == ("Fan failed", Priority.HIGH, "It is hot.")
    assert ticket.key == there["key"]
    assert ticket.url == there["url"]


def test_an_issue_is_read_as_it_is(desk, integration, ticket):
    """Alone or among those changed last; what it does not tell is unknown and not empty."""
    desk.edit_ticket(ticket.id, title="Fan broken", priority="planning")
    desk.finish_ticket(ticket.id)

    (read,) = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id, "99999"})))

    assert (read.title, read.priority, read.status, read.done) == ("Fan broken", Priority.PLANNING, "resolved", True)
    assert read.unknown == {FieldName.DESCRIPTION}
    assert read.over(ticket).description == "It is hot."
    latest = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id}), changed_since=read.updated))
    assert read in latest
    later = read.updated + timedelta(seconds=3600)
    assert fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id}), changed_since=later)) == []


def test_the_time_zone_of_the_user_does_not_matter(desk, integration, ticket):
    """Roundup takes a time in a filter for one of the user's zone, but shows it in UTC."""
    account = requests.Session()
    account.auth = ("connector", desk.passwords["connector"])
    account.headers.update({"X-Requested-With": "rest", "Origin": desk.url})
    (found,) = account.get(f"{desk.url}/rest/data/user?username=connector", timeout=60).json()["data"]["collection"]

    def in_zone(hours):
        etag = account.get(found["link"], timeout=60).headers["ETag"]
        account.patch(
            found["link"], json={"timezone": hours}, headers={"If-Match": etag}, timeout=60
        ).raise_for_status()

    (read,) = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id})))
    in_zone("-8")
    try:
        latest = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id}), changed_since=read.updated))
    finally:
        in_zone("0")

    assert read in latest


def test_more_than_a_page_is_read(integration, ticket, incident, monkeypatch):
    """Lists go on until one is older."""
    (read,) = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id})))
    real = paging.PageNumber
    monkeypatch.setattr(paging, "PageNumber", lambda name, **more: real(name, **{**more, "size": 1}))
    for number in range(2):
        on_incident_event(
            integration, CreateTicket(incident=incident.model_copy(update={"title": f"Other {number}"}), marker="cnx-2")
        )

    latest = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id}), changed_since=read.updated))

    assert read in latest
    assert [one.id for one in latest] == [ticket.id]


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize("lost", [("/issue/@poe/", True), ("/issue/@poe/", False), ("/msg", True), ("/msg", False)])
def test_a_lost_answer_makes_no_second_issue(desk, integration, incident, marker, monkeypatch, lost):  # noqa: PLR0917 - fixtures
    """Whether the call arrived or not, at once and without waiting: its address is used up, and the issue is found."""
    (path, reached), incident = lost, incident.model_copy(update={"title": f"Fan {marker} failed"})
    losing(integration, monkeypatch, path=path, reached=reached)
    with pytest.raises(RetryLater) as caught:
        on_incident_event(integration, CreateTicket(incident=incident, marker=marker))
    assert caught.value.outcome_unknown is (path != "/msg")

    answer = settled(integration, incident, marker) if path != "/msg" else NotCreated()
    if isinstance(answer, NotCreated):
        answer = on_incident_event(integration, CreateTicket(incident=incident, marker=marker))

    assert [one["id"] for one in issues_called(desk, incident.title)] == [answer.ticket.id]


def test_an_issue_that_was_made_without_a_word_of_its_number_is_looked_for(
    desk, integration, incident, marker, monkeypatch
):
    """It is not known whether there is one: a second one would be one too many."""
    send = integration.session.request

    def request(method, url, **more):
        answer = send(method, url, **more)
        if "/issue/@poe/" in url:
            answer._content = b'{"data": {}}'
        return answer

    monkeypatch.setattr(integration.session, "request", request)
    incident = incident.model_copy(update={"title": f"Fan {marker} failed"})
    with pytest.raises(RetryLater) as caught:
        on_incident_event(integration, CreateTicket(incident=incident, marker=marker))

    assert caught.value.outcome_unknown
    monkeypatch.setattr(integration.session, "request", send)
    assert [one["id"] for one in issues_called(desk, incident.title)] == [
        settled(integration, incident, marker).ticket.id
    ]


def test_what_arrives_after_the_look_makes_nothing(desk, integration, incident, marker, monkeypatch):
    """A call that was given up, and reaches Roundup when nobody waits for it any more, finds its address used up."""
    kept = []
    send = integration.session.request

    def request(method, url, **more):
        if "/issue/@poe/" not in url or kept:
            return send(method, url, **more)
        kept.append((method, url, more))
        raise RetryLater("The answer was lost.", outcome_unknown=True)

    monkeypatch.setattr(integration.session, "request", request)
    incident = incident.model_copy(update={"title": f"Fan {marker} failed"})
    with pytest.raises(RetryLater):
        on_incident_event(integration, CreateTicket(incident=incident, marker=marker))
    assert settled(integration, incident, marker) == NotCreated()

    ((method, url, more),) = kept
    assert send(method, url, **more).status_code == 400
    assert issues_called(desk, incident.title) == []


def test_without_its_address_a_look_waits(desk, integration, incident, marker):
    """After a restart that lost what was remembered: a call may be on its way for half a minute."""
    with pytest.raises(RetryLater) as caught:
        settled(integration, incident, marker, age_s=20)
    assert 0 < caught.value.after_s <= 10

    assert settled(integration, incident, marker, age_s=31) == NotCreated()


def test_an_issue_that_was_found_shows_what_people_changed(desk, integration, incident, marker, monkeypatch):
    """Beside how it was made, so that their change is seen."""
    losing(integration, monkeypatch, path="/issue/@poe/", reached=True)
    incident = incident.model_copy(update={"title": f"Fan {marker} failed"})
    with pytest.raises(RetryLater):
        on_incident_event(integration, CreateTicket(incident=incident, marker=marker))
    (there,) = issues_called(desk, incident.title)
    desk.edit_ticket(there["id"], title="Seen to")

    receipt = settled(integration, incident, marker)

    assert (receipt.ticket.title, receipt.as_created.title) == ("Seen to", incident.title)


def write(integration, ticket, incident, *names):
    """Write fields of an incident."""
    change = WriteFields(incident=incident, marker="cnx-1", ticket=ticket, fields=frozenset(names))
    return on_incident_event(integration, change)


def test_only_what_is_asked_for_is_written(desk, integration, ticket, incident):
    """The other fields stay as people have them."""
    (seen,) = fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id})))
    desk.edit_ticket(ticket.id, priority="low")
    changed = incident.model_copy(update={"title": "Fan 2 failed"})

    receipt = write(integration, seen, changed, FieldName.TITLE)

    assert (receipt.ticket.title, receipt.ticket.priority) == ("Fan 2 failed", Priority.LOW)
    assert desk.ticket(ticket.id)["priority"] == "low"


def test_a_change_in_between_is_not_written_over(desk, integration, ticket, incident, monkeypatch):
    """Between our look and our write a person changed the title: Roundup refuses, and the core hears how it is."""
    send = integration.session.request

    def request(method, url, **more):
        if method == "PATCH":
            monkeypatch.setattr(integration.session, "request", send)
            desk.edit_ticket(ticket.id, title="A person's")
        return send(method, url, **more)

    monkeypatch.setattr(integration.session, "request", request)

    with pytest.raises(TicketChanged) as caught:
        write(integration, ticket, incident.model_copy(update={"title": "Ours"}), FieldName.TITLE)

    assert caught.value.ticket.title == desk.ticket(ticket.id)["title"] == "A person's"


def test_an_issue_is_closed_once(desk, integration, ticket, incident):
    """With the status of the settings; what somebody finished stays as it is."""
    close = CloseTicket(incident=incident, marker="cnx-1", ticket=ticket)

    closed, again = on_incident_event(integration, close), on_incident_event(integration, close)

    assert (closed.ticket.status, closed.ticket.done, closed.untouched) == ("resolved", True, False)
    assert again.untouched
    desk.move_ticket(ticket.id, "done-cbb")
    assert on_incident_event(integration, close).ticket.status == "done-cbb"


def test_a_retired_issue_is_gone(desk, integration, ticket, incident):
    """It is read as before, but no list has it, and no change is taken."""
    desk.delete_ticket(ticket.id)

    assert fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id}))) == []
    with pytest.raises(TicketGone):
        write(integration, ticket, incident.model_copy(update={"title": "Ours"}), FieldName.TITLE)


def test_a_status_that_is_not_there_is_told(desk, ticket, integration, incident):
    """By the check, and by what closing says; nothing is repeated for ever."""
    settings = integration.settings.model_copy(update={"close_status": "gone fishing"})
    other = replace(integration, settings=settings)

    assert [one.severity for one in check_integration(other)] == [Severity.OK, Severity.PROBLEM]
    with pytest.raises(RemoteError, match="gone fishing"):
        on_incident_event(other, CloseTicket(incident=incident, marker="cnx-1", ticket=ticket))
    assert [one.severity for one in check_integration(integration)] == [Severity.OK]


def test_a_wrong_password_is_told(desk, integration):
    """In plain text, which is no reason to wait."""
    given = {**desk.integration_settings(), "password": SecretStr("wrong")}
    other = make_integration(connector_roundup.describe_plugin(), given, clock=FrozenClock())

    (found,) = check_integration(other)

    assert (found.severity, found.code) == (Severity.PROBLEM, "authorization_needed")
    with pytest.raises(AuthError):
        fetch_tickets(other, TicketQuery(ids=frozenset({"1"})))


def test_set_up_asks_where_and_who_and_loads_the_statuses(desk, integration):
    """While it is unfinished, with the answers given so far."""
    given = desk.integration_settings()
    answers = {name: given[name] for name in ("address", "user")}
    unfinished = replace(integration, settings=None, answers=answers, secret_answers={"password": given["password"]})

    account, close = configure_steps(unfinished)

    assert [field.key for field in account.fields] == ["address", "user", "password"]
    load = close.fields[0].load
    assert load is not None
    assert "resolved" in [choice.value for choice in load()]


@pytest.mark.parametrize("odd", [True, 7, [], ["a"], {"a": []}, {"name": ["a"], "id": {}}, "x" * 5000, "\x00"])
@pytest.mark.parametrize("name", ["id", "title", "description", "status", "priority", "activity"])
def test_an_odd_issue_costs_no_other_one(integration, requests_mock, name, odd):
    """Whatever a tracker makes of a value, the issues beside it are read."""
    listed = {"data": {"collection": [{"id": "1", "title": "odd", name: odd}, {"id": "2", "title": "as usual"}]}}
    requests_mock.get("/rest/data/priority", json={"data": {"collection": [{"id": "1", "name": "urgent"}]}})
    requests_mock.get("/rest/data/issue", json=listed)

    found = fetch_tickets(integration, TicketQuery(ids=frozenset({"1", "2"})))

    assert found[-1].title == "as usual"


@pytest.mark.parametrize(("status", "body"), [(200, "<html>asleep</html>"), (200, '{"data": {"coll'), (502, "bad")])
def test_what_is_no_answer_is_asked_again(integration, requests_mock, status, body):
    """A page in place of the API, half an answer, and a proxy: no ticket is gone by it."""
    requests_mock.get("/rest/data/issue", status_code=status, text=body)
    with pytest.raises(RetryLater):
        fetch_tickets(integration, TicketQuery(ids=frozenset({"1"})))
