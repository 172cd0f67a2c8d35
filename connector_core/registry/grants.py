"""Where a grant is kept, sent along and renewed.

A renewal is stored before it is used, never done twice at once, neither by two threads nor by two processes, and a
refused grant is compared with the stored one first: somebody else may have renewed it already. So it is when the new
one is stored: over several nodes the lock ends with its connection, and with a holder that hangs too long.

That a renewal begins is stored before it is asked for. Where its answer is lost it stays open: the other side may have
retired our grant, which it takes for a short while only. Until then it is asked for again every few seconds, by whoever
needs the grant and, where nobody does, by `renewals.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from connector_core.clock import Clock
from connector_core.contract.accounts import is_same_site
from connector_core.contract.errors import AuthError, ConnectorError, PluginError, RetryLater, Scope
from connector_core.contract.models import Grant, Site
from connector_core.engine.backoff import delay_s
from connector_core.store import Store

GRANT_LOCK = "grant-"  # with the integration behind it: what locks are called
FIRST_S, LONGEST_S = 1.0, 300.0
URGENT_S = 3.0  # the longest wait while the old grant is taken


_JITTER = Random()  # noqa: S311 - one for all: each takes kilobytes


class Renewer(Protocol):
    """Whoever can turn a grant into a new one."""

    @property
    def leeway_s(self) -> float:
        """How long after a renewal the other side takes the grant of before."""
        ...

    def renewed(self, grant: Grant) -> Grant:
        """Return a new grant; raises `AuthError` where a person has to authorize again."""
        ...


class GrantKeeper:
    """The grant of one integration, for as long as the process lives."""

    __slots__ = ("_cached", "_clock", "_integration_id", "_random", "_store", "_tries")

    def __init__(self, store: Store, integration_id: str, clock: Clock, random: Random | None = None) -> None:
        self._store = store
        self._integration_id = integration_id
        self._clock = clock
        self._random = random or _JITTER
        self._cached: Grant | None = None
        self._tries: _Tries | None = None

    def grant(self, by: Renewer) -> Grant | None:
        """Return the present grant, renewed if it is about to end; None when nobody has authorized yet."""
        grant = self.present()
        if grant is not None and grant.needs_renewal(self._clock.now()):
            return self.renew(grant, by)
        return grant

    def present(self) -> Grant | None:
        """Return the present grant as it is, None for one that is outdated; nobody is asked for a new one."""
        grant = self._stored()
        return None if grant is None or grant.is_outdated else grant

    def site(self) -> Site | None:
        """Return the site that the authorization is for, as it is known here; nobody is asked."""
        grant = self._stored()
        return None if grant is None else grant.site

    def renew(self, refused: Grant, by: Renewer) -> Grant:
        """Return a grant that is not the refused one: the stored one, or what it is renewed to.

        Raises:
            AuthError: a person has to authorize again; the integration is marked so.
            RetryLater: the other side could not be asked now, or was a moment ago; all that need this grant wait.
        """
        with self._store.database.exclusive(GRANT_LOCK + self._integration_id):
            stored = self._store.grants.get(self._integration_id) or refused
            if not stored.is_same_access(refused):
                return self._keep(stored)
            self._refuse_haste()
            was_open, tries = self._begin()
            try:
                renewed = by.renewed(stored)
            except AuthError as exc:
                self._tries = None
                self._store.grants.end_renewal(self._integration_id)
                self._store.integrations.note_problem(self._integration_id, exc.code, exc.message)
                raise
            except ConnectorError as exc:
                is_open = was_open or _may_have_worked(exc)
                if not is_open:
                    self._store.grants.end_renewal(self._integration_id)
                if not isinstance(exc, RetryLater):
                    raise
                raise self._wait(exc, tries, is_urgent=is_open and self._open_for_s(tries.since) < by.leeway_s) from exc
            if self._store.grants.renew(self._integration_id, renewed, stored):
                return self._keep(renewed)
            return self._keep(self._store.grants.get(self._integration_id) or renewed)

    def is_urgent(self, since: datetime, leeway_s: float) -> bool:
        """Return whether a renewal that is open since then may still be made good: the old grant is taken yet."""
        return self._open_for_s(since) < leeway_s

    def found_at(self, site: Site) -> Site | None:
        """Keep what the site of the grant is called now; return what it was before if that is something else."""
        with self._store.database.exclusive(GRANT_LOCK + self._integration_id):
            stored = self._store.grants.get(self._integration_id)
            if stored is None or stored.site is None or stored.site == site or not is_same_site(stored.site, site):
                return None
            everywhere = tuple(site if is_same_site(one, site) else one for one in stored.sites)
            moved = stored.model_copy(update={"site": site, "sites": everywhere})
            self._cached = None  # until it is stored, the old address is the one that tickets have
            self._store.grants.save(self._integration_id, moved)
            self._cached = moved
            return stored.site

    def forget(self) -> None:
        """Read the grant from the store again next time."""
        self._cached = None

    # Private

    def _stored(self) -> Grant | None:
        if self._cached is None:
            self._cached = self._store.grants.get(self._integration_id)
        return self._cached

    def _keep(self, grant: Grant) -> Grant:
        self._cached, self._tries = grant, None
        return grant

    def _refuse_haste(self) -> None:
        """Ask no more often than was said: many wait for the same answer, one after the other."""
        if self._tries is not None and self._tries.error is not None and self._clock.monotonic() < self._tries.until:
            raise self._tries.error

    def _begin(self) -> tuple[bool, _Tries]:
        """Store that a renewal begins, unless one is open; a store that takes nothing would not take a grant either."""
        now = self._clock.now()
        known = self._store.grants.begin_renewal(self._integration_id, now)
        since = known or now
        if self._tries is None or self._tries.since != since:
            began = self._clock.monotonic() - self._open_for_s(since)
            self._tries = _Tries(since, began, 0 if self._tries is None else self._tries.count)
        return known is not None, self._tries

    def _open_for_s(self, since: datetime) -> float:
        """Return how long a renewal is open; by how much the clock was set since we know of it counts for nothing."""
        if self._tries is not None and self._tries.since == since:
            return self._clock.monotonic() - self._tries.began
        return max((self._clock.now() - since).total_seconds(), 0.0)

    def _wait(self, error: RetryLater, tries: _Tries, *, is_urgent: bool) -> RetryLater:
        """Return an error that has all wait who need this grant, and nobody else at its site."""
        longest_s = URGENT_S if is_urgent else LONGEST_S
        wait_s = delay_s(tries.count, error.after_s, self._random, first_s=FIRST_S, longest_s=longest_s)
        tries.count += 1
        tries.until = self._clock.monotonic() + wait_s
        tries.error = RetryLater(
            error.message,
            after_s=wait_s,
            scope=Scope.GRANT,
            code=error.code,
            detail=error.detail,
            fix=error.fix,
            advice=error.advice,
        )
        return tries.error


@dataclass
class _Tries:
    """How the renewal that began at a time went so far; `began` and `until` are of the steady clock."""

    since: datetime
    began: float
    #: How often it failed.
    count: int
    #: Until when nobody asks again, and what they are told who want to.
    until: float = 0.0
    error: RetryLater | None = None


def _may_have_worked(error: ConnectorError) -> bool:
    """Return whether the other side may have given a new grant all the same."""
    return isinstance(error, PluginError) or (isinstance(error, RetryLater) and error.outcome_unknown)
