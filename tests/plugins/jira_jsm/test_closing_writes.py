"""What is written to a ticket that is to be closed, from wherever it stands, and what is not.

The site is scripted: it knows where the ticket stands, which ways lead on from there, and what it refuses. What counts
is which transitions were asked for, with which fields, and where the ticket stands in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from requests_mock import Mocker

from connector_core import (
    CloseTicket,
    ConnectorError,
    Incident,
    Integration,
    PluginError,
    Receipt,
    RemoteError,
    RetryLater,
    TicketSnapshot,
)
from connector_jira_jsm.settings import Fallback
from connector_jira_jsm.tickets.workflow import Step, Workflow, place_of
from connector_jira_jsm.tickets.writing import write_change
from tests.support.jira.answers import CLOSED, ISSUE, OPEN, PROGRESS, RESOLVED, issue, serve_ticket, transition
from tests.support.jira.handles import SETTINGS, build, oauth_grant

REVIEW = {"id": "4", "name": "In Review", "statusCategory": {"key": "indeterminate", "name": "In Progress"}}
INCIDENT = Incident(id="inc-1", title="Fan failed")
RESOLUTIONS = ({"id": "10000", "name": "Done"}, {"id": "10001", "name": "Won't Do"})
LATER = "2026-03-02T19:00:00.000+0900"

TAKEN: dict[str, Any] = {}  # instead of a refusal

Status = Mapping[str, Any]


class Scripted:
    """A site with one ticket; `refused` holds answers to transitions, by id, each given once unless it is the last."""

    def __init__(self, mock: Mocker, ways: Mapping[str, Sequence[dict[str, Any]]], at: Status = OPEN) -> None:
        serve_ticket(mock)
        self.mock = mock
        self.at = at
        self.ways = dict(ways)
        self.refused: dict[str, list[dict[str, Any]]] = {}
        self.tried: list[str] = []
        self.fields: list[Mapping[str, Any]] = []
        self.comments: list[str] = []
        mock.post("https://auth.atlassian.com/oauth/token", status_code=403, json={"error": "unauthorized_client"})
        mock.get(ISSUE, json=self._shown)
        mock.get(f"{ISSUE}/transitions", json=self._offered)
        mock.post(f"{ISSUE}/transitions", json=self._move)
        mock.post(f"{ISSUE}/comment", json=self._comment)

    def _shown(self, *_: object) -> dict[str, Any]:
        return {**issue(status=self.at, updated=LATER), **self._offered()}

    def _offered(self, *_: object) -> dict[str, Any]:
        return {"transitions": list(self.ways.get(self.at["name"], ()))}

    def _move(self, request: Any, context: Any) -> dict[str, Any]:  # noqa: ANN401 - the library's
        body = request.json()
        number = body["transition"]["id"]
        self.tried.append(number)
        self.fields.append(body.get("fields", {}))
        answers = self.refused.get(number, [TAKEN])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is not TAKEN:
            context.status_code = 400
            return answer
        taken = next((one for one in self.ways.get(self.at["name"], ()) if one["id"] == number), None)
        if taken is None:
            context.status_code = 400
            return refusal(f"Transition {number} is not valid.")
        self.at = taken["to"]
        context.status_code = 204
        return {}

    def _comment(self, request: Any, _: Any) -> dict[str, Any]:  # noqa: ANN401 - the library's
        self.comments.append(request.json()["body"])
        return {"id": str(len(self.comments))}

    def looks(self) -> int:
        """Count how often it was asked what leads on from where the ticket stands."""
        asked = [r for r in self.mock.request_history if r.method == "GET" and r.url.startswith(ISSUE)]
        return sum("transitions" in r.url for r in asked)

    def asked(self, method: str, path: str) -> int:
        """Count the calls of a kind."""
        return sum(r.method == method and r.url.split("?")[0] == path for r in self.mock.request_history)


def refusal(sentence: str, **fields: str) -> dict[str, Any]:
    """Make the body of a refusal, with a sentence for each field that it names."""
    return {"errorMessages": [sentence] if sentence else [], "errors": fields}


def desk(**settings: Any) -> Integration:  # noqa: ANN401 - settings
    """Return an integration with some settings."""
    return build(settings=SETTINGS.model_copy(update=settings), grant=oauth_grant())[0]


def close(integration: Integration, status: str = "Waiting for support", ticket: str = "10040") -> Receipt:
    """Close a ticket that was last seen in a status."""
    seen = TicketSnapshot(id=ticket, key="SUP-41", title="Fan failed", status=status)
    change = CloseTicket(incident=INCIDENT, marker="cnx-1", ticket=seen)
    receipt = write_change(integration, change)
    assert isinstance(receipt, Receipt)
    return receipt


STRAIGHT = {
    "Waiting for support": [transition("11", PROGRESS)],
    "In Progress": [transition("21", REVIEW), transition("12", OPEN)],
    "In Review": [transition("31", RESOLVED), transition("22", PROGRESS)],
    "Resolved": [transition("61", OPEN)],
    "Closed": [transition("62", OPEN)],
}


@pytest.mark.parametrize(
    ("at", "tried"),
    [
        (OPEN, ["11", "21", "31"]),
        (PROGRESS, ["21", "31"]),
        (REVIEW, ["31"]),
    ],
)
def test_ticket_is_closed_from_wherever_it_stands(requests_mock: Mocker, at: Status, tried: list[str]):
    """From each open status just the steps that are left are taken, none back and none twice."""
    site = Scripted(requests_mock, STRAIGHT, at)

    receipt = close(desk(), at["name"])

    assert site.tried == tried
    assert (receipt.ticket.status, receipt.ticket.done) == ("Resolved", True)


@pytest.mark.parametrize(("at", "steps"), [(REVIEW, 1), (PROGRESS, 2), (OPEN, 3)])
def test_ways_over_other_statuses_are_told(requests_mock: Mocker, at: Status, steps: int):
    """After more than one step the receipt names them; each step costs one look, and none comes after the last."""
    site = Scripted(requests_mock, STRAIGHT, at)

    receipt = close(desk(), at["name"])

    names = {
        "In Review": "",
        "In Progress": "In Review → Resolved",
        "Waiting for support": "In Progress → In Review → ",
    }
    assert names[at["name"]] in receipt.note
    assert bool(receipt.note) is (steps > 1)
    assert receipt.ticket.updated is not None
    assert site.asked("GET", ISSUE) == steps


@pytest.mark.parametrize("answer", [{"status_code": 503}, {"status_code": 403}, {"status_code": 401}, {"json": {}}])
def test_ticket_that_cannot_be_read_is_not_moved(requests_mock: Mocker, answer: dict[str, Any]):
    """Nobody knows where it stands: it may be finished, so nothing is written."""
    site = Scripted(requests_mock, STRAIGHT)
    requests_mock.get(ISSUE, **answer)

    with pytest.raises(ConnectorError):
        close(desk())

    assert (site.at, site.tried) == (OPEN, [])


@pytest.mark.parametrize("at", [RESOLVED, CLOSED])
def test_ticket_that_a_person_finished_is_left_alone(requests_mock: Mocker, at: Status):
    """Whatever way is known to us, a ticket that is done stays where it is, and that is a success."""
    integration = desk()
    Scripted(requests_mock, STRAIGHT)
    close(integration)
    site = Scripted(requests_mock, STRAIGHT, at)
    before = site.looks()

    receipt = close(integration)

    assert site.at == at
    assert (receipt.ticket.status, receipt.ticket.done) == (at["name"], True)
    assert receipt.note == "The ticket was closed already."
    assert site.tried == []
    assert site.looks() == before + 1


def test_remembered_screens_cost_no_question(requests_mock: Mocker):
    """The second ticket of a kind costs one look a step and nothing else."""
    integration = desk()
    Scripted(requests_mock, STRAIGHT)
    close(integration)
    site = Scripted(requests_mock, STRAIGHT)
    before, screens = site.looks(), site.asked("GET", f"{ISSUE}/transitions")

    close(integration)

    assert site.tried == ["11", "21", "31"]
    assert site.looks() == before + 3
    assert site.asked("GET", f"{ISSUE}/transitions") == screens


def test_remembered_way_that_leads_elsewhere_by_now_is_followed_anew(requests_mock: Mocker):
    """A transition that was replaced is not tried: what is offered now is taken."""
    integration = desk(close_fallback=())
    Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    close(integration)
    site = Scripted(requests_mock, {"Waiting for support": [transition("99", RESOLVED)]})

    assert close(integration).ticket.done
    assert site.tried == ["99"]
    site.at = OPEN
    assert close(integration).ticket.done
    assert site.tried == ["99", "99"]


def test_ticket_that_a_person_moved_goes_on_from_there(requests_mock: Mocker):
    """Being elsewhere is no refusal: it goes on although no other way may be tried."""
    integration = desk(close_fallback=())
    Scripted(requests_mock, STRAIGHT)
    close(integration)
    site = Scripted(requests_mock, STRAIGHT, REVIEW)

    receipt = close(integration)

    assert site.tried == ["31"]
    assert receipt.ticket.done


def test_refused_step_is_not_tried_again(requests_mock: Mocker):
    """A step that is refused where it is offered is passed over on this walk; another way is taken."""
    ways = {**STRAIGHT, "Waiting for support": [transition("31", RESOLVED), transition("11", PROGRESS)]}
    integration = desk()
    Scripted(requests_mock, ways)
    close(integration)
    site = Scripted(requests_mock, ways)
    site.refused["31"] = [refusal("A linked ticket is open.")]
    site.ways["In Review"] = [transition("32", RESOLVED)]

    receipt = close(integration)

    assert site.tried == ["31", "11", "21", "32"]
    assert receipt.ticket.done
    assert site.looks() == 5  # for the first ticket one, for the second one before each step


def test_refused_step_ends_it_where_no_other_way_may_be_tried(requests_mock: Mocker):
    """Without that rung of the ladder nothing else is moved, and Jira's sentence is the reason."""
    ways = {**STRAIGHT, "Waiting for support": [transition("31", RESOLVED), transition("32", RESOLVED)]}
    site = Scripted(requests_mock, ways)
    site.refused["31"] = [refusal("A linked ticket is open.")]

    with pytest.raises(RemoteError, match="A linked ticket is open"):
        close(desk(close_fallback=(Fallback.OTHER_DONE,)))

    assert site.tried == ["31"]
    assert site.at == OPEN
    assert site.comments == []


