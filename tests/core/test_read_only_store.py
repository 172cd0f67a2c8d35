"""The store of commands that only read: it shows what is there, and leaves it so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connector_core import ConfigError, Grant
from connector_core.health.webhook_health import states
from connector_core.secrets import NoKey, SecretBox
from connector_core.store import Checkup, IntegrationRecord, IntegrationState, Origin
from connector_core.store.opening import open_store
from connector_core.store.read_only import open_read_only

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BOX = SecretBox([SecretStr("a passphrase of many letters")])
RECORD = IntegrationRecord(
    id="desk",
    organization="acme",
    plugin="desk",
    origin=Origin.SETUP,
    state=IntegrationState.ACTIVE,
    answers={"desk": "1"},
    secret_answers={},
    webhook_secrets=(SecretStr("the-signing-secret"),),
    created_at=NOW,
)


@pytest.fixture
def path(tmp_path):
    """Make a database with one integration."""
    path = tmp_path / "connector.db"
    store = open_store(path, BOX)
    store.integrations.put(RECORD)
    store.knowledge.remember("desk", "seen", "1", NOW)
    store.close()
    return path


def look(path, box=BOX):
    """Open it for reading."""
    return open_read_only(path, box)


def test_what_is_learnt_is_known_to_this_command_alone(path):
    """A plugin that remembers something while it looks recalls it; the database has what it had."""
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    store = look(path)

    store.knowledge.remember("desk", "seen", '{"a": 2}', NOW)
    store.integrations.remember_label("desk", "desk", "1", "First")
    store.checkups.record(Checkup("desk", NOW, ()))
    store.integrations.note_problem("desk", "x", "y")

    assert store.knowledge.recall("desk", "seen") == {"a": 2}
    store.close()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    again = look(path)
    assert again.knowledge.recall("desk", "seen") == 1
    assert (again.checkups.every(), again.integrations.every()) == ({}, [RECORD])
    again.close()


def test_whatever_else_would_write_is_refused(path):
    """A command that forgot what it is says so, and nothing happens."""
    store = look(path)

    with pytest.raises(ConfigError) as caught:
        store.integrations.put(RECORD)

    assert caught.value.code == "only_reading"
    store.close()


def test_a_renewed_grant_is_kept(path):
    """The other side takes a refresh token once: losing the new one would end the authorization."""
    store = look(path)
    renewed = Grant(headers={"Authorization": SecretStr("Bearer new")}, account_name="Desk Agent")

    store.grants.save("desk", renewed)
    store.close()

    again = look(path)
    assert again.grants.get("desk") == renewed
    again.close()


def test_a_renewal_that_begins_is_kept(path):
    """If its answer is lost here, the daemon asks again; a new grant or a refusal ends it."""
    store = look(path)
    assert store.grants.begin_renewal("desk", RECORD.created_at) is None
    store.close()

    again = look(path)
    assert again.grants.open_renewals() == {"desk": RECORD.created_at}
    again.grants.end_renewal("desk")
    assert again.grants.open_renewals() == {}
    again.close()


def test_without_the_key_everything_but_secrets_is_shown(path):
    """Neither signing secrets nor grants are known, and what needs them is refused by name."""
    store = look(path, NoKey())

    (record,) = store.integrations.every()

    assert (record.id, record.answers, record.webhook_secrets) == ("desk", {"desk": "1"}, ())
    assert (store.grants.get("desk"), store.configuration.snapshot(), store.can_open_secrets) == (None, None, False)
    with pytest.raises(ConfigError) as caught:
        NoKey().open(b"")
    assert caught.value.code == "secret_key_missing"
    store.close()


def test_no_database_is_made_by_looking(tmp_path):
    """What is not there is said to be, with what to do."""
    path = tmp_path / "connector.db"

    with pytest.raises(ConfigError) as caught:
        look(path)

    assert caught.value.code == "database_missing"
    assert list(tmp_path.iterdir()) == []


class CountingBox(SecretBox):
    """A box that counts what it opens."""

    opened = 0

    def open(self, sealed):
        """Open it, and count."""
        self.opened += 1
        return super().open(sealed)


def test_without_secrets_integrations_are_listed_and_none_is_opened(path):
    """A listing shows none; whose webhook has one, and what a single integration has, can still be asked."""
    box = CountingBox([SecretStr("a passphrase of many letters")])
    store = open_read_only(path, box, with_secrets=False)
    box.opened = 0

    (listed,) = store.integrations.every()
    (changed,) = store.integrations.since(-1).changed

    assert box.opened == 0
    assert listed == changed == replace(RECORD, webhook_secrets=())
    assert store.integrations.signed() == {"desk"}
    assert (store.integrations.opened("desk"), store.integrations.opened("none")) == (RECORD, None)
    assert states(store, [listed], {}, NOW) == {"desk": "waiting"}
    store.close()


def test_a_webhook_without_a_secret_is_off_in_a_listing_too(tmp_path):
    """Other secrets of an integration are not taken for one of its webhook."""
    store = open_store(tmp_path / "other.db", BOX)
    store.integrations.put(replace(RECORD, webhook_secrets=(), secret_answers={"token": SecretStr("some-token")}))
    store.close()

    reading = open_read_only(tmp_path / "other.db", BOX, with_secrets=False)

    assert reading.integrations.signed() == frozenset()
    assert states(reading, reading.integrations.every(), {}, NOW) == {"desk": "off"}
    reading.close()
