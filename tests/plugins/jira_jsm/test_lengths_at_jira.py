"""Every limit of Jira, at the sandbox that counts as Jira does: in UTF-16 units, and nobody's character is halved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pytest
import regex
import requests

from connector_core import Comment, Device, FieldName, Location, WriteComment, utf16_length
from connector_core.kit.fields import FormField, Kind
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import form_fields
from connector_jira_jsm.text import cuts
from connector_jira_jsm.tickets.comments import leave_note, write
from tests.support.jira.at_sandbox import Place, place

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
LONG = {
    "fire": "\N{FIRE}" * 20_000,
    "families": f"{FAMILY} " * 6_000,
    "flags": "\U0001f1e9\U0001f1ea" * 9_000,
    "accents": "e\u0301" * 20_000,
    "signs": "*\N{FIRE}" * 15_000,
}


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site among the tests."""
    with place() as made:
        yield made


def stands_whole(shown: str, text: str) -> bool:
    """Return whether every character of a text is one of another."""
    return characters(shown) <= characters(text) | {"\N{HORIZONTAL ELLIPSIS}"}


@cache
def characters(text: str) -> frozenset[str]:
    """Return what a reader takes for the characters of a text."""
    return frozenset(regex.findall(r"\X", text))


@pytest.mark.extended
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_ticket_is_made_and_edited_whatever_its_texts_are_made_of(site: Place, text: str):
    """Title, description, our note and our link are cut where Jira's limits are."""
    url = f"https://incidents.example.test/{'x' * 1_900}"
    change, ticket = site.open(title=text, description=text, priority="high", url=url)

    assert utf16_length(ticket.title) <= 255
    assert stands_whole(ticket.title, text)
    assert utf16_length(site.sandbox.ticket(ticket.id)["description"]) <= 32_767
    assert (ticket.description or "").endswith(cuts.DESCRIPTION)
    assert stands_whole((ticket.description or "").removesuffix(cuts.DESCRIPTION).strip(), text)
    issue = site.sandbox.workbench.issue(ticket.id)
    assert url in site.sandbox.ticket(ticket.id)["description"]

    receipt = site.update(change, ticket, FieldName.TITLE, FieldName.DESCRIPTION, title=f"a{text}", description=text)

    assert not receipt.refused
    assert receipt.ticket.title.startswith("a")
    assert issue.properties["connector.link"]["url"] == url


def test_everything_that_is_known_fits_together_with_our_reference(site: Place):
    """Facts are cut one by one, so that our part, which finds the ticket again, is whole."""
    text = "\\" * 5_000
    device = Device.model_validate(
        {**dict.fromkeys(("id", "name", "model", "mac"), text), "other": {f"fact {n}": text for n in range(200)}}
    )

    _, ticket = site.open(description=text, device=device, location=Location(path=text, address=text))

    written = site.sandbox.ticket(ticket.id)["description"]
    assert utf16_length(written) <= 32_767
    assert written.endswith("Reference: cnx-" + f"{site.opened:020x}")


def test_an_address_that_is_too_long_is_left_out_and_said_to_be(site: Place):
    """Half an address leads nowhere: neither note nor link has it, and the ticket is made all the same."""
    change, ticket = site.open(priority="high", url=f"https://incidents.example.test/{'x' * 40_000}")
    site.update(change, ticket, FieldName.TITLE, title="Too warm")  # our note goes along with a write

    issue = site.sandbox.workbench.issue(ticket.id)
    assert issue.properties["connector.link"]["incident_id"] == f"inc-{site.opened}"
    assert "url" not in issue.properties["connector.link"]
    assert issue.remote_links == []


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_comments_are_cut_too(site: Place, text: str):
    """What people wrote, their names, and what the connector itself notes."""
    _, ticket = site.open()
    comment = Comment(id="com-1", author=f"A{text[:200]}", text=text, created_at=datetime(2026, 3, 2, tzinfo=UTC))

    write(site.integration, WriteComment(ticket=ticket, comment=comment, platform=text, marker="cnx-1"))
    leave_note(JiraClient(site.integration), ticket.id, text)

    bodies = [one.body for one in site.sandbox.workbench.issue(ticket.id).fields.comments]
    assert len(bodies) == 2
    assert all(utf16_length(body) <= 32_767 for body in bodies)


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize(("kind", "limit"), [(Kind.TEXT, 255), (Kind.LONG_TEXT, 32_767), (Kind.LABELS, 255)])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_values_of_other_fields_are_cut_too(kind: Kind, limit: int, text: str):
    """A line, a long text and a label are as long as Jira takes them."""
    value = form_fields.value_of(FormField("customfield_1", "Rack", kind), text)

    (shown,) = value if isinstance(value, list) else [value]
    assert limit - 8 < utf16_length(shown) <= limit
    assert stands_whole(shown, text.replace(" ", "_") if kind is Kind.LABELS else text)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "api/3/issue/{id}", {"fields": {"summary": "\N{FIRE}" * 128}}),
        ("PUT", "api/2/issue/{id}", {"fields": {"description": "\N{FIRE}" * 16_384}}),
        ("PUT", "api/3/issue/{id}", {"fields": {"labels": ["\N{FIRE}" * 128]}}),
        ("POST", "api/2/issue/{id}/comment", {"body": "\N{FIRE}" * 16_384}),
        ("POST", "servicedeskapi/request/{id}/comment", {"body": "\N{FIRE}" * 16_384, "public": True}),
        ("PUT", "api/3/issue/{id}/properties/a", ["\N{FIRE}" * 16_384]),
        ("PUT", "api/3/issue/{id}", {"fields": {}, "properties": [{"key": "a", "value": "x" * 32_768}]}),
        ("POST", "api/3/issue/{id}/remotelink", {"object": {"url": "https://a.test", "title": "\N{FIRE}" * 128}}),
        ("POST", "api/3/issue/{id}/remotelink", {"object": {"url": "https://a.test/" + "x" * 2_000, "title": "a"}}),
        ("POST", "api/3/issue/{id}/remotelink", {"globalId": "x" * 256, "object": {"url": "https://a", "title": "a"}}),
    ],
)
def test_the_sandbox_refuses_what_is_longer(site: Place, method: str, path: str, body: object):
    """Each limit is refused with 400 by one unit too many of signs that count twice."""
    _, ticket = site.open()
    address = f"{site.sandbox.url}/rest/{path.format(id=ticket.id)}"
    login = (site.sandbox.email, site.sandbox.api_token)

    answer = requests.request(method, address, auth=login, json=body, timeout=10)

    assert answer.status_code == 400, answer.text