def test_refusal_and_where_it_stands_are_the_reason_when_no_way_is_left(requests_mock: Mocker):
    """When every way was refused, the last refusal is told with the status that the ticket is left in."""
    site = Scripted(requests_mock, {"In Progress": [transition("31", RESOLVED), transition("41", CLOSED)]}, PROGRESS)
    site.refused = {number: [refusal(f"Not {number}.")] for number in ("31", "41")}

    with pytest.raises(RemoteError) as caught:
        close(desk(close_fallback=(Fallback.OTHER_PATH, Fallback.OTHER_DONE)), "In Progress")

    assert site.tried == ["31", "41"]
    assert (caught.value.code, site.at) == ("close_refused", PROGRESS)
    assert 'stands at "In Progress"' in caught.value.message
    assert "Not 41." in caught.value.message


LADDER = [
    # the rungs that may be used; what is tried where 31 is refused; where the ticket ends
    ((), ["31"], PROGRESS),
    ((Fallback.OTHER_PATH,), ["31", "32"], PROGRESS),
    ((Fallback.OTHER_PATH, Fallback.OTHER_DONE), ["31", "32", "41"], CLOSED),
    ((Fallback.OTHER_DONE,), ["31"], PROGRESS),
]


@pytest.mark.parametrize(("rungs", "tried", "end"), LADDER)
def test_rungs_of_the_ladder_are_tried_in_turn(
    requests_mock: Mocker, rungs: tuple[Fallback, ...], tried: list[str], end: Status
):
    """Other ways to the close status come before other done statuses, and each only where it may be used."""
    offered = [transition("41", CLOSED), transition("31", RESOLVED), transition("32", RESOLVED)]
    site = Scripted(requests_mock, {"In Progress": offered}, PROGRESS)
    site.refused = {number: [refusal("No.")] for number in ("31", "32")}
    integration = desk(close_fallback=rungs)

    if end is CLOSED:
        assert "counts as done too" in close(integration, "In Progress").note
    else:
        with pytest.raises(RemoteError):
            close(integration, "In Progress")

    assert (site.tried, site.at) == (tried, end)


