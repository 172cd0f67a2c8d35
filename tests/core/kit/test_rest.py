"""Calls over HTTP to a desk that answers as it should, and in each of the ways in which it should not."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from pydantic import SecretStr

from connector_core import AuthError, ConfigError, ConnectorError, RemoteError, RetryLater, Scope, TicketGone, no_grant
from connector_core.http.session import MAX_ANSWER_BYTES
from connector_core.kit.answers import Answers, Conflict, SetupObjectMissing, Subject, TooLarge
from connector_core.kit.paging import Cursor, LinkHeader, LinkInBody, Offset, OnePage, PageNumber, TooManyPages
from connector_core.kit.rest import Rest, basic, bearer, carrying, of_grant, segment
from tests.core.kit.conftest import RULES, granted
from tests.support.scripted_desk import html, lost, nothing, raw, reset, says, truncated

TICKET = {"id": "7", "title": "Fan failed"}
HUGE = raw(b"[" + b" " * MAX_ANSWER_BYTES + b"]")
UTF_16 = raw('{"name": "Zoë"}'.encode("utf-16"), 200, {"Content-Type": "application/json"})
LATIN = raw('{"name": "Zoë"}'.encode("latin-1"), 200, {"Content-Type": "application/json; charset=iso-8859-1"})
LIES = raw('{"name": "Zoë"}'.encode("latin-1"), 200, {"Content-Type": "application/json"})
UNKNOWN = raw('{"name": "Zoë"}'.encode("latin-1"), 200, {"Content-Type": "application/json; charset=klingon"})
TEXT = raw('{"name": "Zoë"}'.encode(), 200, {"Content-Type": "text/plain"})
DEEP = raw(b"[" * 200_000, 200, {"Content-Type": "application/json"})
COMPLAINT = {"message": "It is wrong."}


def test_what_is_asked_is_what_was_said(desk, rest):
    """Method, path below the base, parameters, JSON, headers, and the grant of the integration."""
    desk.will(says(TICKET))

    read = rest.get("/tickets/7", params={"fields": "title"})
    made = rest.post("/tickets", {"title": "Fan failed"}, headers={"X-Once": "1"})
    rest.put("/tickets/7", {"title": "x"})
    rest.patch("/tickets/7", {"title": "y"})
    rest.delete("/tickets/7")

    assert (read, made) == (TICKET, TICKET)
    assert [one.method for one in desk.asked] == ["GET", "POST", "PUT", "PATCH", "DELETE"]
    assert (desk.asked[0].path, desk.asked[0].query) == ("/api/tickets/7", {"fields": "title"})
    assert (desk.asked[1].json, desk.asked[1].headers["x-once"]) == ({"title": "Fan failed"}, "1")
    assert {one.headers["authorization"] for one in desk.asked} == {"Bearer 1"}
    assert {one.headers["accept"] for one in desk.asked} == {"application/json"}
    assert [one.body for one in desk.asked[::4]] == [b"", b""]


def test_headers_of_an_answer_can_be_read(desk, rest):
    """The version, where a new ticket is, and any other, whatever the case of its name."""
    desk.will(says(TICKET, 201, ETag='"4"', Location="/api/tickets/7", X_Total="9"))

    reply = rest.call("POST", "/tickets", body={})

    assert (reply.status, reply.body, reply.etag, reply.location) == (201, TICKET, '"4"', "/api/tickets/7")
    assert reply.headers["x-TOTAL"] == "9"


def test_a_refused_grant_is_renewed_once(desk, rest, core):
    """The call goes through with the new one."""
    desk.will(says(COMPLAINT, 401), says(TICKET))

    assert rest.get("/tickets/7") == TICKET
    assert [one.headers["authorization"] for one in desk.asked] == ["Bearer 1", "Bearer 2"]
    assert core.renewals == 1


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (lambda: no_grant, None),
        (lambda: of_grant(granted("9")), "Bearer 9"),
        (lambda: carrying(basic("Zoë", SecretStr("pass:word"))), "Basic Wm/DqzpwYXNzOndvcmQ="),
        (lambda: carrying(bearer(SecretStr("1-31-a"), scheme="token")), "token 1-31-a"),
    ],
)
def test_who_asks_can_be_somebody_else(desk, integration, core, auth, sent):
    """Then nothing of the core's goes along, and a refusal renews nothing."""
    desk.will(says(COMPLAINT, 401))

    with pytest.raises(AuthError):
        Rest(integration, desk.url, RULES, auth=auth()).get("/user")

    assert [one.headers.get("authorization") for one in desk.asked] == [sent]
    assert core.renewals == 0


