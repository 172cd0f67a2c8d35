"""What the console shows of tickets that are gone, of silent webhooks and of authorizations that end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core import Comment, Delivery, EventType, Grant, IncidentEvent, TicketSnapshot
from connector_core.contract.comment_rules import CommentRules, ToTicket
from connector_core.engine.backoff import HORIZON_S
from connector_core.health.webhook_health import name_of
from connector_core.store import LinkState, Progress
from tests.support.served import Served


@pytest.fixture
def served(tmp_path):
    """Serve a console with one linked ticket."""
    made = Served(tmp_path)
    made.add("helpdesk", "acme", "Display offline")
    now = made.clock.now()
    (claim,) = made.app.store.lanes.claim("boot", now, 8, HORIZON_S)
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Display offline", updated=now, place="SUP")
    made.app.store.links.record(claim, Progress(ticket=ticket), now)
    yield made
    made.stop()


def deleted(served):
    """Have the ticketing system tell of a deletion."""
    delivery = Delivery(id="d1", event="deleted", deleted=frozenset({"1"}))
    served.app.store.inbox.accept_delivery("helpdesk", delivery, served.clock.now()).result()


def test_a_gone_ticket_has_its_choices_on_the_page(served, admin):
    """The reason, and a button for each thing that can be done; the new ticket is made when one is pressed."""
    assert "Create a new ticket" not in admin.get("/links/1").text
    deleted(served)

    page = admin.get("/links/1").text
    for words in ("was deleted", "Create a new ticket", "Discard pending changes", "Unlink", "Retry"):
        assert words in page
    answer = admin.post("/links/1", action="recreate", sure="yes")

    assert answer.headers["Location"].startswith("/links/1")
    link = served.app.store.links.get(1)
    assert (link.ticket, link.status.state, link.status.code) == (None, LinkState.WAITING, "recreating")
    assert "New ticket requested by ada." in admin.get("/links/1").text


def test_a_ticket_that_is_there_is_not_replaced(served, admin):
    """A form that somebody made up changes nothing."""
    assert admin.post("/links/1", action="recreate", sure="yes").status_code >= 400

    assert served.app.store.links.get(1).ticket.id == "1"


def test_a_silent_webhook_is_said_and_which_secret_signs(served, admin):
    """The light tells both."""
    record = served.app.registry.entry("helpdesk").record
    secrets = (SecretStr("present secret"), SecretStr("former secret"))
    served.app.store.integrations.put(replace(record, webhook_secrets=secrets))
    delivery = Delivery(id="d1", event="e", signed_by=1)
    served.app.store.inbox.accept_delivery("helpdesk", delivery, served.clock.now(), name_of(secrets[1])).result()

    page = admin.get("/integrations/helpdesk").text
    assert "Deliveries arrive." in page
    assert "present secret: never" in page
    served.clock.forward(60)
    for more, said in ((1, "1 change was"), (2, "3 changes were")):
        served.app.store.webhooks.note_missed("helpdesk", more, served.clock.now())
        assert f"No deliveries: {said} found only by polling" in admin.get("/integrations/helpdesk").text

    for secret in secrets:
        assert name_of(secret) not in page


def test_an_authorization_that_ends_soon_is_said(served, admin):
    """On the page of the integration and on the list of all."""
    soon = served.clock.now() + timedelta(days=3, hours=1)
    served.app.store.grants.save("helpdesk", Grant(headers={}, renewable_until=soon))
    served.app.registry.entry("helpdesk").keeper.forget()

    for path in ("/", "/integrations/helpdesk"):
        assert "in 3 days" in admin.get(path).text


def test_comments_are_on_the_page(served, admin):
    """Which are synced, and which wait to be synced and whose they are: as text, never as markup."""
    store, now = served.app.store, served.clock.now()
    link = store.links.get(1)
    rules = CommentRules(to_ticket=ToTicket.INTERNAL)
    store.integrations.put(replace(store.integrations.every()[0], comments=rules))
    comment = Comment(id="com-1", author="<i>Ada</i>", text="Is it plugged in?", created_at=now)
    event = IncidentEvent(id="e-1", type=EventType.COMMENTED, occurred_at=now, incident=link.incident, comment=comment)
    store.inbox.accept_events(link.organization, [event], [], now).result()

    page = admin.get("/links/1").text

    assert "Comments waiting to be synced" in page
    assert "&lt;i&gt;Ada&lt;/i&gt; on the incident" in page
    assert "commented in" in page
    assert "to the ticket, as internal ones" in admin.get("/integrations/helpdesk").text
