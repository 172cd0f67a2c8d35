"""Making mutants: every small mistake that one source file could have had, one at a time.

What is only said is left alone: log lines, texts, names. What decides, stores or calls is not, nor is SQL.
"""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

MODULE = "module"

Change = Callable[[ast.AST], None]

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
_AT_THE_EDGE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b|\b(WHERE|AND|ORDER BY|COALESCE|IS NOT NULL)\b")
_IN_SQL = (
    (r">=", ">"),
    (r"<=", "<"),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )<(?= )", "<="),
    (r"!=", "="),
    (r"\bAND\b", "OR"),
    (r"\bOR\b", "AND"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bMIN\(", "MAX("),
    (r"\bMAX\(", "MIN("),
    (r"\bON CONFLICT DO NOTHING\b", ""),
    (r"(?<=[a-z] )\+ 1\b", "+ 0"),
    (r"\bORDER BY (\w+)", r"ORDER BY -\1"),
)


Trail = tuple[tuple[str, int | None], ...]


_AROUND = 24
_LONGEST = 110


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is and what it changes; `top` is the function around it, by name and first line."""

    path: Path
    source: str
    place: str
    was: str
    now: str
    line: int
    top: tuple[str, int]
    trail: Trail
    change: Change
    nth: int

    @property
    def name(self) -> str:
        """What it goes by among those of its file, whatever lines move."""
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.place}: {self.was} -> {self.now}{again}"

    def tree(self) -> ast.Module:
        """Return the whole file with the mistake."""
        tree = ast.parse(self.source)
        self.change(_at(tree, self.trail))
        return ast.fix_missing_locations(tree)


def mutants(path: Path) -> list[Mutant]:
    """Return all mutants of a file, in the order of its lines."""
    source = path.read_text()
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for place, top, trail, node in _walk(ast.parse(source)):
        for long_was, long_now, change in _changes(node):
            if top[0] == MODULE and (_is_number(node) or isinstance(node, ast.BinOp)):
                continue  # how long and how many is a matter of taste; unions are types
            was, now = _short(long_was), _short(long_now)
            seen[place, was, now] += 1
            line = getattr(node, "lineno", top[1])
            found.append(Mutant(path, source, place, was, now, line, top, trail, change, seen[place, was, now]))
    return found


def _walk(tree: ast.Module) -> Iterator[tuple[str, tuple[str, int], Trail, ast.AST]]:
    """Go through what runs: bodies of functions, and the values of the module's constants."""
    for number, node in enumerate(tree.body):
        yield from _walk_top(node, "", (("body", number),))


def _walk_top(node: ast.stmt, prefix: str, trail: Trail) -> Iterator[tuple[str, tuple[str, int], Trail, ast.AST]]:
    if isinstance(node, ast.ClassDef):
        for number, inner in enumerate(node.body):
            yield from _walk_top(inner, f"{prefix}{node.name}.", (*trail, ("body", number)))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place = f"{prefix}{node.name}"
        line = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        yield place, (place, line), trail, node
        for number, inner in enumerate(node.body):
            if not _is_text(inner):
                for way, each in _inside(inner, (*trail, ("body", number))):
                    yield place, (place, line), way, each
    elif isinstance(node, ast.Assign | ast.AnnAssign) and not prefix and node.value is not None:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name):
            for way, each in _inside(node.value, (*trail, ("value", None))):
                yield target.id, (MODULE, node.lineno), way, each


def _inside(node: ast.AST, trail: Trail) -> Iterator[tuple[Trail, ast.AST]]:
    if _is_log(node) or isinstance(node, ast.Nonlocal):
        return
    yield trail, node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "args"} and not isinstance(node, ast.Call):
            continue
        if isinstance(value, ast.AST):
            yield from _inside(value, (*trail, (name, None)))
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                if isinstance(inner, ast.AST):
                    yield from _inside(inner, (*trail, (name, number)))


def _at(tree: ast.AST, trail: Trail) -> ast.AST:
    node = tree
    for name, number in trail:
        value = getattr(node, name)
        node = value if number is None else value[number]
    return node


