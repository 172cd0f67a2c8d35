"""What a daemon took over from its configuration file, so that others can compare and see what it has.

A snapshot holds the file as it was written and as it was understood, references replaced. It is kept sealed. Of what
only the daemon needs, its own keys and passwords, it holds a fingerprint: enough to tell that they changed.

    differences(applied, Snapshot.of(file))   # what the daemon would change
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_core.config.positions import KeyPath, dotted
from connector_core.contract import secret_addresses

#: What differs from host to host of a cluster: nodes that meet have the same database, whatever they call it.
OF_THIS_HOST = frozenset({"database", "command_socket", "logging"})
ALIKE_OF_SERVER = frozenset({"public_url"})
OF_THIS_MACHINE = frozenset({"workers"})
TAKEN_LIVE = frozenset({"organizations", "plugins"})
_FINGERPRINTS = ("secret_key", "console")
_HIDDEN = "***"
_FROM_ENVIRONMENT = "${env:"
_NOTHING = object()


@dataclass(frozen=True)
class Change:
    """One key that differs; texts are for people, secrets masked, and None where the key is not there."""

    path: KeyPath
    before: str | None
    after: str | None

    @property
    def needs_restart(self) -> bool:
        """Return whether only a start applies it: it is about the process itself."""
        return self.path[0] not in TAKEN_LIVE

    @property
    def is_of_this_host(self) -> bool:
        """Return whether it may differ from host to host of a cluster; see `Snapshot.digest_with`."""
        section, *inner = self.path
        if section == "server":
            return inner[:1] != [] and inner[0] not in ALIKE_OF_SERVER
        return section in OF_THIS_HOST or (section == "engine" and inner[:1] != [] and inner[0] in OF_THIS_MACHINE)

    def __str__(self) -> str:
        name = dotted(self.path)
        if self.before is None:
            return f"{name}: {self.after} (new)"
        if self.after is None:
            return f"{name}: {self.before} (removed)"
        if self.before == self.after:
            return f"{name}: changed"  # both are masked
        return f"{name}: {self.before} → {self.after}"


@dataclass(frozen=True)
class Snapshot:
    """A configuration file at one moment.

    `written` has the values as they stand in the file, `values` with references replaced, `secrets` the key paths of
    what is not for reading.
    """

    written: Mapping[str, Any] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[KeyPath] = frozenset()
    _digest: str | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def taken(cls, written: Mapping[str, Any], values: Mapping[str, Any], secrets: Iterable[KeyPath]) -> Snapshot:
        """Make one of a file that was found right."""
        return cls(_with_fingerprints(written), _with_fingerprints(values), frozenset(secrets))

    @classmethod
    def load(cls, text: str) -> Snapshot:
        """Read what `dump` made."""
        opened = json.loads(text)
        return cls(opened["written"], opened["values"], frozenset(tuple(path) for path in opened["secrets"]))

    def dump(self) -> str:
        """Write it as a text."""
        secrets = sorted(map(list, self.secrets), key=str)
        return json.dumps({"written": self.written, "values": self.values, "secrets": secrets}, ensure_ascii=False)

    def digest_with(self, key: str) -> str:
        """Name what the file says, the same on each host of a cluster: without what is about the host.

        That is where it listens, how it logs, how much it works at once, and how it reaches the database. Without the
        key nobody can try out which secret is in the file. It is made once: a file may have thousands of integrations.
        """
        if self._digest is None:
            said = {name: value for name, value in self.written.items() if name not in OF_THIS_HOST}
            said["server"] = _part(said.get("server"), lambda name: name in ALIKE_OF_SERVER)
            said["engine"] = _part(said.get("engine"), lambda name: name not in OF_THIS_MACHINE)
            text = json.dumps(said, sort_keys=True, default=str).encode()
            object.__setattr__(self, "_digest", hmac.digest(key.encode(), text, "sha256").hex()[:12])
        return str(self._digest)

    def with_live_parts_of(self, other: Snapshot) -> Snapshot:
        """Return this one with what another one has of the parts that need no restart."""
        return Snapshot(
            _mixed(self.written, other.written),
            _mixed(self.values, other.values),
            frozenset(path for path in self.secrets if path[0] not in TAKEN_LIVE)
            | frozenset(path for path in other.secrets if path[0] in TAKEN_LIVE),
        )


def differences(before: Snapshot, after: Snapshot, *, ours: bool = True) -> list[Change]:
    """Return what differs, in the order of the key paths.

    Args:
        before: what is in effect.
        after: what the file says.
        ours: whether the environment is the daemon's; that of another shell says nothing about what the daemon has.
    """
    old, new = dict(_leaves(before.values, ())), dict(_leaves(after.values, ()))
    as_written = dict(_leaves(before.written, ())), dict(_leaves(after.written, ()))
    found = []
    for path in sorted(old.keys() | new.keys(), key=lambda path: tuple(map(str, path))):
        if old.get(path, _NOTHING) == new.get(path, _NOTHING):
            continue
        if not ours and _is_same_variable(as_written, path):
            continue
        is_hidden = any(path[: len(secret)] == secret for secret in before.secrets | after.secrets)
        is_hidden = is_hidden or path[0] in _FINGERPRINTS or any("${" in str(one.get(path, "")) for one in as_written)
        found.append(Change(path, _shown(old, path, is_hidden), _shown(new, path, is_hidden)))
    return found


def elsewhere(before: Snapshot, after: Snapshot) -> list[KeyPath]:
    """Return the keys whose environment variable has another value here than the daemon has, or none."""
    theirs = {change.path for change in differences(before, after)}
    return sorted(theirs - {change.path for change in differences(before, after, ours=False)}, key=str)


def _is_same_variable(as_written: tuple[Mapping[KeyPath, Any], Mapping[KeyPath, Any]], path: KeyPath) -> bool:
    text = as_written[1].get(path)
    return text == as_written[0].get(path) and _FROM_ENVIRONMENT in str(text)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:  # noqa: ANN401 - YAML holds anything
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif path:
        yield path, value


def _part(section: Any, is_wanted: Callable[[str], bool]) -> dict[str, Any]:  # noqa: ANN401 - YAML holds anything
    return {name: value for name, value in section.items() if is_wanted(name)} if isinstance(section, Mapping) else {}


def _with_fingerprints(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _fingerprint(value) if name in _FINGERPRINTS else value for name, value in values.items()}


def _fingerprint(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        return {key: _fingerprint(child) for key, child in value.items()}
    if isinstance(value, str) and value.startswith(_FROM_ENVIRONMENT):
        return value  # the name of a variable
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:16]


def _shown(leaves: Mapping[KeyPath, Any], path: KeyPath, is_hidden: bool) -> str | None:  # noqa: FBT001 - see `differences`
    if path not in leaves:
        return None
    return _HIDDEN if is_hidden else secret_addresses.hidden(json.dumps(leaves[path], ensure_ascii=False))


def _mixed(kept: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in kept.items() if name not in TAKEN_LIVE},
        **{name: value for name, value in taken.items() if name in TAKEN_LIVE},
    }