def test_person_is_asked_once_and_again_for_another_reason(requests_mock: Mocker):
    """The comment says why, the error says that a person was asked; only a new reason is worth a new comment."""
    integration = desk(close_fallback=(Fallback.COMMENT,))
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    said = []
    for sentence in ("The parent is open.", "The parent is open.", "The form is empty."):
        site.refused["31"] = [refusal(sentence)]
        with pytest.raises(RemoteError) as caught:
            close(integration)
        said.append(caught.value.message)

    assert len(site.comments) == 2
    assert "The parent is open." in site.comments[0]
    assert "The form is empty." in site.comments[1]
    assert ["asks someone" in sentence for sentence in said] == [True, False, True]


@pytest.mark.parametrize("status", [403, 503, 401, 400])
def test_comment_that_cannot_be_left_hides_nothing(requests_mock: Mocker, status: int):
    """What is in the way of closing stays the reason, and the comment is tried the next time."""
    integration = desk(close_fallback=(Fallback.COMMENT,))
    site = Scripted(requests_mock, {})
    requests_mock.post(f"{ISSUE}/comment", [{"status_code": status}, {"json": {"id": "1"}}])

    for asked in (False, True):
        with pytest.raises(RemoteError) as caught:
            close(integration)
        assert caught.value.code == "no_close_transition"
        assert ("asks someone" in caught.value.message) is asked

    assert site.asked("POST", f"{ISSUE}/comment") == 2


