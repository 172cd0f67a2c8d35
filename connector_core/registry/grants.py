"""Where a grant is kept, sent along and renewed.

A renewal is stored before it is used, never done twice at once, neither by two threads nor by two processes, and a
refused grant is compared with the stored one first: somebody else may have renewed it already.
"""

from __future__ import annotations

from collections.abc import Callable

from connector_core.clock import Clock
from connector_core.contract.accounts import is_same_site
from connector_core.contract.errors import AuthError
from connector_core.contract.models import Grant, Site
from connector_core.store import Store

Renewer = Callable[[Grant], Grant]


class GrantKeeper:
    """The grant of one integration. `renewer` asks the plugin for a new one; it is set once the handle exists."""

    def __init__(self, store: Store, integration_id: str, clock: Clock) -> None:
        self._store = store
        self._integration_id = integration_id
        self._clock = clock
        self._cached: Grant | None = None
        self.renewer: Renewer | None = None

    def grant(self) -> Grant | None:
        """Return the present grant, renewed if it is about to end; None when nobody has authorized yet."""
        grant = self.present()
        if grant is not None and grant.needs_renewal(self._clock.now()):
            return self.renew(grant)
        return grant

    def present(self) -> Grant | None:
        """Return the present grant as it is; nobody is asked for a new one."""
        if self._cached is None:
            self._cached = self._store.grants.get(self._integration_id)
        return self._cached

    def renew(self, refused: Grant) -> Grant:
        """Return a grant that is not the refused one.

        Raises:
            AuthError: a person has to authorize again; the integration is marked so.
            RetryLater: the other side could not be asked now.
        """
        with self._store.database.exclusive(f"grant-{self._integration_id}"):
            stored = self._store.grants.get(self._integration_id) or refused
            if (stored.headers, stored.secrets) != (refused.headers, refused.secrets):
                self._cached = stored
                return stored
            if self.renewer is None:
                raise AuthError("This authorization cannot be renewed.")
            try:
                renewed = self.renewer(stored)
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
            self._cached = stored.model_copy(update={"site": site, "sites": everywhere})
            self._store.grants.save(self._integration_id, self._cached)
            return stored.site

    def forget(self) -> None:
        """Read the grant from the store again next time."""
        self._cached = None
