"""A grant is renewed once, stored before it is used, and by one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core import AuthError, ConfigError, Grant, RetryLater, Site
from connector_core.contract.accounts import refuse_other
from connector_core.registry.grants import GrantKeeper
from tests.support.rows import everything
from tests.support.sync_lab import happen, make_lab, run

THREADS = 16


@pytest.fixture(autouse=True)
def granted(store, clock):
    """Begin with a grant for an hour."""
    store.grants.save("desk", grant(0, clock))


def grant(number, clock):
    """Make the grant of a number."""
    return Grant(
        headers={"Authorization": SecretStr(f"Bearer access-{number}")},
        secrets={"refresh_token": SecretStr(f"refresh-{number}")},
        expires_at=clock.now() + timedelta(hours=1),
    )


def keeper(store, clock):
    """Make a keeper as each process would have its own."""
    return GrantKeeper(store, "desk", clock)


class By:
    """Renews as a function does."""

    def __init__(self, renewer):
        """Take the function."""
        self.renewed = renewer


def test_many_threads_and_processes_renew_once(store, clock):
    """Whoever comes second takes what the first one stored; a refresh token is never used twice."""
    used = []
    lock = threading.Lock()

    def renewer(old):
        with lock:
            used.append(old.secrets["refresh_token"].get_secret_value())
        return grant(len(used), clock)

    keepers = [keeper(store, clock), keeper(store, clock)]
    clock.forward(3590)
    with ThreadPoolExecutor(THREADS) as pool:
        got = list(pool.map(lambda number: keepers[number % 2].grant(By(renewer)), range(THREADS)))

    assert used == ["refresh-0"]
    assert {one.headers["Authorization"].get_secret_value() for one in got} == {"Bearer access-1"}


def test_new_grant_is_on_disk_before_it_is_used(store, clock):
    """A process that dies right after the renewal finds the new refresh token."""
    clock.forward(3590)

    keeper(store, clock).grant(By(lambda _: grant(1, clock)))

    assert store.grants.get("desk").secrets["refresh_token"].get_secret_value() == "refresh-1"


def test_refused_renewal_is_written_down(store, clock):
    """The integration says that a person has to authorize again."""

    def renewer(_):
        raise AuthError("The authorization was revoked.")

    with pytest.raises(AuthError):
        keeper(store, clock).renew(store.grants.get("desk"), By(renewer))

    assert store.integrations.every()[0].problem == "The authorization was revoked."


def test_stored_secrets_are_not_readable_in_the_database(store):
    """Neither tokens nor headers stand in the database in clear."""
    stored = everything(store)

    assert b"desk" in stored
    assert b"refresh-0" not in stored
    assert b"access-0" not in stored


@pytest.mark.sqlite_only("it is one file with others beside it")
def test_stored_secrets_are_not_readable_in_the_file(store, tmp_path):
    """Neither tokens nor headers stand in any of its files in clear."""
    files = list(tmp_path.glob("connector.db*"))

    assert files
    assert not any(b"refresh-0" in file.read_bytes() or b"access-0" in file.read_bytes() for file in files)


BEFORE = Site(id="cloud-1", name="before", url="https://before.example.test")
NOW = Site(id="cloud-1", name="now", url="https://now.example.test")
OTHER = Site(id="cloud-2", name="before", url="https://before.example.test")
OF_OLD = Site(id=BEFORE.url, name="before", url=BEFORE.url)


@pytest.mark.parametrize(
    ("stored", "found", "kept"),
    [
        (BEFORE, NOW, NOW),
        (BEFORE, BEFORE, BEFORE),
        (BEFORE, OTHER, BEFORE),
        (OF_OLD, BEFORE, BEFORE),
        (None, NOW, None),
    ],
)
def test_what_the_site_is_called_now_is_kept(store, clock, stored, found, kept):
    """Under the same id only; an id that was the address of old gives way to a better one."""
    store.grants.save("desk", grant(0, clock).model_copy(update={"site": stored}))
    made = keeper(store, clock)
    made.found_at(found)

    assert made.present().site == store.grants.get("desk").site == kept


def test_a_new_name_that_could_not_be_stored_is_not_used(store, clock, monkeypatch):
    """A ticket read with it would have an address that is forgotten at the next start."""
    store.grants.save("desk", grant(0, clock).model_copy(update={"site": BEFORE}))
    made = keeper(store, clock)
    assert made.present().site == BEFORE

    def fail(*_):
        raise RetryLater("The database is full.")

    with monkeypatch.context() as full:
        full.setattr(store.grants, "save", fail)
        with pytest.raises(RetryLater):
            made.found_at(NOW)

    assert made.present().site == BEFORE
    assert made.found_at(NOW) == BEFORE
    assert made.present().site == NOW


def test_a_new_name_of_the_site_is_no_new_token(store, clock):
    """Who was refused with the grant of before the rename still renews it, and the new name stays."""
    store.grants.save("desk", grant(0, clock).model_copy(update={"site": BEFORE}))
    made = keeper(store, clock)
    refused = made.present()
    made.found_at(NOW)

    renewed = made.renew(refused, By(lambda old: grant(1, clock).model_copy(update={"site": old.site})))

    assert (renewed.headers, renewed.site) == (grant(1, clock).headers, NOW)


def test_the_addresses_of_tickets_follow_their_site(store, clock):
    """Of this integration and this site only; nothing else about them changes."""
    store.grants.save("desk", grant(0, clock).model_copy(update={"site": BEFORE}))
    lab = make_lab(store, clock)
    happen(lab)
    link = run(lab)
    ticket = link.ticket.model_copy(update={"url": f"{BEFORE.url}/browse/T-1", "updated": clock.now()})
    store.inbox.see_tickets("desk", [ticket], clock.now())
    before = store.timelines.read(link.id)
    keeper(store, clock).found_at(NOW)

    assert store.links.get(link.id).ticket == ticket.model_copy(update={"url": f"{NOW.url}/browse/T-1"})
    store.inbox.see_tickets("desk", [ticket.model_copy(update={"updated": clock.now() + timedelta(1)})], clock.now())
    assert store.timelines.read(link.id) == before


@pytest.mark.parametrize(
    ("before", "now", "is_refused"),
    [(BEFORE, NOW, False), (OF_OLD, BEFORE, False), (BEFORE, OTHER, True), (NOW, OTHER, True), (OF_OLD, NOW, True)],
)
def test_a_new_authorization_is_for_the_same_site_by_its_id(clock, before, now, is_refused):
    """A renamed site is the same one; another at the same address is not."""
    old, new = (grant(0, clock).model_copy(update={"site": site}) for site in (before, now))
    if is_refused:
        with pytest.raises(ConfigError, match=now.url):
            refuse_other(old, new, other_account=False)
    else:
        refuse_other(old, new, other_account=False)