@pytest.mark.parametrize(("ways", "nothing"), [([], True), ([transition("11", PROGRESS)], False)])
def test_missing_permission_is_guessed_only_where_nothing_is_offered(
    requests_mock: Mocker,
    ways: list[dict[str, Any]],
    nothing: bool,  # noqa: FBT001 - a row
):
    """A workflow that offers something, but no way out, is no matter of the account; Jira is asked once."""
    site = Scripted(requests_mock, {"Waiting for support": ways})

    with pytest.raises(RemoteError) as caught:
        close(desk(close_explore=False, close_fallback=(Fallback.OTHER_DONE,)))

    assert ("may lack Transition issues" in caught.value.message) is nothing
    assert site.looks() == 1
    assert site.tried == []


def test_ticket_that_is_in_its_close_status_already_needs_no_way(requests_mock: Mocker):
    """A close status that Jira counts as open is reached all the same, although the last snapshot showed another."""
    site = Scripted(requests_mock, {}, PROGRESS)

    receipt = close(desk(close_status="3"))

    assert receipt.note == "The ticket was in its close status already."
    assert (receipt.ticket.status, site.tried) == ("In Progress", [])


def test_answer_without_fields_waits(requests_mock: Mocker):
    """An issue that shows nothing of itself proves nothing: it may be finished, so it is looked at again later."""
    site = Scripted(requests_mock, {})
    requests_mock.get(ISSUE, json={"id": "10040", "key": "SUP-41"})

    with pytest.raises(RetryLater, match="where the ticket stands"):
        close(desk(close_fallback=()))

    assert site.tried == []


# Fields required to close


def shown(*options: Mapping[str, str], required: bool = False, name: str = "Resolution") -> dict[str, Any]:
    """Make a field of a screen."""
    kind = {"type": "option", "system": "resolution"}
    return {"required": required, "name": name, "schema": kind, "allowedValues": list(options)}


def test_resolution_that_only_a_validator_demands_is_given(requests_mock: Mocker):
    """The same transition is repeated with a resolution from its screen, and nothing else is written."""
    way = transition("31", RESOLVED, resolution=shown(*RESOLUTIONS), labels=shown(name="Labels"))
    site = Scripted(requests_mock, {"Waiting for support": [way]})
    site.refused["31"] = [refusal("", resolution="Resolution is required."), TAKEN]

    assert close(desk()).ticket.done
    assert site.tried == ["31", "31"]
    assert site.fields == [{}, {"resolution": {"id": "10000"}}]
    assert site.asked("GET", f"{ISSUE}/editmeta") == 0
    assert site.asked("PUT", ISSUE) == 0


