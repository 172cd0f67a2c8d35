"""An incident's title as Jira takes it: one line, at most 255 UTF-16 units, never empty."""

from __future__ import annotations

import re

from connector_core import truncate, utf16_length
from connector_jira_jsm.text import cuts, wiki

LONGEST = 255  # "Summary can't exceed 255 characters." (Jira Cloud)
EMPTY = "Incident"

# Embeddings, overrides and isolates would turn round whatever a page shows after the title; plain marks stay.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def fit(title: str) -> str:
    """Bring a title into one line; a long one is cut between words and ends in an ellipsis."""
    line = " ".join(_TURNS.sub("", wiki.clean(title)).split())
    if not line:
        return EMPTY
    if utf16_length(line) <= LONGEST:
        return line
    cut = truncate(line, LONGEST - 1)
    words, space, _ = cut.rpartition(" ")
    # One endless word, or a short start before it, is cut inside: half a line is worth more than a tidy end.
    return (words if space and len(words) > LONGEST // 2 else cut).rstrip() + cuts.TITLE
