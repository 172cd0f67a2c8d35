"""What a command loads before it can do its work: a person waits for all of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import structlog

from connector_core import EventType, Incident, IncidentEvent
from connector_core.app import build_app
from connector_core.clock import SystemClock
from connector_core.config import read_config
from connector_core.contract.models.record import Record
from connector_core.store import Target

CONFIG = """
database: sqlite:///connector.db
secret_key: a passphrase of many letters
disabled_plugins: [roundup]  # an example, which loads all that it needs at once
organizations:
  acme:
    source: {plugin: http, secret: whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0}
    integrations:
      acme-desk:
        plugin: jira_jsm
        service_desk: "10"
        request_type: "25"
        close_status: do_not_auto_close
        email: connector@acme.example
        api_token: a token of some length
        site: https://acme.atlassian.net
"""
RUN = """
import sys
from connector_core.__main__ import main
try:
    main()
finally:
    sys.stderr.write("\\n".join(sorted(sys.modules)))
"""
# The same, but among how many objects garbage was looked for, the last time when Python ends.
COLLECTED = """
import gc, sys
from connector_core.__main__ import main
seen = []
gc.callbacks.append(lambda phase, info: seen.append(len(gc.get_objects())))
try:
    main()
finally:
    sys.stderr.write(str(max([*seen, len(gc.get_objects())])))
"""
# What was loaded when a key began to be derived, and the name of the thread that did.
DERIVED = """
import sys, threading
from connector_core import secrets
from connector_core.__main__ import main
begin = secrets.Scrypt
def scrypt(**options):
    sys.stderr.write("\\n".join([*sys.modules, threading.current_thread().name]))
    return begin(**options)
secrets.Scrypt = scrypt
main()
"""
# What serves, schedules, calls, draws and logs; a command that shows what is stored does none of it.
NOT_TO_LOOK = frozenset(
    {
        *("uvicorn", "starlette", "apscheduler", "jinja2", "prometheus_client", "requests", "urllib3"),
        *("structlog", "rich", "questionary", "asyncio", "argon2", "sqlite_utils"),
        *(f"connector_core.{wing}" for wing in ("app", "web", "sync", "setup", "inbound", "demo", "testing")),
        *("connector_core.http.session", "connector_core.engine.engine", "connector_core.polling.schedule"),
        *("connector_jira_jsm.api", "connector_jira_jsm.tickets", "connector_xyte.client"),
    }
)
NOT_IN_USE = frozenset({"connector_request_tracker", "connector_servicenow", "connector_xyte"})
A_FEW = 20_000  # objects: half as many are there before the command is loaded, twice as many after
MOST_TO_LOOK, MOST_TO_HELP = 220, 60  # of our own modules
NOT_TO_HELP = NOT_TO_LOOK | {"sqlite3", "ruamel", "cryptography", "connector_core.store"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Write a configuration with an integration that has a link, as a daemon has taken it over."""
    file = tmp_path_factory.mktemp("loaded") / "connector.yaml"
    file.write_text(CONFIG)
    config, plugins = read_config(file)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    app.applying.at_start()
    now = SystemClock().now()
    incident = Incident(id="inc-1", title="Offline")
    event = IncidentEvent(id="e-1", type=EventType.OPENED, occurred_at=now, incident=incident)
    app.store.inbox.accept_events("acme", [event], [Target("acme-desk", {"desk": "1"}, now)], now).result()
    app.store.close()
    return file


def loaded(path, *arguments, run=RUN):
    """Run a command; return what it printed, and the names of what it loaded."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE"))}
    done = subprocess.run(
        [sys.executable, "-c", run, "--config", str(path), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(done.stderr.splitlines())


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize(
    ("command", "shows"),
    [
        ("status", "acme-desk"),
        pytest.param("status --json", '"integration": "acme-desk"', marks=pytest.mark.extended),
        ("links", "inc-1"),
        pytest.param("links --failed", "Nothing failed", marks=pytest.mark.extended),
        ("explain inc-1", "Offline"),
        pytest.param("integrations list", "acme-desk", marks=pytest.mark.extended),
        pytest.param("integrations show acme-desk", "10", marks=pytest.mark.extended),
        pytest.param("sources list", "acme", marks=pytest.mark.extended),
        pytest.param("notifications list", "Nobody is notified yet", marks=pytest.mark.extended),
        pytest.param("sources show acme", "connector.yaml:", marks=pytest.mark.extended),
        pytest.param("config check", "fine", marks=pytest.mark.extended),
        ("config diff", "The daemon has what the file says"),
    ],
)
def test_a_command_that_looks_loads_nothing_that_works(path, command, shows):
    """No server, no scheduler, no HTTP client, no logging, none of our parts that use them."""
    printed, names = loaded(path, *command.split())

    assert shows in printed
    assert names & NOT_TO_LOOK == set()
    assert len({name for name in names if name.startswith("connector_")}) <= MOST_TO_LOOK, len(
        {name for name in names if name.startswith("connector_")}
    )


def test_status_derives_the_key_while_it_loads_the_rest(path):
    """It takes as long as half of the loading: by a thread of its own, before the store and what reads is loaded."""
    printed, names = loaded(path, "status", run=DERIVED)

    assert "acme-desk" in printed
    assert names & {"connector_core.store.read_only", "connector_core.reading", "MainThread"} == set()
    assert "connector_core.config" in names


def kinds(of=Record):
    """Name all kinds of records that are loaded."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_what_works_has_every_kind_of_record_built(path):
    """Commands that look build those that they show; the app has them before its threads, which may not build any."""
    assert path.exists()  # the app was built
    assert [kind.__name__ for kind in kinds() if not kind.__pydantic_complete__] == []


def test_status_looks_for_no_garbage_in_what_was_loaded(path):
    """Nor does Python when it ends: to look through all of it takes longer than the command's own work."""
    printed, (most,) = loaded(path, "status", run=COLLECTED)

    assert "acme-desk" in printed
    assert int(most) < A_FEW


@pytest.mark.parametrize("command", ["status", "links", "explain inc-1"])
def test_a_plugin_that_nobody_uses_is_not_loaded(path, command):
    """However many are installed; the daemon has them all."""
    _, names = loaded(path, *command.split())

    assert "connector_jira_jsm" in names
    assert names & NOT_IN_USE == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_no_store_and_no_configuration(path, option):
    """What there is to say stands in the code."""
    printed, names = loaded(path, option)

    assert "onnector" in printed
    assert names & NOT_TO_HELP == set()
    assert len({name for name in names if name.startswith("connector_")}) <= MOST_TO_HELP
