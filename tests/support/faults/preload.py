"""Small libraries that a process under test is started with, compiled when they are needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCES = Path(__file__).with_name("preload_sources")


def compiled(name: str, folder: Path) -> Path:
    """Compile one of the libraries; the test is skipped where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = folder / f"{name}.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCES / f"{name}.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library
