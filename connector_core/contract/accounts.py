"""Whether a new authorization is for the same account and site as the one before it."""

from __future__ import annotations

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Grant, Site


def at_former_site(former: Site, grant: Grant) -> Grant:
    """Stay at the site that was chosen before when the new authorization reaches several."""
    if grant.site is not None or not grant.sites:
        return grant
    same = next((site for site in grant.sites if site.id == former.id), grant.sites[0])
    return grant.at_site(same)


def refuse_other(before: Grant, grant: Grant, *, other_account: bool) -> None:
    """Refuse another site, and another account unless it is meant.

    Raises:
        ConfigError: with the reason.
    """
    if before.site and grant.site and not is_same_site(before.site, grant.site):
        raise ConfigError(
            f"The new authorization is for {grant.site.url}, this integration's tickets are at {before.site.url}.",
            code="other_site",
            fix="Authorize for the same site, or make a new integration for the other one.",
        )
    if is_other_account(before, grant) and not other_account:
        raise ConfigError(
            f"The new authorization is for {grant.account_name}, the present one for {before.account_name}.",
            code="other_account",
            fix="Log in as before, or say --other-account if the change is meant.",
        )


def is_other_account(before: Grant, grant: Grant) -> bool:
    """Return whether a new authorization is surely for another account than the one before."""
    return bool(before.account_id and grant.account_id) and before.account_id != grant.account_id


def is_same_site(before: Site, now: Site) -> bool:
    """Compare sites by their ids; earlier versions took the address for the id where they did not know it."""
    return before.id == now.id or (before.url == now.url and before.url in {before.id, now.id})


def is_same_place(before: Grant, now: Grant) -> bool:
    """Return whether a request that was made for one grant may be repeated, at the same address, with another."""
    if before.base_url != now.base_url or (before.site is None) != (now.site is None):
        return False
    return before.site is None or now.site is None or is_same_site(before.site, now.site)
