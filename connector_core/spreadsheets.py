"""Texts of others in tables: no spreadsheet takes one for a formula."""

from __future__ import annotations

import re

#: Where a spreadsheet would begin a formula: at the start of a cell, also behind what parts cells in some languages'
#: settings, and with the wide signs of others.
_STARTS_FORMULA = re.compile(r'(\A|[;\t\r\n])([\s"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])')


def guarded(text: str) -> str:
    """Return a text with an apostrophe before each place where a spreadsheet would begin a formula."""
    return _STARTS_FORMULA.sub(r"\1\2'", text)
