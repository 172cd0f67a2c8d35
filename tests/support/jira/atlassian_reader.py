"""What Atlassian's own converter of wiki markup makes of a text: the independent judge of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.needed import require

_SCRIPT = Path(__file__).with_suffix(".cjs")
WITHIN_S = 600


def read(markups: Sequence[str]) -> list[dict[str, Any]]:
    """Return a document for each text; where the converter is not at hand, the test is left out with its group."""
    folder = require("wiki-renderer")
    given = json.dumps(list(markups))
    ended = subprocess.run(
        [str(shutil.which("node")), str(_SCRIPT), str(folder)],
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN_S,
    )
    documents: list[dict[str, Any]] = json.loads(ended.stdout)
    return documents


def words(node: dict[str, Any]) -> str:
    """Return what a document shows; what is more than words, lines and links is named."""
    if node["type"] == "text":
        marks = [mark["type"] for mark in node.get("marks", []) if mark["type"] != "link"]
        return node["text"] + (f"<{marks}>" if marks else "")
    if node["type"] == "hardBreak":
        return "\n"
    inner = [words(child) for child in node.get("content", [])]
    if node["type"] == "doc":
        return "\n\n".join(inner)
    return "".join(inner) if node["type"] == "paragraph" else f"<{node['type']}>{''.join(inner)}"


def links(node: dict[str, Any]) -> list[str]:
    """Return where the links of a document lead."""
    found = [mark["attrs"]["href"] for mark in node.get("marks", []) if mark["type"] == "link"]
    return found + [address for child in node.get("content", []) for address in links(child)]