@pytest.mark.parametrize("token", ["a\nb", "a\r\nX-Admin: 1", "tokén", "\ud800", "a\x7f"])
def test_what_cannot_be_a_header_is_a_setting_to_correct(token):
    """It is noticed before anything is sent, and not shown."""
    with pytest.raises(ConfigError) as caught:
        carrying({"X-Good": SecretStr("good"), **bearer(SecretStr(token))})

    assert caught.value.code == "secret_unusable"
    assert token not in caught.value.message + caught.value.detail + caught.value.fix


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(reset, "answer_lost", id="reset"),
        pytest.param(lost, "answer_lost", id="lost"),
        pytest.param(truncated, "answer_lost", id="truncated"),
        pytest.param(HUGE, "answer_too_large", id="huge"),
        pytest.param(html(), "answer_unreadable", id="asleep"),
        pytest.param(raw(b"{"), "answer_unreadable", id="half of it"),
        pytest.param(LIES, "answer_unreadable", id="another charset than it says"),
        pytest.param(UNKNOWN, "answer_unreadable", id="a charset that nobody knows"),
        pytest.param(DEEP, "answer_unreadable", id="too deep"),
        pytest.param(html(302), "site_unavailable", id="log in"),
        pytest.param(html(408), "unavailable", id="408"),
        pytest.param(html(500), "unavailable", id="500"),
        pytest.param(says(COMPLAINT, 502), "unavailable", id="502"),
        pytest.param(says(COMPLAINT, 504), "unavailable", id="504"),
    ],
)
def test_a_write_may_have_worked_all_the_same(desk, rest, answer, code):
    """Whoever wrote has to look; whoever only read, or may repeat, has not."""
    desk.will(answer)

    for method in ("POST", "PATCH", "PUT", "DELETE"):
        with pytest.raises(RetryLater) as written:
            rest.call(method, "/tickets", body={})
        assert (written.value.code, written.value.outcome_unknown) == (code, True)
    assert len(desk.asked) == 4  # a write is never repeated by itself
    with pytest.raises(RetryLater) as repeated:
        rest.post("/search", {}, may_repeat=True)
    assert (repeated.value.code, repeated.value.outcome_unknown) == (code, False)
    assert "asleep" not in written.value.message + written.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reset, id="reset"),
        pytest.param(lost, id="lost"),
        pytest.param(truncated, id="truncated"),
        pytest.param(HUGE, id="huge"),
        pytest.param(html(), id="asleep"),
        pytest.param(LIES, id="another charset than it says"),
        pytest.param(html(302), id="log in"),
        pytest.param(html(404), id="a page in place of the API"),
        pytest.param(html(503), id="503"),
    ],
)
def test_a_read_comes_later_and_leaves_nothing_open(desk, rest, answer):
    """All of the site waits; no ticket is gone for that."""
    desk.will(answer)

    with pytest.raises(RetryLater) as caught:
        rest.get("/tickets/7", about=Subject.TICKET)

    assert (caught.value.outcome_unknown, caught.value.scope) == (False, Scope.SITE)


