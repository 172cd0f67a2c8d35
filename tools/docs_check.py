"""Looks through the finished site of the docs: nothing that a browser loads comes from elsewhere.

Run by: make docs
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# What is loaded with a page: scripts, styles, fonts, pictures. Links to click on may lead anywhere.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\s(?:src|srcset)=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|prev|next|alternate))[^>]*?\shref=["']?((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)
IN_STYLES = re.compile(r"""(?:@import\s+|url\()\s*["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


def foreign(site: Path) -> list[str]:
    """Return each address elsewhere that a page or a style loads something from, with its file."""
    found: list[str] = []
    for path in sorted(site.rglob("*")):
        pattern = {".html": LOADED, ".css": IN_STYLES}.get(path.suffix)
        if pattern is None:
            continue
        addresses = (next(filter(None, match.groups())) for match in pattern.finditer(path.read_text()))
        found += [f"{path.relative_to(site)}: {address}" for address in addresses]
    return found


def main(site: Path) -> int:
    """Print what is loaded from elsewhere; return 1 if anything is."""
    pages = list(site.rglob("*.html"))
    found = foreign(site)
    print(*found, f"{len(pages)} pages in {site}; {len(found)} things loaded from elsewhere.", sep="\n")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
