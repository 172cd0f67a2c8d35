"""Who signed a delivery, by any scheme, and that nothing a stranger sends is believed or does harm."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector_core import InboundRequest, WebhookRejected
from connector_core.kit.signing import (
    Form,
    SignatureScheme,
    delivery_id,
    is_fresh,
    json_event,
    moment_of,
    name_of,
)
from connector_core.testing import FrozenClock

NOW = FrozenClock().now()
OLD, NEW = SecretStr("the former secret"), SecretStr("the present secret")
SECRETS = (OLD, NEW)
BODY = b'{"ticket_id": 7}'
LARGE = b"x" * 100_000
HEX = SignatureScheme("x-signature", prefix="sha256=")
SHA1 = SignatureScheme("x-signature", digest="sha1", prefix="sha1=")
BASE64 = SignatureScheme("x-signature", form=Form.BASE64)
TIMED = SignatureScheme("x-signature", form=Form.BASE64, time_header="x-time", between=b".")
SCHEMES = pytest.mark.parametrize("scheme", [HEX, SHA1, BASE64, TIMED], ids=["hex", "sha1", "base64", "timed"])


def request(headers, body=BODY, **more):
    """Make a request that came just now."""
    return InboundRequest(headers=headers, body=body, received_at=NOW, **more)


def test_signatures_are_those_that_others_make():
    """Computed here by hand, as vendors' pages say."""
    digest = hmac.new(b"the present secret", BODY, hashlib.sha256)
    sent_at = str(int(NOW.timestamp()))
    both = hmac.new(b"the present secret", sent_at.encode() + b"." + BODY, hashlib.sha256)

    usual = base64.b64encode(digest.digest()).decode()
    for_addresses = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
    timed = {"x-signature": base64.b64encode(both.digest()).decode(), "x-time": sent_at}

    assert HEX.signer(request({"x-signature": "sha256=" + digest.hexdigest()}), SECRETS) == 1
    assert HEX.signer(request({"x-signature": "SHA256=" + digest.hexdigest().upper()}), SECRETS) == 1
    assert BASE64.signer(request({"x-signature": usual}), SECRETS) == 1
    assert BASE64.signer(request({"x-signature": for_addresses}), SECRETS) == 1
    assert TIMED.signer(request(timed), SECRETS) == 1


@SCHEMES
@pytest.mark.parametrize("body", [BODY, b"", LARGE], ids=["short", "empty", "large"])
def test_what_is_signed_is_believed_and_nothing_else(scheme, body):
    """By either secret, told apart; not with another secret, another body, or a spoiled signature."""
    sent = scheme.sign(NEW, body, NOW)
    spoiled = {
        **sent,
        "x-signature": sent["x-signature"][:-3] + ("abc" if sent["x-signature"][-3:] != "abc" else "abd"),
    }

    assert scheme.signer(request(sent, body), SECRETS) == 1
    assert scheme.signer(request(scheme.sign(OLD, body, NOW), body), SECRETS) == 0
    assert scheme.signer(request(scheme.sign(SecretStr("another"), body, NOW), body), SECRETS) is None
    assert scheme.signer(request(sent, body + b"x"), SECRETS) is None
    assert scheme.signer(request(spoiled, body), SECRETS) is None
    assert scheme.signer(request(sent, body), ()) is None
    found = scheme.find(request(sent, body), site="https://desk.test", part="IT")
    assert (found.is_by(NEW), found.is_by(OLD), found.is_given) == (True, False, True)
    assert (found.site, found.part) == ("https://desk.test", "IT")


@pytest.mark.parametrize(
    "odd", ["", "sha256=", "sha1=", "{}", " sha256={}", "sha512={}", "sha256={}00", "sha256= {}", "sha256={}\u0661"]
)
def test_an_odd_signature_is_no_other_one(odd):
    """What stands before it, behind it or in it counts."""
    right = HEX.sign(NEW, BODY)["x-signature"].removeprefix("sha256=")

    assert HEX.signer(request({"x-signature": odd.format(right) or "x"}), SECRETS) is None


@pytest.mark.parametrize("odd", ["!", " ", "\n", "\u0661", "!!!!"])
def test_base64_with_something_in_it_is_none(odd):
    """It is not passed over."""
    right = BASE64.sign(NEW, BODY)["x-signature"]

    assert BASE64.signer(request({"x-signature": right[:5] + odd + right[5:]}), SECRETS) is None


def test_only_what_a_scheme_signs_is_signed():
    """A scheme without a time sends none, one with a time signs it, and a secret is tried once."""
    assert set(HEX.sign(NEW, BODY, NOW)) == {"x-signature"}
    assert TIMED.sign(NEW, BODY, NOW)["x-time"] == str(int(NOW.timestamp()))
    assert TIMED.sign(NEW, BODY)["x-time"] == ""
    assert TIMED.sign(NEW, BODY, NOW)["x-signature"] != TIMED.sign(NEW, BODY)["x-signature"]
    assert SignatureScheme("x-signature").prefix == ""


@SCHEMES
def test_an_empty_secret_proves_nothing(scheme):
    """Not even what it signed."""
    empty = SecretStr("")

    assert scheme.signer(request(scheme.sign(empty, BODY, NOW)), [empty]) is None


