"""Mentions of people: what is sent is a name, looked up once, or "@someone"; never the account id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import FieldName, RetryLater, TicketQuery
from connector_core.contract.memory import Notebook
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.text import mentions, plain, wiki
from connector_jira_jsm.tickets.comments import fetch as fetch_comments
from connector_jira_jsm.tickets.reading import fetch
from connector_jira_jsm_sandbox.faults import Fault
from tests.plugins.jira_jsm.test_incoming_webhook import SECRET, delivered, issue
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.handles import SETTINGS, build, oauth_grant

STRANGER = "712020:5b10ac8d82e05b22cc7d4ef5"


@pytest.fixture
def site() -> Iterator[Place]:
    """Put up a site."""
    with place() as made:
        yield made


def described(site: Place, ticket_id: str) -> str | None:
    """Read a ticket's description as the core would."""
    (shown,) = fetch(site.integration, TicketQuery(ids=frozenset({ticket_id})))
    return shown.description


def lookups(site: Place) -> int:
    """Count how often somebody was looked up."""
    return site.sandbox.count_calls("GET", ".*/user")


def test_a_description_names_those_it_mentions(site: Place):
    """A person is looked up once, whoever reads how often; somebody unknown is someone, and asked for once too."""
    person = site.sandbox.profile.person
    _, ticket = site.open(priority="high")
    site.sandbox.edit_ticket(ticket.id, description=f"[~accountid:{person.account_id}], ask [~accountid:{STRANGER}]!")

    for _ in range(3):
        assert described(site, ticket.id) == f"@{person.display_name}, ask @someone!"

    assert lookups(site) == 2


def test_comments_name_those_they_mention(site: Place):
    """So do comments, written by hand or in the editor."""
    person = site.sandbox.profile.person
    _, ticket = site.open()
    site.sandbox.workbench.comment(ticket.id, f"[~accountid:{person.account_id}] and [~accountid:{STRANGER}]: look")

    (shown,) = fetch_comments(site.integration, ticket, site.clock.now() - timedelta(days=1))

    assert shown.text == f"@{person.display_name} and @someone: look"
    assert lookups(site) == 2


def test_names_are_known_after_a_restart(site: Place):
    """What was learnt is remembered, so that the text does not seem to change; somebody unknown is asked again."""
    person = site.sandbox.profile.person
    _, ticket = site.open(priority="high")
    site.sandbox.edit_ticket(ticket.id, description=f"[~accountid:{person.account_id}]")
    described(site, ticket.id)

    again = replace(site, integration=replace(site.integration, cache={}))

    assert described(again, ticket.id) == f"@{person.display_name}"
    assert lookups(site) == 1


def test_somebody_unknown_is_asked_for_again_the_next_day(site: Place):
    """People whom the account could not see may be seen later."""
    _, ticket = site.open(priority="high")
    site.sandbox.edit_ticket(ticket.id, description=f"[~accountid:{STRANGER}]")
    described(site, ticket.id)
    site.clock.forward(mentions.UNKNOWN_FOR_S + 1)

    described(site, ticket.id)

    assert lookups(site) == 2


def test_a_site_that_does_not_answer_is_waited_for(site: Place):
    """Nobody becomes someone because Jira is down for a moment: that would be told as a change."""
    _, ticket = site.open(priority="high")
    site.sandbox.edit_ticket(ticket.id, description=f"[~accountid:{site.sandbox.profile.person.account_id}]")
    site.sandbox.add_fault(Fault("status", method="GET", path=r".*/user"))

    with pytest.raises(RetryLater):
        described(site, ticket.id)


