"""The facts by themselves: of what they speak, that they are facts only, and that a wrong call does not pass them."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector_jira_jsm_sandbox import RecordedCall
from tests.contracts import facts, make
from tests.support.jira.documents import document_problems
from tests.support.jira.openapi_check import UNDESCRIBED, Api, check_call

NAMES = (*make.SERVED, "documents")


@pytest.mark.parametrize("name", make.SERVED)
def test_facts_speak_of_what_the_sandbox_serves(name: str):
    """Every operation of the sandbox is described, but for those that are known not to be, and no other is."""
    described = {make.same_path(key) for key in facts.read(name)["operations"]}
    served = {one for one in make.served(name) if not UNDESCRIBED.search(one.partition(" ")[2])}

    assert described == served


@pytest.mark.parametrize("name", NAMES)
def test_facts_hold_no_prose(name: str):
    """No value of them is a sentence, and no schema has a place for words."""
    assert [text for text in _texts(facts.read(name)) if " " in text] == []
    assert '"description": "' not in (facts.HERE / f"{name}.json").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_written_in_one_way(name: str):
    """Sorted and laid out as `make contracts` does, whoever touched them."""
    assert (facts.HERE / f"{name}.json").read_text() == make.text(facts.read(name))


def test_nothing_is_wrong_with_the_tour(toured: list[RecordedCall]):
    """What the following tests break is whole before."""
    assert len(toured) > 70
    assert [problem for call in toured for problem in check_call(call)] == []


# Where any JSON is described, so that nothing can be wrong there.
FREE_REQUEST = re.compile(r"^PUT \S+/properties/marker 20[01]$")
FREE_ANSWER = re.compile(r"^PUT \S+/issue/\d+ (200|400)$|^PUT \S+/properties/marker 20[01]$|^POST \S+/search/jql 400$")
WRONG: dict[str, tuple[dict[str, Any], str, Callable[[RecordedCall], bool]]] = {
    "status": ({"status": 299}, "status 299 is not described", lambda _: True),
    "method": ({"method": "PATCH", "status": 200}, "no such operation", lambda _: True),
    "path": ({"full_path": "/rest/api/3/never/described", "status": 200}, "no such operation", lambda _: True),
    "query": ({"query_string": "never=described"}, "is not described", lambda call: call.status < 400),
    "request": (
        {"request_body": b'["never described"]'},
        "not ",  # described, or of another type
        lambda call: call.status < 400 and not FREE_REQUEST.search(_named(call)),
    ),
    "answer": (
        {"response_body": b'"never described"'},
        "is not ",  # of the type, or valid under any schema
        lambda call: bool(call.response_body) and not FREE_ANSWER.search(_named(call)),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_nobody_described_is_found_in_every_operation(toured: list[RecordedCall], name: str):
    """A status, address, parameter, request or answer out of nowhere does not pass in any call of the tour."""
    changes, problem, is_judged = WRONG[name]
    judged = [replace(call, **changes) for call in toured if is_judged(call)]

    assert len(judged) > 50
    assert [_named(call) for call in judged if not any(problem in found for found in check_call(call))] == []


GONE = object()
DEEP: dict[str, tuple[str, str, tuple[str | int, ...], object, str]] = {
    "answer lacks": ("GET /rest/api/3/project/SUP/statuses", "response_body", (0, "id"), GONE, "'id' is a required"),
    "answer lacks, deep inside": (
        "GET /rest/api/3/issue/createmeta/SUP/issuetypes/10010",
        "response_body",
        ("fields", 0, "schema", "type"),
        GONE,
        "at $.fields[0].schema: 'type' is a required",
    ),
    "request lacks": (
        "POST /rest/api/3/issue/bulkfetch",
        "request_body",
        ("issueIdsOrKeys",),
        GONE,
        "'issueIdsOrKeys' is a required",
    ),
    "request lacks, deep inside": (
        "POST /rest/api/3/issue/10100/remotelink",
        "request_body",
        ("object", "url"),
        GONE,
        "at $.object: 'url' is a required",
    ),
    "number for a string": ("GET /rest/api/3/myself", "response_body", ("displayName",), 7, "7 is not of type"),
    "string for a number": ("GET /rest/api/3/project/search", "response_body", ("total",), "7", "'7' is not of type"),
    "null": ("GET /rest/api/3/myself", "response_body", ("displayName",), None, "None is not of type"),
    "number in a list": (
        "POST /rest/api/3/changelog/bulkfetch",
        "request_body",
        ("issueIdsOrKeys", 0),
        10100,
        "10100 is not of type",
    ),
    "one more key": ("GET /rest/servicedeskapi/info", "response_body", ("never",), 1, "('never' was unexpected)"),
    "not of the choice": (
        "GET /rest/servicedeskapi/request/10100/status",
        "response_body",
        ("values", 0, "statusCategory"),
        "SOON",
        "'SOON' is not one of",
    ),
    "too few": ("POST /rest/api/3/changelog/bulkfetch", "request_body", ("issueIdsOrKeys",), [], "[] "),
    "too many": (
        "POST /rest/api/3/changelog/bulkfetch",
        "request_body",
        ("fieldIds",),
        [f"customfield_{number}" for number in range(11)],
        "is too long",
    ),
    "twice the same": (
        "POST /rest/api/3/changelog/bulkfetch",
        "request_body",
        ("fieldIds",),
        ["summary", "summary"],
        "non-unique",
    ),
    "neither of two shapes": (
        "GET /rest/api/3/issue/10100/remotelink",
        "response_body",
        ("object",),
        "text",
        "is not valid under any of the given schemas",
    ),
}


@pytest.mark.parametrize("name", DEEP)
def test_wrong_place_of_a_body_is_found(toured: list[RecordedCall], name: str):
    """One place of a request or an answer that is not as described is named."""
    operation, side, place, value, problem = DEEP[name]
    call = next(one for one in toured if f"{one.method} {one.path}" == operation and one.status < 400)
    body = _with(json.loads(getattr(call, side)), place, value)

    found = list(check_call(replace(call, **{side: json.dumps(body).encode()})))

    assert any(problem in one for one in found), found


PARAMETERS: dict[str, str] = {
    "/rest/servicedeskapi/request?start=first": "'start' should be an integer",
    "/rest/servicedeskapi/servicedesk/10/requesttype/incident/field?": "'requestTypeId' should be an integer",
    "/rest/api/3/project/search?orderBy=colour": "'orderBy' should be one of",
    "/rest/api/3/issue/SUP-1?updateHistory=maybe": "'updateHistory' should be true or false",
}


@pytest.mark.parametrize("address", PARAMETERS)
def test_parameter_of_another_type_is_found(address: str):
    """Numbers, truth values and choices are told from other words, in query and path."""
    path, _, query = address.partition("?")

    assert any(PARAMETERS[address] in one for one in check_call(_call(path, query)))


def test_missing_parameter_is_found():
    """A query parameter that an operation needs is missed; none of the sandbox's operations has one."""
    needed = {"in": "query", "required": True, "schema": {"type": "string"}}
    operation = {"parameters": {"colour": needed}, "responses": {"200": None}}
    source = (Api({"operations": {"GET /paint": operation}, "shapes": {}}),)

    assert list(check_call(_call("/paint", ""), source)) == ["query parameter 'colour' is required"]
    assert list(check_call(_call("/paint", "colour=red"), source)) == []


