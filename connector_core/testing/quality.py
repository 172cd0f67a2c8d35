"""Puts what a report says of a plugin into its page of quality: `python -m connector_core.testing.quality REPORT PAGE`.

REPORT is what `pytest --conformance-report=REPORT` wrote, PAGE a Markdown file such as plugins/my_desk/quality.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from connector_core.testing.conformance.report import LifeReport, page_of, read

BEGIN, END = "<!-- tried: begin -->", "<!-- tried: end -->"
HEADING = "## What the checks of the kit showed"


def page_with(page: str, lives: list[LifeReport]) -> str:
    """Return a page with the part about the checks as it is now; what people wrote around it stays."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest:
        before = f"{page.rstrip()}\n\n{HEADING}\n\n"
    return f"{before}{BEGIN}\n\n{page_of(lives)}\n\n{END}{after or chr(10)}"


def main() -> None:
    """Read the report, write the page."""
    parser = argparse.ArgumentParser(prog="python -m connector_core.testing.quality", description=__doc__)
    parser.add_argument("report", type=Path, help="what pytest --conformance-report=FILE wrote, as JSON")
    parser.add_argument("page", type=Path, help="the page that gets the table")
    parser.add_argument("--plugin", help="the plugin, where the report is of several")
    given = parser.parse_args()
    lives = [life for life in read(given.report) if given.plugin in {None, life.plugin}]
    if not lives or len({life.plugin for life in lives}) > 1:
        names = ", ".join(sorted({life.plugin for life in lives})) or "none"
        parser.error(f"the report is of these plugins: {names}; name one with --plugin")
    page = given.page.read_text() if given.page.exists() else "# Where this plugin stands\n"
    given.page.write_text(page_with(page, lives))


if __name__ == "__main__":
    main()
