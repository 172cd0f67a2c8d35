"""PgBouncer before PostgreSQL: a session for each of our connections is enough, and less is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL
from connector_core.demo.story import tell
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store
from tests.support.front import pgbouncer
from tests.support.needed import require

pytestmark = pytest.mark.extended


def test_its_program_is_there():
    """What it is asked for can be had, or the group is left out."""
    assert require("pgbouncer").is_file()


@pytest.fixture
def folder():
    """Return a folder that others may enter, with a short name: there is a socket in it."""
    with tempfile.TemporaryDirectory(prefix="connector-pb-") as path:
        Path(path).chmod(0o755)
        yield Path(path) / "b"


def test_the_story_is_told_through_a_pool_of_sessions(open_stage, bare_postgresql_url, folder):
    """Locks, settings and prepared statements are of a session."""
    with pgbouncer(bare_postgresql_url, folder, "session") as url:
        stage = open_stage(database=url)

        assert len(list(tell(stage))) == 8
        assert stage.daemon.stop() == 0


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pool_of_transactions_is_refused(bare_postgresql_url, folder, mode):
    """A lock of ours would be somebody else's with the next statement."""
    with pgbouncer(bare_postgresql_url, folder, mode) as url, pytest.raises(ConfigError) as caught:
        open_store(PostgreSQL(url), SecretBox([SecretStr("a passphrase that is long enough")]))

    assert caught.value.code == "database_pooled"
