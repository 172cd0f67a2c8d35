"""Deliveries: who signed them, what they show, and that nothing a stranger sends can do harm."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector_core import Delivery, FieldName, InboundRequest, Integration, Priority, WebhookRejected
from connector_core.testing import MemoryCore
from connector_jira_jsm.api.bodies import ISSUE_FIELDS
from connector_jira_jsm.text import descriptions
from connector_jira_jsm.webhooks import incoming, signature
from tests.support.jira.handles import NOW, SETTINGS, build, oauth_grant

SECRET = "It's a Secret to Everybody"
VECTOR = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"


def issue(**changes: object) -> dict[str, Any]:
    """Make an issue in the shape of recorded deliveries."""
    fields = {
        "summary": "Fan failed",
        "description": "It is hot.",
        "priority": {"self": "https://example.test/rest/api/2/priority/2", "name": "High", "id": "2"},
        "status": {"name": "Waiting for support", "id": "10000", "statusCategory": {"id": 2, "key": "new"}},
        "updated": "2026-03-02T18:30:00.123+0900",
        "project": {"key": "SUP", "projectTypeKey": "service_desk"},
    }
    return {
        "id": "10040",
        "key": "SUP-41",
        "self": "https://example.test/rest/api/2/10040",
        "fields": {**fields, **changes},
    }


def body(**more: object) -> bytes:
    """Make a delivery's body."""
    return json.dumps({"timestamp": 1, "webhookEvent": "jira:issue_updated", "issue": issue(), **more}).encode()


def is_signed(secrets: Sequence[SecretStr], headers: Mapping[str, str], sent: bytes) -> bool:
    """Return whether one of the secrets signed exactly these bytes."""
    found = signature.find(InboundRequest(headers=headers, body=sent, received_at=NOW))
    return any(found.is_by(secret) for secret in secrets)


def signed(raw: bytes, secret: str = SECRET, **headers: str) -> InboundRequest:
    """Sign a body as Jira does."""
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return InboundRequest(headers={"x-hub-signature": signature, **headers}, body=raw, received_at=NOW)


@pytest.fixture
def listening() -> Integration:
    """Return an integration with an old and a new secret."""
    return build(settings=SETTINGS, grant=oauth_grant(), secrets=("older", SECRET))[0]


def delivered(integration: Integration, raw: bytes, **headers: str) -> Delivery:
    """Receive a signed body."""
    delivery = incoming.receive(integration, signed(raw, **headers))
    assert delivery is not None
    return delivery


def test_published_vector_is_accepted():
    """The example of Atlassian's page is authentic."""
    assert is_signed([SecretStr(SECRET)], {"x-hub-signature": VECTOR}, b"Hello World!")


def test_small_and_capital_letters_of_a_signature_are_the_same():
    """Relays write `SHA256=` too; letters beyond ASCII that look alike are others."""
    for header in (VECTOR.upper(), VECTOR.title(), "SHA256=" + VECTOR[7:]):
        assert is_signed([SecretStr(SECRET)], {"x-hub-signature": header}, b"Hello World!")
    assert not is_signed([SecretStr(SECRET)], {"x-hub-signature": "\u017f" + VECTOR[1:]}, b"Hello World!")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        VECTOR[7:],
        VECTOR + "00",
        VECTOR[:-1] + "0",
        "sha1=" + VECTOR[7:],
        "sha256=\u00e9\ud800",
        " " + VECTOR,
        "a" * 100_000,
    ],
)
def test_odd_signature_is_not_ours(header: str):
    """A wrong or strange header is simply no match."""
    assert not is_signed([SecretStr(SECRET)], {"x-hub-signature": header}, b"Hello World!")


def test_missing_signature_or_secret_is_not_ours():
    """Without a header or without a secret nothing is authentic; an empty secret signs nothing."""
    empty = "sha256=" + hmac.new(b"", b"x", hashlib.sha256).hexdigest()

    assert not is_signed([SecretStr(SECRET)], {}, b"x")
    assert not is_signed([], {"x-hub-signature": VECTOR}, b"Hello World!")
    assert not is_signed([SecretStr("")], {"x-hub-signature": empty}, b"x")


def test_any_of_the_secrets_may_sign(listening: Integration):
    """While a secret is being changed, the old one and the new one are both good."""
    assert incoming.receive(listening, signed(body(), "older")) is not None
    assert incoming.receive(listening, signed(body(), SECRET)) is not None
    assert incoming.receive(listening, signed(body(), "another")) is None


def test_which_secret_signed_is_told(listening: Integration):
    """The position among the secrets goes with the delivery, so that use of an old one is seen."""
    older = incoming.receive(listening, signed(body(), "older"))
    newer = incoming.receive(listening, signed(body(), SECRET))

    assert older is not None
    assert newer is not None
    assert (older.signed_by, newer.signed_by) == (0, 1)


