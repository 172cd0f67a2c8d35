"""Opening a ticket: what is sent, what is not, and that a lost answer never makes a second ticket."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
import requests
from requests_mock import Mocker

from connector_core import (
    ConfigError,
    CreateTicket,
    FieldName,
    FindTicket,
    Incident,
    Integration,
    NotCreated,
    Priority,
    RemoteError,
    RetryLater,
)
from connector_core.testing import FrozenClock, MemoryCore
from connector_jira_jsm.text import descriptions
from connector_jira_jsm.tickets import creating
from connector_jira_jsm.tickets.creating import note_of
from connector_jira_jsm.tickets.writing import write_change
from tests.support.changes import close, look_for, write
from tests.support.jira.answers import (
    CREATE,
    HISTORY,
    ISSUE,
    SEARCH,
    calls,
    created,
    form,
    issue,
    serve_form,
    serve_ticket,
)
from tests.support.jira.handles import NOW, SETTINGS, oauth_grant

MARKER = "cnx-0123456789abcdef0123"
INCIDENT = Incident(
    id="inc-1",
    title="Fan failed",
    description="It is hot.",
    priority=Priority.HIGH,
    url="https://incidents.example.test/1",
)
OPENED = CreateTicket(incident=INCIDENT, marker=MARKER)
AGAIN = look_for(OPENED, NOW)


UNREADABLE = [{"status_code": 500}, {"status_code": 404, "json": {"errorMessages": ["x"]}}, {}, {"json": {}}]


def changed(**values: object) -> CreateTicket:
    """Open a ticket for another incident."""
    return OPENED.model_copy(update={"incident": INCIDENT.model_copy(update=values)})


def sent(mock: Mocker) -> dict[str, object]:
    """Return the values of the last creation."""
    creations = [r for r in mock.request_history if r.method == "POST" and r.url == CREATE]
    values: dict[str, object] = creations[-1].json()["requestFieldValues"]
    return values


def test_ticket_is_created_with_what_the_form_has(integration: Integration, requests_mock: Mocker):
    """Summary, description and priority are sent, and the receipt shows them without reading the ticket."""
    serve_ticket(requests_mock)

    receipt = write_change(integration, OPENED)

    assert sent(requests_mock) == {
        "summary": "Fan failed",
        "description": descriptions.write(INCIDENT, MARKER),
        "priority": {"id": "2"},
    }
    ticket = receipt.ticket
    assert (ticket.id, ticket.key, ticket.url) == ("10040", "SUP-41", "https://example.test/browse/SUP-41")
    assert (ticket.title, ticket.description, ticket.priority) == ("Fan failed", "It is hot.", Priority.HIGH)
    assert (ticket.status, ticket.done, receipt.note) == ("Waiting for support", False, "")
    assert "GET api/2/issue/10040" not in calls(requests_mock)


def test_ticket_is_marked_on_both_sides(integration: Integration, requests_mock: Mocker):
    """A link that can be written again carries marker and incident, where the description does not lead there."""
    serve_ticket(requests_mock)
    serve_form(requests_mock, json=form("summary", "priority"))
    whose = {"organization": "acme", "integration": "helpdesk"}
    note = {"marker": MARKER, "incident_id": "inc-1", "url": INCIDENT.url, **whose}

    ticket = write_change(integration, OPENED).ticket
    link = requests_mock.last_request
    write_change(integration, close(OPENED, ticket))

    assert "PUT api/2/issue/10040/properties/connector.link" in calls(requests_mock)
    assert requests_mock.last_request.json()["properties"] == [{"key": "connector.link", "value": note}]
    assert link.json() == {
        "globalId": f"connector={MARKER}",
        "object": {"url": INCIDENT.url, "title": "Fan failed"},
    }


def test_description_says_whose_it_is_and_leads_to_the_incident(integration: Integration, requests_mock: Mocker):
    """It saves two calls: no link of its own, and the property goes along with the next write."""
    serve_ticket(requests_mock)

    write_change(integration, OPENED)

    assert calls(requests_mock)[-1] == "POST servicedeskapi/request"
    assert str(INCIDENT.url) in sent(requests_mock)["description"]


def test_ticket_without_our_text_is_marked_at_once(integration: Integration, requests_mock: Mocker):
    """Where the form has no description, the property is all that says whose the ticket is."""
    serve_ticket(requests_mock)
    serve_form(requests_mock, json=form("summary", "priority"))

    write_change(integration, OPENED)

    (note,) = [r for r in requests_mock.request_history if "/properties/" in r.url]
    assert note.json()["marker"] == MARKER


def test_incident_without_address_has_no_link(integration: Integration, requests_mock: Mocker):
    """Without an address there is nothing to link to."""
    serve_ticket(requests_mock)

    write_change(integration, changed(url=None))

    assert "POST api/2/issue/10040/remotelink" not in calls(requests_mock)


@pytest.mark.parametrize("answer", [{"status_code": 403}, {"status_code": 429}, {"exc": requests.ConnectionError}])
def test_marks_that_fail_are_noted(integration: Integration, requests_mock: Mocker, answer: dict[str, object]):
    """The ticket exists: what could not be added to it is a note, never an error."""
    serve_ticket(requests_mock)
    serve_form(requests_mock, json=form("summary", "priority"))
    requests_mock.put(f"{ISSUE}/properties/connector.link", **answer)
    requests_mock.post(f"{ISSUE}/remotelink", **answer)

    receipt = write_change(integration, OPENED)

    assert receipt.ticket.key == "SUP-41"
    assert "note on the ticket" in receipt.note
    assert "link to the incident" in receipt.note


def test_fields_that_the_form_lacks_are_left_out(integration: Integration, requests_mock: Mocker):
    """Only a summary can be sent to a form that has nothing else; what Jira chose is then read."""
    serve_ticket(requests_mock)
    serve_form(requests_mock, json=form("summary"))
    requests_mock.get(ISSUE, json=issue(description=None, priority={"id": "3", "name": "Medium"}))

    receipt = write_change(integration, OPENED)

    assert sent(requests_mock) == {"summary": "Fan failed"}
    assert (receipt.ticket.description, receipt.ticket.priority) == (None, Priority.MODERATE)


def test_incident_without_priority_takes_jiras_default(integration: Integration, requests_mock: Mocker):
    """The receipt shows the priority that Jira chose, so that it is no change later on."""
    serve_ticket(requests_mock)
    requests_mock.get(ISSUE, json=issue(priority={"id": "3", "name": "Medium"}))

    receipt = write_change(integration, changed(priority=None))

    assert "priority" not in sent(requests_mock)
    assert receipt.ticket.priority is Priority.MODERATE


@pytest.mark.parametrize("answer", UNREADABLE)
def test_ticket_that_cannot_be_read_back_is_there_all_the_same(
    integration: Integration, requests_mock: Mocker, answer: dict[str, object]
):
    """After the creation worked, its id is enough; what Jira chose itself is unknown."""
    serve_ticket(requests_mock)
    requests_mock.get(ISSUE, **answer)

    ticket = write_change(integration, changed(priority=None)).ticket

    assert (ticket.id, ticket.key, ticket.unknown) == ("10040", "SUP-41", {FieldName.PRIORITY})


@pytest.mark.parametrize("answer", UNREADABLE)
def test_creation_that_names_no_id_may_have_worked(
    integration: Integration, requests_mock: Mocker, answer: dict[str, object]
):
    """Without an id, and with a key that leads nowhere, the ticket is looked for rather than made again."""
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, status_code=201, json=created(issueId=None))
    requests_mock.get(f"{ISSUE.removesuffix('10040')}SUP-41", **answer)

    with pytest.raises(RetryLater) as caught:
        write_change(integration, OPENED)

    assert caught.value.outcome_unknown


@pytest.mark.parametrize(("missing", "address"), [("issueId", "SUP-41"), ("issueKey", "10040")])
def test_creation_that_tells_half_of_which_ticket_it_was_has_it_read(
    integration: Integration, requests_mock: Mocker, missing: str, address: str
):
    """With its id, or else its key, the rest is read."""
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, status_code=201, json=created(**{missing: None}))
    requests_mock.get(f"{ISSUE.removesuffix('10040')}{address}", json=issue())

    ticket = write_change(integration, OPENED).ticket

    assert (ticket.id, ticket.key, ticket.title) == ("10040", "SUP-41", "Fan failed")


@pytest.mark.parametrize(("length", "is_linked"), [(2000, True), (2001, False)])
def test_address_that_is_too_long_for_a_link_is_no_link(
    integration: Integration,
    requests_mock: Mocker,
    length: int,
    is_linked: bool,  # noqa: FBT001 - what comes of it
):
    """A part of an address leads nowhere; that there is no link is said."""
    serve_ticket(requests_mock)
    serve_form(requests_mock, json=form("summary", "priority"))
    url = "https://incidents.example.test/".ljust(length, "x")

    receipt = write_change(integration, changed(url=url))

    assert ("POST api/2/issue/10040/remotelink" in calls(requests_mock)) is is_linked
    assert receipt.note == ("" if is_linked else "The link to the incident is too long for a ticket.")


@pytest.mark.parametrize(("length", "is_told"), [(32_768, True), (32_769, False)])
def test_note_is_never_longer_than_jira_keeps(
    integration: Integration,
    length: int,
    is_told: bool,  # noqa: FBT001 - what comes of it
):
    """The address is what can be left out: incident and marker say whose the ticket is."""
    shortest = len(json.dumps(note_of(integration, changed(url="x"))))

    note = note_of(integration, changed(url="x" * (length - shortest + 1)))

    assert ("url" in note, note["marker"], note["incident_id"]) == (is_told, MARKER, "inc-1")


@pytest.mark.parametrize("title", ["a\nb", "x" * 300, "\u202eabc \u05e9\u05dc", "h1. {code}", "\U0001f525" * 200])
def test_odd_titles_fit(integration: Integration, requests_mock: Mocker, title: str):
    """Whatever the title, Jira gets one line that fits, and the receipt shows just that line."""
    serve_ticket(requests_mock)

    receipt = write_change(integration, changed(title=title))

    summary = str(sent(requests_mock)["summary"])
    assert receipt.ticket.title == summary
    assert len(summary.encode("utf-16-le")) // 2 <= 255
    assert "\n" not in summary


def test_stale_form_is_read_again(integration: Integration, requests_mock: Mocker):
    """When the request type lost a field since its form was read, the creation is repeated without it."""
    serve_ticket(requests_mock)
    write_change(integration, OPENED)
    serve_form(requests_mock, json=form("summary", "description"))
    refusal = {"status_code": 400, "json": {"errorMessage": "Field 'priority' cannot be set."}}
    requests_mock.post(CREATE, [refusal, {"status_code": 201, "json": created()}])

    receipt = write_change(integration, OPENED)

    assert "priority" not in sent(requests_mock)
    assert receipt.ticket.key == "SUP-41"


def test_refused_creation_is_not_repeated(integration: Integration, requests_mock: Mocker):
    """A creation that would be the same again is refused once, with Jira's words."""
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, status_code=400, json={"errorMessage": "Please provide a valid value for field 'Site'"})

    with pytest.raises(RemoteError, match="field 'Site'"):
        write_change(integration, OPENED)

    assert calls(requests_mock).count("POST servicedeskapi/request") == 1


