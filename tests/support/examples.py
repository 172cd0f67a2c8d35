"""How many examples a property is tried with: a quarter of them in `make test`, all in `make test-extended`."""

from __future__ import annotations

import os

#: Whether a run tries all of them: `make test-extended`, and the tools that ask whether tests notice mistakes.
ALL = os.environ.get("CONNECTOR_EXAMPLES") == "all"


def up_to(most: int) -> int:
    """Return how many examples this run tries of at most so many."""
    return most if ALL else max(5, most // 4)