@pytest.mark.parametrize("secrets", [(SECRET,), ("", SECRET)])
def test_a_delivery_without_any_signature_is_refused_as_such(secrets: tuple[str, ...]):
    """Whoever forgot the secret in Jira is told so, and not that it is a wrong one."""
    integration = build(settings=SETTINGS, grant=oauth_grant(), secrets=secrets)[0]

    with pytest.raises(WebhookRejected) as caught:
        incoming.receive(integration, InboundRequest(headers={}, body=body(), received_at=NOW))

    assert (caught.value.status, caught.value.code) == (403, "signature_missing")


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_a_signature_is_not_missing(secrets: tuple[str, ...]):
    """There is none that it could be made with: the delivery is somebody else's."""
    integration = build(settings=SETTINGS, grant=oauth_grant(), secrets=secrets)[0]

    assert incoming.receive(integration, InboundRequest(headers={}, body=body(), received_at=NOW)) is None


@pytest.mark.parametrize("signs", [b"packed", body()])
def test_what_was_signed_may_be_the_body_before_or_after_it_was_packed(listening: Integration, signs: bytes):
    """A relay that packs a delivery leaves Jira's signature as it was."""
    request = InboundRequest(headers=signed(signs).headers, body=body(), packed=b"packed", received_at=NOW)

    delivery = incoming.receive(listening, request)

    assert delivery is not None
    assert delivery.signed_by == 1


@pytest.mark.parametrize(
    "shown", [issue(updated=None), issue(description="Ask [~accountid:712020:5a1c0f1e]."), issue(updated="soon")]
)
def test_what_is_shown_in_part_has_the_ticket_read(listening: Integration, shown: dict[str, Any]):
    """Without its time nobody knows whether it is news; and who is mentioned is not asked while a webhook waits."""
    delivery = delivered(listening, body(issue=shown))

    assert delivery.tickets == ()
    assert (delivery.hints, delivery.ignored) == (frozenset({"10040"}), "")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, ""),
        ({"webhookEvent": "jira:issue_deleted"}, ""),
        ({"webhookEvent": "comment_created", "issue": {"id": "1", "key": "SUP-1", "fields": {}}}, "issue_thin"),
        ({"webhookEvent": "worklog_created", "issue": None}, "no_issue"),
        ({"webhookEvent": "jira:version_released", "issue": None}, "event_unknown"),
        ({"webhookEvent": "sprint_closed", "issue": None}, "event_unknown"),
        ({"webhookEvent": None, "issue": None}, "event_unknown"),
    ],
)
def test_what_shows_no_ticket_says_why(listening: Integration, more: dict[str, Any], reason: str):
    """Unknown events, thin issues and events without one are told apart for the count."""
    assert delivered(listening, body(**more)).ignored == reason


def test_update_shows_the_ticket(listening: Integration):
    """An update becomes a snapshot of the issue, with the id from the issue and the site from its address."""
    delivery = delivered(listening, body(), **{"x-atlassian-webhook-identifier": "abc-1"})
    (ticket,) = delivery.tickets

    assert (delivery.id, delivery.event) == ("abc-1", "jira:issue_updated")
    assert (ticket.id, ticket.key, ticket.url) == ("10040", "SUP-41", "https://example.test/browse/SUP-41")
    assert (ticket.title, ticket.description, ticket.priority) == ("Fan failed", "It is hot.", Priority.HIGH)
    assert ticket.updated == NOW.replace(microsecond=123000)
    assert not ticket.done


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://example.test/rest/api/2/issue/10040", "https://example.test/browse/SUP-41"),
        ("http://localhost:2990/jira/rest/api/2/issue/10040", "http://localhost:2990/jira/browse/SUP-41"),
        ("javascript:alert(1)//rest/api/2/", None),
        (None, None),
        (7, None),
    ],
)
def test_site_is_read_from_the_issues_address(listening: Integration, link: object, url: str | None):
    """Old and new forms of the address name the site; anything else names none."""
    (ticket,) = delivered(listening, body(issue={**issue(), "self": link})).tickets

    assert ticket.url == url


def test_done_is_the_category(listening: Integration):
    """A status counts as done by its category, without any changelog."""
    closed = issue(status={"name": "Complete", "id": "9", "statusCategory": {"key": "done"}})
    (ticket,) = delivered(listening, body(issue=closed)).tickets

    assert ticket.done
    assert ticket.status == "Complete"


def test_null_description_and_priority(listening: Integration):
    """Null fields are none, and an unknown priority has no partner but keeps its name."""
    (empty,) = delivered(listening, body(issue=issue(description=None, priority=None))).tickets
    (odd,) = delivered(listening, body(issue=issue(priority={"id": "7", "name": "Blocker"}))).tickets

    assert (empty.description, empty.priority, empty.priority_name) == (None, None, None)
    assert (odd.priority, odd.priority_name) == (None, "Blocker")


