"""What no page of the vendor states is marked so in the plugin's table of quality."""

from __future__ import annotations

import re
from pathlib import Path

PLUGINS = Path(__file__).parents[3] / "plugins"
README = (PLUGINS / "servicenow_sandbox" / "README.md").read_text()
QUALITY = (PLUGINS / "servicenow" / "quality.md").read_text()


def rows(page: str) -> list[tuple[str, str]]:
    """Return the rows of two columns."""
    return re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)


def test_every_guess_of_the_stand_in_stands_in_the_table_of_quality():
    """With what is known of it, and nothing else with it."""
    part = QUALITY.partition("## What the stand-in does that no page states")[2].partition("\n## ")[0]
    guesses = [row for row in rows(README) if "no page found" in row[1] or "others" in row[1]]

    assert len(guesses) > 40
    assert [row for row in rows(part) if row[0] not in {"Behaviour", "---"}] == guesses


def test_every_behaviour_of_the_stand_in_says_where_it_is_from():
    """A page, other people, or none."""
    behaviours = README.partition("## Where each behaviour is from")[2].partition("### What it does not have")[0]
    sources = re.compile(r"\[[\w-]+\]|KB\d+|community|others|no page found|a matter of the script")

    assert [row for row in rows(behaviours) if row[0] not in {"Behaviour", "---"} and not sources.search(row[1])] == []
