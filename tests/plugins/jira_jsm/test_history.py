"""When people changed a ticket's fields, read at a site over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from connector_core import FieldChange, FieldName
from connector_jira_jsm.tickets.history import moment, when_changed
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.handles import NOW


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site among the tests."""
    with place() as made:
        yield made


def test_each_field_has_its_own_time(site: Place):
    """A comment moves the ticket's time and none of the fields'; the latest of several changes counts; one call."""
    _, ticket = site.open(priority="high")
    times = []
    for change in ({"title": "one"}, {"priority": "Low"}, {"title": "two"}):
        site.clock.forward(60)
        times.append(site.clock.now())
        site.sandbox.edit_ticket(ticket.id, **change)
    site.clock.forward(60)
    site.control(f"issues/{ticket.key}/comment", body="hello")
    before = site.sandbox.call_count()

    found = when_changed(site.integration, ticket)

    person = site.sandbox.profile.person.display_name
    assert found == {
        FieldName.TITLE: FieldChange(at=times[2], by=person),
        FieldName.PRIORITY: FieldChange(at=times[1], by=person),
    }
    assert site.sandbox.call_count() - before == 1


def test_a_ticket_that_nobody_changed_has_none(site: Place):
    """Its creation is no change."""
    _, ticket = site.open()

    assert when_changed(site.integration, ticket) == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (int(NOW.timestamp() * 1000), NOW),
        (int(NOW.timestamp()), NOW),
        ("2026-03-02T18:30:00.000+0900", NOW),
        (10**30, None),
        (True, None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_each_form_of_time_is_read(value: object, expected: datetime | None):
    """Milliseconds as the service gives them, seconds as in Atlassian's example, a date as in its schema."""
    assert moment(value) == expected
