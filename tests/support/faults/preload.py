"""Small libraries that a process under test is started with, compiled when they are needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.need import NEEDS, find_compiler

_SOURCES = Path(__file__).with_name("preload_sources")


def compiled(name: str, folder: Path) -> Path:
    """Compile one of the libraries; the test is skipped where there is no compiler."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip(f"no C compiler. {NEEDS['compiler'].advice}")
    library = folder / f"{name}.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCES / f"{name}.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library
