"""What somebody may do here, by what the provider says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_core.sign_on.errors import NotLetIn
from connector_core.sign_on.settings import OidcSettings, RoleEntry

LONGEST_NAME = 100
MOST_VALUES = 1000
_EMAIL = "email"


@dataclass(frozen=True)
class Identity:
    """Somebody whom the provider named. `organizations` is None when they see all."""

    name: str
    subject: str
    is_admin: bool
    organizations: frozenset[str] | None


def identity(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Return who somebody is and what they may do.

    Raises:
        NotLetIn: their claims give no role, or their address is not of an allowed domain.
    """
    name = _name(claims, settings)
    _refuse_domain(claims, settings, name)
    given = values_of(claims, settings.roles_claim)
    if settings.roles_claim == _EMAIL and not _is_verified(claims):
        given = ()  # whoever may write any address into a profile would choose their role with it
    entries = [settings.roles[value] for value in given if value in settings.roles]
    if not entries:
        raise NotLetIn(
            f"{name} may not use this connector: {settings.host} gives no role for it.",
            fix="Ask whoever runs the connector to let you in.",
            detail=f"{settings.roles_claim} has {len(given)} values, none of them under console.oidc.roles",
        )
    admins = [entry for entry in entries if entry.role == "admin"]
    return Identity(name, str(claims["sub"]), bool(admins), _together(admins or entries))


def lacks(claims: Mapping[str, Any], settings: OidcSettings) -> bool:
    """Return whether something is missing that the provider may tell when it is asked once more (userinfo)."""
    needed = {settings.roles_claim, *((_EMAIL,) if settings.allowed_domains else ())}
    return settings.name_claim not in claims or any(not values_of(claims, one) for one in needed)


def values_of(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """Return the texts of a claim: of that name, or at the end of a path with dots."""
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        return (found,)
    return tuple(one for one in found[:MOST_VALUES] if isinstance(one, str)) if isinstance(found, list) else ()


def _together(entries: list[RoleEntry]) -> frozenset[str] | None:
    if any(entry.organizations is None for entry in entries):
        return None
    return frozenset(name for entry in entries for name in entry.organizations or ())


def _name(claims: Mapping[str, Any], settings: OidcSettings) -> str:
    """Return what they are called, as a line that can be read."""
    for claim in (settings.name_claim, _EMAIL, "sub"):
        for text in values_of(claims, claim)[:1]:
            plain = "".join(sign if sign.isprintable() else " " for sign in text[: LONGEST_NAME * 4])
            if name := " ".join(plain.split())[:LONGEST_NAME]:
                return name
    return "?"


def _refuse_domain(claims: Mapping[str, Any], settings: OidcSettings, name: str) -> None:
    if settings.allowed_domains is None:
        return
    address = next(iter(values_of(claims, _EMAIL)), "")
    if _is_verified(claims) and address.rpartition("@")[2].casefold() in settings.allowed_domains:
        return
    raise NotLetIn(
        f"{name} may not use this connector: the verified e-mail address is of none of its domains.",
        code="sign_on_domain",
        fix="Sign in with another account, or ask whoever runs the connector to let you in.",
    )


def _is_verified(claims: Mapping[str, Any]) -> bool:
    return claims.get("email_verified") in (True, "true")  # some say it as a text
