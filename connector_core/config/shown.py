"""A configuration as it is understood, in the words of the file: with every default, and without a secret.

What comes out can be put into a file: references stand as they were written, durations have their units. A secret that
is written in plain text is `***`, which the file then has to be given again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr

from connector_core.config.loaded import Config
from connector_core.config.positions import KeyPath
from connector_core.contract import secret_addresses
from connector_core.databases import PostgreSQL

HIDDEN = "***"
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


def as_written(config: Config, written: Mapping[str, Any]) -> tuple[dict[str, Any], list[KeyPath]]:
    """Return the tree of a file with its defaults filled in, and where a secret in plain text was left out.

    Args:
        config: what the file means.
        written: the file's values, references as they stand there.
    """
    hidden = sorted({place for place in _secret_places(config, written) if _is_plain(written, place)}, key=str)
    tree = _merged(_defaults(config), _without(written, frozenset(hidden)))
    if isinstance(config.database, PostgreSQL) and "${" not in str(written.get("database", "")):
        tree["database"] = str(config.database)  # its password is masked
    return tree, hidden


def _defaults(config: Config) -> dict[str, Any]:
    """Return what holds where the file says nothing."""
    sections = {name: _plain(getattr(config, name)) for name in ("server", "console", "outbound", "engine", "logging")}
    tree: dict[str, Any] = {
        "database": "sqlite:///var/connector.db",
        **sections,
        "reconcile": {"every": _plain(timedelta(seconds=config.reconcile_every_s))},
        "history": _plain(config.history),
        "plugins": {name: _plain(shared) for name, shared in config.plugin_settings.items()},
        "organizations": {},
    }
    for name, organization in config.organizations.items():
        source = organization.source
        tree["organizations"][name] = {
            "name": organization.name,
            **({"source": _plain(source.settings)} if source is not None and source.settings else {}),
            "integrations": {
                key: {"enabled": one.enabled, **(_plain(one.settings) if one.settings else {})}
                for key, one in organization.integrations.items()
            },
            "notifications": {key: _plain(one.settings) for key, one in organization.notifications.items()},
        }
    return tree


def _plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - walks any tree of settings
    """Return a value as the file has it; secrets and what is not set are left out."""
    match value:
        case BaseModel():
            inner = {name: getattr(value, name) for name in type(value).model_fields}
            return {name: _plain(one) for name, one in inner.items() if not _is_left_out(one)}
        case Mapping():
            return {str(_plain(name)): _plain(one) for name, one in value.items() if not _is_left_out(one)}
        case timedelta():
            return _duration(value)
        case Enum():
            return value.value
        case list() | tuple():
            return [_plain(one) for one in value if not _is_left_out(one)]
        case set() | frozenset():
            return sorted(_plain(one) for one in value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _is_left_out(value: object) -> bool:
    is_of_secrets = isinstance(value, list | tuple) and bool(value) and all(isinstance(one, SecretStr) for one in value)
    return value is None or isinstance(value, SecretStr) or is_of_secrets


def _duration(value: timedelta) -> str:
    milliseconds = round(value.total_seconds() * 1000)
    if milliseconds == 0:
        return "0s"
    return next(
        (f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0), f"{milliseconds}ms"
    )


def _merged(defaults: Any, written: Any) -> Any:  # noqa: ANN401 - YAML holds anything
    """Return what is written, with what it leaves out."""
    if not isinstance(defaults, dict) or not isinstance(written, dict):
        return defaults if written is None and isinstance(defaults, dict) else written
    rest = {key: value for key, value in defaults.items() if key not in written}
    return {**{key: _merged(defaults.get(key), value) for key, value in written.items()}, **rest}


def _without(value: Any, hidden: frozenset[KeyPath], here: KeyPath = ()) -> Any:  # noqa: ANN401 - as above
    if here in hidden:
        return HIDDEN
    if isinstance(value, dict):
        return {key: _without(one, hidden, (*here, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_without(one, hidden, (*here, number)) for number, one in enumerate(value)]
    return secret_addresses.hidden(value) if isinstance(value, str) else value


def _secret_places(config: Config, written: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Return where secrets stand: a single one may be where a list could."""
    for place in {*config.snapshot.secrets, ("secret_key",)}:
        yield place if _at(written, place) is not None or not isinstance(place[-1], int) else place[:-1]
    for user in (written.get("console") or {}).get("users") or {}:
        yield ("console", "users", user, "password_hash")
    yield ("console", "password")


def _is_plain(written: Mapping[str, Any], place: KeyPath) -> bool:
    text = _at(written, place)
    return text is not None and not (isinstance(text, str) and "${" in text) and not isinstance(text, list)


def _at(value: Any, place: KeyPath) -> Any:  # noqa: ANN401 - as above
    for key in place:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value
