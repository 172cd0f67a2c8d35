"""A whole stage for a measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector_core import Sandbox
from connector_core.demo.stage import Stage, sandbox_plugin
from connector_core.plugins import load_plugins


@contextmanager
def unopened_stage(sandbox: Sandbox | None = None) -> Iterator[Stage]:
    """Put a stage up and take it down."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), Path(folder), sandbox=sandbox)
        try:
            yield stage
        finally:
            stage.close()


@contextmanager
def open_stage(sandbox: Sandbox | None = None) -> Iterator[Stage]:
    """Put a stage up, open it, take it down."""
    with unopened_stage(sandbox) as stage:
        stage.open()
        yield stage