def test_form_is_read_again_after_a_while(integration: Integration, clock: FrozenClock, requests_mock: Mocker):
    """The form is asked for once in ten minutes, not once for each ticket."""
    serve_ticket(requests_mock)
    read = "GET servicedeskapi/servicedesk/10/requesttype/25/field"

    write_change(integration, OPENED)
    write_change(integration, OPENED)
    assert calls(requests_mock).count(read) == 1

    clock.forward(601)
    write_change(integration, OPENED)
    assert calls(requests_mock).count(read) == 2


@pytest.mark.parametrize(
    "answer", [{"exc": requests.ReadTimeout}, {"status_code": 502, "text": "<html>"}, {"status_code": 500}]
)
def test_lost_answer_is_unknown(integration: Integration, requests_mock: Mocker, answer: dict[str, object]):
    """A creation without an answer may have worked."""
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, **answer)

    with pytest.raises(RetryLater) as caught:
        write_change(integration, OPENED)

    assert caught.value.outcome_unknown


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "30"}, 30), ({}, None)])
def test_limit_means_not_created(
    integration: Integration, requests_mock: Mocker, headers: dict[str, str], wait: float | None
):
    """Over the limit nothing was created, and the wait is what Jira asks, if it does."""
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, status_code=429, headers=headers)

    with pytest.raises(RetryLater) as caught:
        write_change(integration, OPENED)

    assert (caught.value.outcome_unknown, caught.value.after_s) == (False, wait)


