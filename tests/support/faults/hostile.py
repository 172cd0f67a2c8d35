"""What strangers send: texts, headers, JSON, and valid documents with one thing wrong in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# Decorates a property; the profiles are registered in conftest.py.
thoroughly = settings.get_profile("campaign" if os.environ.get("CONNECTOR_CAMPAIGN") == "long" else "quick")

_PLACE = "a place for what Python itself cannot write"

texts = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ["", " ", "\0", "\ud800", "\udfff\ud800", "\r\n", "\u2028", "\u202e", "\ufeff", "x" * 70_000, "\U0001f525" * 300]
)
times = st.sampled_from(
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999999-14:00",
        "2026-02-30T00:00:00Z",
        "2026-03-02T18:30:00.123+0900",
        "2026-03-02T24:00:00Z",
        "2026-03-02T18:30:00+23:59:59.999999",
        "2026-03-02",
        "1772443800",
    ]
)
zones = st.sampled_from(["America/New_York", "Pacific/Kiritimati", "Etc/GMT+12", "../x", "/etc/passwd", "", "posix"])
numbers = st.sampled_from([0, -1, 1, 2**63, -(2**64), 10**400, 1e308, 5e-324, float("nan"), float("inf")])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | numbers | texts | times | zones
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

headers = texts | st.sampled_from(
    [
        "x" * 100_000,
        "v1,",
        "v1,AAAA",
        "v1,\u00e4\u00f6",
        "v1,AAAA v1,BBBB v2,CCCC",
        "v1,AAAA " * 5000,
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 64 + ", sha256=" + "1" * 64,
        "sha256=\u0660" + "0" * 63,
        "9" * 5000,
        "-1",
        "1e9",
        "NaN",
        "\u0661" * 10,
    ]
)


def written(value: object, *, raw: bool = False) -> bytes:
    """Write JSON as careless senders do: NaN is allowed, and halves of characters are not escaped if `raw`."""
    return json.dumps(value, ensure_ascii=not raw).encode("utf-8", "surrogatepass")


ODD_BODIES = [
    b"",
    b"\0",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 900 + b"]" * 900,
    b"1" * 10_000,
    b"-" * 10,
    b"NaN",
    b"1e999999",
    b'"\xed\xa0\x80"',
    b'{"a":1}{"a":2}',
]
bodies = st.binary(max_size=100) | st.builds(written, values, raw=st.booleans()) | st.sampled_from(ODD_BODIES)


# What has broken other people's parsers, each worth trying everywhere.
WORST: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\0",
    "\ud800",
    "\r\n",
    "\u0100\u202e",
    "x" * 70_000,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "https://a.test\0\x1b/rest/api/2/issue/1",
    "https://[/rest/api/2/",
    "America/New_York",
    "../../etc/passwd",
    [],
    {},
    [None],
    {"": [{}]},
)


def each_spoiled(document: Any) -> Iterator[bytes]:  # noqa: ANN401 - JSON
    """Write a valid document again and again: without each thing in it, and with each of the worst in its place."""
    for number in range(len(list(_places(document)))):
        for worst in (*WORST, _PLACE):
            tree = deepcopy(document)
            owner, key = list(_places(tree))[number]
            owner[key] = worst
            yield written(tree).replace(written(_PLACE), b"[" * 950 + b"]" * 950)
        del owner[key]
        yield written(tree)


@st.composite
def spoiled(draw: st.DrawFn, document: Any) -> bytes:  # noqa: ANN401 - JSON
    """Draw a valid document with one thing wrong in it: something left out, replaced, nested too deep, or twice."""
    tree = deepcopy(document)
    owner, key = draw(st.sampled_from(list(_places(tree))))
    how = draw(st.sampled_from(["leave out", "replace", "replace", "replace", "nest", "repeat", "add", "cut", "flip"]))
    if how == "leave out":
        del owner[key]
    elif how == "replace":
        owner[key] = draw(st.one_of(st.sampled_from(WORST), values))
    elif how in {"nest", "repeat"}:
        owner[key] = _PLACE
    elif how == "add":
        owner.update({draw(texts): draw(values)}) if isinstance(owner, dict) else owner.append(draw(values))
    text = written(tree, raw=draw(st.booleans()))
    if how == "nest":
        depth = draw(st.integers(1, 1100))
        opening, closing = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]))
        text = text.replace(written(_PLACE), opening * depth + b"1" + closing * depth)
    if how == "repeat":
        again = written(draw(values))
        text = text.replace(written(_PLACE), again + b"," + written(str(key)) + b":" + written(draw(values)))
    if how == "cut":
        text = text[: draw(st.integers(0, len(text)))]
    if how == "flip":
        text = flipped(text, draw(st.integers(0, len(text) * 8 - 1)))
    return text


def flipped(raw: bytes, position: int) -> bytes:
    """Return the same bytes with one bit turned over."""
    changed = bytearray(raw)
    changed[position // 8] ^= 1 << position % 8
    return bytes(changed)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """List every place of a document as its owner and the key or index in it."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
