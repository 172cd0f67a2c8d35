"""Whether commands print in colours: told to click once, for everything that a command says."""

from __future__ import annotations

import os


def in_colours() -> bool | None:
    """Return whether to use colours: not where NO_COLOR is set (https://no-color.org); None for on a terminal only."""
    return False if os.environ.get("NO_COLOR") else None