def test_lost_ticket_is_found_when_the_search_catches_up(
    integration: Integration, clock: FrozenClock, requests_mock: Mocker
):
    """A lost ticket is looked for again and again while the search lags, then adopted: one ticket, not two."""
    serve_ticket(requests_mock)
    waits = []
    for _ in range(3):
        clock.forward(10)
        with pytest.raises(RetryLater) as caught:
            write_change(integration, AGAIN)
        waits.append((caught.value.after_s, caught.value.code))
    found = issue(description=descriptions.write(INCIDENT, MARKER))
    requests_mock.post(SEARCH, json={"issues": [issue("9", description="other"), found], "isLast": True})

    receipt = write_change(integration, AGAIN)

    assert waits == [(15, "looking_for_lost_answer")] * 3
    assert receipt.ticket.id == "10040"
    assert receipt.ticket.description == "It is hot."
    assert "POST servicedeskapi/request" not in calls(requests_mock)


def test_lost_ticket_is_found_by_its_property(integration: Integration, requests_mock: Mocker):
    """A ticket whose description was rewritten is known by our property."""
    serve_ticket(requests_mock)
    found = {**issue(description="rewritten"), "properties": {"connector.link": {"marker": MARKER}}}
    requests_mock.post(SEARCH, json={"issues": [found]})

    assert write_change(integration, AGAIN).ticket.description == "rewritten"


def test_found_ticket_is_told_as_it_was_made(integration: Integration, requests_mock: Mocker):
    """What people changed before it was found is seen against what was sent."""
    serve_ticket(requests_mock)
    edited = issue(description=f"Seen to.\n\n{descriptions.write(INCIDENT, MARKER)}", summary="Renamed by an agent")
    requests_mock.post(SEARCH, json={"issues": [edited]})

    receipt = write_change(integration, AGAIN)

    assert receipt.ticket.title == "Renamed by an agent"
    assert receipt.as_created is not None
    assert (receipt.as_created.title, receipt.as_created.description) == ("Fan failed", "It is hot.")


