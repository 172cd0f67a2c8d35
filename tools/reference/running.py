"""A connector that runs nowhere: its routes and its metrics are read from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from starlette.applications import Starlette

from connector_core.app import App, build_app
from connector_core.config import read_config
from connector_core.web.server import build_web


@contextmanager
def connector() -> Iterator[tuple[App, Starlette]]:
    """Put a connector together with an empty configuration, and take it apart again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "connector.yaml"
        path.write_text("secret_key: a passphrase that is long enough\n")
        app = build_app(*read_config(path), log=structlog.get_logger())
        try:
            yield app, build_web(app)
        finally:
            app.store.close()
