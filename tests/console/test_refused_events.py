"""Events that a platform pushed and that were refused: on the source's page, and in `connector sources`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import requests
import structlog
from argon2 import PasswordHasher
from click.testing import CliRunner

from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.health.refusals import RECENT
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.local_server import LocalServer
from connector_core.testing import FrozenClock
from connector_core.web.server import build_web
from tests.support.served import ADMIN, Visitor

SECRET = "a secret of more than thirty-two letters"
CONFIG = f"""
secret_key: a passphrase of many letters
console:
  users:
    ada: {{{{password_hash: "{{}}", role: admin}}}}
organizations:
  acme: {{{{name: Acme Inc., source: {{{{plugin: http, secret: "{SECRET}"}}}}}}}}
  globex: {{{{name: Globex}}}}
"""


@pytest.fixture
def served(tmp_path):
    """Serve a console over an organization whose platform pushes, and one without any; commands have the real time."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG.format(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(ADMIN)))
    config, plugins = read_config(path)
    app = build_app(
        config, plugins, log=structlog.get_logger("test"), clock=FrozenClock(datetime.now(UTC).replace(microsecond=0))
    )
    server = LocalServer(build_web(app))
    server.start()
    yield app, server.url, path
    server.stop()
    app.store.close()


def push(app, url, *events, secret=SECRET, organization="acme"):
    """Send events as a platform would; one alone goes without a list."""
    now = app.clock.now()
    body = json.dumps(list(events) if len(events) != 1 else events[0]).encode()
    headers = sign(signing_keys(secret), f"msg_{uuid4().hex}", now, body)
    return requests.post(f"{url}/v1/sources/{organization}/events", data=body, headers=headers, timeout=20)


def event(name, **incident):
    """Make an event that can be taken."""
    now = "2026-03-02T10:00:00Z"
    whole = {"id": f"inc-{name}", "title": "Offline", "priority": "low", "status": "active", "opened_at": now}
    return {"id": name, "type": "incident.opened", "occurred_at": now, "incident": whole | incident}


def page(url, organization="acme"):
    """Return the page of a source."""
    visitor = Visitor(url)
    visitor.log_in("ada", ADMIN)
    return visitor.get(f"/sources/{organization}").text


def told(path, *command):
    """Return what a command prints as JSON."""
    ended = CliRunner().invoke(cli, ["sources", *command, "--config", str(path), "--json"], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.output)


def test_refused_events_are_shown_with_number_time_and_reason(served):
    """By reason, the latest first, on the page and by the command line; a list that was taken in part counts too."""
    app, url, path = served
    first = app.clock.now()
    for _ in range(2):
        assert push(app, url, event("a"), secret="another one of more than thirty-two letters").status_code == 401
        app.clock.forward(60)
    assert push(app, url, event("b"), event("c", status="odd"), event("d", title=None)).status_code == 422

    shown = page(url)
    assert "2 refused, the last" in shown
    assert shown.index("cannot be read") < shown.index("no secret here made their signature")
    (row,) = [one for one in told(path, "list") if one["organization"] == "acme"]
    assert row["refused"] == 4
    assert row["last_refused"] == (first + timedelta(seconds=120)).isoformat().replace("+00:00", "Z")
    assert "cannot be read" in row["refused_because"]
    assert {name: told(path, "show", "acme")[name] for name in ("refused", "last_refused", "refused_because")} == {
        name: row[name] for name in ("refused", "last_refused", "refused_because")
    }


def test_nothing_is_said_where_nothing_was_refused_lately(served):
    """Neither of a source that takes all, nor of what was long ago; a made-up source makes no rows."""
    app, url, path = served
    assert push(app, url, event("a")).status_code == 200
    assert push(app, url, event("a"), organization="nobody").status_code == 404
    assert "refused" not in page(url)
    assert "refused" not in page(url, "globex")
    assert {one["refused"] for one in told(path, "list")} == {0}
    assert app.store.webhooks.refused("/v1/sources/nobody/events") == {}

    push(app, url, event("b", status="odd"))
    assert "1 refused" in page(url)
    app.clock.forward((RECENT + timedelta(minutes=1)).total_seconds())

    assert "refused" not in page(url)