def test_found_ticket_is_marked_at_once(integration: Integration, requests_mock: Mocker):
    """Its description may be rewritten any time: with the property it is known all the same."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [issue(description=descriptions.write(INCIDENT, MARKER))]})

    write_change(integration, AGAIN)

    (note,) = [r for r in requests_mock.request_history if "/properties/" in r.url]
    assert note.json()["marker"] == MARKER


def test_found_ticket_without_its_id_is_read_by_its_key(integration: Integration, requests_mock: Mocker):
    """The search may leave out what the ticket itself shows."""
    serve_ticket(requests_mock)
    found = {**issue(description=descriptions.write(INCIDENT, MARKER)), "id": None}
    requests_mock.post(SEARCH, json={"issues": [found]})
    requests_mock.get(f"{ISSUE.removesuffix('10040')}SUP-41", json=issue())

    assert write_change(integration, AGAIN).ticket.id == "10040"


@pytest.mark.parametrize("key", ["SUP-41", None])
def test_found_ticket_that_cannot_be_read_is_not_made_again(
    integration: Integration, requests_mock: Mocker, key: str | None
):
    """It is ours and it is there, whatever else Jira does not tell of it, and however long ago it was made."""
    serve_ticket(requests_mock)
    nameless = {**issue(description=descriptions.write(INCIDENT, MARKER)), "id": None, "key": key}
    requests_mock.post(SEARCH, json={"issues": [nameless]})
    requests_mock.get(f"{ISSUE.removesuffix('10040')}SUP-41", json=nameless)

    with pytest.raises(RetryLater) as caught:
        write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 7200.0}))

    assert caught.value.code == "ticket_unreadable"
    assert "POST servicedeskapi/request" not in calls(requests_mock)


HIDDEN = {"id": "9", "key": "SUP-9", "fields": {"summary": "Fan failed"}}
OTHERS_NOTE = {"connector.link": {"marker": "cnx-another", "incident_id": "inc-2"}}


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (HIDDEN, "SUP-9"),
        ({**HIDDEN, "key": None}, "9"),
        ({**HIDDEN, "key": None, "id": None}, "A ticket"),
        ({**HIDDEN, "fields": {}}, "SUP-9"),
        ({**HIDDEN, "fields": None}, "SUP-9"),
    ],
)
def test_ticket_whose_description_is_hidden_may_be_the_lost_one(
    integration: Integration, requests_mock: Mocker, shown: dict[str, object], name: str
):
    """A person has to see whose it is before a second one is made; it is named as far as it can be."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [shown]})
    requests_mock.post(HISTORY, json={"issueChangeLogs": []})

    with pytest.raises(RemoteError) as caught:
        write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 120.0}))

    assert caught.value.code == "ticket_doubtful"
    assert caught.value.message.startswith(f"{name} may be the ticket")


