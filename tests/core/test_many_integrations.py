"""What grows with the number of integrations, and what does not: counts, never times."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from prometheus_client import generate_latest
from pydantic import SecretStr

from connector_core import hookimpl
from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.contract.errors import RetryLater
from connector_core.contract.models import Grant, Site
from connector_core.plugins import load_plugins
from connector_core.registry.handles import IntegrationHandles
from connector_core.secrets import SecretBox
from connector_core.setup import configured
from connector_core.store import IntegrationState
from connector_core.store import integrations as operations
from connector_core.store.opening import open_store
from connector_core.testing import FrozenClock, MemoryDesk
from connector_core.web.metrics import StoreGauges
from tests.support.activation import active_record

MANY = 60
KEY = "a passphrase that is long enough"


class CountingBox(SecretBox):
    """Counts what is opened."""

    opened = 0

    def open(self, sealed):
        """Count, and open."""
        self.opened += 1
        return super().open(sealed)


class Desk(MemoryDesk):
    """A desk that gives a grant, or nothing until it is told to."""

    def __init__(self, clock):
        super().__init__(clock)
        self.asked = []
        self.error = None

    @hookimpl
    def authorize(self, integration, request):
        """Note who asks."""
        self.asked.append(integration.id)
        if self.error is not None:
            raise self.error
        return Grant(headers={}, account_name="Connector")


@pytest.fixture
def clock():
    """Make a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def desk(clock):
    """Make a desk."""
    return Desk(clock)


@pytest.fixture
def box():
    """Make a box that counts."""
    return CountingBox([SecretStr(KEY)])


@pytest.fixture
def make(tmp_path, clock, desk, box):
    """Return a function that builds an app for organizations, some with an integration in the file."""
    apps = []

    def build(organizations=1, *, written=False):
        integration = "{{desk-{0}: {{plugin: desk, desk: '1', webhook_secret: secret of {0}}}}}"
        lines = [
            f"  org-{number}: {{integrations: {integration.format(number) if written else '{}'}}}"
            for number in range(organizations)
        ]
        path = tmp_path / "connector.yaml"
        path.write_text("\n".join([f"secret_key: {KEY}", "organizations:", *lines, ""]))
        plugins = load_plugins(entry_points=[desk.entry_point()])
        store = open_store(tmp_path / "connector.db", box)
        config = load_config(path, plugins)
        apps.append(build_app(config, plugins, log=structlog.get_logger("test"), clock=clock, store=store))
        return apps[-1]

    yield build
    for app in apps:
        app.store.close()


@pytest.fixture
def app(make, clock):
    """Make an app with many active integrations from set-up, each with a grant."""
    app = make()
    app.store.integrations.put_all(
        [active_record(f"desk-{number}", "org-0", clock.now(), secret=f"secret {number}") for number in range(MANY)]
    )
    for number in range(MANY):
        site = Site(id=f"site-{number}", url=f"https://{number}.example.test", name="x")
        app.store.grants.save(f"desk-{number}", Grant(headers={}, sites=(site,), site=site))
    return app


@pytest.fixture
def made(monkeypatch):
    """Return the ids of integrations for which a handle was made."""
    ids, make_one = [], IntegrationHandles._make

    def noting(handles, record, *rest):
        ids.append(record.id)
        return make_one(handles, record, *rest)

    monkeypatch.setattr(IntegrationHandles, "_make", noting)
    return ids


def test_no_handle_is_made_before_it_is_used(app, made):
    """To know the integrations, and whom a delivery may be for, takes none."""
    app.registry.entries()
    app.registry.listeners("desk").have(SecretStr("secret 7"))
    app.schedule.follow()

    assert made == []


def test_a_change_of_one_rebuilds_one(app, box, made):
    """Its secrets are opened and its handle is made anew; all others stay as they are."""
    before = {entry.record.id: (entry, entry.handle) for entry in app.registry.entries()}
    made.clear()
    app.store.integrations.put(replace(before["desk-7"][0].record, webhook_secrets=(SecretStr("another"),)))
    box.opened = 0

    after = {entry.record.id: (entry, entry.handle) for entry in app.registry.entries()}

    assert (box.opened, made) == (1, ["desk-7"])
    assert [name for name, (entry, _) in after.items() if entry is not before[name][0]] == ["desk-7"]
    assert list(after) == list(before)