def test_a_body_that_was_packed_on_its_way_is_believed():
    """The sender may have signed either form."""
    assert HEX.signer(request(HEX.sign(NEW, b"packed"), packed=b"packed"), SECRETS) == 1
    assert HEX.signer(request(HEX.sign(NEW, BODY), b"\xef\xbb\xbf" + BODY), SECRETS) == 1


def test_no_signature_is_told_apart_from_a_wrong_one():
    """It is counted under its own name; at an address that only we were told there need be none."""
    with pytest.raises(WebhookRejected) as caught:
        HEX.signer(request({}), SECRETS)

    assert (caught.value.code, caught.value.status) == ("signature_missing", 403)
    assert HEX.signer(request({}), ()) is None
    assert HEX.signer(request({}, is_addressed=True), SECRETS) is None
    assert not HEX.find(request({})).is_given


@pytest.mark.parametrize("shift_s", [-301, 301])
def test_a_delivery_that_is_repeated_later_is_refused(shift_s):
    """It is authentic, and old or far ahead; within the tolerance it is taken."""
    sent = TIMED.sign(NEW, BODY, NOW + timedelta(seconds=shift_s))

    with pytest.raises(WebhookRejected) as caught:
        TIMED.signer(request(sent), SECRETS)

    assert (caught.value.code, caught.value.status) == ("delivery_too_old", 403)
    near = TIMED.sign(NEW, BODY, NOW + timedelta(seconds=shift_s // 301 * 300))
    assert TIMED.signer(request(near), SECRETS) == 1


def test_a_time_that_was_changed_is_not_signed():
    """Whoever makes an old delivery young again has to sign it."""
    old = TIMED.sign(NEW, BODY, NOW - timedelta(hours=1))

    assert TIMED.signer(request({**old, "x-time": str(int(NOW.timestamp()))}), SECRETS) is None


@pytest.mark.parametrize("told", ["", "soon", "9" * 40])
def test_a_signed_time_that_is_none_is_too_old(told):
    """Nothing is fresh that does not say when it was."""
    made = hmac.new(b"the present secret", told.encode() + b"." + BODY, hashlib.sha256).digest()

    with pytest.raises(WebhookRejected):
        TIMED.signer(request({"x-signature": base64.b64encode(made).decode(), "x-time": told}), SECRETS)


@given(
    headers=st.dictionaries(st.sampled_from(["x-signature", "x-time"]), st.text(st.characters(exclude_categories=()))),
    body=st.binary(),
    scheme=st.sampled_from([HEX, SHA1, BASE64, TIMED]),
)
def test_nothing_of_a_stranger_is_believed_or_does_harm(headers, body, scheme):
    """It is not ours, or rejected."""
    try:
        assert scheme.signer(request(headers, body), SECRETS) is None
    except WebhookRejected:
        assert not headers.get("x-signature")
    assert not scheme.find(request(headers, body)).is_by(NEW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1795428000", "2026-11-23T10:00:00+00:00"),
        ("1795428000000", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T11:00:00+01:00", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23 10:00:00", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T05:00:00-05:00", "2026-11-23T10:00:00+00:00"),
        ("", None),
        ("-5", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_read_in_each_form(text, moment):
    """What is none is none."""
    found = moment_of(text)

    assert (found and found.isoformat()) == moment


def test_a_time_without_a_zone_is_not_that_of_this_machine(monkeypatch):
    """It is UTC, wherever the connector runs."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert moment_of("2026-11-23T10:00:00") == NOW
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_time_in_a_body_is_held_against_ours():
    """For senders that sign a body with the time in it."""
    assert is_fresh(NOW - timedelta(seconds=300), NOW)
    assert not is_fresh(NOW - timedelta(seconds=301), NOW)
    assert not is_fresh(NOW + timedelta(seconds=11), NOW, tolerance_s=10)


def test_an_event_is_an_object_whose_texts_can_be_kept():
    """Halves of characters are question marks, in names and in values; whole ones stay."""
    body = b'{"a": "x\\ud800y", "\\uDFFF": ["\\ud83d\\ude00"], "n": 1.5}'

    assert json_event(request({}, body)) == {"a": "x?y", "?": ["\U0001f600"], "n": 1.5}
    assert json_event(request({})) == {"ticket_id": 7}


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 100_000])
def test_what_is_no_event_is_rejected(body):
    """In one way, whatever it is."""
    with pytest.raises(WebhookRejected):
        json_event(request({}, body))


@given(st.dictionaries(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=()))))
def test_every_event_can_be_encoded(value):
    """So that a database takes it."""
    event = json_event(request({}, json.dumps(value).encode()))

    json.dumps(event, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("7", "7"),
        (7, "7"),
        (True, ""),
        (None, ""),
        ({"a": 1}, ""),
        (" a\n\x00b ", "ab"),
        ("x" * 900, "x" * 200),
        (10**199, "1" + "0" * 199),
        (10**200, ""),
        (10**300, ""),
    ],
)
def test_a_name_is_printable_and_of_bounded_length(value, name):
    """Whatever a stranger calls something."""
    assert name_of(value) == name


def test_a_delivery_is_called_as_its_sender_does_else_by_its_body():
    """The same body is the same delivery, so that a repetition is known."""
    assert delivery_id(request({"x-request-id": "abc\n"}), "x-request-id") == "abc"
    assert delivery_id(request({}), "x-request-id") == delivery_id(request({}))
    assert delivery_id(request({}, b"{}")) != delivery_id(request({}))
    assert delivery_id(request({"": "unnamed"})).startswith("sha256:")
