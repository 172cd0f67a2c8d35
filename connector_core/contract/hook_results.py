"""What a hook gives back, held against what its specification says it gives back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

MOST_KINDS = 3  # that are named of what stands in a list

Fits = Callable[[object], bool]


@dataclass(frozen=True)
class Hook:
    """What is known of a hook by its specification."""

    name: str
    #: The names of its arguments, in order.
    arguments: tuple[str, ...]
    #: What it gives back, as the specification has it.
    result: str
    #: Whether a value is that; each element of a list is looked at.
    fits: Fits


@cache
def hook_of(spec: Callable[..., object]) -> Hook:
    """Return what is known of a hook; it is worked out once."""
    result = get_type_hints(spec, localns={"Response": object})["return"]  # imported for type checkers only
    name, arguments = getattr(spec, "__name__", ""), tuple(inspect.signature(spec).parameters)
    return Hook(name, arguments, str(spec.__annotations__["return"]), _fits(result))


def kind_of(value: object) -> str:
    """Name what a value is, and what is in it if that is a list or a table."""
    if value is None:
        return "nothing"
    kind = type(value).__name__
    if not value or not isinstance(value, dict | list | tuple):
        return kind
    if isinstance(value, dict):
        return f"{kind} of {_kinds(value)} to {_kinds(value.values())}"
    return f"{kind} of {_kinds(value)}"


def _kinds(values: Iterable[object]) -> str:
    return ", ".join(sorted({type(one).__name__ for one in values})[:MOST_KINDS])


def _fits(kind: Any) -> Fits:  # noqa: ANN401 - what stands behind an arrow
    """Return what tells whether a value is of a kind: a class, a union, a sequence or a mapping."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _any_of(inside)
    if origin is None:
        return _instance_of(NoneType if kind is None else kind)
    if issubclass(origin, Mapping):
        keys, values = map(_fits, inside)
        return lambda value: isinstance(value, Mapping) and all(map(keys, value)) and all(map(values, value.values()))
    if issubclass(origin, Sequence):
        (each,) = map(_fits, inside)
        return lambda value: isinstance(value, Sequence) and not isinstance(value, str) and all(map(each, value))
    raise TypeError(f"no hook may give back {kind}")


def _any_of(kinds: Sequence[Any]) -> Fits:
    """Return what tells whether a value is of one of several kinds; classes, which are quickly told, come first."""
    classes = tuple(one for one in kinds if get_origin(one) is None)
    others = [_fits(one) for one in kinds if get_origin(one) is not None]
    return lambda value: isinstance(value, classes) or any(fits(value) for fits in others)


def _instance_of(kind: type) -> Fits:
    return lambda value: isinstance(value, kind)