def test_nobody_is_there(integration):
    """A write that was never sent did nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(RetryLater) as caught:
        Rest(integration, f"http://127.0.0.1:{port}", RULES).post("/tickets", {})

    assert (caught.value.code, caught.value.outcome_unknown) == ("unreachable", False)


@pytest.mark.parametrize("answer", [UTF_16, LATIN, TEXT], ids=["utf-16", "latin", "text"])
def test_json_is_read_in_the_encoding_that_it_has(desk, rest, answer):
    """UTF-8 whatever the type says, UTF-16 as the standard allows, another one where it is named."""
    desk.will(answer)

    assert rest.get("/user") == {"name": "Zoë"}


@pytest.mark.parametrize(
    ("status", "about", "means"),
    [
        (400, Subject.TICKET, (RemoteError, "refused")),
        (401, Subject.TICKET, (AuthError, "authorization_needed")),
        (403, Subject.TICKET, (ConfigError, "permission_missing")),
        (404, Subject.TICKET, (TicketGone, "ticket_gone")),
        (404, Subject.SETUP, (SetupObjectMissing, "setup_object_missing")),
        (409, Subject.TICKET, (Conflict, "conflict")),
        (412, Subject.TICKET, (Conflict, "conflict")),
        (413, Subject.TICKET, (TooLarge, "request_too_large")),
        (414, Subject.SETUP, (TooLarge, "request_too_large")),
        (422, Subject.TICKET, (RemoteError, "refused")),
        (425, Subject.TICKET, (RetryLater, "unavailable")),
        (429, Subject.TICKET, (RetryLater, "rate_limited")),
    ],
)
def test_refusals_did_nothing(desk, integration, status, about, means):
    """Each is the error that says who has to act, and no write has to be looked for."""
    desk.will(says(COMPLAINT, status))

    with pytest.raises(ConnectorError) as caught:
        Rest(integration, desk.url, RULES, auth=no_grant).patch("/tickets/7", {}, about=about)

    assert (type(caught.value), caught.value.code) == means
    assert not getattr(caught.value, "outcome_unknown", False)
    assert len(desk.asked) == 1


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "Mon, 02 Mar 2026 09:31:00 GMT"}, 60),
        ({"X_RateLimit_Reset": "1772443830"}, 30),
        ({"X_Rate_Limit_Reset": "12"}, 12),
        ({"Retry_After": "soon"}, None),
    ],
)
def test_the_wait_that_is_asked_for(desk, integration, headers, wait_s):
    """In seconds, as a date, or as the moment when the limit begins anew."""
    integration.clock.forward(1772443800.0 - integration.clock.now().timestamp())  # 2026-03-02 09:30
    desk.will(says(COMPLAINT, 429, **headers))

    with pytest.raises(RetryLater) as caught:
        Rest(integration, desk.url, RULES, auth=no_grant).post("/tickets", {})

    assert caught.value.after_s == wait_s


def test_the_core_is_told_that_a_limit_is_near(desk, rest, core, integration):
    """Also by an answer that is good."""
    desk.will(says(TICKET, X_RateLimit_Limit="100", X_RateLimit_Remaining="3", X_RateLimit_Reset="40"))

    rest.get("/tickets/7")

    assert [(until - integration.clock.now()).total_seconds() for until in core.near_limits] == [40]


def test_a_redirect_is_not_followed(desk, rest):
    """The grant goes nowhere else; the same path at another address is a site that moved."""
    desk.will(says({}, 308, Location="http://127.0.0.1:9/api/tickets/7"))

    with pytest.raises(ConfigError) as caught:
        rest.get("/tickets/7")

    assert caught.value.code == "site_moved"
    assert len(desk.asked) == 1


def test_a_vendors_own_case_comes_first(desk, integration):
    """What the table would read wrongly is the plugin's to say."""

    def own(response, complaint, _):
        return RemoteError(f"{complaint}", code="own") if response.status_code == 403 else None

    desk.will(says({"error": {"message": "Data policy", "detail": "a code is missing"}}, 403))

    with pytest.raises(RemoteError, match="Data policy a code is missing") as caught:
        Rest(integration, desk.url, Answers("Helpdesk", own=own), auth=no_grant).patch("/tickets/7", {})

    assert caught.value.code == "own"


# Lists


