"""Files that commands write: where a daemon runs a command, its caller has made the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from connector_core.contract.errors import ConfigError

#: The descriptor of the file that the caller of this process has made.
made: int | None = None


def writing(path: Path, encoding: str = "utf-8", newline: str | None = None) -> TextIO:
    """Make a file and open it.

    Raises:
        ConfigError: something is there already.
    """
    if made is not None:
        return os.fdopen(made, "w", encoding=encoding, newline=newline)
    try:
        return path.open("x", encoding=encoding, newline=newline)
    except FileExistsError as exc:
        raise ConfigError(f"{path} is there already.", code="file_exists", fix="Name another file.") from exc
