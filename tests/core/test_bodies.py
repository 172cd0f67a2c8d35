"""Bodies as they come in: unpacked within limits, read as text and JSON, or refused with a reason."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from connector_core import InboundRequest, WebhookRejected
from connector_core.health.refusals import REASONS
from connector_core.http.bodies import MOST_VALUES, encoding_of, object_of, unpack
from connector_core.web.request_bodies import declared_size
from connector_core.web.tidy_paths import tidy

AT = datetime(2026, 11, 23, tzinfo=UTC)
LIMIT = 1024 * 1024
MARK = b"\xef\xbb\xbf"


def refusal_of(run):
    """Return the code that something is refused with."""
    with pytest.raises(WebhookRejected) as caught:
        run()
    return caught.value.code


def outcome_of(run):
    """Return the type of what comes of something, or the code that it is refused with."""
    try:
        return type(run())
    except WebhookRejected as exc:
        return exc.code


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4))
def test_whatever_was_packed_comes_out_the_same(parts):
    """Also when it was packed in several members, as gzip allows."""
    assert unpack(b"".join(map(gzip.compress, parts)), LIMIT) == b"".join(parts)


@given(st.binary(max_size=2000), st.integers(0, 40), st.binary(max_size=3))
def test_nothing_packed_ends_otherwise_than_in_bytes_or_a_reason(body, cut, more):
    """Cut off, with something behind it, or no gzip at all."""
    for packed in (body, gzip.compress(body)[: -cut or None] + more):
        assert outcome_of(lambda packed=packed: unpack(packed, LIMIT)) in {bytes, *REASONS}


@pytest.mark.parametrize("bomb", [b"\0" * 64 * LIMIT, b"[" * 64 * LIMIT])
def test_a_small_body_does_not_become_a_huge_one(bomb):
    """It is given up at the limit, long before all of it is in memory."""
    packed = gzip.compress(bomb)
    tracemalloc.start()
    try:
        code = refusal_of(lambda: unpack(packed, LIMIT))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert code == "too_large"
    assert peak < 4 * LIMIT


def test_many_empty_members_end_too():
    """Each costs its bytes and adds none."""
    assert unpack(gzip.compress(b"") * 2000 + gzip.compress(b"{}"), LIMIT) == b"{}"


@pytest.mark.parametrize("named", ["", "identity", " identity , identity"])
def test_no_encoding(named):
    """Some senders name what they did not do."""
    assert encoding_of(named) == ""


@pytest.mark.parametrize(("named", "is_read"), [("GZIP", True), ("x-gzip", True), ("gzip, gzip", False), ("br", False)])
def test_one_encoding_is_read(named, is_read):
    """Any other is refused with its reason."""
    assert encoding_of(named) == "gzip" if is_read else refusal_of(lambda: encoding_of(named)) == "encoding_unknown"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()), st.booleans())
def test_an_object_is_read_with_or_without_a_mark(value, has_mark):
    """A byte order mark says nothing about what follows."""
    body = (MARK if has_mark else b"") + json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")

    assert object_of(InboundRequest(headers={}, body=body, received_at=AT)) == json.loads(body.removeprefix(MARK))


@given(st.binary(max_size=200) | st.just(b"[" * 100_000))
def test_any_other_body_has_a_reason(body):
    """Each is one that the console has words for."""
    assert outcome_of(lambda: object_of(InboundRequest(headers={}, body=body, received_at=AT))) in {dict, *REASONS}


@given(st.binary(max_size=20), st.booleans(), st.booleans())
def test_what_may_have_been_signed(bare, has_mark, is_packed):
    """The body itself, what it was packed in, and the body without its mark; nothing else, and nothing twice."""
    body = (MARK if has_mark else b"") + bare
    packed = gzip.compress(body) if is_packed else None
    forms = InboundRequest(headers={}, body=body, packed=packed, received_at=AT).signable

    assert set(forms) == {body, body.removeprefix(MARK), *([packed] if packed else [])}
    assert len(forms) == len(set(forms))


@given(st.lists(st.sampled_from(["/", "//", "external", "jira", "webhook", "."]), max_size=9))
def test_a_tidy_path_is_tidy_and_names_the_same(parts):
    """The segments stay, in their order; doing it twice changes nothing."""
    path = "/" + "".join(parts)
    made = tidy(path)

    assert [one for one in made.split("/") if one] == [one for one in path.split("/") if one]
    assert "//" not in made
    assert tidy(made) == made


def test_a_size_with_any_number_of_noughts_in_front_is_read():
    """A connection takes them; as one number they are more digits than are read."""
    scope = {"type": "http", "headers": [(b"content-length", b"0" * 6000 + b"27")]}
    assert declared_size(Request(scope)) == 27


@pytest.mark.parametrize("one", [b'"k":1', b'"k":{}'])
def test_a_body_of_too_many_values_is_not_read(one, monkeypatch):
    """Reading it would stop every thread for seconds, so nothing is read of it."""
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("it was read"))
    body = b"{" + b",".join([one] * (MOST_VALUES + 2)) + b"}"

    with pytest.raises(WebhookRejected) as caught:
        object_of(InboundRequest(headers={}, body=body, received_at=AT))

    assert (caught.value.status, caught.value.code) == (413, "too_large")
