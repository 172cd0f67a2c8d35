"""A grant is renewed once, stored before it is used, and by one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core import AuthError, Grant
from connector_core.grants import GrantKeeper
from connector_core.sessions import GrantAuth

THREADS = 16


@pytest.fixture(autouse=True)
def granted(store, clock):
    """Begin with a grant for an hour."""
    store.save_grant("desk", grant(0, clock))


def grant(number, clock):
    """Make the grant of a number."""
    return Grant(
        headers={"Authorization": SecretStr(f"Bearer access-{number}")},
        secrets={"refresh_token": SecretStr(f"refresh-{number}")},
        expires_at=clock.now() + timedelta(hours=1),
    )


def keeper(store, clock, renewer):
    """Make a keeper as each process would have its own."""
    made = GrantKeeper(store, "desk", clock)
    made.renewer = renewer
    return made


def test_many_threads_and_processes_renew_once(store, clock):
    """Whoever comes second takes what the first one stored; a refresh token is never used twice."""
    used = []
    lock = threading.Lock()

    def renewer(old):
        with lock:
            used.append(old.secrets["refresh_token"].get_secret_value())
        return grant(len(used), clock)

    keepers = [keeper(store, clock, renewer), keeper(store, clock, renewer)]
    clock.forward(3590)
    with ThreadPoolExecutor(THREADS) as pool:
        got = list(pool.map(lambda number: keepers[number % 2].grant(), range(THREADS)))

    assert used == ["refresh-0"]
    assert {one.headers["Authorization"].get_secret_value() for one in got} == {"Bearer access-1"}


def test_new_grant_is_on_disk_before_it_is_used(store, clock):
    """A process that dies right after the renewal finds the new refresh token."""
    clock.forward(3590)

    keeper(store, clock, lambda _: grant(1, clock)).grant()

    assert store.grant("desk").secrets["refresh_token"].get_secret_value() == "refresh-1"


def test_refused_renewal_is_written_down(store, clock):
    """The integration says that a person has to authorize again."""

    def renewer(_):
        raise AuthError("The authorization was revoked.")

    with pytest.raises(AuthError):
        keeper(store, clock, renewer).renew(store.grant("desk"))

    assert store.integrations()[0].problem == "The authorization was revoked."


def test_no_grant_means_nobody_authorized(store, clock):
    """A request without a grant is not sent."""
    store.save_grant("desk", None)

    with pytest.raises(AuthError):
        GrantAuth(keeper(store, clock, None))(None)


def test_stored_secrets_are_not_readable_in_the_file(store, tmp_path):
    """Neither tokens nor headers stand in the database in clear."""
    files = list(tmp_path.glob("connector.db*"))

    assert files
    assert not any(b"refresh-0" in file.read_bytes() or b"access-0" in file.read_bytes() for file in files)
