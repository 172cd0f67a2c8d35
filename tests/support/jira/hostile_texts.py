"""Texts that look like wiki markup, or like something else that they are not."""

from __future__ import annotations

HOSTILE = [
    "{code}rm -rf{code}",
    "h1. Not a heading",
    "  bq. not a quotation",
    "||not||a table||",
    "[x|javascript:alert(1)]",
    "!img.png!",
    "----",
    "-- and ---",
    "C:\\temp\\new \\\\server\\share",
    "{color:red}red{color}",
    "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd",
    "\U0001f525 fire",
    "* star\n# number\n- dash\n+ plus",
    "_a_ *b* -c- +d+ ^e^ ~f~ ??g?? {{h}} {quote}",
    "snake_case 2026-03-02 a*b",
    "&#92; &amp; &lt;b&gt; AT&T",
    "[~accountid:123] [^file.txt] [#anchor]",
    ":) ;) :P (y) (!) (see above)",
    "What?? Really!",
]
