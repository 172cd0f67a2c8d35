"""Reading a large file with libyaml: a hundred times as fast as ruamel.yaml, and it complains of nothing.

It either reads a text exactly as `positions.py` does, or leaves it alone: what is wrong or unusual has to be read, and
told, by the one parser whose sentences people know. What both may understand differently is left alone too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

KeyPath = tuple[str | int, ...]
Positions = dict[KeyPath, tuple[int, int]]

# A tab, another line end, an odd space, a directive or a document marker.
_UNUSUAL = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ufefe\uff00-\ufffd]|^(?:%|---|\.\.\.)", re.MULTILINE)
# Within {…} and […] the versions of YAML differ in what these may mean inside a word.
_AMBIGUOUS_IN_FLOW = re.compile(r"^-|[:?,\[\]{}#]")
_REFERENCE = re.compile("\\$\ue000[^\ue001]*\ue001")

Scalar = str | int | float | bool | None


class _LeftAlone(Exception):
    """Something is wrong or unusual."""


def read(
    text: str, *, max_depth: int, scalar: Callable[[str], Scalar], shown: Callable[[str], str]
) -> tuple[dict[str, Any], Positions] | None:
    """Return the values of a text and where each key stands; None when it has to be read by ruamel.yaml.

    Args:
        text: the file, references hidden.
        max_depth: how deep it may be nested.
        scalar: what a word without quotes means; raises `LookupError` for what is no value.
        shown: makes references of hidden ones again.
    """
    if _UNUSUAL.search(text):
        return None
    try:
        from yaml import YAMLError  # noqa: PLC0415 - small files do without it
        from yaml._yaml import CParser  # noqa: PLC0415 - as above
    except ImportError:  # built without libyaml
        return None
    try:
        return _Events(CParser(text), max_depth, scalar, shown).document()
    except (YAMLError, _LeftAlone, LookupError):
        return None


class _Events:
    """Builds values from libyaml's events."""

    def __init__(
        self,
        parser: Any,  # noqa: ANN401 - of C
        max_depth: int,
        scalar: Callable[[str], Scalar],
        shown: Callable[[str], str],
    ) -> None:
        from yaml import events  # noqa: PLC0415 - as above

        self._next = parser.get_event
        self._max_depth = max_depth
        self._scalar = scalar
        self._shown = shown
        self._scalar_event, self._mapping = events.ScalarEvent, events.MappingStartEvent
        self._sequence, self._end = events.SequenceStartEvent, events.CollectionEndEvent
        self._positions: Positions = {}

    def document(self) -> tuple[dict[str, Any], Positions]:
        from yaml import events  # noqa: PLC0415 - as above

        self._next()  # the stream
        self._expect(self._next(), events.DocumentStartEvent)
        first = self._next()
        self._expect(first, self._mapping)
        values = self._value(first, (), in_flow=False)
        self._expect(self._next(), events.DocumentEndEvent)
        self._expect(self._next(), events.StreamEndEvent)
        return values, self._positions

    def _expect(self, event: object, kind: type) -> None:
        if not isinstance(event, kind):
            raise _LeftAlone

    def _value(self, event: Any, path: KeyPath, *, in_flow: bool) -> Any:  # noqa: ANN401 - YAML holds anything
        kind = type(event)
        if len(path) >= self._max_depth:
            raise _LeftAlone
        if kind is self._scalar_event:
            return self._word(event, in_flow=in_flow)
        if kind not in {self._mapping, self._sequence} or event.tag or event.anchor:
            raise _LeftAlone
        flow = in_flow or bool(event.flow_style)
        return self._keys(path, in_flow=flow) if kind is self._mapping else self._entries(path, in_flow=flow)

    def _word(self, event: Any, *, in_flow: bool) -> Scalar:  # noqa: ANN401 - of C
        if event.tag or event.anchor:
            raise _LeftAlone
        if not event.implicit[0]:  # it is in quotes, or a block
            return self._shown(event.value)
        if in_flow and _AMBIGUOUS_IN_FLOW.search(_REFERENCE.sub("", event.value)):
            raise _LeftAlone
        return self._scalar(event.value)

    def _keys(self, path: KeyPath, *, in_flow: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), self._end):
            self._expect(event, self._scalar_event)
            if self._word(event, in_flow=in_flow) is None or event.value == "<<":
                raise _LeftAlone
            key, mark = self._shown(event.value), event.start_mark
            if key in values:
                raise _LeftAlone
            here = (*path, key)
            self._positions[here] = (mark.line + 1, mark.column + 1)
            values[key] = self._value(self._next(), here, in_flow=in_flow)
        return values

    def _entries(self, path: KeyPath, *, in_flow: bool) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next(), self._end):
            here, mark = (*path, len(values)), event.start_mark
            self._positions[here] = (mark.line + 1, mark.column + 1)
            values.append(self._value(event, here, in_flow=in_flow))
        return values
