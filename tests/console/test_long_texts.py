"""One text that never ends swells no page: it is cut, and everything else stays where it was."""

from __future__ import annotations

import pytest

from tests.support.served import ADMIN, Served, Visitor

LONG = "Pump " + "x" * 300_000


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve two links, one of which has a title that never ends."""
    opened = Served(tmp_path_factory.mktemp("long"))
    opened.number, _ = sorted(opened.add("acme-desk", "acme", LONG, "Display is dark"))
    yield opened
    opened.stop()


@pytest.fixture
def admin(served):
    """Log in."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)
    return visitor


@pytest.mark.parametrize("path", ["/links", "/unfinished", "/links/{number}"])
def test_pages_show_a_cut_text(served, admin, path):
    """With its beginning, and a sign that there is more."""
    answer = admin.get(path.format(number=served.number))

    assert answer.status_code == 200
    assert "Pump xxxx" in answer.text
    assert "xx…" in answer.text
    assert len(answer.content) < 40_000


def test_a_question_shows_a_cut_text(served, admin):
    """Whether one is sure is asked of a link that can be recognized."""
    page = f"/links/{served.number}"

    answer = admin.post(page, action="unlink")

    assert "xx…" in answer.text
    assert len(answer.content) < 40_000
