"""Settings of all tests: none is timed, since a busy machine is no fault of the code.

`make test` tries the same examples at every run, so that it passes or fails by what the code is, `make test-extended`
more of the same (`CONNECTOR_EXAMPLES=all`); the campaign (`CONNECTOR_CAMPAIGN=long`) draws new ones.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections import Counter

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support import daemon_logs, examples, needed, new_databases
from tests.support.postgres import shared_server, worker_name

UNTIMED = [HealthCheck.too_slow]  # that drawing takes long says what the machine does beside it
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, max_examples=examples.up_to(100), suppress_health_check=UNTIMED
)
settings.register_profile("exploring", deadline=None, suppress_health_check=UNTIMED)
settings.load_profile("exploring" if os.environ.get("CONNECTOR_CAMPAIGN") == "long" else "repeatable")


def log_plainly():
    """Write log lines without handsome tracebacks, which take longer to draw than most tests run."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.stdlib.add_log_level, renderer])


log_plainly()
gc.disable()  # until all tests are found: what is made before stays to the end
new_databases.use()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Leave logging as it was, whatever a test called: the next one in this process may look for a line.

    And garbage is looked for again, which a command that only looks ends for its process.
    """
    root, known = logging.getLogger(), structlog.get_config()["processors"]
    handlers, level = root.handlers[:], root.level
    ended = yield
    gc.enable()
    if structlog.get_config()["processors"] is not known:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name in ("apscheduler", "apscheduler.scheduler", "urllib3"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        structlog.reset_defaults()
        log_plainly()
    return ended


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Let a test without a browser see no event loop: one that drives a browser runs on between the tests."""
    running = None if "browser" in item.fixturenames else asyncio._get_running_loop()
    if running is not None:
        asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        if running is not None:
            asyncio._set_running_loop(running)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show a group of tests that is left out as one line, and what daemons wrote with a test that failed."""
    return daemon_logs.show(needed.fold((yield), call), item)


#: How many cases there are so far of each test that has them, for each database.
_cases: Counter[tuple[str, bool]] = Counter()


def pytest_itemcollected(item):
    """Mark the cases of a test that are more than `make test` tries, in the order in which they are written."""
    if most := item.get_closest_marker("cases_in_test"):
        test = item.nodeid.partition("[")[0], "postgresql" in item.name
        _cases[test] += 1
        if _cases[test] > most.args[0]:
            item.add_marker("extended")


def pytest_collection_modifyitems(items):
    """Mark the tests that need a daemon or a browser, or take long on PostgreSQL, and put files that take long first.

    The mark is for those who run, or measure, all others. At the end of a run all workers have something to do if what
    is left are many short files. Files of a folder stay shuffled.
    """
    for item in items:
        if {"browser", "open_stage", "shared_stage", "stage"} & set(item.fixturenames):
            item.add_marker("staged")
        if item.get_closest_marker("lengthy_on_postgresql") and "postgresql" in item.name:
            item.add_marker("extended")
    items.sort(key=lambda item: -1 if item.path.name in _LONGEST else _FOLDERS_BY_LENGTH.get(_folder(item), 1))


#: Each mutant of the conformance suite lives a whole life; who follows the tutorial runs that suite; the operator
#: builds a release, and installs it.
_LONGEST = {"test_life.py", "test_new_plugin.py", "test_operated.py"}
_FOLDERS_BY_LENGTH = {"faults": 0, "plugins": 2, "core": 3}


def _folder(item):
    """Return the folder below `tests` that a test is in; of those right there its file."""
    return item.nodeid.partition("tests/")[2].partition("/")[0]


def pytest_collection_finish():
    """Keep the collector of garbage from looking through all tests again and again: they stay to the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def postgresql_database():
    """Return the database of this worker on the run's PostgreSQL server, new."""
    server = shared_server()
    yield server.make(worker_name())
    server.drop(worker_name())


@pytest.fixture
def postgresql_url(postgresql_database):
    """Return the URL of a PostgreSQL database without rows; tables that an earlier test made are there."""
    postgresql_database.empty()
    return postgresql_database.url


@pytest.fixture
def bare_postgresql_url(postgresql_database):
    """Return the URL of a PostgreSQL database that nothing is in; what the test makes, no later one sees."""
    postgresql_database.clear()
    yield postgresql_database.url
    postgresql_database.clear()


@pytest.fixture(scope="session")
def browser():
    """Start Chromium without a window: one in a process, for what drives it runs on between tests."""
    from tests.support.browser import open_browser  # noqa: PLC0415 - slow to load, and most tests need none

    with open_browser() as started:
        yield started
