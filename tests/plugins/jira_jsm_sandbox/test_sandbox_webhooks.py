"""Webhooks: registration, what is delivered, signatures, retries, trouble on the way."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import JiraSandbox, WebhookFault, delivery
from connector_jira_jsm_sandbox.middlemen import signature
from tests.support.jira.receiver import Receiver
from tests.support.jira.visitor import Client

Create = Callable[..., str]
HOOKS = "/rest/webhooks/1.0/webhook"
FAST = 0.0001


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Serve a receiver."""
    with Receiver() as running:
        yield running


@pytest.fixture
def sandbox(clock: FrozenClock, receiver: Receiver) -> Iterator[JiraSandbox]:
    """Serve a site whose retries come after a few hundredths of a second, with one webhook."""
    with JiraSandbox(clock=clock.now, retry_factor=FAST) as running:
        running.register_webhook(receiver.url, "secret-1")
        yield running


def test_edit_is_delivered_with_its_change(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """An update tells who changed what, with the description as wiki markup."""
    issue = create(description="*old*")
    sandbox.edit_ticket(issue, title="New title", description="*new*", priority="critical")

    body = receiver.wait_for(2)[1]

    items = {item["fieldId"]: item for item in body["changelog"]["items"]}
    assert body["webhookEvent"] == "jira:issue_updated"
    assert body["issue_event_type_name"] == "issue_updated"
    assert body["user"]["displayName"] == "Hana Helper"
    assert "emailAddress" not in body["user"]
    assert body["issue"]["id"] == issue
    assert body["issue"]["self"] == f"{sandbox.url}/rest/api/2/{issue}"
    assert body["issue"]["fields"]["description"] == "*new*"
    assert items["description"]["fromString"] == "*old*"
    assert (items["priority"]["from"], items["priority"]["toString"]) == ("3", "Highest")
    assert items["summary"]["from"] is None
    assert isinstance(body["changelog"]["id"], str)
    assert isinstance(body["timestamp"], int)


def test_one_write_is_one_delivery(create: Create, site: Client, receiver: Receiver) -> None:
    """A create, an edit and a transition are three deliveries; an edit that changes nothing is none."""
    issue = create("same")
    url = f"/rest/api/3/issue/{issue}"
    site.put(url, json={"fields": {"summary": "same"}})
    site.put(url, json={"fields": {"summary": "other", "priority": {"id": "1"}}})
    site.post(url + "/transitions", json={"transition": {"id": "31"}})

    bodies = receiver.wait_for(3)

    assert [body["issue_event_type_name"] for body in bodies] == ["issue_created", "issue_updated", "issue_generic"]
    assert [item["field"] for item in bodies[2]["changelog"]["items"]] == ["resolution", "status"]
    assert bodies[2]["issue"]["fields"]["status"]["statusCategory"]["key"] == "done"


def test_comment_comes_without_a_changelog(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """A comment is an update in which no field changed."""
    sandbox.workbench.comment(create(), "hello")

    body = receiver.wait_for(2)[1]

    assert body["webhookEvent"] == "jira:issue_updated"
    assert "changelog" not in body
    assert body["comment"]["body"] == "hello"


def test_comment_rides_along_in_one_delivery(create: Create, site: Client, receiver: Receiver) -> None:
    """An edit or a transition that brings a comment is still one delivery, with both in it."""
    url = f"/rest/api/2/issue/{create()}"
    note = {"comment": [{"add": {"body": "why"}}]}
    site.put(url, json={"fields": {"summary": "other"}, "update": note})
    site.post(url + "/transitions", json={"transition": {"id": "31"}, "update": note})
    site.put(url, json={"fields": {"summary": "last"}})

    bodies = receiver.wait_for(4)

    assert [(b["issue_event_type_name"], "comment" in b) for b in bodies[1:]] == [
        ("issue_updated", True),
        ("issue_generic", True),
        ("issue_updated", False),
    ]


def test_delete_is_delivered(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """A deleted issue is told of with its last fields."""
    sandbox.delete_ticket(create("gone"))

    body = receiver.wait_for(2)[1]

    assert body["webhookEvent"] == "jira:issue_deleted"
    assert body["issue"]["fields"]["summary"] == "gone"


def test_delivery_is_signed_over_its_bytes(create: Create, receiver: Receiver) -> None:
    """The signature is HMAC-SHA256 over the raw body."""
    create("Größe ☃")
    receiver.wait_for(1)

    headers, body = receiver.requests[0]
    assert headers["x-hub-signature"] == "sha256=" + hmac.new(b"secret-1", body, hashlib.sha256).hexdigest()
    assert headers["x-atlassian-webhook-flow"] == "Primary"
    assert headers["x-atlassian-webhook-identifier"]
    assert "x-atlassian-webhook-retry" not in headers


def test_signature_matches_the_published_vector() -> None:
    """The published example of a signature comes out."""
    expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"

    assert signature("It's a Secret to Everybody", b"Hello World!") == expected


def test_filter_keeps_other_projects_out(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """With `project = SUP` nothing of another project is sent."""
    create("elsewhere", desk="11", kind="31")
    create("here")

    bodies = receiver.wait_for(1)

    assert sandbox.wait_for_deliveries()
    assert [body["issue"]["key"] for body in bodies] == ["SUP-1"]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_trouble_is_retried_under_the_same_identifier(create: Create, receiver: Receiver, status: int) -> None:
    """A status that asks for patience is retried, and the retry is counted in a header."""
    receiver.statuses = [status, status]
    create()

    receiver.wait_for(3)

    assert receiver.header("X-Atlassian-Webhook-Retry") == [None, "1", "2"]
    assert len(set(receiver.header("X-Atlassian-Webhook-Identifier"))) == 1
    assert len({body for _, body in receiver.requests}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
def test_other_refusals_are_final(create: Create, sandbox: JiraSandbox, receiver: Receiver, status: int) -> None:
    """A plain no is not asked again."""
    receiver.statuses = [status]
    create()
    receiver.wait_for(1)

    assert sandbox.wait_for_deliveries()
    assert [attempt.status for attempt in sandbox.deliveries] == [status]


def test_retries_end_after_five(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """One attempt and five retries, then the delivery is given up."""
    receiver.statuses = [503] * 20
    create()
    receiver.wait_for(6)

    assert sandbox.wait_for_deliveries()
    assert len(receiver.requests) == 6


def test_dead_receiver_is_retried(create: Create, sandbox: JiraSandbox, site: Client) -> None:
    """A connection that fails is tried again, and the attempt shows no status."""
    site.put(HOOKS + "/1", json={"url": "http://127.0.0.1:9/closed"})
    create()

    assert sandbox.wait_for_deliveries()
    assert [attempt.status for attempt in sandbox.deliveries] == [0] * 6


def test_doubled_delivery(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """A doubled delivery comes twice under one identifier."""
    sandbox.add_fault(WebhookFault("doubled"))
    create()

    receiver.wait_for(2)

    assert len(set(receiver.header("X-Atlassian-Webhook-Identifier"))) == 1


def test_reordered_deliveries(create: Create, sandbox: JiraSandbox, receiver: Receiver) -> None:
    """The next two deliveries change places."""
    sandbox.add_fault(WebhookFault("reordered"))
    create("first")
    create("second")

    bodies = receiver.wait_for(2)

    assert [body["issue"]["fields"]["summary"] for body in bodies] == ["second", "first"]


def test_dropped_and_delayed_deliveries(
    create: Create, sandbox: JiraSandbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dropped delivery never comes, a delayed one comes after those behind it."""
    steady = FrozenClock()
    monkeypatch.setattr(delivery, "time", steady)  # the delay is over when the test says so
    sandbox.add_fault(WebhookFault("dropped"))
    sandbox.add_fault(WebhookFault("delayed", delay_s=0.2))
    for name in ("lost", "late", "prompt"):
        create(name)
    receiver.wait_for(1)
    steady.forward(1)

    bodies = receiver.wait_for(2)

    assert [body["issue"]["fields"]["summary"] for body in bodies] == ["prompt", "late"]


def test_webhooks_are_managed_over_rest(site: Client, receiver: Receiver) -> None:
    """An administrator makes, lists, changes and removes webhooks; the secret is never shown."""
    body = {
        "name": "Mine",
        "url": receiver.url,
        "events": ["jira:issue_updated"],
        "filters": {"issue-related-events-section": "project = SUP"},
        "excludeBody": False,
        "secret": "s",
    }

    made = site.post(HOOKS, json=body)
    number = made.json()["self"].rsplit("/", 1)[1]
    changed = site.put(f"{HOOKS}/{number}", json={"name": "Yours", "enabled": False})

    assert made.status_code == 201
    assert made.json()["isSigned"] is True
    assert "secret" not in made.json()
    assert (changed.json()["name"], changed.json()["enabled"]) == ("Yours", False)
    assert len(site.get(HOOKS).json()) == 2
    assert site.delete(f"{HOOKS}/{number}").status_code == 204
    assert site.get(f"{HOOKS}/{number}").status_code == 404


def test_bad_registrations_are_refused(site: Client, sandbox: JiraSandbox) -> None:
    """Without a name, with a filter that is no JQL, with unknown events, or without a login there is no webhook."""
    good = {"name": "x", "url": "http://127.0.0.1:9/", "events": ["jira:issue_updated"]}

    with Client(sandbox.url) as nobody:
        stranger = nobody.post(HOOKS, json=good)
    statuses = [
        site.post(HOOKS, json=good | change).status_code
        for change in (
            {"name": ""},
            {"url": "ftp://x"},
            {"events": ["page_created"]},
            {"filters": {"issue-related-events-section": "colour = red"}},
        )
    ]

    assert stranger.status_code == 401
    assert statuses == [400, 400, 400, 400]


def test_disabled_webhook_and_event_filter_are_honoured(
    create: Create, site: Client, sandbox: JiraSandbox, receiver: Receiver
) -> None:
    """A webhook hears only its events, and nothing while it is switched off."""
    site.put(HOOKS + "/1", json={"events": ["jira:issue_updated"]})
    issue = create()
    site.put(HOOKS + "/1", json={"enabled": False})
    sandbox.edit_ticket(issue, title="unheard")
    site.put(HOOKS + "/1", json={"enabled": True})
    sandbox.edit_ticket(issue, title="heard")

    bodies = receiver.wait_for(1)

    assert sandbox.wait_for_deliveries()
    assert [body["issue"]["fields"]["summary"] for body in bodies] == ["heard"]


def test_body_can_be_left_out_and_url_filled_in(
    create: Create, site: Client, sandbox: JiraSandbox, receiver: Receiver
) -> None:
    """With `excludeBody` nothing but headers comes; the address may name the issue's key."""
    site.put(HOOKS + "/1", json={"excludeBody": True, "url": receiver.url + "/${issue.key}"})
    create()

    assert sandbox.wait_for_deliveries()
    assert receiver.requests[0][1] == b""
    assert sandbox.deliveries[0].delivery.url.endswith("/SUP-1")
