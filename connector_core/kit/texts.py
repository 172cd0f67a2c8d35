"""Plain text as ticketing systems take it: without what they cannot hold, in one line, cut to a length.

What a text looks like in a language of markup is in `markup.py`; the description of a ticket is in `details.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files

from connector_core.contract.lengths import whole_graphemes

CUT = "\N{HORIZONTAL ELLIPSIS}"  #: what a line ends in that was cut
CUT_NOTE = "(The text was cut here: it is longer than the ticketing system takes.)"  #: and what a text ends in

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# The same for ASCII, which is translated ten times as fast as it is searched; every delivery is cleaned.
_ASCII = {**dict.fromkeys((*range(0x20), 0x7F)), **dict.fromkeys((0x0A, 0x0B, 0x0C, 0x0D), "\n"), 0x09: "\t"}
# Embeddings, overrides and isolates would turn round whatever a page shows after the title; plain marks stay.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    r"""Return a text as far as JSON and databases can hold it, with line feeds as its only line ends.

    Control characters are left out, halves of characters become U+FFFD.

        >>> clean("one\r\ntwo\x00")
        'one\ntwo'
    """
    if text.isascii():
        return text.replace("\r\n", "\n").translate(_ASCII)
    return _SURROGATE.sub(_REPLACEMENT, _NOT_TEXT.sub("", _LINE_ENDS.sub("\n", text)))


def normalise(text: str) -> str:
    r"""Return a text without what does not survive an editor: trailing blanks, more than one empty line, the edges.

    Texts are compared in this form, so that a text that was only written anew is nobody's change.

        >>> normalise("one  \n\n\n\ntwo\n")
        'one\n\ntwo'
    """
    return trimmed(clean(text))


def trimmed(text: str) -> str:
    r"""Normalise a text that was cleaned before: once is enough, and every delivery is read.

    >>> trimmed(" one \n")
    'one'
    """
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n\n\n+", "\n\n", "\n".join(lines)).strip()


def one_line(
    text: str, longest: int, *, count: Callable[[str], int] = len, empty: str = "Incident", cut: str = CUT
) -> str:
    r"""Bring a text into one line, as a title or a name; a long one is cut between words and ends in `cut`.

    `longest` is in whatever `count` counts: characters by `len`, UTF-16 units by `connector_core.utf16_length`. A text
    without anything to see becomes `empty`. What would turn round the direction of a page is left out.

        >>> one_line("The fan\n of room 4 failed", 12)
        'The fan of…'
    """
    line = " ".join(_TURNS.sub("", clean(text)).split())
    if not line:
        return empty
    if count(line) <= longest:
        return line
    start = beginning(line, longest - count(cut), count=count)
    words, space, _ = start.rpartition(" ")
    # One endless word, or a short start before it, is cut inside: half a line is worth more than a tidy end.
    return (words if space and len(words) > longest // 2 else start).rstrip() + cut


def fitted(
    text: str,
    longest: int,
    *,
    count: Callable[[str], int] = len,
    escape: Callable[[str], str] = clean,
    note: str = CUT_NOTE,
) -> str:
    """Write a plain text by `escape` so that it is at most so long; one that was cut ends in `note`.

    The words are cut and not what was made of them, between graphemes: half an escape would change what follows, half
    a character is another one. `longest` is in whatever `count` counts.

        >>> fitted("a & b", 99, escape=HTML.escape)
        '<p>a &amp; b</p>'
    """
    written = escape(text)
    if count(written) <= longest:
        return written
    end = "\n\n" + escape(note)
    return escape(beginning(text, longest - count(end), count=lambda part: count(escape(part.rstrip()))).rstrip()) + end


def beginning(text: str, longest: int, *, count: Callable[[str], int] = len) -> str:
    r"""Return as much of the beginning of a text as is not longer than that, cut between graphemes.

    The longer the beginning, the more `count` has to say.

    >>> beginning("a\U0001f1e9\U0001f1ea", 2)
    'a'
    """
    low, high = 0, min(len(text), max(longest, 0))
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) <= longest:
            low = middle
        else:
            high = middle - 1
    return text[: whole_graphemes(text, low)]


def packaged(package: str, name: str) -> str:
    """Return a text that is a file of a package: what set-up tells people to do, a script that they paste.

    >>> packaged("connector_core", "py.typed")
    ''
    """
    return files(package).joinpath(name).read_text(encoding="utf-8")
