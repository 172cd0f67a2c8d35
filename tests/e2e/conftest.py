"""A whole stage per test: sandbox, platform, and the daemon as a process."""

from __future__ import annotations

import pytest

from connector_core.demo.stage import Stage, sandbox_plugin
from connector_core.plugins import load_plugins
from tests.support import warm
from tests.support.jira.at_stage import sandbox_of
from tests.support.jira.openapi_check import assert_calls_match_openapi

warm.use()


@pytest.fixture
def open_stage(tmp_path):
    """Return a function that opens a stage; its calls are held against the published API at the end.

    Daemons that still run are ended as by a power cut, which is quicker: how they stop is judged by the tests that stop
    them, and by `shared_stage`.
    """
    opened = []

    def open_one(*, authorized=True, **options):
        stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path, **options)
        opened.append(stage)
        if authorized:
            stage.open()
        else:
            stage.open_unauthorized()
        return stage

    yield open_one
    for stage in opened:
        stage.daemon.kill()
        stage.close()
        assert_calls_match_openapi(sandbox_of(stage).calls)


@pytest.fixture
def stage(open_stage):
    """Open a stage whose helpdesk sends signed webhooks."""
    return open_stage()


@pytest.fixture(scope="module")
def shared_stage(tmp_path_factory):
    """Open a stage for all tests of a module that leave nothing behind but incidents of their own."""
    opened = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path_factory.mktemp("shared"))
    opened.open()
    yield opened
    assert opened.daemon.stop() == 0
    opened.close()
    assert_calls_match_openapi(sandbox_of(opened).calls)
