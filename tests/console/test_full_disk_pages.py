"""What pages say while the database takes nothing: why, and to come again; never that they are broken."""

from __future__ import annotations

from secrets import token_urlsafe

import pytest

from connector_core import RetryLater
from connector_core.store import SessionRecord
from tests.support.served import ADMIN, Served, Visitor

FULL = "The disk of the database is full."


@pytest.fixture
def served(tmp_path):
    """Serve an organization with a link."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", "Display is dark")
    yield opened
    opened.stop()


def fill(served):
    """Let the database grow no more, and use up what it has."""
    limited(served, 1)
    for size in (2000, 1):
        with pytest.raises(RetryLater, match="full"):
            begin_sessions(served, "x" * size)


def begin_sessions(served, user):
    """Begin more of them than can be stored."""
    now = served.clock.now()
    record = SessionRecord(user=user, proof="", form_token="", created_at=now, seen_at=now, expires_at=now)
    for _ in range(1000):
        served.app.store.sessions.begin(token_urlsafe(32), record)


def limited(served, pages):
    """Limit the size of the database; it never shrinks for that."""
    served.app.store.database.write(None, lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone())


def is_told(answer):
    """Return whether an answer has what is wrong, and when to come again."""
    return (answer.status_code, FULL in answer.text, answer.headers.get("Retry-After")) == (503, True, "5")


def test_a_login_on_a_full_disk_is_told_why_and_works_once_there_is_room(served):
    """The right password is not the trouble, and nothing of ours is broken."""
    visitor = Visitor(served.url)
    fill(served)

    full = visitor.log_in("ada", ADMIN)
    limited(served, 1_000_000)
    after = visitor.log_in("ada", ADMIN)

    assert is_told(full)
    assert "could not be made" not in full.text
    assert after.status_code == 303


def test_a_change_on_a_full_disk_is_told_why(served):
    """With the page's own head, so that people are still somewhere."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)
    fill(served)

    for number in range(200):  # a few may fit into what is left of pages
        answer = visitor.post(
            "/integrations/new", seen_on="/", organization="acme", plugin="desk", name=f"desk-{number}"
        )
        if answer.status_code != 303:
            break

    assert is_told(answer)
    assert "Sign out" in answer.text


@pytest.mark.parametrize("path", ["/", "/login", "/hand-over/x", "/oauth/callback?state=x"])
def test_no_page_breaks_while_the_database_cannot_be_read(served, monkeypatch, path):
    """Whoever asks is told the same sentence, logged in or not."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)

    def unread(*_):
        raise RetryLater(FULL, code="disk_full", fix="Free some space.", after_s=4.2)

    with monkeypatch.context() as patch:
        patch.setattr(served.app.store.database, "read", unread)
        answer = visitor.get(path)

    assert is_told(answer)


def test_a_page_that_gets_no_thread_is_told_why(served, monkeypatch):
    """It is the process that has too little, and no error of the page."""

    def no_thread(*_, **__):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("anyio.to_thread.run_sync", no_thread)
        answer = Visitor(served.url).get("/login")

    assert (answer.status_code, "cannot start another thread" in answer.text) == (503, True)
