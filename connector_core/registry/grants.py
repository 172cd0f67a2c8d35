"""Where a grant is kept, sent along and renewed.

A renewal is stored before it is used, never done twice at once, neither by two threads nor by two processes, and a
refused grant is compared with the stored one first: somebody else may have renewed it already.
"""

from __future__ import annotations

from typing import Protocol

from connector_core.clock import Clock
from connector_core.contract.accounts import is_same_site
from connector_core.contract.errors import AuthError
from connector_core.contract.models import Grant, Site
from connector_core.store import Store


class Renewer(Protocol):
    """Whoever can turn a grant into a new one."""

    def renewed(self, grant: Grant) -> Grant:
        """Return a new grant; raises `AuthError` where a person has to authorize again."""
        ...


class GrantKeeper:
    """The grant of one integration, for as long as the process lives."""

    __slots__ = ("_cached", "_clock", "_integration_id", "_store")

    def __init__(self, store: Store, integration_id: str, clock: Clock) -> None:
        self._store = store
        self._integration_id = integration_id
        self._clock = clock
        self._cached: Grant | None = None

    def grant(self, by: Renewer) -> Grant | None:
        """Return the present grant, renewed if it is about to end; None when nobody has authorized yet."""
        grant = self.present()
        if grant is not None and grant.needs_renewal(self._clock.now()):
            return self.renew(grant, by)
        return grant

    def present(self) -> Grant | None:
        """Return the present grant as it is; nobody is asked for a new one."""
        if self._cached is None:
            self._cached = self._store.grants.get(self._integration_id)
        return self._cached

    def site(self) -> Site | None:
        """Return the site that the authorization is for, as it is known here; nobody is asked."""
        grant = self.present()
        return None if grant is None else grant.site

    def renew(self, refused: Grant, by: Renewer) -> Grant:
        """Return a grant that is not the refused one: the stored one, or what it is renewed to.

        Raises:
            AuthError: a person has to authorize again; the integration is marked so.
            RetryLater: the other side could not be asked now.
        """
        with self._store.database.exclusive(f"grant-{self._integration_id}"):
            stored = self._store.grants.get(self._integration_id) or refused
            if (stored.headers, stored.secrets) != (refused.headers, refused.secrets):
                self._cached = stored
                return stored
            try:
                renewed = by.renewed(stored)
            except AuthError as exc:
                self._store.integrations.note_problem(self._integration_id, exc.code, exc.message)
                raise
            self._store.grants.save(self._integration_id, renewed)
            self._cached = renewed
            return renewed

    def found_at(self, site: Site) -> Site | None:
        """Keep what the site of the grant is called now; return what it was before if that is something else."""
        with self._store.database.exclusive(f"grant-{self._integration_id}"):
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