@pytest.mark.parametrize(
    "shown",
    [
        {**HIDDEN, "fields": {"summary": "Another fan failed"}},
        {**HIDDEN, "fields": {"summary": "Fan failed", "description": None}},
        {**HIDDEN, "properties": OTHERS_NOTE},
    ],
)
def test_ticket_that_cannot_be_the_lost_one_stops_nothing(
    integration: Integration, requests_mock: Mocker, shown: dict[str, object]
):
    """It has another title, a description without our text, or the note of another incident."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [shown]})
    requests_mock.post(HISTORY, json={"issueChangeLogs": []})

    assert write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 120.0})) == NotCreated()


US, OTHER = {"accountId": "acc-1"}, {"accountId": "acc-2"}
ALIKE, RENAMED = "Fan failed", "Fan failed (rack 4)"
TOLD_NOTHING: dict[str, object] = {}


@pytest.mark.parametrize(
    ("shown", "is_doubted"),
    [
        # What our account made is doubted while it says nothing, whatever people and rules call it by now,
        ((US, ALIKE, {"description": None}), True),
        ((US, RENAMED, {"description": None}), True),
        ((US, RENAMED, TOLD_NOTHING), True),
        ((US, ALIKE, {"description": "Something else."}), False),
        # what another account made never is,
        ((OTHER, ALIKE, TOLD_NOTHING), False),
        ((OTHER, RENAMED, TOLD_NOTHING), False),
        # and what may be anybody's is if it has our title and nobody sees its description.
        (({"accountId": ""}, ALIKE, TOLD_NOTHING), True),
        (({"displayName": "Connector"}, ALIKE, TOLD_NOTHING), True),
        (("acc-1", ALIKE, TOLD_NOTHING), True),
        ((None, ALIKE, {"description": None}), False),
        ((None, RENAMED, TOLD_NOTHING), False),
    ],
)
def test_whose_a_ticket_without_a_mark_is_decides_whether_a_person_is_asked(
    integration: Integration,
    requests_mock: Mocker,
    shown: tuple[object, str, dict[str, object]],
    is_doubted: bool,  # noqa: FBT001 - as it comes out
):
    """An incident gets no second ticket while its first may be there, and does not wait for one that a person made."""
    creator, title, description = shown

    assert doubted(integration, requests_mock, {"summary": title, "creator": creator, **description}) is is_doubted


@pytest.mark.parametrize(
    ("creator", "title", "is_doubted"), [(OTHER, ALIKE, True), (OTHER, RENAMED, False), (US, RENAMED, True)]
)
def test_made_in_a_customers_name_a_ticket_may_be_ours_whoever_made_it(
    integration: Integration,
    requests_mock: Mocker,
    creator: object,
    title: str,
    is_doubted: bool,  # noqa: FBT001 - as it comes out
):
    """Jira may show the customer as its creator: a second ticket would be the worse mistake."""
    for_ada = replace(integration, settings=SETTINGS.model_copy(update={"raise_on_behalf_of": "acc-2"}))

    assert doubted(for_ada, requests_mock, {"summary": title, "creator": creator}) is is_doubted


def test_where_our_account_is_not_known_any_ticket_of_our_title_is_doubted(
    integration: Integration, requests_mock: Mocker
):
    """Before the account was told nobody can say who made what: a person is asked rather than a second one made."""
    unknown = replace(integration, core=MemoryCore(oauth_grant().model_copy(update={"account_id": ""})))

    assert doubted(unknown, requests_mock, {"summary": ALIKE, "creator": OTHER})
    assert not doubted(unknown, requests_mock, {"summary": RENAMED, "creator": US})


@pytest.mark.parametrize(("title", "is_doubted"), [(RENAMED, False), (ALIKE, True)])
def test_of_an_earlier_life_only_a_ticket_of_the_same_title_is_doubted(
    integration: Integration,
    requests_mock: Mocker,
    title: str,
    is_doubted: bool,  # noqa: FBT001 - as it comes out
):
    """After the database was lost any ticket of ours may be of any incident: not all of them stop each one."""
    without_mark = {"summary": title, "creator": US, "description": None}

    assert doubted(integration, requests_mock, without_mark, of_earlier_life=True) is is_doubted


def test_a_ticket_that_a_link_has_is_passed_over_and_the_next_one_looked_at(
    integration: Integration, requests_mock: Mocker
):
    """Neither another incident's ticket nor a stranger's hides the one that may be this incident's."""
    linked = replace(integration, core=MemoryCore(oauth_grant(), linked={"9"}))
    hidden = {"summary": ALIKE, "creator": US}

    assert not doubted(linked, requests_mock, hidden)
    assert doubted(linked, requests_mock, {**hidden, "creator": OTHER}, hidden, hidden)


@pytest.mark.parametrize(
    ("description", "words"),
    [(TOLD_NOTHING, "Jira does not show its description"), ({"description": None}, "it has no description")],
)
def test_why_a_ticket_is_doubted_is_said_as_jira_shows_it(
    integration: Integration, requests_mock: Mocker, description: dict[str, object], words: str
):
    """A person is told to show the field where it is hidden, and to write something into it where it is empty."""
    serve_ticket(requests_mock)
    shown = {"id": "9", "key": "SUP-9", "fields": {"summary": ALIKE, "creator": US, **description}}
    requests_mock.post(SEARCH, json={"issues": [shown]})
    requests_mock.post(HISTORY, json={"issueChangeLogs": []})

    with pytest.raises(RemoteError, match=words):
        write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 120.0}))


