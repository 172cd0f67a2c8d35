"""Health and readiness tell the truth, also when nothing else works."""

from __future__ import annotations

import threading

import pytest
import requests

from connector_core.demo.stage import until
from connector_core.loops import Loop
from connector_core.store import sqlite as sqlite_module
from tests.support.served import Served


@pytest.fixture
def served(tmp_path):
    """Serve an app whose loop that takes over the file runs, beside the writer."""
    one = Served(tmp_path)
    one.app.hang_up.start()
    yield one
    one.app.hang_up.stop()
    one.stop()


def asked(served, page):
    """Ask for a page; return status and answer."""
    answer = requests.get(f"{served.url}/{page}", timeout=10)
    return answer.status_code, answer.json()


def test_a_loop_that_hangs_turns_health_red_until_it_goes_on(served):
    """With its name and for how long, so that whoever restarts the process knows why."""
    assert asked(served, "healthz") == (200, {"status": "ok"})
    with served.app.applying._lock:
        served.app.hang_up.wake()
        until(served.app.hang_up._wakes.empty)
        until(lambda: is_red_after(served, 2000))
        status, said = asked(served, "healthz")
        ready = asked(served, "readyz")
        works = gauge(served, "connector_loop_works", "apply-config")
    assert (status, said["status"], list(said["loops"])) == (503, "failing", ["apply-config"])
    assert said["loops"]["apply-config"].startswith("silent for")
    assert (ready[0], list(ready[1]["loops"])) == (503, ["apply-config"])
    assert works == 0

    until(lambda: asked(served, "healthz") == (200, {"status": "ok"}))
    assert gauge(served, "connector_loop_works", "apply-config") == 1


def is_red_after(served, seconds):
    """Let time pass; return whether health is red."""
    served.clock.forward(seconds)
    return asked(served, "healthz")[0] == 503


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_has_ended_turns_health_red(served, monkeypatch):
    """Should the writer end all the same: no write waits for it, and the process is to be restarted."""

    def broken(*_):
        raise MemoryError

    writer = served.app.store.database._writer
    monkeypatch.setattr(Loop, "note", broken)
    monkeypatch.setattr(writer, "_commit_batch", broken)

    status, said = asked(served, "readyz")

    assert (status, said["store"], bool(said["reason"])) == (503, False, True)
    writer.loop.join(10)
    assert asked(served, "healthz") == (503, {"status": "failing", "loops": {"store-writer": "ended"}})
    assert asked(served, "readyz")[1]["reason"] == "The database is closed."


def test_readiness_is_red_while_nothing_can_be_opened_or_started(served, monkeypatch):
    """No descriptor, no thread: not ready, with the reason; health is about loops, and stays green."""

    def no_descriptor(*_, **__):
        raise OSError(24, "Too many open files")

    def no_thread(*_, **__):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_module, "connect", no_descriptor)
        assert asked(served, "readyz")[1]["reason"] == "The connector cannot open more files or connections."
    with monkeypatch.context() as patch:
        patch.setattr("anyio.to_thread.run_sync", no_thread)
        assert asked(served, "readyz")[1]["reason"] == "The connector cannot start another thread."
        assert asked(served, "healthz") == (200, {"status": "ok"})
    assert "reason" not in asked(served, "readyz")[1]


def test_figures_of_the_process_are_given_while_the_store_cannot_be_read(served, monkeypatch, tmp_path):
    """Whoever looks why sees the loops and what was counted; what the store would tell is left out, whole."""

    def no_descriptor(*_, **__):
        raise OSError(24, "Too many open files")

    served.app.metrics.rejected("connection", "too_many")
    with monkeypatch.context() as patch:
        patch.setattr(served.app.store.database, "readers", sqlite_module.Readers(tmp_path))  # none is open yet
        patch.setattr(sqlite_module, "connect", no_descriptor)
        answer = requests.get(f"{served.url}/metrics", timeout=10)
    after = requests.get(f"{served.url}/metrics", timeout=10).text

    assert answer.status_code == 200
    assert "connector_store_readable 0.0" in answer.text
    assert 'connector_rejected_total{code="too_many",kind="connection"} 1.0' in answer.text
    assert 'connector_loop_works{loop="store-writer"} 1.0' in answer.text
    assert "connector_lanes" not in answer.text
    assert "connector_store_readable 1.0" in after
    assert "connector_lanes" in after


def test_without_a_thread_figures_are_refused_with_the_reason(served, monkeypatch):
    """They are read on one; monitoring is told to come again."""

    def no_thread(*_, **__):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("anyio.to_thread.run_sync", no_thread)
        answer = requests.get(f"{served.url}/metrics", timeout=10)

    assert (answer.status_code, answer.text) == (503, "The connector cannot start another thread.")


def test_what_a_loop_survived_is_counted(served):
    """Monitoring sees it although nothing is red."""
    real, called = served.app.applying.apply, threading.Semaphore(0)

    def fail():
        called.release()
        raise SystemExit

    try:
        served.app.applying.apply = fail
        served.app.hang_up.wake()
        assert called.acquire(timeout=10)
        until(lambda: gauge(served, "connector_loop_failures_total", "apply-config") == 1)
    finally:
        served.app.applying.apply = real

    assert asked(served, "healthz") == (200, {"status": "ok"})


def gauge(served, name, loop):
    """Read one figure of a loop."""
    text = requests.get(f"{served.url}/metrics", timeout=10).text
    (line,) = [line for line in text.splitlines() if line.startswith(f'{name}{{loop="{loop}"}}')]
    return float(line.rsplit(maxsplit=1)[1])
