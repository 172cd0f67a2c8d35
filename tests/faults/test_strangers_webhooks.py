"""Deliveries of the ticketing system, signed or not: read, not ours, or rejected, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector_core import Delivery, InboundRequest, TicketSnapshot, UnreadableTicket, WebhookRejected
from connector_core.contract.models import utc
from connector_core.kit.texts import clean, normalise
from connector_jira_jsm import on_inbound_webhook
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.text import descriptions, titles, wiki
from connector_jira_jsm.webhooks import incoming, signature
from tests.support.faults.hostile import (
    bodies,
    each_spoiled,
    flipped,
    headers,
    spoiled,
    texts,
    thoroughly,
    values,
    written,
)
from tests.support.faults.strangers_app import HOOK, ISSUE, hook_signature
from tests.support.jira.handles import NOW, SETTINGS, build

FORMER, PRESENT = "the former secret", "It's a Secret to Everybody"
LISTENING = build(settings=SETTINGS, secrets=(FORMER, PRESENT))[0]
NAMES = (signature.SCHEME.header, incoming.IDENTIFIER)


def is_signed(secrets, sent_headers, sent):
    """Return whether one of the secrets signed exactly these bytes."""
    found = signature.find(InboundRequest(headers=sent_headers, body=sent, received_at=NOW))
    return any(found.is_by(secret) for secret in secrets)


def receive(body, **sent):
    """Receive a body with these headers; return the delivery, or None when it is not ours or was rejected."""
    request = InboundRequest(headers={k.replace("_", "-"): v for k, v in sent.items()}, body=body, received_at=NOW)
    try:
        delivery = on_inbound_webhook(LISTENING, request)
    except WebhookRejected as exc:
        refused = exc
    else:
        assert delivery is None or isinstance(delivery, Delivery)
        return delivery
    assert (refused.status, refused.code) == (403, "signature_missing") or refused.status == 400
    return None


def signed(body, secret=PRESENT, **more):
    """Receive a body that is signed rightly."""
    return receive(body, x_hub_signature=hook_signature(body, secret), **more)


@thoroughly
@given(sent=st.dictionaries(st.sampled_from(NAMES), headers), body=bodies)
def test_strangers_are_not_ours(sent, body):
    """Without the secret no headers and no body make a delivery, and reading them fails in no other way."""
    assert receive(body, **sent) is None


@thoroughly
@given(body=bodies | values.map(written), identifier=headers)
def test_anything_signed_is_named_or_rejected(body, identifier):
    """A signed body that is a JSON object is a delivery with a name and no ticket; anything else is rejected."""
    delivery = signed(body, x_atlassian_webhook_identifier=identifier)

    if delivery is not None:
        assert 0 < len(delivery.id) <= 200
        assert delivery.id.isprintable()
        assert delivery.event.isprintable()
        assert delivery.tickets == ()


@pytest.mark.extended
@thoroughly
@given(body=spoiled(HOOK))
def test_spoiled_deliveries_show_what_can_be_stored(body):
    """An issue with one thing wrong in it is rejected, too thin, or a ticket that the store can take and give back."""
    keep(signed(body))


def test_each_way_to_spoil_a_delivery():
    """The same for each place of a delivery and each of the worst values in it."""
    for body in each_spoiled(HOOK):
        keep(signed(body))


def keep(delivery):
    """Do with a delivery what the store does with it."""
    for ticket in delivery.tickets if delivery else ():
        stored = ticket.model_dump_json(exclude_none=True)

        assert TicketSnapshot.model_validate_json(stored) == ticket
        assert "\\u0000" not in stored
        assert ticket.updated is None or utc(ticket.updated)
        assert ticket.url is None or ticket.url.isprintable()


@thoroughly
@given(issue=values, priority=values, status=values, updated=values)
def test_any_issue_is_read_or_said_to_be_unreadable(issue, priority, status, updated):
    """The reader of issues raises nothing: whatever it cannot read is unknown, and without an id it says so."""
    fields = {**ISSUE["fields"], "priority": priority, "status": status, "updated": updated}
    for candidate in ({**ISSUE, "id": issue}, {**ISSUE, "key": issue}, {**ISSUE, "fields": fields}):
        assert isinstance(mapping.snapshot(candidate, (), "https://example.test"), TicketSnapshot | UnreadableTicket)


@thoroughly
@given(body=bodies, secret=st.sampled_from([FORMER, PRESENT]), more=st.text(min_size=1, max_size=40))
def test_either_secret_signs(body, secret, more):
    """Whatever is signed with one of two secrets is authentic, with any third it is not."""
    both = [SecretStr(FORMER), SecretStr(PRESENT)]

    assert is_signed(both, {signature.SCHEME.header: hook_signature(body, secret)}, body)
    assert is_signed([*both, SecretStr(more)], {signature.SCHEME.header: hook_signature(body, more)}, body)
    assert not is_signed(both, {signature.SCHEME.header: hook_signature(body, more)}, body)


@thoroughly
@given(body=st.binary(min_size=1, max_size=200), where=st.integers(min_value=0))
def test_one_bit_of_the_body_makes_the_difference(body, where):
    """A body with one bit turned over is no longer signed."""
    sent = {signature.SCHEME.header: hook_signature(body, PRESENT)}

    assert not is_signed(LISTENING.webhook_secrets, sent, flipped(body, where % (len(body) * 8)))


def test_one_bit_of_the_signature_makes_the_difference():
    """A signature header with any one of its bits turned over is not ours."""
    right = hook_signature(b"x", PRESENT).encode()
    for position in range(len(right) * 8):
        wrong = flipped(right, position).decode("latin-1")
        if wrong.isascii() and wrong.lower() == right.decode():  # only the letter case is another
            continue

        assert not is_signed(LISTENING.webhook_secrets, {signature.SCHEME.header: wrong}, b"x")


@thoroughly
@given(text=texts)
def test_readers_of_text_take_anything(text):
    """Cleaning, fitting and reading are defined for every text, and doing them twice changes nothing."""
    assert clean(clean(text)) == clean(text)
    assert normalise(normalise(text)) == normalise(text)
    assert wiki.unescape(wiki.escape(text)) == clean(text)
    assert titles.fit(titles.fit(text)) == titles.fit(text)
    assert isinstance(descriptions.read(text), str | None)
    descriptions.mentions(text, "cnx-1")
    wiki.link(text, text)
    mapping.moment(text)