def test_where_each_ticket_has_a_mark_the_form_is_not_read_for_their_sake(
    integration: Integration, requests_mock: Mocker
):
    """A look for a lost ticket costs no more of the site's limit than it has to."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [{**HIDDEN, "properties": OTHERS_NOTE}]})
    requests_mock.post(HISTORY, json={"issueChangeLogs": []})

    assert write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 120.0})) == NotCreated()
    assert not [call for call in calls(requests_mock) if call.endswith("/field")]


def test_a_form_without_a_description_is_read_again_before_a_person_is_asked(
    integration: Integration, requests_mock: Mocker
):
    """Whoever gave the request type its description, as they were told to, need not wait for what we remember."""
    serve_ticket(requests_mock)
    shown = {"summary": ALIKE, "description": "What a person wrote."}
    serve_form(requests_mock, json=form("summary", "priority"))
    assert doubted(integration, requests_mock, shown, serves_form=False)

    serve_form(requests_mock, json=form("summary", "description"))

    assert not doubted(integration, requests_mock, shown, serves_form=False)


def doubted(
    integration: Integration,
    mocker: Mocker,
    *shown: dict[str, object],
    of_earlier_life: bool = False,
    serves_form: bool = True,
) -> bool:
    """Return whether a person is asked, long after an answer was lost, for one of the tickets 9, 10, ..."""
    if serves_form:
        serve_ticket(mocker)
    issues = [{"id": str(number), "key": f"SUP-{number}", "fields": fields} for number, fields in enumerate(shown, 9)]
    mocker.post(SEARCH, json={"issues": issues})
    mocker.post(HISTORY, json={"issueChangeLogs": []})
    late = {"attempt_age_s": 86400.0, "of_earlier_life": of_earlier_life}
    try:
        outcome: object = write_change(integration, AGAIN.model_copy(update=late))
    except RemoteError as exc:
        outcome = exc.code
    assert outcome in {"ticket_doubtful", NotCreated()}
    return outcome == "ticket_doubtful"


@pytest.mark.parametrize(("is_earlier", "words"), [(False, "Jira did not answer"), (True, "not known whether")])
def test_what_is_looked_for_is_said(integration: Integration, requests_mock: Mocker, is_earlier: bool, words: str):  # noqa: FBT001 - as asked
    """Of an earlier life nobody knows whether there was an answer."""
    serve_ticket(requests_mock)

    with pytest.raises(RetryLater, match=words):
        write_change(integration, AGAIN.model_copy(update={"of_earlier_life": is_earlier}))


def test_lost_ticket_is_found_by_what_its_description_was(integration: Integration, requests_mock: Mocker):
    """A ticket that an agent rewrote before our property was on it is known by its history, and by no other's."""
    serve_ticket(requests_mock)
    other = {**issue("8", description="rewritten"), "properties": {"connector.link": {"marker": "cnx-another"}}}
    issues = [issue("9", description="a person's"), other, issue(description="rewritten")]
    requests_mock.post(SEARCH, json={"issues": issues})
    logs = [
        {"issueId": number, "changeHistories": [{"items": [{"field": "description", "fromString": text}]}]}
        for number, text in (("9", "earlier words"), ("10040", descriptions.write(INCIDENT, MARKER)))
    ]
    pages = [{"issueChangeLogs": logs[:1], "nextPageToken": "more"}, {"issueChangeLogs": logs[1:]}]
    history = requests_mock.post(HISTORY, [{"json": page} for page in pages])

    receipt = write_change(integration, AGAIN)

    assert (receipt.ticket.id, receipt.ticket.description) == ("10040", "rewritten")
    asked = history.request_history[0].json()
    assert (asked["issueIdsOrKeys"], asked["fieldIds"]) == (["9", "10040"], ["description"])


def test_lost_ticket_is_searched_by_relative_time(integration: Integration, clock: FrozenClock, requests_mock: Mocker):
    """The search covers the time since the attempt and some more, in no time zone at all."""
    serve_ticket(requests_mock)
    clock.forward(90)

    with pytest.raises(RetryLater):
        write_change(integration, AGAIN)

    here, elsewhere = [one.json()["jql"] for one in requests_mock.request_history if one.url == SEARCH]
    assert here == 'project = "SUP" AND created >= "-77m" ORDER BY created DESC'
    assert elsewhere.startswith('project != "SUP" AND created >= "-77m" AND description ~ ')


def test_where_nobody_sees_descriptions_other_projects_are_not_searched(
    integration: Integration, requests_mock: Mocker
):
    """Jira refuses a search of a hidden field; any other refusal is for a person."""
    serve_ticket(requests_mock)
    settled = AGAIN.model_copy(update={"attempt_age_s": 1_000.0})
    texts = ["Field 'description' does not exist or you do not have permission to view it.", "No such project."]
    refusals = [{"status_code": 400, "json": {"errorMessages": [text]}} for text in texts]
    nothing = {"json": {"issues": [], "isLast": True}}
    requests_mock.post(SEARCH, [nothing, refusals[0], nothing, refusals[1]])

    assert isinstance(write_change(integration, settled), NotCreated)
    with pytest.raises(RemoteError, match="No such project"):
        write_change(integration, settled)


EARLIER = look_for(OPENED, NOW, age_s=10.0, of_earlier_life=True)


def others(number: int) -> FindTicket:
    """Return the look for another incident's ticket."""
    incident = INCIDENT.model_copy(update={"id": f"inc-{number}"})
    return EARLIER.model_copy(update={"incident": incident, "marker": f"cnx-{number:020x}"})


def searches(mocker: Mocker) -> list[str]:
    """Return the queries so far."""
    return [call.json()["jql"] for call in mocker.request_history if call.url.endswith("/search/jql")]


def test_tickets_of_an_earlier_life_are_looked_for_together(
    integration: Integration, clock: FrozenClock, requests_mock: Mocker
):
    """Two searches, one of them in other projects, serve all; what an earlier one showed is read again."""
    serve_ticket(requests_mock)
    history = requests_mock.post(HISTORY, json={"issueChangeLogs": []})
    found = issue(description=descriptions.write(INCIDENT, MARKER))
    requests_mock.post(SEARCH, json={"issues": [issue("9", description="other"), found], "isLast": True})
    for number in range(2, 30):
        with pytest.raises(RetryLater, match="not known whether"):
            write_change(integration, others(number))

    receipt = write_change(integration, EARLIER)

    assert len(searches(requests_mock)) == 2
    assert receipt.ticket.id == "10040"
    assert history.call_count <= 2
    assert "GET api/2/issue/10040" in calls(requests_mock)


