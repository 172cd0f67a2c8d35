"""Small libraries that a process under test is started with, compiled when they are needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.needed import require

_SOURCES = Path(__file__).with_name("preload_sources")


def compiled(name: str, folder: Path) -> Path:
    """Compile one of the libraries; where there is no compiler, the test is left out with its group."""
    compiler = require("compiler")
    library = folder / f"{name}.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCES / f"{name}.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library
