"""A whole stage per test: sandbox, platform, and the daemon as a process."""

from __future__ import annotations

import pytest

from connector_core.demo.stage import Stage, sandbox_plugin
from connector_core.plugins import load_plugins


@pytest.fixture
def open_stage(tmp_path):
    """Return a function that opens a stage; whatever was opened is closed afterwards."""
    opened = []

    def open_one(**options):
        stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path, **options)
        opened.append(stage)
        stage.open()
        return stage

    yield open_one
    for stage in opened:
        stage.close()


@pytest.fixture
def stage(open_stage):
    """Open a stage whose helpdesk sends signed webhooks."""
    return open_stage()