def test_a_search_late_enough_serves_whoever_asks_later(
    integration: Integration, clock: FrozenClock, requests_mock: Mocker
):
    """Once the index has caught up with the end of the earlier life, there is nothing more to come of it."""
    serve_ticket(requests_mock)
    for passed_s in (0, 130, 30, 60, 120):
        clock.forward(passed_s)
        asked = others(int(clock.monotonic()) + 2).model_copy(update={"attempt_age_s": clock.monotonic()})
        if clock.monotonic() < 120:
            with pytest.raises(RetryLater):
                write_change(integration, asked)
        else:
            assert write_change(integration, asked) == NotCreated()

    assert len(searches(requests_mock)) == 4


def test_a_ticket_with_a_marker_of_before_is_known_by_the_incident_in_its_note(
    integration: Integration, requests_mock: Mocker
):
    """Markers were random once; a note of another integration, or of another project's ticket, is no proof."""
    serve_ticket(requests_mock)
    left = {"marker": "cnx-random", "incident_id": INCIDENT.id, "url": INCIDENT.url}
    ours = {**issue(description="rewritten"), "properties": {"connector.link": left}}
    strangers = [
        {**issue("5", description="x"), "properties": {"connector.link": {**left, "integration": "another"}}},
        {**issue("6", description="x"), "key": "FAC-6", "properties": {"connector.link": left}},
    ]
    requests_mock.post(SEARCH, json={"issues": [*strangers, ours]})

    receipt = write_change(integration, EARLIER)

    assert receipt.ticket.id == "10040"


def test_where_there_are_too_many_tickets_those_with_our_text_are_searched(
    integration: Integration, requests_mock: Mocker
):
    """Ten thousand tickets are no reason to make one twice, or none at all."""
    serve_ticket(requests_mock)
    found = issue(description=descriptions.write(INCIDENT, MARKER))
    token = count()

    def answer(request: requests.PreparedRequest, _context: object) -> object:
        if "description ~" in request.json()["jql"]:  # type: ignore[attr-defined]  # what requests_mock makes of it
            return {"issues": [found], "isLast": True}
        return {"issues": [], "nextPageToken": f"t{next(token)}"}

    requests_mock.post(SEARCH, json=answer)

    assert write_change(integration, EARLIER).ticket.id == "10040"


def test_ticket_that_stays_away_was_never_created(integration: Integration, clock: FrozenClock, requests_mock: Mocker):
    """When the search has had its time and found nothing, it is safe to create; the look itself creates nothing."""
    serve_ticket(requests_mock)
    clock.forward(7200)  # a clock that was set proves nothing
    with pytest.raises(RetryLater):
        write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 119.0}))

    assert write_change(integration, AGAIN.model_copy(update={"attempt_age_s": 120.0})) == NotCreated()
    assert calls(requests_mock).count("POST servicedeskapi/request") == 0


def test_missing_request_type_is_a_setting(integration: Integration, requests_mock: Mocker):
    """A request type that is gone is for a person to choose anew."""
    serve_form(requests_mock)
    requests_mock.get(
        f"{CREATE.removesuffix('request')}servicedesk/10/requesttype/25/field",
        status_code=404,
        json={"errorMessage": "The request type does not exist."},
    )

    with pytest.raises(ConfigError) as caught:
        write_change(integration, OPENED)

    assert caught.value.code == "setup_object_missing"


def test_life_of_an_incident_takes_five_calls(integration: Integration, requests_mock: Mocker):
    """Once the form is known, opening, updating and resolving, each with a look before it, take five calls together."""
    serve_ticket(requests_mock)
    whole_life(integration)
    before = len(requests_mock.request_history)

    whole_life(integration)

    assert calls(requests_mock)[before:] == [
        "POST servicedeskapi/request",
        "GET api/2/issue/10040",
        "PUT api/2/issue/10040",
        "GET api/2/issue/10040",
        "POST api/2/issue/10040/transitions",
    ]


def whole_life(integration: Integration) -> None:
    """Open, update and resolve."""
    ticket = write_change(integration, OPENED).ticket
    ticket = write_change(integration, write(OPENED, ticket, FieldName.TITLE, FieldName.PRIORITY)).ticket
    write_change(integration, close(OPENED, ticket))


def test_attempt_in_the_future_is_harmless(integration: Integration, requests_mock: Mocker):
    """A clock that was set back makes the search no narrower than its overlap."""
    serve_ticket(requests_mock)

    with pytest.raises(RetryLater):
        write_change(integration, look_for(OPENED, NOW + timedelta(hours=1)))

    assert '"-75m"' in requests_mock.last_request.json()["jql"]


@pytest.mark.parametrize("answer", [{"issueId": None, "issueKey": ""}, {}])
def test_creation_that_names_no_ticket_may_have_made_one(
    integration: Integration, requests_mock: Mocker, answer: dict[str, object]
):
    """Nothing can be read back, and nothing may be created again before it was looked for."""
    serve_ticket(requests_mock)
    requests_mock.post(CREATE, status_code=201, json=answer)

    with pytest.raises(RetryLater) as caught:
        write_change(integration, OPENED)

    assert (caught.value.outcome_unknown, caught.value.code) == (True, "ticket_not_shown")
    assert [call for call in calls(requests_mock) if "/issue" in call] == []


