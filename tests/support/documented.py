"""What the pages of the docs show: their code blocks and commands."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = DOCS / "reference"
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md")),
    *sorted(path for path in DOCS.rglob("*.md") if path.parent != GENERATED),
    *sorted((ROOT / "plugins").glob("*/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
)
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_SAID_BEHIND = re.compile(r"\s+#(\s.*)?$|^#.*$")


@dataclass(frozen=True)
class Block:
    """A block of code that says which language it is in."""

    page: Path
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    return [Block(page, language, textwrap.dedent(text)) for _, language, text in _FENCE.findall(page.read_text())]


def command_lines(page: Path) -> Iterator[str]:
    """Return the lines of a page that are to be typed: those that are indented, without what is said behind them."""
    is_code, after = False, ""
    for line in _FENCE.sub("\n", page.read_text()).replace("\\\n", " ").splitlines():
        if not line.strip():
            after = ""
            continue
        is_list = re.match(r"\s*([-*|]|\d+\.) ", line)
        is_code = line.startswith("    ") and not is_list and (is_code or not after)
        after = line
        if is_code and (shown := _SAID_BEHIND.sub("", line.strip()).strip()):
            yield shown


def named_commands(page: Path) -> Iterator[str]:
    """Return the commands of the connector that a page names within its sentences."""
    for said in _INLINE.findall(_FENCE.sub("\n", page.read_text())):
        line = " ".join(said.split())
        if line.startswith("connector "):
            yield line
