"""A broken version of a plugin, made without knowing it, and what calls it in the plugin's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_core.plugins import Plugin
from connector_core.testing.conformance import lies, session_lies
from connector_core.testing.conformance.system import Caller


@dataclass(frozen=True)
class Mutant:
    """A broken version of any plugin.

    `says` answers a hook in the plugin's place; `does` puts a lie into its session. `hooks` are those that it breaks:
    it is no mutant of a plugin that has none of them. `abilities` are those without which it cannot show.
    """

    name: str
    #: The checks that are tried first, by what is in their names.
    seen_by: str = ""
    hooks: frozenset[str] = frozenset({"on_incident_event"})
    abilities: frozenset[str] = frozenset()
    says: lies.Lie | None = None
    does: session_lies.SessionLie | None = None

    @property
    def is_broken(self) -> bool:
        """Whether there is anything wrong with it."""
        return self.says is not None or self.does is not None

    def is_of(self, plugin: Plugin, cannot: Mapping[str, str]) -> bool:
        """Return whether the plugin can be broken so."""
        return any(map(plugin.implements, self.hooks)) and not self.abilities & cannot.keys()


class Liar(Caller):
    """Calls a plugin as a mutant of it would answer."""

    def __init__(self, plugin: Plugin, mutant: Mutant) -> None:
        super().__init__(plugin)
        self.mutant = mutant

    def call(self, hook: str, **arguments: Any) -> Any:
        """Answer as the mutant does, where the hook is one that it breaks."""
        if self.mutant.says is None or hook not in self.mutant.hooks:
            return super().call(hook, **arguments)
        return self.mutant.says(super().call, hook, arguments)
