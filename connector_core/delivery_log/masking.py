"""What is left of headers and bodies once their secrets are out: all that the delivery log keeps.

    masking = Masking(known=["s3cr3t-value"])
    masking.headers({"Authorization": "Bearer abc"})  # {"Authorization": "Bearer ***"}
    masking.body(b'{"refresh_token": "abcdefgh", "scope": "x"}', "application/json")

Secrets are found by where they stand (headers, keys of JSON and of forms, parameters of addresses) and by what they are
(values that are `known`). What was found at one place of an entry is taken out at every other place of it, too: call
`finished` on each text once all were read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from connector_core.contract import secret_addresses
from connector_core.http.calls import MOST_BODY
from connector_core.secrets import MASK, MIN_MASKED_LENGTH, spellings

#: What was found by its place is looked for elsewhere if it is this long; shorter ones may be ordinary words.
LONG_ENOUGH = 8
#: Of an entry with more of them nothing is kept: looking for each at every place would take seconds, and strangers may
#: send such bodies.
MOST_FOUND = 1000
TOO_LARGE, BINARY, FILES, UNREADABLE = "too_large", "binary", "files", "unreadable"

_NOT_UTF8 = re.compile(r"[\udc80-\udcff]")
_PARTS = (
    *("token", "secret", "password", "passwd", "passphrase", "apikey", "privatekey", "accesskey", "credential"),
    *("authorization", "cookie", "signature", "assertion", "sessionid", "bearer"),
)
_WHOLE = frozenset({"pass", "pwd", "auth", "otp", "jwt", "sid", "pin", "sig"})
#: These are secrets in forms and in addresses, and ordinary words in JSON.
_IN_FORMS = frozenset({"code", "codeverifier", "key", "state"})
_HEADERS = re.compile(r"auth|cookie|token|secret|passw|signature|api-?key|credential|session|csrf|hmac", re.IGNORECASE)
_SCHEME = re.compile(r"(Bearer|Basic|Digest|Token|GenieKey)\s+(.+)", re.IGNORECASE | re.DOTALL)
_WORD = r"(?:token|secret|passw|passphrase|api[_-]?key|signature|credential|assertion|session_?id)"
# Whoever sends a body chooses what these run over: no repetition of theirs is without a limit or a fixed begin. Each
# comes with what has to be in a text, in small letters, for it to be worth looking.
_IN_TEXT = (
    *secret_addresses.PATTERNS,
    (
        "=",
        re.compile(
            rf"([?&;](?:[\w.-]{{0,40}}?{_WORD}[\w.-]{{0,40}}|code|key|sig|state)=)([^&\s\"'<>]{{1,4000}})",
            re.IGNORECASE,
        ),
    ),
    ("bearer", re.compile(r"\b(Bearer\s{1,5})([A-Za-z0-9+/=._~-]{8,4000})", re.IGNORECASE)),
    ("basic", re.compile(r"\b(Basic\s{1,5})([A-Za-z0-9+/=._~-]{8,4000})", re.IGNORECASE)),
    ("eyj", re.compile(r"()((?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+)")),
    ("private key-", re.compile(r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)(.+?)(?=-----END|\Z)", re.DOTALL)),
)
#: Where a text is neither JSON nor a form: `password: x`, `token=x`, `"secret": "x"`, `<password>x</password>`.
_IN_LINES = (
    re.compile(rf"(<[\w:.-]{{0,40}}?{_WORD}[\w.-]{{0,40}}>)([^<]{{1,4000}})", re.IGNORECASE),
    re.compile(
        rf"((?:{_WORD}[\w.-]{{0,40}}|\b(?:pass|pwd|auth))[\"']?[ \t]{{0,5}}[:=]\s{{0,5}}[\"']?)"
        r"([^\s\"'&,;<>]{1,4000})",
        re.IGNORECASE,
    ),
)
#: Nothing without a sign of `_IN_TEXT` has a secret in it that is shorter.
_SHORTEST = 12
_DEEPEST, _LONGEST_NAME = 60, 100


@dataclass
class Masking:
    """Takes the secrets out of one entry; `known` are values that are secret wherever they stand."""

    known: Iterable[str] = ()
    _found: set[str] = field(default_factory=set, init=False)
    #: All that `finished` looks for, the longest first; None when something was found since it was put together.
    _forms: list[str] | None = field(default=None, init=False)
    #: Texts that were looked through: many stand in a body again and again.
    _read: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._known = {form for value in self.known if len(value) >= MIN_MASKED_LENGTH for form in spellings(value)}

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers; of an Authorization the scheme is left."""
        return {name: self._header(name, str(value)) for name, value in headers.items()}

    def address(self, url: str) -> str:
        """Return host and path of an address, and the names in its query with their values masked."""
        try:
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]
            query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return MASK
        if parts.password:
            self._take(unquote(parts.password))
        for _, value in query:
            self._take(value)
        asked = "&".join(f"{name}={MASK}" for name, _ in query)
        return f"{host}{self._text(parts.path)}{f'?{asked}' if asked else ''}"

    def body(self, body: bytes | str | None, kind: str = "") -> tuple[str, str]:
        """Return a body and nothing, or nothing and why it is not kept.

        `kind` is its content type; what it says is not believed where the body is something else.
        """
        if body is None or len(body) > MOST_BODY:  # to read it would cost more than it tells
            return "", TOO_LARGE
        if kind.lower().startswith("multipart/"):
            return "", FILES
        text = body if isinstance(body, str) else body.decode("utf-8-sig", "surrogateescape")
        if "\0" in text or _NOT_UTF8.search(text):
            return "", BINARY
        try:
            return self._masked(text, kind), ""
        except RecursionError:
            return "", UNREADABLE

    def finished(self, text: str) -> str:
        """Return a text without what is known, and without what was found at any place so far.

        Nothing is left of it where more than `MOST_FOUND` were found.
        """
        if len(self._found) > MOST_FOUND:
            return MASK if text else text
        if self._forms is None:
            forms = self._known | {form for value in self._found for form in spellings(value)}
            self._forms = sorted(forms, key=len, reverse=True)
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def is_touched(self, text: str) -> bool:
        """Return whether a text holds a value that is known to be secret."""
        return any(form in text for form in self._known)

    def _take(self, value: str) -> None:
        if len(value) >= LONG_ENOUGH and value != MASK and value not in self._found:
            self._found.add(value)
            self._forms = None

    def _header(self, name: str, value: str) -> str:
        if _HEADERS.search(name) is None:
            return self._text(value)
        schemed = _SCHEME.fullmatch(value)
        if schemed is None:
            self._take(value)
            return MASK
        self._take(schemed[2])
        return f"{schemed[1]} {MASK}"

    def _masked(self, text: str, kind: str) -> str:
        start = text.lstrip()[:1]
        if start in {"{", "[", '"'}:
            try:
                return json.dumps(self._value(json.loads(text), 0), ensure_ascii=False)
            except ValueError:
                return self._lines(text)
        if "x-www-form-urlencoded" in kind.lower():
            return self._form(text)
        return self._lines(text)

    def _form(self, text: str) -> str:
        try:
            fields = parse_qsl(text, keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            return self._lines(text)
        shown: list[tuple[str, str]] = []
        for name, value in fields:
            if _is_secret(name) or _plain(name) in _IN_FORMS:
                self._take(value)
                shown.append((name, MASK))
            else:
                shown.append((name, self._nested(value, 0)))
        return urlencode(shown, safe="*")

    def _value(self, value: object, depth: int) -> object:
        if depth > _DEEPEST:
            return MASK
        if isinstance(value, dict):
            is_grant = "grant_type" in value  # what forms of OAuth hold, sent as JSON
            named = _named_beside(value)
            return {
                self._text(name): self._member(named if name == "value" else name, inner, depth + 1, is_grant=is_grant)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._value(inner, depth + 1) for inner in value]
        return self._nested(value, depth) if isinstance(value, str) else value

    def _member(self, name: str, value: object, depth: int, *, is_grant: bool) -> object:
        if not (_is_secret(name) or (is_grant and _plain(name) in _IN_FORMS)):
            return self._value(value, depth)
        if value is None or isinstance(value, bool):
            return value
        for text in _leaves(value):
            self._take(text)
        return MASK

    def _nested(self, text: str, depth: int) -> str:
        """Mask a text; one that is JSON itself as such."""
        if text.lstrip()[:1] in {"{", "["}:
            try:
                return json.dumps(self._value(json.loads(text), depth + 1), ensure_ascii=False)
            except ValueError:
                return self._lines(text)
        return self._lines(text) if ":" in text or "=" in text else self._text(text)

    def _lines(self, text: str) -> str:
        for pattern in _IN_LINES:
            text = pattern.sub(self._replaced, text)
        return self._text(text)

    def _text(self, text: str) -> str:
        if text.isidentifier() or (len(text) < _SHORTEST and "=" not in text and "@" not in text):  # most of them
            return text
        if (known := self._read.get(text)) is not None:
            return known
        small, masked = text.lower(), text
        for hint, pattern in _IN_TEXT:
            if hint in small:
                masked = pattern.sub(self._replaced, masked)
        self._read[text] = masked
        return masked

    def _replaced(self, match: re.Match[str]) -> str:
        self._take(unquote(match[2]))
        return f"{match[1]}{MASK}"


def _named_beside(value: Mapping[str, object]) -> str:
    """Return what an object's `value` is called: lists of headers and of fields say it beside it."""
    names = (text for key in ("name", "key", "field") if isinstance(text := value.get(key), str) and _is_secret(text))
    return next(names, "value")


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _is_secret(name: str) -> bool:
    return _is_secret_name(name[:_LONGEST_NAME])


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    plain = _plain(name)
    return plain in _WHOLE or any(part in plain for part in _PARTS)


def _leaves(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
