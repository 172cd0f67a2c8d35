"""What the daemon applied of the file, compared with what the file says now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core.config import Snapshot, differences, elsewhere, read_config
from tests.support.fake_plugins import desk_entry_point, platform_entry_point

ENVIRON = {"KEY": "a-key-that-is-long-enough", "SECRET": "the-signing-secret", "TOKEN": "the-token-of-the-desk"}
FILE = """
secret_key: ${env:KEY}
console: {password: the-password-itself}
organizations:
  acme:
    integrations:
      helpdesk: {plugin: desk, desk: "10", token: "${env:TOKEN}", webhook_secret: "${env:SECRET}"}
"""
DESK = "organizations.acme.integrations.helpdesk.desk"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("abc.", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture
def taken(tmp_path):
    """Return a function that takes a snapshot of a file in an environment."""
    path = tmp_path / "connector.yaml"

    def take(text, **environ):
        path.write_text(text)
        points = [desk_entry_point(), platform_entry_point()]
        return read_config(path, points, {**ENVIRON, **environ})[0].snapshot

    return take


@given(written=st.dictionaries(st.text("abc", min_size=1), VALUES, max_size=4))
def test_a_snapshot_is_the_same_after_it_was_stored(written):
    """What is written and read again differs in nothing."""
    snapshot = Snapshot.taken(written, written, [("a", "b"), ("c", 0)])

    again = Snapshot.load(snapshot.dump())

    assert again == snapshot
    assert differences(snapshot, again) == []


def test_changes_are_named_by_key_with_both_values(taken):
    """What is new, gone or different each has its line; a part that only a start applies says so."""
    before = taken(FILE)
    text = FILE.replace('desk: "10"', 'desk: "11", queues: [a]') + "reconcile: {every: 5m}\n"

    found = differences(before, taken(text))

    assert [str(one) for one in found] == [
        f'{DESK}: "10" → "11"',
        'organizations.acme.integrations.helpdesk.queues: ["a"] (new)',
        'reconcile.every: "5m" (new)',
    ]
    assert [one.needs_restart for one in found] == [False, False, True]


@pytest.mark.parametrize("name", ["KEY", "SECRET", "TOKEN"])
def test_another_environment_is_no_change_of_the_file(taken, name):
    """The daemon keeps its own; that this shell has another value is told beside the changes."""
    before, here = taken(FILE), taken(FILE, **{name: "another value of this shell"})

    assert differences(before, here, ours=False) == []
    assert len(elsewhere(before, here)) == 1
    assert [str(one) for one in differences(before, here)] == [
        f"{'.'.join(map(str, elsewhere(before, here)[0]))}: changed"
    ]


def test_no_secret_is_in_what_is_said_and_no_password_in_what_is_kept(taken):
    """Secrets are masked on both sides of a change; of the console's password only a fingerprint is kept."""
    before = taken(FILE)
    text = FILE.replace('"${env:SECRET}"', "a-secret-in-plain-text").replace("password-itself", "other-password")

    after = taken(text)

    said = " ".join(map(str, differences(before, after)))
    assert "helpdesk.webhook_secret: changed" in said
    assert "console.password: changed" in said
    for secret in (*ENVIRON.values(), "a-secret-in-plain-text", "password-itself", "other-password"):
        assert secret not in said
    for password in ("the-password-itself", ENVIRON["KEY"]):
        assert password not in before.dump()


def test_a_running_daemon_has_the_live_parts_and_keeps_the_rest(taken):
    """After applying a file only what needs a start still differs."""
    before = taken(FILE)
    after = taken(FILE.replace('desk: "10"', 'desk: "11"') + "engine: {workers: 4}\n")

    left = differences(before.with_live_parts_of(after), after)

    assert [str(one) for one in left] == ["engine.workers: 4 (new)"]


def digest_of(key="a key of the cluster", **changed):
    """Return the digest of a file in which some sections say something else."""
    said = {
        "secret_key": "a passphrase of many letters",
        "database": "postgresql://connector:pass@db1/connector",
        "server": {"host": "10.0.0.1", "port": 8080, "public_url": "https://connector.example.com"},
        "engine": {"workers": 64, "per_integration": 8},
        "organizations": {"acme": {"integrations": {"desk": {"plugin": "desk", "token": "s3cret"}}}},
    }
    return Snapshot.taken({**said, **changed}, {**said, **changed}, []).digest_with(key)


PUBLIC = "https://connector.example.com"


@pytest.mark.parametrize(
    ("section", "said", "is_alike"),
    [
        ("server", {"host": "10.0.0.2", "port": 9090, "public_url": PUBLIC, "metrics": {"port": 1}}, True),
        ("server", {"host": "10.0.0.1", "port": 8080, "public_url": "https://other.example.com"}, False),
        ("server", {"host": "10.0.0.1", "port": 8080}, False),
        ("database", "postgresql://connector:other@db2/connector", True),
        ("logging", {"level": "debug"}, True),
        ("engine", {"workers": 8, "per_integration": 8}, True),
        ("engine", {"workers": 64, "per_integration": 9}, False),
        ("organizations", {"acme": {"integrations": {"desk": {"plugin": "desk", "token": "other"}}}}, False),
        ("secret_key", "another passphrase of many letters", False),
    ],
)
def test_files_of_nodes_are_alike_but_for_what_is_about_the_host(section, said, is_alike):
    """Where it listens, how it logs and reaches the database, and how much it does at once, may differ."""
    assert (digest_of(**{section: said}) == digest_of()) == is_alike


def test_a_digest_tells_nobody_without_the_key_what_is_in_the_file():
    """Else a short password could be found by trying."""
    assert digest_of(key="a key of the cluster") != digest_of(key="another")
    assert "s3cret" not in digest_of()
