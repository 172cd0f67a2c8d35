"""Reads the facts of this folder; what they are and how they are made says `make.py`."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@functools.cache
def read(name: str) -> dict[str, Any]:
    """Return the facts of one file."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return found
