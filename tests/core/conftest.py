"""A store on a real file, with one active integration."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox
from connector_core.store import IntegrationRecord, IntegrationState, Origin
from connector_core.store.opening import open_store
from connector_core.testing import FrozenClock
from tests.support.kept_postgres import KeptDatabase
from tests.support.postgres import shared_server, worker_name

DATABASES = ["sqlite", "postgresql"]
PASSPHRASE = SecretStr("a passphrase that is long enough")


@pytest.fixture
def clock():
    """Stop the time."""
    return FrozenClock()


def pytest_generate_tests(metafunc):
    """Run every test that uses a store on both databases, unless it is marked as one's only."""
    if "database_place" in metafunc.fixturenames:
        only = [kind for kind in DATABASES if metafunc.definition.get_closest_marker(f"{kind}_only")]
        metafunc.parametrize("database_place", only or DATABASES, indirect=True)


@pytest.fixture(scope="session")
def kept_database():
    """Keep connections to a database of PostgreSQL from test to test of this worker."""
    server, name = shared_server(), f"{worker_name()}_kept"
    kept = KeptDatabase(server.make(name))
    yield kept
    kept.close()
    server.drop(name)


@pytest.fixture
def database_place(request, tmp_path, monkeypatch):
    """Return where the database is."""
    if request.param == "sqlite":
        return tmp_path / "connector.db"
    if request.node.get_closest_marker("postgresql_only"):
        return PostgreSQL(request.getfixturevalue("postgresql_url"))
    kept = request.getfixturevalue("kept_database")
    kept.offer(monkeypatch)
    return kept.empty()


@pytest.fixture
def store(database_place, clock):
    """Open a store with the integration `desk` of the organization `acme`."""
    opened = open_store(database_place, SecretBox([PASSPHRASE]))
    opened.integrations.put(
        IntegrationRecord(
            id="desk",
            organization="acme",
            plugin="desk",
            origin=Origin.SETUP,
            state=IntegrationState.ACTIVE,
            answers={"desk": "1"},
            secret_answers={},
            webhook_secrets=(SecretStr("s3cret"),),
            created_at=clock.now(),
            activated_at=clock.now(),
        )
    )
    yield opened
    opened.close()
