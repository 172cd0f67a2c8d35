"""What is wrong in a configuration file: where, what, and how to put it right. Never the value itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector_core.contract.errors import ConfigError


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing to put right; line and column count from 1, `key_path` reads like `organizations.acme.source`."""

    file: str
    line: int
    column: int
    key_path: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        return " ".join(part for part in (place, f"{self.key_path}:" if self.key_path else "", self.sentence) if part)

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, without the place."""
        return f"{self.message} — {self.fix}" if self.fix else self.message


class ConfigInvalid(ConfigError):
    """The configuration file cannot be used; `mistakes` lists everything that is wrong with it, in its order.

    `warnings` are what would be said of it besides, as far as that could be told.
    """

    default_code = "config_invalid"

    def __init__(self, mistakes: Iterable[Mistake], warnings: Iterable[Mistake] = ()) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        self.warnings = tuple(sorted(set(warnings)))
        count = len(self.mistakes)
        heading = f"The configuration has {'a mistake' if count == 1 else f'{count} mistakes'}:"
        super().__init__("\n".join([heading, *map(str, self.mistakes)]))
