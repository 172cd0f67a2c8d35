"""The test that CONTRIBUTING shows to newcomers works as it stands there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_worked_test_passes(store, clock):
    """With the imports that are shown, and the fixtures of this folder."""
    source = re.search(r"```python\n(.*?)```", CONTRIBUTING.read_text(), re.DOTALL)[1]
    (name,) = [part.name for part in ast.parse(source).body if isinstance(part, ast.FunctionDef)]
    names = {}
    exec(compile(source, CONTRIBUTING.name, "exec"), names)  # noqa: S102 - our own text

    names[name](store, clock)
