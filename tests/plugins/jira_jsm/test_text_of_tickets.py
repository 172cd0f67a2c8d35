"""The text of tickets at a site over HTTP: our own writing is no change, and what people add stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector_core import FieldName, TicketQuery
from connector_core.kit import texts
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.tickets.reading import fetch
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.hostile_texts import HOSTILE


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site among the tests."""
    with place() as made:
        yield made


def described(site: Place, ticket_id: str) -> str:
    """Return a ticket's text as it is stored."""
    return str(site.sandbox.ticket(ticket_id)["description"])


def rewritten_by_the_editor(site: Place, ticket_id: str) -> None:
    """Let the new editor open and save the text: read as a document, written as the same document."""
    document = site.rest("GET", f"api/3/issue/{ticket_id}").json()["fields"]["description"]
    answer = site.rest("PUT", f"api/3/issue/{ticket_id}", json={"fields": {"description": document}})
    assert answer.status_code == 204, answer.text


def test_a_document_shows_the_same_words_as_markup(site: Place):
    """Version 3 of the API and version 2 tell the same of one ticket, with our part and without it."""
    _, ticket = site.open(description="It is *hot*.\n\nReally.", priority="high")

    for _ in range(2):
        issue = site.rest("GET", f"api/3/issue/{ticket.id}").json()
        assert mapping.snapshot(issue, (), None).description == "It is *hot*.\n\nReally."
        site.sandbox.edit_ticket(ticket.id, description="It is *hot*.\n\nReally.\n\nReference: cnx-1")


@pytest.mark.parametrize("text", [*HOSTILE, "one\n\ntwo\nthree", "see https://a.test/x?y=1&z=2 for *more*"])
def test_a_text_that_the_editor_saved_again_is_no_change(site: Place, text: str):
    """Jira's own spelling of our text shows the same description, whichever way it is read."""
    _, ticket = site.open(description=text)
    rewritten_by_the_editor(site, ticket.id)

    (shown,) = fetch(site.integration, TicketQuery(ids=frozenset({ticket.id})))

    assert shown.description == ticket.description == texts.normalise(text)


def test_what_people_put_around_our_part_survives_an_update(site: Place):
    """Words above belong to the incident; lines inside and below our part stay where they were put."""
    change, ticket = site.open(description="It is hot.", priority="high", device={"name": "Fan", "model": "F-1"})
    text = described(site, ticket.id)
    text = text.replace("* Model: F-1", "* Model: F-1\n* Asset tag: 4711\n{color:red}spare ordered{color}")
    below = "\n\nh3. Notes\n* rang the site\n\nReference: 12 of the order"
    site.sandbox.edit_ticket(ticket.id, description=text + below)

    receipt = site.update(change, site.seen(ticket), FieldName.DESCRIPTION, description="It is very hot.", device=None)
    device = {"name": "Fan", "model": "F-2"}
    after = described(site, ticket.id)

    assert receipt.ticket.description == "It is very hot."
    assert after.startswith("It is very hot.\n\n----\nh3. Incident details\n")
    assert "* Asset tag: 4711" in after
    assert "{color:red}spare ordered{color}" in after
    assert "F-1" not in after
    assert after.endswith(f"Reference: {change.marker}{below}")

    site.update(change, receipt.ticket, FieldName.DESCRIPTION, description="Hot.", device=device)
    assert described(site, ticket.id).count("4711") == 1
    assert described(site, ticket.id).count("h3. Incident details") == 1


def test_formatting_of_unchanged_paragraphs_survives_an_update(site: Place):
    """A paragraph that says the same keeps the markup that a person gave it."""
    change, ticket = site.open(description="one\n\ntwo")
    text = described(site, ticket.id)
    site.sandbox.edit_ticket(ticket.id, description=text.replace("two", "{panel}two{panel}\n\nthree", 1))

    receipt = site.update(change, site.seen(ticket), FieldName.DESCRIPTION, description="changed\n\ntwo\n\nthree")

    assert described(site, ticket.id).startswith("changed\n\n{panel}two{panel}\n\nthree\n\n----\n")
    assert receipt.ticket.description == "changed\n\ntwo\n\nthree"


def test_a_text_without_our_part_gets_it_again(site: Place):
    """A person who removed our part loses nothing; the facts and the reference come back below."""
    change, ticket = site.open(description="It is hot.")
    site.sandbox.edit_ticket(ticket.id, description="Only *this*.")

    site.update(change, ticket, FieldName.DESCRIPTION, description="Only *this*.")

    assert described(site, ticket.id).startswith("Only *this*.\n\n----\nh3. Incident details\n")
    assert described(site, ticket.id).endswith(f"Reference: {change.marker}")


def test_an_update_says_only_what_changed(site: Place):
    """Where the words are the same already, the text above our part is not touched at all."""
    change, ticket = site.open(description="It is hot.")
    text = described(site, ticket.id).replace("It is hot.", "{quote}It is hot.{quote}")
    site.sandbox.edit_ticket(ticket.id, description=text)

    site.update(change, ticket, FieldName.DESCRIPTION, description="It is hot.")

    assert described(site, ticket.id) == text
