"""Signing and verifying, checked against an implementation that is not ours."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from connector_core.contract.errors import ConfigError, WebhookRejected
from connector_core.http_source.signatures import SECRET_PREFIX, TOLERANCE_S, sign, signing_keys, verify

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
KEYS = signing_keys("a plain secret")
BODY = b'{"id": "evt_01"}'

bodies = st.binary(max_size=200)
keys = st.binary(min_size=1, max_size=64)
message_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def with_prefix(key: bytes) -> str:
    """Write a key as the specification does."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def test_signed_request_is_verified():
    """What we sign we accept, and give back its id."""
    assert verify(KEYS, sign(KEYS, "msg_1", NOW, BODY), BODY, NOW) == "msg_1"


def test_header_format_is_the_specifications():
    """The known answer of the specification's example."""
    secret = "whsec_plJ3nmyCDGBKInavdOK15jsl"
    body = b'{"event_type":"ping","data":{"success":true}}'

    headers = sign(signing_keys(secret), "msg_loFOjxBNrRLzqYUf", datetime.fromtimestamp(1731705121, UTC), body)

    assert headers == {
        "webhook-id": "msg_loFOjxBNrRLzqYUf",
        "webhook-timestamp": "1731705121",
        "webhook-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    }


@given(key=keys, message_id=message_ids, text=st.text(max_size=100))
def test_other_implementation_accepts_ours(key, message_id, text):
    """A receiver that uses the specification's library accepts what we sign."""
    body = json.dumps({"text": text}).encode()
    headers = sign(signing_keys(with_prefix(key)), message_id, datetime.now(UTC), body)

    standardwebhooks.Webhook(with_prefix(key)).verify(body, headers)


@given(key=keys, message_id=message_ids, text=st.text(max_size=100))
def test_other_implementation_is_accepted(key, message_id, text):
    """A sender that uses the specification's library is accepted."""
    signature = standardwebhooks.Webhook(with_prefix(key)).sign(message_id, NOW, text)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }

    assert verify(signing_keys(with_prefix(key)), headers, text.encode(), NOW) == message_id


@pytest.mark.parametrize("sender", ["decodes", "does not decode"])
def test_secret_without_prefix_is_accepted_either_way(sender):
    """Senders differ in whether they decode a secret that looks like base64."""
    secret = base64.b64encode(b"sixteen bytes ok").decode()
    key = b"sixteen bytes ok" if sender == "decodes" else secret.encode()

    assert verify(signing_keys(secret), sign([key], "msg_1", NOW, BODY), BODY, NOW) == "msg_1"


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("whsec_c2VjcmV0", (b"secret",)),
        ("whsec_c2VjcmV0MQ", (b"secret1",)),  # without padding
        ("c2VjcmV0", (b"secret", b"c2VjcmV0")),
        ("no base64!", (b"no base64!",)),
        ("gehe\u00efm", ("gehe\u00efm".encode(),)),
    ],
)
def test_keys_of_a_secret(secret, expected):
    """A prefix leaves one reading, its absence up to two."""
    assert signing_keys(secret) == expected


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "whsec_\u00e4"])
def test_unusable_secret_is_refused(secret):
    """An empty or damaged secret never becomes a key that anybody could guess."""
    with pytest.raises(ConfigError):
        signing_keys(secret)


def test_no_keys_accept_nobody():
    """Without a secret no request is authentic."""
    with pytest.raises(WebhookRejected):
        verify((), sign(KEYS, "msg_1", NOW, BODY), BODY, NOW)


def test_rotation_has_no_gap():
    """While a secret is replaced, requests signed with either or both are accepted."""
    old, new = signing_keys("the old secret"), signing_keys("the new secret")

    for signer in (old, new, old + new):
        assert verify(old + new, sign(signer, "msg_1", NOW, BODY), BODY, NOW) == "msg_1"
    assert verify(new, sign(old + new, "msg_1", NOW, BODY), BODY, NOW) == "msg_1"