COPY, ORIGINAL = ("10041", "copy of it"), ("10040", "the original")


def with_marker(number: str, words: str, *, marked: bool = False) -> dict[str, object]:
    """Make an issue whose description carries the marker, with our property or without."""
    found = issue(number, description=f"{words}\n\n{descriptions.write(INCIDENT, MARKER)}")
    return {**found, "properties": {"connector.link": {"marker": MARKER}}} if marked else found


@pytest.mark.parametrize(
    "issues",
    [
        [with_marker(*COPY), with_marker(*ORIGINAL)],
        [with_marker(*ORIGINAL), with_marker("10050", "copy"), with_marker("9999999", "copy")],
        [with_marker("9", "copy"), with_marker(*ORIGINAL, marked=True)],
        [
            with_marker("9", "copy"),
            with_marker("10041", "marked too", marked=True),
            with_marker(*ORIGINAL, marked=True),
        ],
    ],
)
def test_original_is_adopted_and_not_its_clone(
    integration: Integration, requests_mock: Mocker, issues: list[dict[str, object]]
):
    """A clone has the text of the original; the original has our property, or else the lowest number."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": issues})

    assert write_change(integration, AGAIN).ticket.id == "10040"


def test_issue_with_an_odd_number_is_no_original(integration: Integration, requests_mock: Mocker):
    """A number that is none stops nothing."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [with_marker("1\u00b2", "odd"), with_marker("2", "a copy")]})
    odd = ISSUE.replace("10040", "1%C2%B2")
    requests_mock.put(f"{odd}/properties/connector.link", status_code=201)
    requests_mock.post(f"{odd}/remotelink", status_code=201, json={"id": 1})

    assert write_change(integration, AGAIN).ticket.id == "1\u00b2"


def test_history_of_others_is_not_believed(integration: Integration, requests_mock: Mocker):
    """A history that names an issue that was not asked for, or another marker, leads to no ticket."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [issue(description="rewritten")]})
    logs = [
        {"issueId": number, "changeHistories": [{"items": [{"field": "description", "fromString": text}]}]}
        for number, text in (
            ("77", descriptions.write(INCIDENT, MARKER)),
            ("10040", descriptions.write(INCIDENT, "cnx-ffffffffffffffffffff")),
        )
    ]
    requests_mock.post(HISTORY, json={"issueChangeLogs": logs})

    with pytest.raises(RetryLater) as caught:
        write_change(integration, AGAIN)

    assert caught.value.code == "looking_for_lost_answer"


@pytest.mark.parametrize(("age_s", "minutes"), [(0, 75), (1, 76), (60, 76), (61, 77), (3660, 136), (10**7, 525600)])
def test_search_looks_back_to_the_attempt_and_some_more(
    integration: Integration, clock: FrozenClock, requests_mock: Mocker, age_s: float, minutes: int
):
    """By full minutes, an hour and a quarter more than the attempt is old; after a week in wide steps."""
    serve_ticket(requests_mock)
    clock.forward(age_s)

    with pytest.raises(RetryLater):
        write_change(integration, AGAIN)

    assert f'"-{minutes}m"' in requests_mock.last_request.json()["jql"]


def test_nothing_is_sent_that_cannot_be_taken(integration: Integration, requests_mock: Mocker):
    """A required field that settings have no value for stops the creation before it is tried, and is named."""
    serve_ticket(requests_mock)
    serve_form(requests_mock, json=form("summary", "customfield_1", required=("summary", "customfield_1")))

    with pytest.raises(ConfigError, match="Customfield_1") as caught:
        write_change(integration, OPENED)

    assert caught.value.code == "request_fields_empty"
    assert caught.value.advice.answers == ("request_fields.customfield_1",)
    assert "POST servicedeskapi/request" not in calls(requests_mock)


def test_nobody_is_named_who_was_not_chosen(integration: Integration, requests_mock: Mocker):
    """Without people in the settings the request is the authorized account's, and nobody takes part."""
    serve_ticket(requests_mock)

    write_change(integration, OPENED)

    (creation,) = [r for r in requests_mock.request_history if r.method == "POST" and r.url == CREATE]
    assert set(creation.json()) == {"serviceDeskId", "requestTypeId", "requestFieldValues"}


@pytest.mark.parametrize(
    ("is_hidden", "has_text", "why"),
    [
        (True, True, "does not show its description"),
        (True, False, "does not show its description"),
        (False, True, "it has no description"),
        (False, False, "its request type has no description"),
    ],
)
def test_why_a_ticket_is_doubted_is_said_as_it_is(is_hidden: bool, has_text: bool, why: str) -> None:  # noqa: FBT001 - both are what is seen
    """What to do about it depends on it, and a way out that always works is named."""
    doubted = creating._doubtful("SUP-1", is_hidden=is_hidden, has_text=has_text)

    assert why in doubted.message
    assert "delete SUP-1" in doubted.fix
