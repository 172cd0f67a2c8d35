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
    (r"= NULL\b", "= 0"),
)


Trail = tuple[tuple[str, int | None], ...]


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


def _walk_top(
    node: ast.stmt, prefix: str, trail: Trail
) -> Iterator[tuple[str, tuple[str, int], Trail, ast.AST]]:
    if isinstance(node, ast.ClassDef):
        for number, inner in enumerate(node.body):
            yield from _walk_top(inner, f"{prefix}{node.name}.", (*trail, ("body", number)))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place = f"{prefix}{node.name}"
        line = min([node.lineno, *(one.lineno for one in node.decorator_list)])
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
    match node:
        case ast.If() | ast.While() | ast.IfExp():
            yield from _conditions(node.test, "test", None)
        case ast.comprehension():
            for number, test in enumerate(node.ifs):
                yield from _conditions(test, "ifs", number)
        case ast.Compare():
            yield from _compared(node)
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield _set(node, "op", other())
        case ast.UnaryOp(op=ast.Not()):
            yield f"not {ast.unparse(node.operand)}", ast.unparse(node.operand), _without_not
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC and not _joins_text(node):
            yield _set(node, "op", _ARITHMETIC[type(node.op)]())
        case ast.Return(value=ast.expr() as value) if not _is_none(value) and not _is_flag(value):
            yield _set(node, "value", ast.Constant(None))
        case ast.ExceptHandler():
            if not (len(node.body) == 1 and isinstance(node.body[0], ast.Raise)):
                yield f"except {ast.unparse(node.type) if node.type else ''}", "raise", _raising
        case ast.Constant():
            yield from _constants(node)
        case ast.Call(func=ast.Name(id=name)) if name in _OPPOSITES:
            yield _set(node, "func", ast.Name(_OPPOSITES[name], ast.Load()))
        case _:
            pass
    yield from _dropped(node)


def _conditions(test: ast.expr, name: str, number: int | None) -> Iterator[tuple[str, str, Change]]:
    for outcome in (False, True):
        if isinstance(test, ast.Constant):
            continue

        def change(node: ast.AST, outcome: bool = outcome) -> None:  # noqa: FBT001 - bound here
            value = ast.Constant(outcome)
            if number is None:
                setattr(node, name, value)
            else:
                getattr(node, name)[number] = value

        yield f"if {ast.unparse(test)}", str(outcome), change


def _compared(node: ast.Compare) -> Iterator[tuple[str, str, Change]]:
    for number, op in enumerate(node.ops):
        for table in (_TURNED, _AT_THE_EDGE):
            if type(op) in table:

                def change(one: ast.AST, number: int = number, new: type[ast.cmpop] = table[type(op)]) -> None:
                    one.ops[number] = new()  # type: ignore[attr-defined]

                yield _told(node, change)


def _dropped(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Drop a statement: a call made for its effect, a field that is set, an error that is raised."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and not isinstance(node, ast.ClassDef):
            for number, inner in enumerate(block):
                if _has_effect(inner):

                    def change(one: ast.AST, name: str = name, number: int = number) -> None:
                        getattr(one, name)[number] = ast.Pass()

                    yield ast.unparse(inner), "(nothing)", change


def _has_effect(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()):
            return not _is_log(node)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign():
            return True
        case ast.Raise() | ast.Break() | ast.Continue():
            return True
    return False


def _constants(node: ast.Constant) -> Iterator[tuple[str, str, Change]]:
    value = node.value
    if isinstance(value, bool):
        yield _set(node, "value", not value)
    elif isinstance(value, int | float):
        yield _set(node, "value", value + 1)
    elif isinstance(value, str) and _SQL.search(value):
        for pattern, new in _IN_SQL:
            for found in re.finditer(pattern, value):
                text = value[: found.start()] + found.expand(new) + value[found.end() :]
                around = slice(max(found.start() - 24, 0), found.end() + 24)

                def change(one: ast.AST, text: str = text) -> None:
                    one.value = text  # type: ignore[attr-defined]

                yield f"SQL ...{value[around]}...", new.replace(r"\1", found[0].split()[-1]) or "(nothing)", change


def _set(node: ast.AST, name: str, value: object) -> tuple[str, str, Change]:
    def change(one: ast.AST) -> None:
        setattr(one, name, value)

    return _told(node, change)


def _told(node: ast.AST, change: Change) -> tuple[str, str, Change]:
    """Show what a change makes of a piece of source."""
    changed = copy.deepcopy(node)
    change(changed)
    return ast.unparse(node), ast.unparse(ast.fix_missing_locations(changed)), change


def _without_not(node: ast.AST) -> None:
    operand = node.operand  # type: ignore[attr-defined]
    node.operand = ast.UnaryOp(ast.Not(), operand)  # type: ignore[attr-defined]


def _raising(node: ast.AST) -> None:
    node.body = [ast.Raise()]  # type: ignore[attr-defined]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not _is_flag(node)


def _is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_log(node: ast.AST) -> bool:
    """Tell whether a statement only logs, or only decides about that."""
    if isinstance(node, ast.If):
        return all(map(_is_log, [*node.body, *node.orelse]))
    return isinstance(node, ast.Expr) and bool(re.match(r"(\w+\.)*_?log\.\w+\(", ast.unparse(node)))


def _joins_text(node: ast.BinOp | ast.AugAssign) -> bool:
    parts = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(isinstance(one, ast.JoinedStr) or (isinstance(one, ast.Constant) and isinstance(one.value, str)) for one in parts)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 110 else f"{flat[:70]} ... {flat[-35:]}"
