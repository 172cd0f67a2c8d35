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

# Addresses that hold signs of markup.
ADDRESSES = [
    "https://gitlab.example.test/team/project/-/issues/7",
    "http://search.example.test:9200/_cluster/health",
    "https://a.test/x_y_/*b*/~joe/+x+",
    "https://a.test/?a[0]=1&b={x}|y",
    "https://a.test/a!b!c#part",
    "https://a.test/wiki/Fan_(device)",
    "https://a.test/\u00e4_\u00f6/%20_x",
    "https://a.test/?q=a--b&n=-1",
]
