"""Writes the generated pages of the docs anew, or says which are out of date.

Run it with: make reference
"""

from __future__ import annotations

import sys

from tools.reference.pages import FOLDER, pages


def main(arguments: list[str]) -> int:
    """Write all pages; with --check only compare, and return 1 when one differs."""
    stale = [
        name for name, text in pages().items() if not (path := FOLDER / name).is_file() or path.read_text() != text
    ]
    if "--check" in arguments:
        print(*(f"docs/reference/{name} is out of date; run: make reference" for name in stale), sep="\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    print(*(f"docs/reference/{name} was written anew" for name in stale), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
