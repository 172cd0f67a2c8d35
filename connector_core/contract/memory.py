"""What a plugin learns about the other side and wants to know again after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from connector_core.contract.errors import PluginError

LONGEST_VALUE = 262_144


class Memory(Protocol):
    """Values of one integration by key, in the form of JSON.

    It may be empty at any time, and what is in it may be out of date: the other side is right. Both methods may raise
    `RetryLater` when the database is busy.
    """

    def recall(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what was remembered under a key, None when there is nothing."""
        ...

    def remember(self, key: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """Keep a value; None forgets the one that is there."""
        ...


@dataclass(frozen=True)
class Notebook:
    """A memory that ends with the process, for tests and for handles that are built by hand."""

    pages: dict[str, str] = field(default_factory=dict)

    def recall(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what was remembered under a key, None when there is nothing."""
        return json.loads(self.pages.get(key, "null"))

    def remember(self, key: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """Keep a value; None forgets the one that is there."""
        self.pages[key] = written(value)


def written(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a value as it is stored.

    Raises:
        PluginError: it is no JSON, or too long.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as exc:
        raise PluginError("A plugin wants to remember something that is no JSON.") from exc
    if len(text) > LONGEST_VALUE:
        raise PluginError(f"A plugin wants to remember more than {LONGEST_VALUE} characters at once.")
    return text