DOCUMENT = {
    "version": 1,
    "type": "doc",
    "content": [
        {"type": "paragraph", "content": [{"type": "text", "text": "hot", "marks": [{"type": "strong"}]}]},
        {"type": "panel", "attrs": {"panelType": "info"}, "content": [{"type": "paragraph"}]},
    ],
}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("version",), 2),
        (("version",), GONE),
        (("content", 0, "type"), "never"),
        (("content", 0, "never"), 1),
        (("content", 0, "content", 0, "text"), ""),
        (("content", 0, "content", 0, "marks", 0, "type"), "never"),
        (("content", 1, "attrs"), GONE),
        (("content", 1, "attrs", "panelType"), "never"),
        (("content", 1, "content", 0, "type"), "panel"),
    ],
)
def test_wrong_document_is_found(place: tuple[str | int, ...], value: object):
    """Kinds, needed parts, choices, marks and what may stand inside what are judged."""
    broken = _with(DOCUMENT, place, value)

    assert document_problems(DOCUMENT) == []
    assert document_problems(broken) != []


def _with(body: Any, place: tuple[str | int, ...], value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a copy with one place changed or gone."""
    changed = copy.deepcopy(body)
    holder = functools.reduce(lambda node, step: node[step], place[:-1], changed)
    if value is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed


def _named(call: RecordedCall) -> str:
    return f"{call.method} {call.path} {call.status}"


def _call(path: str, query: str) -> RecordedCall:
    return RecordedCall(
        time=datetime(2026, 11, 23, tzinfo=UTC),
        method="GET",
        full_path=path,
        query_string=query,
        request_body=b"",
        status=200,
        response_body=b"{}",
    )


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(one)
