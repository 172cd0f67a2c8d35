"""Passwords of people: hashed with Argon2 as the library recommends, compared without telling how long that took."""

from __future__ import annotations

HASH_PREFIX = "$argon2"


def hash_password(password: str) -> str:
    """Return the hash to write into the configuration."""
    from argon2 import PasswordHasher  # noqa: PLC0415 - commands that only look at a configuration hash nothing

    return PasswordHasher().hash(password)


def is_hash(text: str) -> bool:
    """Return whether a text is a hash that `hash_password` may have made."""
    return text.startswith(HASH_PREFIX)


def matches(password: str, hashed: str) -> bool:
    """Return whether a password belongs to a hash; takes some tens of milliseconds and megabytes on purpose."""
    from argon2 import PasswordHasher  # noqa: PLC0415 - as above
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

    try:
        return PasswordHasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
