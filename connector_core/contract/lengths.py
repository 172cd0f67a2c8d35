"""Lengths of texts as other systems count them, and cuts that leave whole characters.

Systems written in Java or JavaScript count UTF-16 units: an emoji is two, a flag four. What a reader takes for one
character (a grapheme: a letter with its accents, a family of emoji) may be many of them, and half of one is another
picture or none. Whoever has a limit cuts here.
"""

from __future__ import annotations

# A flag, with what is put on it, or any other grapheme. `\X` alone counts at each flag how many are before it: some
# thousands of flags would take as long as millions of letters.
_GRAPHEME = r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*|\X"


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def truncate(text: str, limit: int) -> str:
    """Return as much of the beginning of a text as fits into a limit of UTF-16 units, cut between graphemes."""
    end = min(len(text), max(limit, 0))
    while (over := utf16_length(text[:end]) - limit) > 0 < end:
        end -= (over + 1) // 2
    return text[: whole_graphemes(text, end)]


def shorten(text: str, limit: int) -> str:
    """Return a text that fits into a limit of UTF-16 units; one that was cut ends in an ellipsis."""
    if utf16_length(text) <= limit:
        return text
    return truncate(text, limit - 1).rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def whole_graphemes(text: str, end: int) -> int:
    """Return how far a beginning of a text reaches that parts no grapheme and is not longer than `end`.

    A text that is one single grapheme is parted all the same: something is to be left of it.
    """
    around = text[max(end - 1, 0) : end + 1]
    if not 0 < end < len(text) or (around.isascii() and around != "\r\n"):
        return end
    import regex  # noqa: PLC0415 - takes a while to load, and few texts are ever cut

    start = 0
    for grapheme in regex.finditer(_GRAPHEME, text[: end + 1]):
        start = grapheme.start()
    return start or end
