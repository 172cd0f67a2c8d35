"""No test looks for a short word in a page as it was sent: the random letters of a token spell it one day."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# What a token may hold; eight letters of 64 are right once in 10^14, four once in 10^7, and pages have many places.
SHORT = re.compile(r"[\w-]{1,7}", re.ASCII)


def is_as_sent(node: ast.expr, pages: set[str]) -> bool:
    """Return whether an expression is the source of a page, cut or replaced in perhaps."""
    match node:
        case ast.Name(id=name):
            return name in pages
        case ast.Attribute(attr="text") | ast.Call(func=ast.Attribute(attr="content")):
            return True
        case ast.Attribute(value=inner) | ast.Call(func=ast.Attribute(value=inner)) | ast.Subscript(value=inner):
            return is_as_sent(inner, pages)
    return False


def searches(source: str) -> list[str]:
    """Return the words that a file's tests do not want in a page and that a token may spell."""
    found: list[str] = []
    if not re.search(r"[\"'] not in ", source) or not re.search(r"\.text\b|\.content\(", source):
        return found  # most files have nothing of the kind, and reading one closely takes long
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        pages: set[str] = set()
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_as_sent(value, pages):
                    pages.add(name)
        for node in ast.walk(function):
            match node:
                case ast.Compare(left=ast.Constant(value=str(word)), ops=[ast.NotIn()], comparators=[place]):
                    if SHORT.fullmatch(word) and is_as_sent(place, pages):
                        found.append(word)
    return found


@pytest.mark.extended
def test_short_words_are_looked_for_in_what_a_page_shows():
    """`shown` in `tests/support/pages.py` leaves out what nobody sees."""
    found = {
        str(path.relative_to(HERE)): words for path in HERE.rglob("test_*.py") if (words := searches(path.read_text()))
    }

    assert found == {}


def test_such_a_search_is_seen():
    """Straight, by way of a name, and cut; but no longer ones, no signs that tokens lack, nothing in what is shown."""
    source = """
def test_one(page, admin):
    text = admin.get("/").text
    part = text.partition("x")[0]
    assert "IT" not in text
    assert "Retry" not in admin.get("/").text.replace("Retrying", "")
    assert "cut" not in part
    assert "loaded" not in page.content()
    assert "Remove all of it" not in text
    assert "<b>" not in text
    assert "shown" not in shown(text)
"""

    assert searches(source) == ["IT", "Retry", "cut", "loaded"]