@pytest.mark.parametrize(
    ("paging", "answers", "asked"),
    [
        (OnePage(), [says({"rows": [{"n": 1}], "next": "x"})], [{}]),
        (
            LinkHeader(),
            [
                says({"rows": [{"n": 1}]}, Link="<http://elsewhere.test/api/rows?offset=2>; rel=next"),
                says({"rows": []}, Link='<?offset=4>;rel="prev", </api/rows?offset=6>;rel="next"'),
                says({"rows": [{"n": 2}]}),
            ],
            [{}, {"offset": "2"}, {"offset": "6"}],
        ),
        (
            LinkInBody("links.next"),
            [says({"rows": [{"n": 1}], "links": {"next": "/api/rows?after=a"}}), says({"rows": [], "links": {}})],
            [{}, {"after": "a"}],
        ),
        (
            Cursor("page[after]", at="meta.after", more="meta.has_more"),
            [
                says({"rows": [{"n": 1}], "meta": {"after": "a", "has_more": True}}),
                says({"rows": [{"n": 2}], "meta": {"after": "b", "has_more": False}}),
            ],
            [{}, {"page[after]": "a"}],
        ),
        (
            Offset("start", total="total"),
            [says({"rows": [{"n": 1}, {"n": 2}], "total": 3}), says({"rows": [{"n": 3}], "total": 3})],
            [{"start": "0"}, {"start": "2"}],
        ),
        (
            PageNumber("page", size=2, size_parameter="per_page", pages="pages"),
            [
                says({"rows": [{"n": 1}, {"n": 2}], "pages": None}),
                says({"rows": [{"n": 3}], "pages": None}),
            ],
            [{"per_page": "2", "page": "1"}, {"per_page": "2", "page": "2"}],
        ),
        (
            PageNumber("page", size=2, pages="pages"),
            [says({"rows": [{"n": 1}], "pages": 2}), says({"rows": [{"n": 3}, {"n": 4}], "pages": 2})],
            [{"page": "1"}, {"page": "2"}],
        ),
        (
            PageNumber("page", size=100, told_size="per_page", begin=0),
            [says({"rows": [{"n": 1}], "per_page": 1}), says({"rows": [], "per_page": 1})],
            [{"page": "0"}, {"page": "1"}],
        ),
    ],
    ids=lambda one: type(one).__name__ if hasattr(one, "following") else "",
)
def test_every_page_is_read_and_the_last_one_known(desk, rest, paging, answers, asked):
    """Each kind of list says in its own way where to go on."""
    desk.will(*answers)

    rows = [row["n"] for row in rest.pages("/rows", "rows", paging, params={"q": "open"})]

    assert rows == sorted(rows)
    assert len(desk.asked) == len(answers)
    assert [{name: one.query[name] for name in one.query if name != "q"} for one in desk.asked] == asked
    assert {one.path for one in desk.asked} == {"/api/rows"}


def test_a_list_that_is_asked_for_by_post(desk, rest):
    """Where a page begins goes into the body; a bare list is a body, too."""
    desk.will(says([{"n": 1}]), says([]))

    rows = list(rest.pages("/search", "", Offset("from"), body={"q": "open"}))

    assert rows == [{"n": 1}]
    assert [one.json for one in desk.asked] == [{"q": "open", "from": "0"}, {"q": "open", "from": "1"}]


@pytest.mark.parametrize(
    ("paging", "answers"),
    [
        (OnePage(), [says({"error": "no rows"})]),
        (OnePage(), [says([])]),
        (Cursor("c", at="c"), [says({"rows": [], "c": "a"})]),
        (Cursor("c", at="c", last="last"), [says({"rows": [], "last": False})]),
        (Cursor("c", at="c", more="more"), [says({"rows": [], "more": True})]),
        (Cursor("c", at="c", more="more"), [says({"rows": [], "more": True, "c": ["odd"]})]),
        (LinkHeader(), [says({"rows": []}, Link="</api/rows?again>;rel=next")]),
        (LinkHeader(), [says({"rows": []}, Link="</elsewhere/rows>;rel=next")]),
        (LinkHeader(), [says({"rows": []}, Link="</api/../admin>;rel=next")]),
        (LinkHeader(), [says({"rows": []}, Link="<http://[nowhere/api>;rel=next")]),
        (LinkHeader(), [says({"rows": [{}]}, Link="</api/rows?2>;rel=next"), html()]),
    ],
)
def test_a_part_of_a_list_is_not_the_whole(desk, rest, paging, answers):
    """No list, one that leads nowhere, round in a circle or out of the API, and one that breaks off."""
    desk.will(*answers)

    with pytest.raises(RetryLater) as caught:
        list(rest.pages("/rows", "rows", paging))

    assert caught.value.code == "answer_unreadable"
    assert not caught.value.outcome_unknown
    assert all(one.path == "/api/rows" for one in desk.asked)


def test_a_list_without_an_end_is_given_up(desk, rest):
    """Whoever reads it learns that it is not all."""
    desk.will(says({"rows": [{"n": 1}]}))

    with pytest.raises(TooManyPages):
        list(rest.pages("/rows", "rows", Offset("start"), most_pages=3))

    assert len(desk.asked) == 3