def test_a_mention_survives_our_update(site: Place):
    """Words that stay the same keep the mention; only what is new is written."""
    person = site.sandbox.profile.person
    change, ticket = site.open(description="Hot.", priority="high")
    old = str(site.sandbox.ticket(ticket.id)["description"])
    mention = f"[~accountid:{person.account_id}]"
    site.sandbox.edit_ticket(ticket.id, description=old.replace("Hot.", f"Ask {mention}.\n\nHot."))
    text = described(site, ticket.id) or ""

    site.update(change, site.seen(ticket), FieldName.DESCRIPTION, description=f"{text}\n\nVery.")

    assert site.sandbox.ticket(ticket.id)["description"].startswith(f"Ask {mention}.\n\nHot.\n\nVery.")


def test_an_edit_whose_answer_mentions_somebody_new_is_not_taken_for_failed(site: Place):
    """The edit was done although the name cannot be asked for: the outcome is unknown, and the edit is made again."""
    _, ticket = site.open(priority="high")
    site.sandbox.edit_ticket(ticket.id, description=f"[~accountid:{site.sandbox.profile.person.account_id}]")
    site.sandbox.add_fault(Fault("status", method="GET", path=r".*/user"))

    with pytest.raises(RetryLater) as caught:
        JiraClient(site.integration).edit_issue(ticket.id, {"summary": "Fan is on fire"})

    assert caught.value.outcome_unknown
    assert site.sandbox.ticket(ticket.id)["title"] == "Fan is on fire"


@pytest.mark.parametrize("is_known", [False, True])
def test_a_delivery_that_mentions_somebody_new_has_the_ticket_read(is_known: bool):  # noqa: FBT001 - a parameter
    """While a delivery waits nobody is asked: the ticket is read instead, unless the name is known."""
    integration = build(settings=SETTINGS, grant=oauth_grant(), secrets=(SECRET,))[0]
    integration = replace(integration, memory=Notebook())
    if is_known:
        integration.memory.remember(mentions.NAMES, {STRANGER: "Hana"})
    body = {
        "webhookEvent": "jira:issue_updated",
        "issue": {**issue(description=f"Ask [~accountid:{STRANGER}]."), mentions.NAMES: {STRANGER: "Forged"}},
    }

    found = delivered(integration, json.dumps(body).encode())

    assert [ticket.description for ticket in found.tickets] == (["Ask @Hana."] if is_known else [])
    assert found.hints == (frozenset() if is_known else frozenset({"10040"}))
    assert found.ignored == ""


def test_a_document_and_its_markup_name_the_same_people():
    """A mention of the editor and one in markup show the same."""
    node: dict[str, Any] = {"type": "mention", "attrs": {"id": STRANGER, "text": f"@{STRANGER}"}}
    document = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [node]}]}

    for names in ({}, {STRANGER: "Hana *Bell* [x]"}):
        shown = plain.of_document(document, names)
        assert shown == plain.of_wiki(f"[~accountid:{STRANGER}]", names)
        assert STRANGER not in shown


@pytest.mark.parametrize("person", [{}, {"displayName": ""}, {"displayName": STRANGER}, {"displayName": ["x"]}])
def test_somebody_without_a_name_is_someone(person: dict[str, Any]):
    """Where Jira gives no name, or the id as the name, nothing of it is shown."""
    integration = build(settings=SETTINGS)[0]

    names = mentions.learn(integration, lambda _: person, f"[~accountid:{STRANGER}]")

    assert plain.of_wiki(f"[~accountid:{STRANGER}]", names) == "@someone"


def test_what_only_looks_like_a_mention_stays():
    """An incident that quotes the markup of one is shown as it is, there and here."""
    text = f"see [~accountid:{STRANGER}]"

    assert plain.of_wiki(wiki.escape(text)) == text


@given(st.text(st.sampled_from("[]~{}|\\*a: \n") | st.characters(codec="utf-8"), max_size=40))
def test_no_text_around_a_mention_shows_the_id(text: str):
    """Wherever a mention of its own stands, the id does not come through."""
    markup = f"{wiki.escape(text)} [~accountid:{STRANGER}] {wiki.escape(text)}"

    assert STRANGER not in plain.of_wiki(markup)