def test_after_a_change_deliveries_find_the_new_state(app):
    """Secrets, sites and places in the order are as if everything had been made anew."""
    registry, present = app.registry, app.registry.entry("desk-7").record
    shared = (SecretStr("secret 3"), SecretStr("new"))
    app.store.integrations.put(replace(present, webhook_secrets=shared))
    app.store.integrations.put(replace(registry.entry("desk-9").record, state=IntegrationState.DISABLED))
    app.store.integrations.remove("desk-11")
    changed = registry.listeners("desk")
    registry.reload()

    anew = registry.listeners("desk")

    assert changed.ids_of(SecretStr("secret 3")) == ("desk-3", "desk-7")
    assert not changed.have(SecretStr("secret 7"))
    assert not changed.have(SecretStr("secret 9"))
    assert changed.index.ids == anew.index.ids
    for name in ("by_secret", "by_host", "by_organization"):
        assert getattr(changed.index, name) == getattr(anew.index, name)


def test_one_that_was_made_again_comes_last(app, clock):
    """Its place in the order is that of today, although its id is an old one."""
    shared = SecretStr("secret 3")
    app.registry.listeners("desk")
    app.store.integrations.remove("desk-2")
    clock.forward(60)
    app.store.integrations.put(active_record("desk-2", "org-0", clock.now(), secret="secret 3"))

    found = app.registry.listeners("desk")

    assert found.ids_of(shared) == ("desk-3", "desk-2")
    assert [entry.record.id for entry in found.every()][-1] == "desk-2"
    assert [entry.record.id for entry in app.registry.of("org-0")][-1] == "desk-2"


def test_handles_that_were_not_used_for_longest_are_let_go(app, made, monkeypatch):
    """What is used again is made again, and the others keep theirs."""
    object.__setattr__(app.registry._handles, "most", 3)
    first = app.registry.entry("desk-0").handle
    for number in (1, 2, 0, 3):
        assert app.registry.entry(f"desk-{number}").handle.id == f"desk-{number}"

    assert app.registry.entry("desk-0").handle is first
    assert made == ["desk-0", "desk-1", "desk-2", "desk-3"]
    assert app.registry.entry("desk-1").handle.id == "desk-1"
    assert made[4:] == ["desk-1"]
    assert len(app.registry._handles._made) == 3


def test_a_scrape_opens_nothing(app, box):
    """The figures of all integrations are there, and no grant was opened for them."""
    app.metrics.registry.register(StoreGauges(app.store, app.registry, app.clock, app.statuses))
    app.registry.entries()
    box.opened = 0

    text = generate_latest(app.metrics.registry).decode()

    assert text.count("connector_webhook_missed{") == MANY
    assert box.opened == 0


def test_a_check_of_one_opens_no_other(app, box, clock):
    """Refusals of a route are held against one that may be meant, not against all."""
    app.registry.entries()
    app.store.webhooks.note_refusals("", "desk", "signature_mismatch", 1, clock.now()).result()
    app.store.integrations.put(replace(app.registry.entry("desk-7").record, organization="org-1"))
    app.registry.entries()
    box.opened = 0

    app.setup.check("desk-7")

    assert box.opened < 6


def test_the_schedule_looks_again_only_when_something_has_changed(app, monkeypatch):
    """Every two seconds it asks for a number, and for nothing else."""
    app.schedule.follow()
    entries = app.registry.entries
    monkeypatch.setattr(app.registry, "entries", lambda: pytest.fail("looked at all"))
    app.schedule.follow()
    monkeypatch.setattr(app.registry, "entries", entries)

    app.store.integrations.note_problem("desk-7", "authorization_needed", "Somebody has to.")
    app.schedule.follow()

    waits = app.schedule.rounds["reconcile"].rounds.waits()
    assert waits.keys() == {f"desk-{number}" for number in range(MANY)} - {"desk-7"}


