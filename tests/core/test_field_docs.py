"""Each field of what plugins exchange with the core says what it holds, beside the field."""

from __future__ import annotations

import ast
import inspect
from enum import Enum
from textwrap import dedent
from typing import Protocol

import pytest

import connector_core
from connector_core import Settings

TYPES = sorted(
    name
    for name in connector_core.__all__
    if inspect.isclass(one := getattr(connector_core, name)) and not issubclass(one, Enum | Exception | Settings)
)  # a setting has a description, which people see too


def undocumented(kind: type) -> list[str]:
    """Return the public fields of a class that have no comment of the form `#: ...` above them."""
    source = dedent(inspect.getsource(kind))
    lines = source.splitlines()
    (made,) = ast.parse(source).body
    assert isinstance(made, ast.ClassDef)
    fields = [one for one in made.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    return [
        one.target.id
        for one in fields
        if isinstance(one.target, ast.Name)
        and not one.target.id.startswith("_")
        and not lines[one.lineno - 2].strip().startswith("#: ")
    ]


@pytest.mark.parametrize("name", TYPES)
def test_each_field_says_what_it_holds(name: str):
    """In a line above it, so that nobody has to look for it in a paragraph."""
    assert undocumented(getattr(connector_core, name)) == []


def test_a_field_that_says_nothing_is_found():
    """Also among others, and below one that does."""

    class Made(Protocol):
        """Something."""

        #: Which one.
        number: int
        name: str

    assert undocumented(Made) == ["name"]
