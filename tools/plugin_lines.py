"""Counts the lines of plugins that say something: without blank lines, lines of comments and docstrings.

    python -m tools.plugin_lines           # each plugin against its goal
    python -m tools.plugin_lines servicenow  # each file of one

The goals are a measure of the kit: what every plugin has to write again belongs there. `tests/test_plugin_lines.py` has
what was reached; a plugin beyond its goal says why in its `quality.md`.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Of a plugin beside the kit: where it is, and the most lines that it should need.
GOALS = {
    "roundup": (ROOT / "examples" / "roundup" / "connector_roundup", 200),
    "request_tracker": (ROOT / "plugins" / "request_tracker" / "connector_request_tracker", 400),
    "servicenow": (ROOT / "plugins" / "servicenow" / "connector_servicenow", 500),
}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def lines_of(text: str) -> int:
    """Return how many lines of a Python file are code."""
    described = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
        for number in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return sum(1 for number, line in lines if line and not line.startswith("#") and number not in described)


def count(folder: Path) -> dict[str, int]:
    """Return the lines of each file of a package."""
    return {path.name: lines_of(path.read_text()) for path in sorted(folder.rglob("*.py"))}


def main(names: list[str]) -> None:
    """Print the lines of each plugin, or of each file of those that are named."""
    for name, (folder, goal) in GOALS.items():
        if names and name not in names:
            continue
        files = count(folder)
        for file, lines in files.items() if names else ():
            print(f"{lines:6} {file}")
        print(f"{sum(files.values()):6} {name} (goal: {goal})")


if __name__ == "__main__":
    main(sys.argv[1:])
