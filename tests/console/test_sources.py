"""Sources in the console: how each stands, *Test connection*, and who may see and do that."""

from __future__ import annotations

from datetime import timedelta

import pytest
import structlog
from argon2 import PasswordHasher

from connector_core import AuthError, Finding, Severity
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.health.source_findings import SOURCE_MISSING
from connector_core.local_server import LocalServer
from connector_core.store import Checkup
from connector_core.testing import FrozenClock, MemoryPlatform
from connector_core.web.server import build_web
from tests.support.activation import activate
from tests.support.served import ADMIN, AT, GUEST, VIEWER, Visitor, entry_points

CONFIG = """
secret_key: a passphrase of many letters
console:
  users:
    ada: {{password_hash: "{ADMIN}", role: admin}}
    vic: {{password_hash: "{VIEWER}"}}
    gus: {{password_hash: "{GUEST}", role: admin, organizations: [globex]}}
organizations:
  acme: {{name: Acme Inc., source: {{plugin: hub}}}}
  globex: {{name: Globex, source: {{plugin: platform}}}}
"""


@pytest.fixture(scope="module")
def hub():
    """Make a platform with seven incidents, which were open before anybody asked."""
    made = MemoryPlatform(FrozenClock(AT - timedelta(hours=1)), name="hub", title="Hub")
    made.account_name = "Acme <b>Tenant</b>"
    made.findings = (Finding(code="odd", severity=Severity.WARNING, title="2 incidents have <no> id."),)
    for number in range(7):
        made.open(f"Offline {number}")
    return made


@pytest.fixture(scope="module")
def served(tmp_path_factory, hub):
    """Serve a console over two organizations, of which one has a polled source; return the app and its address."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    path = tmp_path_factory.mktemp("sources") / "connector.yaml"
    hashes = {name: hasher.hash(text) for name, text in (("ADMIN", ADMIN), ("VIEWER", VIEWER), ("GUEST", GUEST))}
    path.write_text(CONFIG.format(**hashes))
    config, plugins = read_config(path, [*entry_points(), hub.entry_point()])
    app = build_app(config, plugins, log=structlog.get_logger("test"), clock=FrozenClock())
    activate(app, "acme-desk", "acme")
    server = LocalServer(build_web(app))
    server.start()
    yield app, server.url
    server.stop()
    app.store.close()


@pytest.fixture
def app(served, hub):
    """Return the app, with a platform that refuses nothing."""
    hub.down = None
    served[0].poller.check("acme")
    return served[0]


@pytest.fixture
def visitor(served):
    """Return a function that logs somebody in."""

    def enter(name, password):
        one = Visitor(served[1])
        assert one.log_in(name, password).status_code == 303
        return one

    return enter


def test_the_front_page_says_how_sources_stand(app, visitor):
    """What was found, for a person; one that is told by itself says so."""
    app.poller.poll("acme")

    page = visitor("ada", ADMIN).get("/").text

    assert "Incident sources" in page
    assert "2 incidents have &lt;no&gt; id." in page
    assert "It pushes its incidents." in page


def test_a_source_has_a_page(app, visitor):
    """With whose incidents they are and how many are open; nothing of it is taken for markup."""
    app.poller.poll("acme")

    page = visitor("vic", VIEWER).get("/sources/acme").text

    assert "Acme &lt;b&gt;Tenant&lt;/b&gt;" in page
    assert "<dd>7</dd>" in page
    assert "Test connection" not in page


def test_an_administrator_tests_the_connection(app, visitor):
    """The result is on the page."""
    answer = visitor("ada", ADMIN).post("/sources/acme")

    assert answer.status_code == 200
    assert "Connected to Acme &lt;b&gt;Tenant&lt;/b&gt;." in answer.text


def test_a_source_that_is_back_is_not_missing_until_the_next_check(app, visitor):
    """The front page looks at the source itself, not at what a check found in the night."""
    missing = Finding(code=SOURCE_MISSING, severity=Severity.PROBLEM, title="acme has no source")
    app.store.checkups.record(Checkup("acme-desk", app.clock.now(), (missing,)))

    page = visitor("ada", ADMIN).get("/").text

    assert "Up to date." in page
    assert "acme has no source" not in page


def test_a_refused_key_is_shown_with_what_to_do(app, visitor, hub):
    """And a test that works ends the pause."""
    hub.down = AuthError("The hub does not accept the key.", code="key_refused", fix="Make a new key.")
    app.poller.poll("acme")
    admin = visitor("ada", ADMIN)

    page = admin.get("/sources/acme").text
    rows = admin.get("/").text.partition("Incident sources")[0]
    hub.down = None
    admin.post("/sources/acme")

    assert "The hub does not accept the key." in page
    assert "Make a new key." in page
    assert "No incidents come in. The hub does not accept the key." in rows
    assert "Make a new key." in rows
    assert "Up to date." not in rows
    assert app.poller.poll("acme").outcome == "ok"


@pytest.mark.parametrize("way", ["get", "post"])
def test_a_source_of_others_is_not_there(app, visitor, way):
    """Neither to be seen nor to be tried, nor named on the front page."""
    guest = visitor("gus", GUEST)

    answer = guest.get("/sources/acme") if way == "get" else guest.post("/sources/acme", seen_on="/sources/globex")

    assert answer.status_code == 404
    assert guest.get("/sources/nobody").text.replace("nobody", "acme") == guest.get("/sources/acme").text
    assert "Acme Inc." not in guest.get("/").text


def test_a_viewer_tries_nothing(app, visitor):
    """Looking is all."""
    assert visitor("vic", VIEWER).post("/sources/acme", seen_on="/").status_code == 403


def test_one_that_tells_by_itself_has_nothing_to_try(app, visitor):
    """That is said, and no button is there."""
    guest = visitor("gus", GUEST)

    assert "Nothing to test" in guest.get("/sources/globex").text
    assert guest.post("/sources/globex", seen_on="/").status_code == 422