def test_a_file_without_changes_writes_no_integration(make):
    """A start that finds everything as it was stores nothing, also of those that are active."""
    app = make(3, written=True)
    app.configured.apply()
    site = Site(id="here", url="https://here.example.test", name="here")
    app.store.grants.save("desk-1", Grant(headers={}, sites=(site,), site=site))
    assert {entry.record.state for entry in app.registry.entries()} == {IntegrationState.ACTIVE}
    version = app.store.integrations.version()

    app.configured.apply()

    assert app.store.integrations.version() == version


def test_few_are_authorized_before_the_connector_works(make, desk):
    """Whoever starts it with a handful finds them active."""
    app = make(configured.WAITED_FOR, written=True)

    app.configured.apply()

    assert len(desk.asked) == configured.WAITED_FOR
    assert {entry.record.state for entry in app.registry.entries()} == {IntegrationState.ACTIVE}


def authorize(app):
    """Authorize those that wait, as the schedule does."""
    for name in app.configured.to_authorize():
        app.configured.authorize(name)


def test_many_are_authorized_while_the_connector_works(make, desk):
    """The start does not wait for calls to a thousand sites; each is made once."""
    app = make(configured.WAITED_FOR + 1, written=True)

    app.configured.apply()
    asked_at_start = list(desk.asked)
    authorize(app)
    authorize(app)

    assert asked_at_start == []
    assert sorted(desk.asked) == sorted(entry.record.id for entry in app.registry.entries())
    assert {entry.record.state for entry in app.registry.entries()} == {IntegrationState.ACTIVE}


def test_one_that_cannot_be_authorized_holds_up_no_other(make, desk):
    """Those that could not be reached are tried again by and by."""
    app = make(configured.WAITED_FOR + 1, written=True)
    desk.error = RetryLater("Slow down.", after_s=0)
    app.configured.apply()
    authorize(app)
    assert {entry.record.problem_code for entry in app.registry.entries()} == {configured.AUTHORIZATION_POSTPONED}

    desk.error = None
    app.clock.forward(3600)
    authorize(app)

    assert {entry.record.state for entry in app.registry.entries()} == {IntegrationState.ACTIVE}


def test_one_that_somebody_disabled_meanwhile_is_not_authorized(make, desk):
    """A person was faster than the list of those that wait."""
    app = make(configured.WAITED_FOR + 1, written=True)
    app.configured.apply()
    app.setup.disable("desk-3")

    authorize(app)

    assert "desk-3" not in desk.asked
    assert app.registry.entry("desk-3").record.state is IntegrationState.DISABLED


class Interrupted:
    """A connection on which something is stored by somebody else after the integrations were read."""

    def __init__(self, db, meanwhile):
        self.db = db
        self.meanwhile = meanwhile

    def execute(self, statement, parameters=()):
        """Read, and let the other one store."""
        rows = self.db.execute(statement, parameters).fetchall()
        if "revision >" in statement:
            self.meanwhile()
        return _Rows(rows)


class _Rows(list):
    def fetchone(self):
        """Return the first."""
        return self[0] if self else None


def test_what_changes_while_it_is_read_is_read_again(app):
    """The version is that of before the reading: nothing that was stored meanwhile is taken for known."""
    store, known = app.store, app.store.integrations.version()

    def meanwhile():
        store.integrations.note_problem("desk-8", "some", "Told while the others were read.")

    read = store.database.read(lambda db: operations.since(Interrupted(db, meanwhile), store.database.box, known))

    assert read.changed == []
    assert [record.id for record in store.integrations.since(read.version).changed] == ["desk-8"]


def test_what_was_stored_by_another_meanwhile_is_not_read_again_and_again(app, monkeypatch):
    """What is known may be newer than the last look at the version; that is no reason to make it anew."""
    registry, versions = app.registry, iter([1_000_000, 1_000_001])
    read, since = [], app.store.integrations.since

    def newer(known):
        read.append(known)
        return replace(since(known), version=1_000_001)

    monkeypatch.setattr(app.store.integrations, "since", newer)
    monkeypatch.setattr(app.store.integrations, "version", lambda: next(versions))
    for _ in range(3):
        monkeypatch.setattr(registry._fresh, "_seen", (app.store.database.commits, float("inf"), 1_000_000))
        registry.entries()

    assert len(read) == 1