def test_signatures_of_other_versions_are_passed_over():
    """A sender may add signatures of kinds that we do not know."""
    headers = sign(KEYS, "msg_1", NOW, BODY)
    headers["webhook-signature"] = f"v1a,AAAA nonsense v2,x, {headers['webhook-signature']}"

    assert verify(KEYS, headers, BODY, NOW) == "msg_1"


@pytest.mark.parametrize("offset_s", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_clock_may_be_off_within_the_tolerance(offset_s):
    """Five minutes either way are accepted."""
    headers = sign(KEYS, "msg_1", NOW + timedelta(seconds=offset_s), BODY)

    assert verify(KEYS, headers, BODY, NOW) == "msg_1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"webhook-id": None}, "webhook-id is missing"),
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-id": "msg 1"}, "printable ASCII"),
        ({"webhook-id": "x" * 256}, "webhook-id"),
        ({"webhook-id": "msg_2"}, "no signature fits"),
        ({"webhook-timestamp": None}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "soon"}, "unix seconds"),
        ({"webhook-timestamp": "1e9"}, "unix seconds"),
        ({"webhook-timestamp": "-5"}, "unix seconds"),
        ({"webhook-timestamp": "\u0661" * 10}, "unix seconds"),
        ({"webhook-timestamp": "9" * 5000}, "unix seconds"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) - TOLERANCE_S - 1)}, "-301 s off"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + TOLERANCE_S + 1)}, r"\+301 s off"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, "no signature fits"),
        ({"webhook-signature": None}, "webhook-signature is missing"),
        ({"webhook-signature": "v1,"}, "no readable v1"),
        ({"webhook-signature": "v1,@@@@"}, "no readable v1"),
        ({"webhook-signature": "v1,\u00e4\u00f6"}, "no readable v1"),
        ({"webhook-signature": "v1"}, "no readable v1"),
        ({"webhook-signature": "v1,AAAA"}, "no signature fits"),
    ],
)
def test_wrong_header_is_rejected(changes, reason):
    """The log has the reason, the sender learns only that the signature was not accepted."""
    headers = {**sign(KEYS, "msg_1", NOW, BODY), **changes}

    with pytest.raises(WebhookRejected, match=reason) as caught:
        verify(KEYS, {name: value for name, value in headers.items() if value is not None}, BODY, NOW)

    assert caught.value.status == 401
    assert caught.value.reply == "signature not accepted"


def test_changed_body_is_rejected():
    """One byte makes the difference."""
    with pytest.raises(WebhookRejected, match="no signature fits"):
        verify(KEYS, sign(KEYS, "msg_1", NOW, BODY), BODY + b" ", NOW)


def test_flood_of_signatures_is_cut():
    """A header full of signatures does not cost more than a few comparisons."""
    headers = sign(KEYS, "msg_1", NOW, BODY)
    headers["webhook-signature"] = "v1,AAAA " * 1000 + headers["webhook-signature"]

    with pytest.raises(WebhookRejected):
        verify(KEYS, headers, BODY, NOW)


any_text = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates included


@given(
    headers=st.fixed_dictionaries(
        {},
        optional={
            "webhook-id": any_text | message_ids,
            "webhook-timestamp": any_text | st.just(str(int(NOW.timestamp()))),
            "webhook-signature": any_text
            | any_text.map("v1,".__add__)
            | st.binary().map(lambda raw: "v1," + base64.b64encode(raw).decode()),
        },
    ),
    body=bodies,
)
def test_stranger_is_always_rejected(headers, body):
    """Whatever somebody without the secret sends ends in a rejection and in nothing else."""
    with pytest.raises(WebhookRejected):
        verify(KEYS, headers, body, NOW)


@pytest.mark.parametrize("secret", ["\udcff", "", "whsec_", "whsec_%%"])
def test_a_secret_that_can_sign_nothing_is_a_mistake_of_the_settings(secret):
    """Bytes that are no text, nothing at all, and what only looks encoded are refused before anything is signed."""
    with pytest.raises(ConfigError) as caught:
        signing_keys(secret)

    assert caught.value.code == "webhook_secret_invalid"