@pytest.mark.parametrize(
    "screen", [{"labels": shown(name="Labels")}, {"labels": shown(name="Labels"), "resolution": shown()}]
)
def test_resolution_that_no_screen_has_cannot_be_given(requests_mock: Mocker, screen: dict[str, Any]):
    """Repeating the transition unchanged would be refused again: it is asked for once."""
    screen["labels"]["schema"] = {"type": "string"}
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED, **screen)]})
    site.refused["31"] = [refusal("", resolution="Resolution is required.")]

    with pytest.raises(RemoteError, match="Resolution is required"):
        close(desk(close_fields={"labels": "heat"}, close_fallback=()))

    assert site.tried == ["31"]
    assert site.fields == [{"labels": "heat"}]
    assert site.asked("PUT", ISSUE) == 0


EDITABLE = {
    "customfield_1": {"required": False, "name": "Cause", "schema": {"type": "string"}},
    "customfield_2": {"required": False, "name": "Room", "schema": {"type": "string"}},
}


def test_demanded_field_is_set_by_an_edit_and_no_other(requests_mock: Mocker):
    """Only what the validator asked for is edited, though settings have values for more, and then it is moved."""
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    site.refused["31"] = [refusal("", customfield_1="Cause is required.")]
    requests_mock.get(f"{ISSUE}/editmeta", json={"fields": EDITABLE})

    def edited(request: Any, _: Any) -> dict[str, Any]:  # noqa: ANN401 - the library's
        site.refused.clear()
        site.fields.append(request.json()["fields"])
        return issue()

    requests_mock.put(ISSUE, json=edited)

    assert close(desk(close_fields={"customfield_1": "Heat", "customfield_2": "Hall"})).ticket.done
    assert site.fields == [{}, {"customfield_1": "Heat"}, {}]


def test_ticket_that_somebody_finished_before_the_edit_is_not_edited(requests_mock: Mocker):
    """Between the refusal and the edit it was closed by hand: nothing is written any more."""
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    site.refused["31"] = [refusal("", customfield_1="Cause is required.")]

    def finished(*_: object) -> dict[str, Any]:
        site.at = CLOSED
        return {"fields": EDITABLE}

    requests_mock.get(f"{ISSUE}/editmeta", json=finished)

    receipt = close(desk(close_fields={"customfield_1": "Heat"}))

    assert receipt.ticket.done
    assert receipt.note == "The ticket was closed already."
    assert site.tried == ["31"]
    assert site.asked("PUT", ISSUE) == 0


def test_refusal_is_told_as_it_is_where_no_other_path_is_wanted(requests_mock: Mocker):
    """The reason is Jira's sentence, not that some other path was not found."""
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    site.refused["31"] = [refusal("Approval is missing.")]

    with pytest.raises(RemoteError) as caught:
        close(desk(close_fallback=()))

    assert caught.value.code == "refused"
    assert caught.value.message == "Jira refused the request. It says: Approval is missing."


def test_ticket_without_a_time_is_closed(requests_mock: Mocker):
    """Jira may leave out when the ticket was changed."""
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    whole = site._shown
    requests_mock.get(ISSUE, json=lambda *_: {**whole(), "fields": {**whole()["fields"], "updated": None}})

    receipt = close(desk())

    assert (receipt.ticket.done, receipt.ticket.updated) == (True, None)


@pytest.mark.parametrize(
    ("texts", "editable", "asked"),
    [
        ({"customfield_2": "Hall"}, EDITABLE, 0),  # nothing is known for what is demanded
        ({"customfield_1": "Heat"}, {}, 1),  # no edit may set it
    ],
)
def test_demanded_field_that_cannot_be_set_is_the_reason(
    requests_mock: Mocker, texts: dict[str, str], editable: dict[str, Any], asked: int
):
    """The transition is not repeated, nothing is edited, and Jira's sentence is told."""
    site = Scripted(requests_mock, {"Waiting for support": [transition("31", RESOLVED)]})
    site.refused["31"] = [refusal("", customfield_1="Cause is required.")]
    requests_mock.get(f"{ISSUE}/editmeta", json={"fields": editable})

    with pytest.raises(RemoteError, match="Cause is required"):
        close(desk(close_fields=texts, close_fallback=()))

    assert site.tried == ["31"]
    assert site.asked("GET", f"{ISSUE}/editmeta") == asked
    assert site.asked("PUT", ISSUE) == 0


# Hints: where people went before


