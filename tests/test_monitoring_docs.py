"""What the monitoring page says is what the daemon's code measures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import structlog
from prometheus_client import generate_latest

from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.web.server import build_web

PAGE = (Path(__file__).parents[1] / "docs/monitoring.md").read_text()


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return the names of all metrics of an app that has done nothing yet."""
    path = tmp_path_factory.mktemp("app") / "connector.yaml"
    path.write_text("secret_key: a passphrase that is long enough")
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    build_web(app)
    text = generate_latest(app.metrics.registry).decode()
    app.store.close()
    return set(re.findall(r"^# TYPE (\w+) \w+$", text, re.MULTILINE))


def test_every_metric_is_described_and_every_described_one_exists(measured):
    """No metric is missing from the page, and none on it was renamed."""
    described = set(re.findall(r"^\| `(connector_\w+)", PAGE, re.MULTILINE))

    assert described == {name for name in measured if name.startswith("connector_")}
