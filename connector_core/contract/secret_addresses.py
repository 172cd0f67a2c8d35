"""Secrets that stand in addresses, wherever an address stands: passwords, and paths that are the secret.

    >>> hidden("not from https://me:s3cr3t@desk.example/a")
    'not from https://me:***@desk.example/a'

Incoming webhooks of chats have their secret in the path, so whoever sees the address may post. Nobody knows those that
others write into tickets and events; they are told by how such addresses look.
"""

from __future__ import annotations

import re

MASK = "***"

_SLASH = r"\\?/"  # also as some write it in JSON
# Not a secret, but where a configuration file says that one is kept.
_NAMED = r"\$\{[a-z]{1,10}:[^\s\"'{}]{1,200}\}"
_STEP = rf"[^\s\"'<>?#/\\]{{0,100}}{_SLASH}"
_OUR_OWN = rf"(?:{_STEP}){{0,6}}?external{_SLASH}"
# One long step with a digit: `webhooks/getting-started` is a page, and `webhook/5` a number.
_LONG = rf"(?=(?:{_STEP}){{0,6}}?(?=[A-Za-z_@~.=-]{{0,60}}\d)[\w@~.=-]{{16}})"

#: What has to be in a text, in small letters, for it to be worth looking; and what is masked: of each match the second
#: group. Whoever sends a text chooses what these run over: no repetition of theirs is without a limit.
PATTERNS = (
    (
        "@",
        re.compile(
            rf"(:{_SLASH}{_SLASH}(?:{_NAMED}|(?!\$\{{)[^/\s:@\"'<>\\]){{0,200}}:)(?!{_NAMED}@)([^/\s\"'<>\\]{{1,200}})(?=@)"
        ),
    ),
    ("@", re.compile(rf"(:{_SLASH}{_SLASH})([^/\s:@\"'<>\\]{{16,200}})(?=@)")),
    (
        "hook",
        re.compile(
            rf"(:{_SLASH}{_SLASH}(?:[\w-]{{1,63}}\.){{0,6}}?(?:web)?hooks?\.[\w.:-]{{1,200}}{_SLASH}(?!{_OUR_OWN})"
            rf"(?:{_STEP})?)([^\s\"'<>?#]{{12,2000}})",
            re.IGNORECASE,
        ),
    ),
    (
        "hook",
        re.compile(
            rf"(:{_SLASH}{_SLASH}(?!{_OUR_OWN})(?:{_STEP}){{1,6}}?(?:web)?hooks?(?:b2)?{_SLASH}{_LONG})"
            r"([^\s\"'<>?#]{1,2000})",
            re.IGNORECASE,
        ),
    ),
    ("/bot", re.compile(r"(/bot\d{5,20}:)([\w-]{20,200})", re.IGNORECASE)),
)


def hidden(text: str) -> str:
    """Return a text without the secrets in its addresses."""
    if "//" not in text and "\\/" not in text:
        return text
    small = text.lower()
    for hint, pattern in PATTERNS:
        if hint in small:
            text = pattern.sub(rf"\1{MASK}", text)
    return text
