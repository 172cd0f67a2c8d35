"""The check of Standard Webhooks signatures: what is signed rightly passes, and nothing else does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core.contract.errors import ConfigError, WebhookRejected
from connector_core.http_source.signatures import TOLERANCE_S, sign, signing_keys, verify
from tests.support.faults.hostile import bodies, flipped, headers, thoroughly

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
BODY = b'{"id": "evt_01"}'
KEYS = (*signing_keys("the former secret"), *signing_keys("whsec_dGhlIHByZXNlbnQgc2VjcmV0"))
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")

secrets = st.text(min_size=1, max_size=40) | st.binary(min_size=1, max_size=40).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)
message_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@pytest.mark.extended
@thoroughly
@given(given=st.dictionaries(st.sampled_from(NAMES), headers), body=bodies)
def test_strangers_are_rejected(given, body):
    """Whatever headers and body somebody without the secret makes up, the one answer is a rejection."""
    with pytest.raises(WebhookRejected) as caught:
        verify(KEYS, given, body, NOW)

    assert (caught.value.status, caught.value.reply) == (401, "signature not accepted")


@thoroughly
@given(name=st.sampled_from(NAMES), value=headers | st.none())
def test_authentic_headers_with_one_changed_are_rejected(name, value):
    """A signed request stands or falls with each of its three headers."""
    sent = {**sign(KEYS, "msg_1", NOW, BODY), name: value}

    with pytest.raises(WebhookRejected):
        verify(KEYS, {key: text for key, text in sent.items() if text is not None}, BODY, NOW)


@thoroughly
@given(former=secrets, present=secrets, use_former=st.booleans(), message_id=message_ids, body=bodies)
def test_either_secret_signs(former, present, use_former, message_id, body):
    """Whatever is signed with one of two secrets is accepted while both are."""
    try:
        keys = [*signing_keys(former), *signing_keys(present)]
        signer = signing_keys(former if use_former else present)
    except ConfigError:
        return  # the prefix without base64 after it is refused in the configuration

    assert verify(keys, sign(signer, message_id, NOW, body), body, NOW) == message_id


@thoroughly
@given(offset_s=st.integers(-(10**9), 10**9))
def test_age_decides_however_well_it_is_signed(offset_s):
    """A signed request is accepted within five minutes of our clock, and at no other time."""
    sent = sign(KEYS, "msg_1", NOW + timedelta(seconds=offset_s), BODY)
    try:
        accepted = verify(KEYS, sent, BODY, NOW) == "msg_1"
    except WebhookRejected:
        accepted = False

    assert accepted == (abs(offset_s) <= TOLERANCE_S)


@thoroughly
@given(body=st.binary(min_size=1, max_size=200), where=st.integers(min_value=0))
def test_one_bit_of_the_body_makes_the_difference(body, where):
    """A body with one bit turned over is no longer signed."""
    sent = sign(KEYS, "msg_1", NOW, body)

    with pytest.raises(WebhookRejected):
        verify(KEYS, sent, flipped(body, where % (len(body) * 8)), NOW)


def test_one_bit_of_the_signature_makes_the_difference():
    """A signature with any one of its bits turned over fits no secret."""
    sent = sign(KEYS[:1], "msg_1", NOW, BODY)
    digest = base64.b64decode(sent["webhook-signature"].removeprefix("v1,"))
    for position in range(len(digest) * 8):
        wrong = "v1," + base64.b64encode(flipped(digest, position)).decode()

        with pytest.raises(WebhookRejected):
            verify(KEYS, {**sent, "webhook-signature": wrong}, BODY, NOW)


@thoroughly
@given(secret=headers)
def test_any_secret_is_a_key_or_refused(secret):
    """Whatever stands in the configuration becomes keys that are not empty, or is refused there."""
    try:
        keys = signing_keys(secret)
    except ConfigError:
        return

    assert keys
    assert all(keys)
