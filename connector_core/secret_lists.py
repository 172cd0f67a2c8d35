"""Secrets in settings: one, or several that are all accepted."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


_secret_text = {"type": "string", "minLength": 1}

# One secret, or several that are all accepted, so that one can be replaced without a gap; the first is the current one.
OneOrMoreSecrets = Annotated[
    tuple[Annotated[SecretStr, Field(min_length=1)], ...],
    BeforeValidator(_as_sequence),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_secret_text, {"type": "array", "items": _secret_text, "minItems": 1}]}),
]
