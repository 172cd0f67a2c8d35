"""Nouns: what callers may ask of the store, in groups named after what they are about.

An operation is a function over a connection, with its statement and its docstring; it runs inside a transaction, so
operations call each other freely. A noun is a class that hands some of them out, each in one line:

    class Lanes(Noun):
        wake = writes(wake)
        next_due = reads(next_due)

    store.lanes.wake(link_id, now)  # the same arguments, without the connection

A write has been committed to disk when it returns, or when its future ends. Any operation may raise `RetryLater` when
the database is busy, full or unreachable; nothing has changed then. A thread that works for a duty writes nothing once
another node has that (`fences.py`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, get_args

from connector_core.clock import Clock
from connector_core.loops import Watched
from connector_core.secrets import SecretBox
from connector_core.store.acting import as_actor
from connector_core.store.beside import Beside
from connector_core.store.fences import fenced
from connector_core.store.sealing import sealing_box
from connector_core.store.statements import Connection

if TYPE_CHECKING:  # most commands have no other node to think of
    from connector_core.store.presence import Together

P = ParamSpec("P")
T = TypeVar("T")

OwnerKind = Literal["organization", "integration_id", "link_id"]
_OWNERS: tuple[OwnerKind, ...] = get_args(OwnerKind)
Kind = Literal[OwnerKind, "everybody", "claims"]


@dataclass(frozen=True)
class Scope:
    """Whose rows a write touches: those of the organization that is named, or that an integration or link is of.

    Writes of one organization must come one after the other, and what writes rows of many organizations alone. A
    database with one writer has that anyway. What is nobody's, such as a login to the console, has no scope. What takes
    lanes waits for nobody but others who do, for it takes only those that nobody writes at the moment.
    """

    kind: Kind
    id: str | int


EVERYBODY = Scope("everybody", "")
CLAIMS = Scope("claims", "")


class Database(Protocol):
    """Where operations run."""

    @property
    def box(self) -> SecretBox:
        """What seals secrets on their way in, and opens them on their way out."""
        ...

    @property
    def beside(self) -> Beside:
        """What stands beside the database, so that an earlier copy of it can be told."""
        ...

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run what only reads, on one state of the database."""
        ...

    def submit(self, scope: Scope | None, work: Callable[[Connection], T]) -> Future[T]:
        """Have a transaction run and committed; the future ends afterwards."""
        ...

    def write(self, scope: Scope | None, work: Callable[[Connection], T]) -> T:
        """Run and commit a transaction."""
        ...


class StoreDatabase(Database, Protocol):
    """A database as a whole, with what is asked of it beside its rows."""

    @property
    def commits(self) -> int:
        """How often something was committed by this process: what it has read since the last time is as it was."""
        ...

    @property
    def settings_heard(self) -> int:
        """How often another process told that it changed settings."""
        ...

    @property
    def look_again_s(self) -> float:
        """After how long what another process changed has to be looked for, since nobody may have told."""
        ...

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads of its own."""
        ...

    def tell_settings(self) -> None:
        """Tell other nodes, where there may be some, that integrations or sources have changed."""
        ...

    def clock(self) -> Clock:
        """Return the clock by which everything is stored: of this machine, or of the server that several share."""
        ...

    def together(self) -> Together | None:
        """Return what a daemon needs that may be one of several; None where there can only be one."""
        ...

    def prove_writable(self) -> None:
        """Write something, after refusals something large; raise `RetryLater` when that is not done soon."""
        ...

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that no other thread or process holds at the same time."""
        ...

    def drop_locks(self, prefix: str, needed: Collection[str]) -> int:
        """Delete what locks leave behind whose names begin so and go on with nothing that is needed; say how many."""
        ...

    def backup(self, target: Path) -> None:
        """Copy the live database to a new file."""
        ...

    def check(self) -> list[str]:
        """Return what is wrong with the database, a sentence each."""
        ...

    def close(self) -> None:
        """Finish what is under way, then close every connection."""
        ...


class Noun:
    """Operations of one kind on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def reads(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Noun, P], T]:
    """Offer an operation that only reads."""

    @functools.wraps(work)
    def call(noun: Noun, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return noun._database.read(lambda db: work(db, *args, **kwargs))  # noqa: SLF001 - a noun's own method

    return call


def opens(work: Callable[Concatenate[Connection, SecretBox, P], T]) -> Callable[Concatenate[Noun, P], T]:
    """Offer an operation that reads what is sealed."""

    @functools.wraps(work)
    def call(noun: Noun, /, *args: P.args, **kwargs: P.kwargs) -> T:
        database = noun._database  # noqa: SLF001 - as above
        return database.read(lambda db: work(db, database.box, *args, **kwargs))

    return call


def writes(work: Callable[Concatenate[Connection, P], T], of: Scope | None = None) -> Callable[Concatenate[Noun, P], T]:
    """Offer an operation that changes something, and wait for its commit; `of` is whose if no argument tells that."""

    @functools.wraps(work)
    def call(noun: Noun, /, *args: P.args, **kwargs: P.kwargs) -> T:
        scope = of or scope_of(_first_parameter(work, after=1), args, kwargs)
        return noun._database.write(scope, _attributed(lambda db: work(db, *args, **kwargs)))  # noqa: SLF001 - as above

    return call


def submits(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Noun, P], Future[T]]:
    """Offer an operation that changes something, whose commit the caller waits for when it likes."""

    @functools.wraps(work)
    def call(noun: Noun, /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        scope = scope_of(_first_parameter(work, after=1), args, kwargs)
        return noun._database.submit(scope, _attributed(lambda db: work(db, *args, **kwargs)))  # noqa: SLF001 - as above

    return call


def seals(
    work: Callable[Concatenate[Connection, SecretBox, P], T], of: Scope | None = None
) -> Callable[Concatenate[Noun, P], T]:
    """Offer an operation that stores something sealed, with the key of the database, and wait for its commit."""

    @functools.wraps(work)
    def call(noun: Noun, /, *args: P.args, **kwargs: P.kwargs) -> T:
        database = noun._database  # noqa: SLF001 - as above
        scope = of or scope_of(_first_parameter(work, after=2), args, kwargs)
        return database.write(scope, _attributed(lambda db: work(db, sealing_box(db, database.box), *args, **kwargs)))

    return call


def _attributed(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return what writes the same for whoever acts on this thread, and for the duty that it works for."""
    return fenced(as_actor(work))


def scope_of(first: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope | None:
    """Return whose rows an operation touches, as its first argument tells: it is the owner's id, or has it.

    None for what is nobody's in particular, such as logins to the console.
    """
    if first is None:
        return None
    given: Any = args[0] if args else kwargs.get(first)
    for kind in _OWNERS:
        if first == kind:
            return Scope(kind, given)
    return next((Scope(kind, getattr(given, kind)) for kind in _OWNERS if hasattr(given, kind)), None)


@functools.cache  # when it is called: most commands write nothing, and to look at all of them takes a while
def _first_parameter(work: Callable[..., Any], *, after: int) -> str | None:
    """Return the name of the first parameter behind the connection and, if it takes one, the box."""
    return next(iter(list(inspect.signature(work).parameters)[after:]), None)