def test_a_list_asked_for_by_post_leaves_nothing_open(desk, rest):
    """A search changes nothing, whatever became of it; entries may be taken out by a function."""
    desk.will(says({"rows": [{"n": 1}], "total": 2}), html(502))
    found = rest.pages("/search", lambda page: page["rows"], Offset("from", total="total"), body={})

    assert next(found) == {"n": 1}
    with pytest.raises(RetryLater) as caught:
        next(found)
    assert not caught.value.outcome_unknown


# Many at once


def takes(most, status=414):
    """Answer with the rows that are asked for, unless they are too many."""

    def answer(to):
        ids = [
            one for one in dict(part.split("=") for part in to.path.split("?")[1].split("&"))["ids"].split(".") if one
        ]
        says(COMPLAINT, status)(to) if len(ids) > most else says([{"id": one} for one in ids])(to)

    return answer


def read_by(rest, ids, size, **more):
    """Read rows by their ids."""
    read = lambda some: rest.pages("/rows", "", OnePage(), params={"ids": ".".join(some)})  # noqa: E731 - as plugins have it
    return [row["id"] for row in rest.by_chunks("rows", ids, size, read, **more)]


@pytest.mark.parametrize("status", [413, 414, 431])
def test_chunks_shrink_to_what_is_taken_and_stay_so(desk, rest, status):
    """Nothing is left out, and the next time begins with what was taken."""
    ids = [str(n) for n in range(11)]
    desk.will(takes(3, status))

    assert read_by(rest, ids, 8) == ids
    sizes = [len(one.query["ids"].split(".")) for one in desk.asked]
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    desk.asked.clear()
    assert read_by(rest, ids[:2], 8) == ids[:2]
    assert len(desk.asked) == 1


def test_sizes_that_are_known_are_tried_in_turn(desk, rest):
    """By the kind of refusal that the vendor has for it."""
    ids = [str(n) for n in range(7)]
    desk.will(takes(3, 400))

    assert read_by(rest, ids, (7, 3), too_many=RemoteError) == ids
    assert [len(one.query["ids"].split(".")) for one in desk.asked] == [7, 3, 3, 1]


def test_not_even_one_is_taken(desk, rest):
    """Then it is refused for good, not asked forever."""
    desk.will(takes(0))

    with pytest.raises(TooLarge):
        read_by(rest, ["1", "2"], 2)

    assert len(desk.asked) == 2


def test_no_ids_ask_nothing(desk, rest):
    """Nobody is called for nothing."""
    assert read_by(rest, [], 5) == []
    assert desk.asked == []


# Addresses


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("7", "7"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("../x", "..%2Fx"),
        ("Zoë", "Zo%C3%AB"),
        ("\ud800", "%3F"),
        ("...", "..."),
    ],
)
def test_any_value_is_one_segment(desk, rest, value, written):
    """Whatever it holds, nothing else is asked for."""
    desk.will(says(TICKET))

    rest.get(f"/tickets/{segment(value)}")

    assert desk.asked[0].path == f"/api/tickets/{written}"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_what_would_lead_elsewhere_is_no_segment(value):
    """A ticket of no name is not the list of all."""
    with pytest.raises(RemoteError) as caught:
        segment(value)

    assert caught.value.code == "name_impossible"


def test_an_address_that_an_api_gives_is_asked_at_its_own_host(desk, rest):
    """A location behind a proxy names another host: the grant does not go there."""
    desk.will(says(TICKET))

    rest.get("https://internal.test:8443/api/tickets/7?full=1#top")

    assert (desk.asked[0].path, desk.asked[0].query) == ("/api/tickets/7", {"full": "1"})


@pytest.mark.parametrize(("method", "is_open"), [("GET", False), ("POST", True)])
def test_nothing_in_place_of_something(desk, rest, method, is_open):
    """An empty answer to a question, or to a create, is not the API's."""
    desk.will(raw(b""))

    with pytest.raises(RetryLater) as caught:
        rest.call(method, "/tickets")

    assert (caught.value.code, caught.value.outcome_unknown) == ("answer_unreadable", is_open)


def test_nothing_to_say_is_no_error(desk, rest):
    """As after a removal, or a write that shows nothing."""
    desk.will(nothing(), raw(b"", 201), raw(b""))

    assert rest.delete("/tickets/7") is None
    assert rest.post("/tickets", {}) is None
    assert rest.put("/tickets/7", {}) is None