def test_way_that_people_went_is_taken_without_trying_others(requests_mock: Mocker):
    """Where only people's moves are known, each status is looked at and the transition that fits the move is taken."""
    integration = desk(close_explore=False)
    moves = [
        ("Waiting for support", Step("", "", "3", "In Progress", done=False)),
        ("In Progress", Step("", "", "4", "In Review", done=False)),
        ("In Review", Step("", "", "10002", "Resolved", done=True)),
    ]
    Workflow(integration, place_of("SUP-41", "25")).learn_moves(moves)
    site = Scripted(requests_mock, STRAIGHT)

    assert close(integration).ticket.done
    assert site.tried == ["11", "21", "31"]


def test_hint_that_no_transition_follows_is_given_up(requests_mock: Mocker):
    """People may have had rights that we lack: nothing is moved along a way that is not offered."""
    integration = desk(close_explore=False, close_fallback=())
    moves = [("Waiting for support", Step("", "", "10002", "Resolved", done=True))]
    Workflow(integration, place_of("SUP-41", "25")).learn_moves(moves)
    site = Scripted(requests_mock, {"Waiting for support": [transition("11", PROGRESS)]})

    with pytest.raises(RemoteError, match="No way is known"):
        close(integration)

    assert site.tried == []


def test_workflow_that_is_too_long_to_remember_is_walked_all_the_same(requests_mock: Mocker):
    """What a look showed counts for the step that follows it, remembered or not."""

    class Full:
        def recall(self, key: str) -> None:
            return None

        def remember(self, key: str, value: object) -> None:
            raise PluginError("More than there is room for.")

    site = Scripted(requests_mock, STRAIGHT)

    assert close(replace(desk(), memory=Full())).ticket.done
    assert site.tried == ["11", "21", "31"]


# Exploring


def test_exploring_goes_where_nobody_looked_and_never_back(requests_mock: Mocker):
    """A dead end strands the first ticket, which is not walked back and forth; the next one goes the other way."""
    ways = {
        "Waiting for support": [transition("11", PROGRESS), transition("13", REVIEW)],
        "In Progress": [transition("12", OPEN)],
        "In Review": [transition("31", RESOLVED)],
    }
    integration = desk(close_fallback=())
    first = Scripted(requests_mock, ways)
    with pytest.raises(RemoteError):
        close(integration)
    second = Scripted(requests_mock, ways)

    close(integration)

    assert (first.tried, first.at) == (["11"], PROGRESS)
    assert (second.tried, second.at) == (["13", "31"], RESOLVED)


def test_exploring_walks_into_no_done_status(requests_mock: Mocker):
    """What lies behind a done status that is not the close status is never looked for there."""
    site = Scripted(requests_mock, {"Waiting for support": [transition("41", CLOSED)]})

    with pytest.raises(RemoteError):
        close(desk(close_fallback=(Fallback.OTHER_PATH,)))

    assert (site.tried, site.at) == ([], OPEN)


def test_workflow_that_changes_all_the_time_ends_too(requests_mock: Mocker):
    """A site that never stands still is left for later after a bounded number of calls."""
    integration = desk()
    site = Scripted(requests_mock, {})
    numbers = iter(range(10**6))

    def offer(*_: object) -> dict[str, Any]:
        site.at = {**PROGRESS, "id": f"9{next(numbers)}", "name": f"Status {next(numbers)}"}
        ahead = {**PROGRESS, "id": f"9{next(numbers)}", "name": f"Status {next(numbers)}"}
        return {**issue(status=site.at, updated=LATER), "transitions": [transition(str(next(numbers)), ahead)]}

    requests_mock.get(ISSUE, json=offer)
    requests_mock.get(f"{ISSUE}/transitions", json=offer)
    requests_mock.post(f"{ISSUE}/transitions", status_code=204)

    with pytest.raises(RetryLater) as caught:
        close(integration)

    assert caught.value.code == "workflow_unsteady"
    assert len(requests_mock.request_history) < 200


def test_calls_go_to_the_ticket_that_is_closed(requests_mock: Mocker):
    """Another ticket's address is never called."""
    Scripted(requests_mock, STRAIGHT)

    close(desk())

    issues = {r.url.split("?")[0] for r in requests_mock.request_history if "/api/2/issue/" in r.url}
    assert issues == {ISSUE, f"{ISSUE}/transitions"}
