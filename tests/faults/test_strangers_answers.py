"""What vendors and platforms answer: each answer means a value or an error of our tree, and waits are bounded."""

from __future__ import annotations

import io
import math
import tracemalloc

import pytest
import requests
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector_core import (
    AuthError,
    ConnectorError,
    FieldName,
    RemoteError,
    RetryLater,
    Settings,
    Source,
    UpdateOutcome,
    WriteIncident,
)
from connector_core.http.session import MAX_ANSWER_BYTES, HTTPSession, read_whole
from connector_core.http_source import HttpSourceSettings, apply_change
from connector_core.http_source.event_wire import MAX_WAIT_S
from connector_core.kit.answers import Subject
from connector_core.testing import FrozenClock
from connector_jira_jsm.api.limits import LIMITS
from connector_jira_jsm.api.responses import RULES, complaint_of, is_scope_mismatch
from tests.support.faults.hostile import ODD_BODIES, each_spoiled, texts, thoroughly
from tests.support.faults.vendor_answers import COMPLAINTS, WAIT_TEXTS, WAITS, Answer, Answering, answers
from tests.support.jira.handles import NOW

POST = requests.Request("POST", "https://example.test/x").prepare()
URL = "https://platform.example.com/incidents"


def assert_wait(wait, longest):
    """Hold a wait against its bounds."""
    assert wait is None or (math.isfinite(wait) and 0 <= wait <= longest)


@thoroughly
@given(answer=answers(*COMPLAINTS), subject=st.sampled_from(Subject))
def test_any_answer_of_the_vendor_is_a_value_or_our_error(answer, subject):
    """No status, header or body makes the reader raise anything else."""
    try:
        RULES.read(answer.to(POST), subject, NOW)
    except ConnectorError as exc:
        error = exc
    else:
        return
    assert error.message.isprintable()
    assert len(error.message) < 1000


@thoroughly
@given(answer=answers(*COMPLAINTS), subject=st.sampled_from(Subject))
def test_any_refusal_has_a_meaning(answer, subject):
    """Every answer taken for a refusal is one of our errors, with a sentence of bounded length and a bounded wait."""
    response = answer.to(POST)
    error = RULES.error_of(response, subject, NOW)

    assert isinstance(error, ConnectorError)
    assert len(str(complaint_of(response))) < 1000
    assert isinstance(is_scope_mismatch(response), bool)
    if isinstance(error, RetryLater):
        assert_wait(error.after_s, LIMITS.longest_wait_s)


@thoroughly
@given(header=WAITS | texts, name=st.sampled_from(["Retry-After", "X-RateLimit-Reset"]))
def test_any_wait_is_bounded(header, name):
    """A wait is none, or between nothing and an hour, whatever the header says."""
    response = requests.Response()
    response.headers[name] = header

    assert_wait(LIMITS.wait_of(response.headers, NOW), LIMITS.longest_wait_s)


@thoroughly
@given(
    reset=WAITS | texts,
    names=st.dictionaries(
        st.sampled_from(["X-RateLimit-NearLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "RateLimit"]),
        st.sampled_from(["true", "0", "1", "9" * 30, "-1", "nan", '"x";r=0;t=99999999', ";r=1;t=5", ";t=", "r=1"])
        | texts,
    ),
)
def test_any_hint_of_a_near_limit_is_bounded(reset, names):
    """How long to spare calls is none, or at most an hour, whatever the headers say."""
    until = LIMITS.near_until({"X-RateLimit-Reset": reset, "RateLimit-Policy": ";q=10;w=9", **names}, NOW)

    assert until is None or 0 < (until - NOW).total_seconds() <= LIMITS.longest_wait_s


def change(answer):
    """Send a change to a platform that gives this answer; return the wait if it is to be sent again, else None."""
    session = HTTPSession("test")
    session.mount("https://", Answering(answer))
    source = Source(
        organization="acme",
        settings=HttpSourceSettings.model_validate({"secret": "a secret", "callback_url": URL}),
        plugin_settings=Settings(),
        session=session,
        clock=FrozenClock(),
        log=structlog.get_logger(),
    )
    wanted = frozenset({FieldName.TITLE, FieldName.DESCRIPTION})
    update = WriteIncident(incident_id="inc-1", title="x", description="y", fields=wanted, idempotency_key="key-1")
    try:
        outcome = apply_change(source, update)
    except RetryLater as exc:
        return exc.after_s
    except (AuthError, RemoteError):
        return None
    assert isinstance(outcome, UpdateOutcome)
    return None


@thoroughly
@given(answer=answers({"unsupported": {"title": "read-only"}}))
def test_any_answer_of_the_platform_is_an_outcome_or_our_error(answer):
    """A platform that answers nonsense to a change is told apart, and never takes the connector down."""
    assert_wait(change(answer), MAX_WAIT_S)


@pytest.mark.parametrize("status", [429, 503])
def test_each_odd_wait_is_bounded(status):
    """What the property draws now and then, once for certain, with vendor and platform."""
    for text in WAIT_TEXTS:
        for name in ("Retry-After", "X-RateLimit-Reset"):
            answer = Answer(status, {name: text}, b"")

            assert_wait(change(answer), MAX_WAIT_S)
            assert_wait(LIMITS.wait_of(answer.to(POST).headers, NOW), LIMITS.longest_wait_s)


def test_each_odd_body_has_a_meaning():
    """Bodies that break parsers are no reason to fail, whatever the status that they come with."""
    for body in ODD_BODIES:
        for status in (200, 400, 404, 422, 429, 500):
            answer = Answer(status, {"Content-Type": "application/json"}, body)

            assert_wait(change(answer), MAX_WAIT_S)
            assert isinstance(RULES.error_of(answer.to(POST), Subject.TICKET, NOW), ConnectorError)


def test_each_way_to_spoil_a_complaint():
    """Each shape of an error body, with each of the worst values in each of its places, still has a meaning."""
    for document in COMPLAINTS:
        for body in each_spoiled(document):
            for status in (400, 401, 404, 429):
                error = RULES.error_of(Answer(status, {}, body).to(POST), Subject.TICKET, NOW)

                assert error.message.isprintable()


class Endless(io.RawIOBase):
    """A body that never ends; the test does when too much of it was read."""

    def __init__(self):
        """Begin."""
        self.given = 0

    def read(self, size=-1):
        """Give as much as is asked for."""
        assert self.given < 2 * MAX_ANSWER_BYTES
        self.given += max(size, 1)
        return b"x" * max(size, 1)


@pytest.mark.parametrize("status", [200, 302, 307])
def test_an_endless_answer_is_cut_off(status):
    """Not more than the limit is read of any answer, a redirect's body included."""
    answer = Answer(status, {"Location": "https://example.test/elsewhere"}, b"")
    session = HTTPSession("test")
    session.mount("https://", Answering(answer, raw=Endless()))

    with pytest.raises(RetryLater) as caught:
        session.get("https://example.test/x")

    assert caught.value.code == "answer_too_large"


@pytest.mark.extended
def test_an_answer_in_small_pieces_takes_no_more_than_one_in_large(monkeypatch):
    """A site may send two bytes a chunk: a list of those would take twenty times as much as they are."""
    answer = requests.Response()
    pieces = (bytes((n % 256, n // 256 % 256)) for n in range(1_000_000))
    monkeypatch.setattr(answer, "iter_content", lambda _: pieces)

    tracemalloc.start()
    try:
        read_whole(answer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(answer.content) == 2_000_000
    assert peak < 10_000_000
