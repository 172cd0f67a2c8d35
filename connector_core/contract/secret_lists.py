"""Secrets in settings: one, or several that are all accepted; and how long one has to be."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema

SHORTEST_SECRET = 8
_BYTE_ORDER_MARK = "\ufeff"
TOO_SHORT = f"a secret has at least {SHORTEST_SECRET} characters"
MAKE_ONE = "make one with: openssl rand -hex 32"
STORED: Mapping[str, Any] = {"stored": True}  # the context for secrets that earlier versions accepted


def make_secret() -> str:
    """Make a new secret: 64 hexadecimal digits."""
    return secrets.token_hex(32)


def trimmed(text: str) -> str:
    """Return a text without the blanks, line ends and byte order marks around it, which nobody chose."""
    while text != (shorter := text.strip().strip(_BYTE_ORDER_MARK)):
        text = shorter
    return text


def is_too_short(secret: SecretStr) -> bool:
    """Return whether a secret could be guessed by trying."""
    return len(secret.get_secret_value()) < SHORTEST_SECRET


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _long_enough(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    """Refuse a secret that is too short; one that an earlier version took and stored goes on, and a finding tells."""
    if info.context is not STORED and is_too_short(secret):
        raise ValueError(f"{TOO_SHORT} — {MAKE_ONE}")
    return secret


# One secret that something is signed with.
SigningSecret = Annotated[
    SecretStr,
    Field(min_length=1),
    AfterValidator(_long_enough),
    WithJsonSchema({"type": "string", "minLength": SHORTEST_SECRET}),
]


_secret_text = {"type": "string", "minLength": SHORTEST_SECRET}  # a reference stands for it, too
_AS_WRITTEN = WithJsonSchema({"anyOf": [_secret_text, {"type": "array", "items": _secret_text, "minItems": 1}]})

#: One secret, or several, read as a list; how long each has to be is up to whoever uses it.
AnySecrets = Annotated[
    tuple[Annotated[SecretStr, Field(min_length=1)], ...],
    BeforeValidator(_as_sequence),
    Field(min_length=1),
    _AS_WRITTEN,
]

# One secret, or several that are all accepted, so that one can be replaced without a gap; the first is the current one.
OneOrMoreSecrets = Annotated[
    tuple[SigningSecret, ...],
    BeforeValidator(_as_sequence),
    Field(min_length=1),
    _AS_WRITTEN,
]
