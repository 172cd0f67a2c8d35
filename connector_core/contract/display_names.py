"""What people call an integration or an organization: a short text on one line, in any script."""

from __future__ import annotations

import unicodedata

LONGEST = 80
#: Kinds of characters that are no part of a name: controls, formats such as a turn of direction, and what is none yet.
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def display_name(text: str) -> str:
    """Return a name as it is kept: blanks at its ends go, several in a row are one.

    Raises:
        ValueError: it cannot be a name; the message says why.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    name = " ".join(part for part in name.split(" ") if part)
    if not name:
        raise ValueError("a name has at least one character")
    if len(name) > LONGEST:
        raise ValueError(f"a name has at most {LONGEST} characters, this one {len(name)}")
    if any(unicodedata.category(sign) in _REFUSED for sign in name):
        raise ValueError("a name is on one line, without control characters")
    return name
