"""ID tokens: whether one was signed by the provider, for us, for this attempt, and just now.

`joserfc` reads and verifies them; it is loaded when the first one comes. What is not signed with a key of the provider,
by an algorithm with a public and a private half, is none: neither `none` nor one keyed with what everybody can read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connector_core.contract.errors import ConfigError
from connector_core.sign_on.errors import SignOnRefused

if TYPE_CHECKING:  # only who signs in needs it
    from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
#: How far the clocks of the provider and of this server may be apart.
TOLERANCE = timedelta(seconds=60)
MOST_KEYS = 100
LONGEST_TOKEN = 64 * 1024
_LONGEST_HEADER = 8 * 1024  # some carry their certificates
_AGAIN = "Sign in again."
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold halves of signs, which no database stores
_LONGEST_SUBJECT = 255  # OpenID Connect Core, 2


@dataclass(frozen=True)
class Expected:
    """What a token has to say."""

    issuer: str
    client_id: str
    nonce: str


def require_library() -> None:
    """Load what reads tokens.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import joserfc  # noqa: F401, PLC0415 - only who has single sign-on needs it
    except ImportError as exc:
        raise ConfigError(
            f"Single sign-on (console.oidc) needs a library that cannot be loaded here: {exc}.",
            code="sign_on_library_missing",
            fix="Install it from the folder of connector-core: pip install '.[oidc]'",
        ) from exc


def read_keys(found: object) -> KeySet:
    """Return the keys of a provider that can be used; those of unknown kinds are left out (RFC 7517, 5).

    Raises:
        ValueError: there is none.
    """
    from joserfc.errors import JoseError  # noqa: PLC0415 - see above
    from joserfc.jwk import JWKRegistry, KeySet  # noqa: PLC0415

    listed = found.get("keys") if isinstance(found, dict) else None
    keys = []
    for one in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        try:
            keys.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):  # whatever it is, it verifies nothing
            continue
    if not keys:
        raise ValueError("no usable key")
    return KeySet(keys)


def may_be_rotated(error: SignOnRefused) -> bool:
    """Return whether fresh keys of the provider may show that a token is good after all."""
    return error.code == "sign_on_signature"


def verify(token: str, keys: KeySet, expected: Expected, now: float) -> Mapping[str, Any]:
    """Return the claims of a token (OpenID Connect Core, 3.1.3.7).

    Raises:
        SignOnRefused: it is not what was expected; with the code `sign_on_signature` where its signature is wrong, or
            by a key that is not among these.
    """
    from joserfc import jwt  # noqa: PLC0415 - see above
    from joserfc.errors import ClaimError, ExpiredTokenError, JoseError  # noqa: PLC0415
    from joserfc.jws import JWSRegistry  # noqa: PLC0415

    if len(token) > LONGEST_TOKEN:
        raise SignOnRefused("The provider's answer is larger than any that names a user.", fix=_AGAIN)
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = _LONGEST_HEADER
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS, registry=registry).claims
    except (JoseError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise SignOnRefused(
            "The provider's answer is not signed by the provider.",
            code="sign_on_signature",
            detail=str(exc)[:200],
            fix=_AGAIN,
        ) from exc
    checks = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=int(TOLERANCE.total_seconds()),
        iss={"essential": True, "value": expected.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": expected.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": expected.nonce},
    )
    try:
        checks.validate(claims)
    except ExpiredTokenError as exc:
        raise SignOnRefused(
            "The provider's answer has expired, or a clock is wrong.",
            code="sign_on_expired",
            fix="Sign in again. If it stays like this, set the clock of this server.",
        ) from exc
    except (ClaimError, TypeError) as exc:
        raise _unexpected(exc) from exc
    _refuse_others(claims, expected)
    return claims


def _unexpected(error: Exception) -> SignOnRefused:
    """Say which claim is wrong, and of the time that it may be the clock."""
    claim = str(getattr(error, "claim", "") or "")
    if claim in {"iat", "nbf"}:
        return SignOnRefused(
            "The provider's answer is from the future: a clock is wrong.",
            code="sign_on_expired",
            fix="Set the clock of this server, or of the provider.",
            detail=str(error)[:200],
        )
    return SignOnRefused("The provider's answer is for another sign-in.", detail=str(error)[:200], fix=_AGAIN)


def _refuse_others(claims: Mapping[str, Any], expected: Expected) -> None:
    """Refuse what the library leaves to its caller: tokens that were made for others too, and names without end."""
    audience, party = claims["aud"], claims.get("azp")
    others: Sequence[str] = [] if isinstance(audience, str) else [one for one in audience if one != expected.client_id]
    if party not in (None, expected.client_id) or (others and party is None):
        raise SignOnRefused("The provider's answer is for another sign-in.", detail="azp", fix=_AGAIN)
    if claims["nonce"] != expected.nonce or claims["iss"] != expected.issuer:  # a list that has it is not it
        raise SignOnRefused("The provider's answer is for another sign-in.", detail="nonce or iss", fix=_AGAIN)
    subject = claims["sub"]
    if not isinstance(subject, str) or len(subject) > _LONGEST_SUBJECT or _SURROGATE.search(subject):
        raise SignOnRefused("The provider's answer names a user by more than can be read.", detail="sub", fix=_AGAIN)