@pytest.mark.parametrize(
    "changes",
    [
        {"issue": {"id": "1", "key": "SUP-1"}},
        {"issue": {"id": "1", "key": "SUP-1", "fields": {"summary": "x", "status": {"name": "Open"}}}},
        {"issue": {**issue(), "id": None}},
        {"issue": "SUP-1"},
        {"webhookEvent": "jira:issue_deleted"},
    ],
)
def test_thin_or_deleted_issue_shows_no_ticket(listening: Integration, changes: dict[str, Any]):
    """A comment's thin issue would clear the description; a deleted issue is no longer there."""
    assert delivered(listening, body(**changes)).tickets == ()


@pytest.mark.parametrize(
    "more",
    [
        {"changelog": {"id": 10124, "items": []}},
        {"issue_event_type_name": "issue_moved", "changelog": {"id": "1", "items": [{"field": "Key"}]}},
        {"matchedWebhookIds": [1], "bulkOperationMetaData": {"sendMail": True}},
        {"user": {"accountId": "qm:1:2", "accountType": "customer"}},
    ],
)
def test_other_keys_do_not_matter(listening: Integration, more: dict[str, Any]):
    """The ticket is read from the issue, whatever else is in the delivery."""
    assert len(delivered(listening, body(**more)).tickets) == 1


def test_unknown_event_has_its_name_and_no_ticket(listening: Integration):
    """An event without an issue is acknowledged under its own name."""
    delivery = delivered(listening, json.dumps({"webhookEvent": "project_created"}).encode())

    assert (delivery.event, delivery.tickets) == ("project_created", ())


def test_delivery_without_identifier_is_named_by_its_content(listening: Integration):
    """The same body has the same name; a long identifier is cut."""
    raw = body()

    assert delivered(listening, raw).id == "sha256:" + hashlib.sha256(raw).hexdigest()
    assert len(delivered(listening, raw, **{"x-atlassian-webhook-identifier": "y" * 5000}).id) == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        body()[:-20],
        b"\xff\xfe{}",
        b'"\xed\xa0\x80"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
    ],
)
def test_authentic_but_unreadable_is_rejected(listening: Integration, raw: bytes):
    """A signed body that is no JSON object is answered with 400."""
    with pytest.raises(WebhookRejected) as caught:
        incoming.receive(listening, signed(raw))

    assert caught.value.status == 400


def test_half_a_character_is_replaced(listening: Integration):
    """An escaped lone surrogate cannot be stored; a mark takes its place."""
    (ticket,) = delivered(listening, body(issue=issue(summary="broken \ud83d"))).tickets

    assert ticket.title == "broken \ufffd"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(["issue", "id", "key", "self", "fields", *ISSUE_FIELDS]), value=JSON)
def test_anything_in_a_signed_body_is_read_or_rejected(key: str, value: object):
    """Whatever stands where something else was expected, nothing but a rejection is raised."""
    listening = build(settings=SETTINGS, secrets=(SECRET,))[0]
    whole = issue(**{key: value}) if key in ISSUE_FIELDS else {**issue(), key: value}
    raw = json.dumps({"webhookEvent": value, "issue": value if key == "issue" else whole}).encode()
    try:
        delivery = incoming.receive(listening, signed(raw))
    except WebhookRejected:
        return

    assert delivery is not None


@pytest.mark.parametrize("event", ["comment_created", "jira:issue_updated", "jira:issue_created"])
def test_a_comment_is_told_by_its_number(listening: Integration, event: str):
    """What it says is read, since a delivery does not show for certain who may see it; a thin issue is enough."""
    thin = {"id": "10040", "key": "SUP-41", "fields": {"summary": "Fan failed"}}
    raw = body(webhookEvent=event, issue=thin, comment={"id": "30001", "body": "hello"})

    delivery = delivered(listening, raw)

    assert (delivery.commented, delivery.tickets) == ({"10040": frozenset({"30001"})}, ())


@pytest.mark.parametrize("event", ["comment_updated", "comment_deleted", "jira:issue_deleted"])
def test_edited_and_deleted_comments_are_passed_over(listening: Integration, event: str):
    """They are not synced."""
    assert delivered(listening, body(webhookEvent=event, comment={"id": "30001"})).commented == {}


@pytest.mark.parametrize("comment", [None, 5, [], {}, {"id": None}, {"id": []}, {"id": ""}, {"id": "\x00\x01"}])
def test_a_comment_without_a_number_tells_of_none(listening: Integration, comment: object):
    """And the issue is read as ever."""
    delivery = delivered(listening, body(comment=comment))

    assert (delivery.commented, len(delivery.tickets)) == ({}, 1)


