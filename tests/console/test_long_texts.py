"""One text that never ends swells no page: it is cut, and everything else stays where it was."""

from __future__ import annotations

import pytest

from tests.support.served import ADMIN, Served, Visitor

LONG = "Pump " + "x" * 300_000


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve two links, one of which has a title that never ends."""
    opened = Served(tmp_path_factory.mktemp("long"))
    opened.add("acme-desk", "acme", LONG, "Display is dark")
    yield opened
    opened.stop()


@pytest.fixture
def page(served):
    """Return the address of the link with that title."""
    (link,) = [one for one in served.app.store.links.find() if one.incident.title == LONG]
    return f"/links/{link.id}"


@pytest.fixture
def admin(served):
    """Log in."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)
    return visitor


@pytest.mark.parametrize("path", ["/links", "/unfinished", "the link"])
def test_pages_show_a_cut_text(admin, page, path):
    """With its beginning, and a sign that there is more."""
    answer = admin.get(page if path == "the link" else path)

    assert answer.status_code == 200
    assert "Pump xxxx" in answer.text
    assert "xx…" in answer.text
    assert len(answer.content) < 40_000


def test_a_question_shows_a_cut_text(admin, page):
    """Whether one is sure is asked of a link that can be recognized."""
    answer = admin.post(page, action="unlink")

    assert "xx…" in answer.text
    assert len(answer.content) < 40_000
