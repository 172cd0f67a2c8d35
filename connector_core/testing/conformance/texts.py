"""Texts that a plugin has to get through to the other side and back, whatever its markup is."""

from __future__ import annotations

from types import MappingProxyType


def plain(text: str | None) -> str:
    """Return a text as people read it: spaces and line ends are no difference."""
    return " ".join((text or "").split())


HOSTILE = MappingProxyType(
    {
        "html": "<b>bold</b> &amp; <script>alert(1)</script> <!-- gone? -->",
        "wiki": "*bold* _it_ {code}x{code} [link|http://a.test] h1. Head\n||a||b||\n|c|d|",
        "markdown": "# Head\n\n* one\n* two\n\n`code` **bold** [link](http://a.test) ~~gone~~\n> said",
        "rules": "one\n----\ntwo\n====\nthree\n***\nfour\n---",
        "spaces": "  two  spaces \t tab \n\n\n  and lines\r\nof Windows\r\n ",
        "letters": "Grüße “quotes” 日本語 🚨👩‍👩‍👧‍👦 e\u0301 \u202eright to left\u202c",
        "controls": "bell\x07 escape\x1b[31m nul\0 separator\u2028next \ufeffmark \ud7ff",
        "mentions": "@all [~accountid:557058:x] <@U123> #123 ABC-1 cnx-00000000000000000000",
        "templates": "{{ incident.title }} ${env:SECRET} %s {0} $(id) `id`",
        "long": "A line that is said often. " * 1500,
        "like ours": "Incident: x\nDevice: y\nLocation: z\nPriority: low\nReference: cnx-1",
        "json": '{"a": "\\u0000", "b": [1, 2]}\\n\\t\\',
    }
)