def test_issue_without_a_readable_number_is_ignored(listening: Integration):
    """A ticket that nobody can name is no ticket: nothing is taken from the delivery, and it says so."""
    delivery = delivered(listening, body(issue={**issue(), "id": "\x00\x01"}))

    assert (delivery.tickets, delivery.hints) == ((), frozenset())
    assert delivery.ignored


@pytest.mark.parametrize("number", [None, "", 0, [], ["10040"], {"id": "10040"}, 1.5])
def test_deletion_of_something_without_a_number_tells_of_nothing(listening: Integration, number: object):
    """Only a number or a text names a ticket."""
    raw = body(webhookEvent="jira:issue_deleted", issue={**issue(), "id": number})

    assert delivered(listening, raw).deleted == frozenset()


def test_who_changed_something_is_told_of_tickets_that_are_shown(listening: Integration):
    """The change log names who did it; without a ticket that can be read there is nothing that was changed."""
    change = {
        "user": {"displayName": "Ada"},
        "changelog": {"items": [{"field": "summary", "fieldId": "summary", "fromString": "a", "toString": "b"}]},
    }
    thin = {"id": "10040", "key": "SUP-41", "fields": {}}

    assert dict(delivered(listening, body(**change)).changed_by) == {FieldName.TITLE: "Ada"}
    assert dict(delivered(listening, body(**change, issue=thin)).changed_by) == {}


@pytest.mark.parametrize("shown", ["10040", ["10040"], 7, None])
def test_address_of_our_own_takes_no_issue_that_is_none(listening: Integration, shown: object):
    """A stranger who knows the address sends anything: it is about no ticket of ours."""
    request = InboundRequest(headers={}, body=body(issue=shown), received_at=NOW, is_addressed=True)

    assert incoming.receive(listening, request) is None


@pytest.mark.parametrize(
    ("told", "ignored"),
    [
        ({}, ""),
        ({"webhookEvent": "comment_created"}, ""),
        ({"webhookEvent": "comment_created", "issue": issue(updated=None)}, "issue_thin"),
        ({"webhookEvent": "sprint_started"}, ""),
        ({"webhookEvent": "sprint_started", "issue": issue(updated=None)}, "event_unknown"),
        ({"webhookEvent": "jira:issue_deleted"}, ""),
    ],
)
def test_what_nobody_follows_is_settled_before_its_texts_are_read(listening, monkeypatch, told, ignored):
    """Most tickets of a project are nobody's here; they are counted as those whose texts were read."""
    monkeypatch.setattr(descriptions, "read", None)
    listening = replace(listening, core=MemoryCore(followed=set()))

    delivery = delivered(listening, body(**told))

    assert not any((delivery.tickets, delivery.hints, delivery.deleted, delivery.commented))
    assert (delivery.ignored, delivery.signed_by, delivery.site) == (ignored, 1, "https://example.test")


@pytest.mark.parametrize("odd", [{"issue": [1]}, {"issue": issue(updated={})}, {"issue": {"id": {}}}, {"issue": None}])
def test_an_odd_delivery_is_read_as_a_whole(listening, odd):
    """Whatever cannot be told from its beginning is looked at more closely, and refuses nothing that was taken."""
    listening = replace(listening, core=MemoryCore(followed=set()))

    assert delivered(listening, body(**odd)).signed_by == 1


shapes = st.sampled_from([None, "", "7", 7, True, [], {}])


@given(st.dictionaries(st.sampled_from(["id", "key", "self", "fields"]), shapes))
def test_who_follows_nothing_sees_what_who_follows_all_would_ignore(shown):
    """A ticket of a strange shape is the same ticket, read in part or as a whole."""
    made = [build(settings=SETTINGS, grant=oauth_grant(), secrets=("older", SECRET))[0] for _ in range(2)]
    all_of_it, none_of_it = made[0], replace(made[1], core=MemoryCore(followed=set()))
    raw = body(issue={**issue(), **shown})

    whole, beginning = delivered(all_of_it, raw), delivered(none_of_it, raw)

    assert (whole.id, whole.event, whole.site) == (beginning.id, beginning.event, beginning.site)
    assert {ticket.id for ticket in beginning.tickets} <= {ticket.id for ticket in whole.tickets}


def test_who_may_have_sent_it_is_told_by_its_beginning():
    """The site and the project that it names; escaped slashes are slashes."""
    for raw in (body(), body().replace(b"/", b"\\/")):
        found = signature.find(signed(raw))
        assert (found.site, found.part, found.is_given) == ("https://example.test", "SUP", True)
        assert found.is_by(SecretStr(SECRET))
        assert not found.is_by(SecretStr("another"))
    assert (signature.find(signed(b"{}")).site, signature.find(signed(b"{}")).part) == ("", "")
