"""What others tell us as links is one to a page of the web, or none."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from connector_core import Incident, Redirect, TicketSnapshot
from connector_core.contract.models import IncidentEvent

BAD = [
    *("javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)"),
    *("data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "blob:https://a/b"),
    *("//evil.example.com/x", "/\\evil.example.com", "\\\\evil.example.com\\x", "https:\\\\evil.example.com"),
    *("/links/1", "page.html", "", "https:", "https://", "http:///x", "https://[::1", "mailto:a@b.c"),
    *("\x01https://a.example.com", "https://a.exa\tmple.com", "ftp://a.example.com/"),
]
GOOD = ["https://a.example.com/x?y=z#t", "HTTP://a.example.com", "http://10.0.0.1:8080/browse/A-1", "https://[::1]/x"]


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_link_is_left_out_and_the_rest_is_taken(url):
    """An incident without its link is better than none."""
    incident = Incident(id="1", title="Offline", url=url)
    ticket = TicketSnapshot(id="1", url=url)

    assert (incident.url, ticket.url) == (None, None)
    assert incident.title == "Offline"


@pytest.mark.parametrize("url", GOOD)
def test_a_link_stays_as_it_is(url):
    """Nothing in it is changed."""
    assert Incident(id="1", title="Offline", url=url).url == url
    assert TicketSnapshot(id="1", url=url).url == url


def test_what_was_stored_before_is_read_in_the_same_way():
    """Rows of an earlier version may hold anything."""
    text = '{"id":"1","type":"incident.opened","occurred_at":"2026-11-23T10:00:00Z",'
    text += '"incident":{"id":"1","title":"Offline","url":"javascript:alert(1)"}}'

    assert IncidentEvent.model_validate_json(text).incident.url is None


@pytest.mark.parametrize("url", BAD)
def test_a_browser_is_sent_to_pages_of_the_web_only(url):
    """A plugin that wants it otherwise has a fault."""
    with pytest.raises(ValidationError):
        Redirect(url=url)
