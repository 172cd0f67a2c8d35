"""Operations are handed out by nouns: written once, with the same arguments, in the scope of their owner."""

from __future__ import annotations

import inspect
import sqlite3
from concurrent.futures import Future

import pytest

from connector_core.contract.errors import RetryLater
from connector_core.store import Claim, Store
from connector_core.store.nouns import CLAIMS, EVERYBODY, Noun, Scope, reads, scope_of, submits, writes
from connector_core.store.timeline import append

#: What is nobody's in particular: the console, the process itself.
OF_NOBODY = {
    "nodes.register", "nodes.say_config", "nodes.say_stopping", "nodes.bury", "nodes.say_goodbye",
    "breakers.begin_try", "breakers.end_try", "breakers.wake_probes", "breakers.near_limit",
    "sessions.begin", "sessions.touch", "sessions.end", "sessions.end_all",
    "sessions.end_person", "sessions.prefer",
    "setup_links.add", "setup_links.use", "setup_links.give_back", "setup_links.revoke",
    "authorizations.redeem",
    "configuration.save", "configuration.wish", "configuration.answer", "configuration.note_file",
    "life.beat", "life.has_moved",
    "delivery_log.add", "delivery_log.keep", "delivery_log.trim", "delivery_log.forget",
    "delivery_log.forget_payloads", "delivery_log.make_box", "delivery_log.box",
    "replays.begin", "replays.advance", "replays.end",
}  # fmt: skip
#: What looks over the rows of all organizations and then writes some.
OF_EVERYBODY = {
    "lanes.free", "lanes.recover", "lanes.wake_blocked",
    "breakers.trip", "breakers.reset", "figures.note_waiting", "forgetting.forget", "links.forget_finished",
    "grants.save", "grants.change_outdating", "grants.note_sites", "webhooks.save_managed", "webhooks.save_token",
    "integrations.begin", "integrations.note_signed", "integrations.put", "integrations.put_all",
    "integrations.change", "integrations.remove", "integrations.note_problem",
    "sources.begin", "sources.put", "sources.remove", "notifiers.put", "notifiers.remove",
    "routing.put_written", "removals.disable", "removals.finish",
    "secrets.take_up", "secrets.forget",
    "life.begin", "life.clock_was_set",
    "nodes.register_alone",
    "duties.forget_marks",
}  # fmt: skip
#: What waits for nobody but who does the same: lanes are taken that nobody else has or writes.
OF_CLAIMS = {"lanes.claim"}


class Recording:
    """A database that does nothing but say in which scope it was asked to write."""

    def __init__(self):
        self.scopes = []
        self.box = None
        self.beside = self

    def read(self, work=None):
        """Read nothing."""
        return

    def write(self, scope, work):
        """Note the scope."""
        self.scopes.append(scope)
        return (True, None)

    def submit(self, scope, work):
        """Note the scope."""
        self.scopes.append(scope)
        return Future()

    def keep(self, place):
        """Keep nothing."""

    def has_moved(self):
        """Be where it was."""
        return False


def operations():
    """Return every operation of every noun, by its name."""
    database = Recording()
    nouns = {name: noun for name, noun in vars(Store(database)).items() if isinstance(noun, Noun)}
    for noun_name, noun in nouns.items():
        for name, member in inspect.getmembers(noun, inspect.ismethod):
            if not name.startswith("_"):
                yield f"{noun_name}.{name}", member, database


#: Records that are somebody's.
OWNED = {
    "Authorization", "Claim", "Checkup", "Duty", "HeldDuty", "IntegrationRecord", "LeftLane", "Run", "SourceRecord",
    "SourceState",
}  # fmt: skip


class Owned:
    """Something that has every owner's id."""

    organization = "acme"
    integration_id = "desk"
    link_id = 7


def arguments_of(operation):
    """Return arguments that would do."""
    wanted = list(inspect.signature(operation).parameters.values())
    wanted = [one for one in wanted if one.name not in {"db", "box"}]
    given = {
        one.name: Owned() if one.annotation in OWNED else object()
        for one in wanted
        if one.default is inspect.Parameter.empty
    }
    return [given[one.name] for one in wanted if one.name in given]


def test_every_write_says_whose_rows_it_touches_or_is_known_to_be_nobodys():
    """Several daemons have to write the rows of one organization one after the other: nothing may be left out."""
    seen = set()
    for name, operation, database in operations():
        database.scopes.clear()
        operation(*arguments_of(operation))
        if not database.scopes:
            continue  # it reads
        seen.add(name)
        assert (database.scopes[-1] is None) == (name in OF_NOBODY), (name, database.scopes)
        assert (database.scopes[-1] == EVERYBODY) == (name in OF_EVERYBODY), (name, database.scopes)
        assert (database.scopes[-1] == CLAIMS) == (name in OF_CLAIMS), (name, database.scopes)
    assert seen >= OF_NOBODY | OF_EVERYBODY | OF_CLAIMS


def test_every_operation_says_what_it_does():
    """What a caller reads on hover is the docstring of the function itself."""
    for name, operation, _ in operations():
        assert operation.__doc__, name
        assert operation.__doc__[0].isupper(), name


CLAIM = Claim(link_id=7, integration_id="desk", organization="acme", boot="b", fence=1, wakes=0)


@pytest.mark.parametrize(
    ("first", "args", "kwargs", "scope"),
    [
        ("organization", ("acme", 1), {}, Scope("organization", "acme")),
        ("integration_id", (), {"integration_id": "desk"}, Scope("integration_id", "desk")),
        ("link_id", (7,), {}, Scope("link_id", 7)),
        ("held", (CLAIM,), {}, Scope("organization", "acme")),
        ("token", ("secret",), {}, None),
        (None, (), {}, None),
    ],
)  # fmt: skip
def test_the_first_argument_tells_whose_it_is(first, args, kwargs, scope):
    """An owner's id, or something that has one."""
    assert scope_of(first, args, kwargs) == scope


def test_a_noun_runs_the_function_itself_with_the_same_arguments(store):
    """Nothing stands between a caller and the one place where an operation is written."""

    def add(db: sqlite3.Connection, one: int, *, other: int = 2) -> int:
        """Add."""
        return int(db.execute("SELECT ? + ?", (one, other)).fetchone()[0])

    class Sums(Noun):
        read = reads(add)
        written = writes(add)
        submitted = submits(add)

    sums = Sums(store.database)

    assert (sums.read(1), sums.written(1, other=4), sums.submitted(1).result()) == (3, 5, 3)
    assert Sums.read.__doc__ == add.__doc__


def test_what_fails_inside_an_operation_is_the_callers_and_is_rolled_back(store):
    """An error of one operation leaves nothing of it behind."""

    def half(db: sqlite3.Connection, key: str) -> None:
        """Write, then fail."""
        db.execute("INSERT INTO meta (key, value) VALUES (?, '1')", (key,))
        raise RetryLater("Not now.", code="late")

    class Halves(Noun):
        do = writes(half)

    with pytest.raises(RetryLater, match=r"Not now\."):
        Halves(store.database).do("half")
    rows = store.database.read(lambda db: db.execute("SELECT 1 FROM meta WHERE key = 'half'").fetchall())
    assert rows == []


def test_operations_call_each_other_inside_one_transaction():
    """What another operation needs stays a plain function over a connection."""
    assert next(iter(inspect.signature(append).parameters)) == "db"