def _changes(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Return what may be wrong about one node: how it reads, how it would read, and what makes it so."""
    for kind in (_conditions, _comparisons, _operators, _results, _constants, _dropped):
        yield from kind(node)


def _conditions(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Let a condition be false, or true, whatever is so."""
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        tests: list[tuple[str, int | None, ast.expr]] = [("test", None, node.test)]
    elif isinstance(node, ast.comprehension):
        tests = [("ifs", number, test) for number, test in enumerate(node.ifs)]
    else:
        return
    for name, number, test in tests:
        if not isinstance(test, ast.Constant):
            for outcome in (False, True):
                yield f"if {ast.unparse(test)}", str(outcome), partial(_put, name, number, ast.Constant(outcome))


def _comparisons(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Turn a comparison, or move its edge."""
    if isinstance(node, ast.Compare):
        for number, op in enumerate(node.ops):
            for table in (_TURNED, _AT_THE_EDGE):
                if type(op) in table:
                    yield _told(node, partial(_put, "ops", number, table[type(op)]()))


def _operators(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Exchange an operator for its opposite, or leave out a `not`."""
    match node:
        case ast.BoolOp(op=ast.And()):
            yield _told(node, partial(_put, "op", None, ast.Or()))
        case ast.BoolOp():
            yield _told(node, partial(_put, "op", None, ast.And()))
        case ast.UnaryOp(op=ast.Not()):
            twice = ast.UnaryOp(ast.Not(), node.operand)
            yield ast.unparse(node), ast.unparse(node.operand), partial(_put, "operand", None, twice)
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC and not _joins_text(node):
            yield _told(node, partial(_put, "op", None, _ARITHMETIC[type(node.op)]()))
        case ast.Call(func=ast.Name(id=name)) if name in _OPPOSITES:
            yield _told(node, partial(_put, "func", None, ast.Name(_OPPOSITES[name], ast.Load())))


def _results(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Return nothing, or handle no error."""
    match node:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant) or _is_number(value):
            yield _told(node, partial(_put, "value", None, ast.Constant(None)))
        case ast.ExceptHandler(body=[ast.Raise()]):
            return
        case ast.ExceptHandler():
            what = ast.unparse(node.type) if node.type else ""
            yield f"except {what}", "raise", partial(_put, "body", None, [ast.Raise()])


def _dropped(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Drop a statement: a call made for its effect, a field that is set, an error that is raised."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        for number, inner in enumerate(block if isinstance(block, list) else ()):
            if _has_effect(inner):
                yield ast.unparse(inner), "(nothing)", partial(_put, name, number, ast.Pass())


def _has_effect(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()):
            return not _is_log(node) and "super()" not in ast.unparse(node)  # a function's cells stay as they are
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign():
            return True
        case ast.Raise() | ast.Break() | ast.Continue():
            return True
    return False


def _constants(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Turn a flag, move a number, or get SQL wrong."""
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield _told(node, partial(_put, "value", None, not value))
    elif isinstance(value, int | float):
        yield _told(node, partial(_put, "value", None, value + 1))
    elif isinstance(value, str) and _SQL.search(value):
        for pattern, new in _IN_SQL:
            for found in re.finditer(pattern, value):
                with_it = found.expand(new)
                text = value[: found.start()] + with_it + value[found.end() :]
                around = value[max(found.start() - _AROUND, 0) : found.end() + _AROUND]
                yield f"SQL ...{around}...", with_it or "(nothing)", partial(_put, "value", None, text)


def _put(name: str, number: int | None, value: object, node: ast.AST) -> None:
    """Put something in a node's field, or in one place of the list that the field is."""
    if number is None:
        setattr(node, name, value)
    else:
        getattr(node, name)[number] = value


def _told(node: ast.AST, change: Change) -> tuple[str, str, Change]:
    """Show what a change makes of a piece of source."""
    changed = copy.deepcopy(node)
    change(changed)
    return ast.unparse(node), ast.unparse(ast.fix_missing_locations(changed)), change


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not _is_flag(node)


def _is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_log(node: ast.AST) -> bool:
    """Return whether a statement only logs, or only decides about that."""
    if isinstance(node, ast.If):
        return all(map(_is_log, [*node.body, *node.orelse]))
    return isinstance(node, ast.Expr) and bool(re.match(r"(\w+\.)*_?log\.\w+\(", ast.unparse(node)))


def _joins_text(node: ast.BinOp | ast.AugAssign) -> bool:
    parts = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(isinstance(one, ast.JoinedStr) or _is_word(one) for one in parts)


def _is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[:70]} ... {flat[-35:]}"
