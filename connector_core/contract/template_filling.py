"""Computes what a text in which an incident's values stand comes to; each step costs what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from jinja2 import nodes

from connector_core.contract.template_values import (
    FILTERS,
    LONGEST_RESULT,
    LONGEST_TEXT,
    OPERATORS,
    TESTS,
    Missing,
    NotAllowedError,
    size_of,
    text_of,
)

MOST_WORK = 10 * LONGEST_TEXT


class Filling:
    """Computes one text, once; every node is visited at most once."""

    def __init__(self, values: Mapping[str, Any], *, strict: bool) -> None:
        self._values = values
        self._strict = strict
        self._left = MOST_WORK
        self._written: list[str] = []
        self._room = LONGEST_RESULT

    def filled(self, tree: nodes.Template) -> str:
        """Return the text."""
        self._write_all(tree.body)
        return "".join(self._written).strip()

    def _write_all(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            if self._room <= 0:
                return
            self._spend(1)
            if isinstance(node, nodes.Output):
                self._write_all(node.nodes)
            elif isinstance(node, nodes.If):
                self._write_all(self._branch(node))
            elif isinstance(node, nodes.TemplateData):
                self._write(node.data)
            else:
                self._write(self._text(self._value(node)))

    def _branch(self, node: nodes.If) -> list[nodes.Node]:
        for case in (node, *node.elif_):
            if self._known(self._value(case.test)):
                return case.body
        return node.else_

    def _write(self, text: str) -> None:
        kept = text[: self._room]
        self._room -= len(kept)
        self._written.append(kept)

    def _spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise NotAllowedError("it is too much work; make it shorter")

    def _known(self, value: Any) -> Any:  # noqa: ANN401 - what templates hold
        """Return a value that is used; a misspelt name has none."""
        if self._strict and isinstance(value, Missing):
            raise NotAllowedError(f"no incident has a value named {value.name}")
        return value

    def _text(self, value: Any) -> str:  # noqa: ANN401 - as above
        self._spend(size_of(self._known(value)))
        return text_of(value)

    def _value(self, node: Any) -> Any:  # noqa: ANN401 - as above
        self._spend(1)
        return self.HOW[type(node)](self, node)

    def _constant(self, node: nodes.Const) -> Any:  # noqa: ANN401 - as above
        return node.value

    def _incident(self, _: nodes.Name) -> Mapping[str, Any]:
        return self._values

    def _attribute(self, node: nodes.Getattr) -> Any:  # noqa: ANN401 - as above
        return self._part(self._value(node.node), node.attr)

    def _item(self, node: nodes.Getitem) -> Any:  # noqa: ANN401 - as above
        return self._part(self._value(node.node), self._value(node.arg))

    def _and(self, node: nodes.And) -> Any:  # noqa: ANN401 - as above
        left = self._value(node.left)
        return self._value(node.right) if self._known(left) else left

    def _or(self, node: nodes.Or) -> Any:  # noqa: ANN401 - as above
        left = self._value(node.left)
        return left if self._known(left) else self._value(node.right)

    def _not(self, node: nodes.Not) -> bool:
        return not self._known(self._value(node.node))

    def _chosen(self, node: nodes.CondExpr) -> Any:  # noqa: ANN401 - as above
        if self._known(self._value(node.test)):
            return self._value(node.expr1)
        return "" if node.expr2 is None else self._value(node.expr2)

    def _part(self, whole: Any, name: Any) -> Any:  # noqa: ANN401 - as above
        """Return a value of a mapping; whatever else is asked for is missing. A text has no parts here."""
        self._known(whole)
        if isinstance(whole, Mapping) and isinstance(name, str) and name in whole:
            return whole[name]
        return Missing(text_of(name)[:100])

    def _joined(self, node: nodes.Concat) -> str:
        room, parts = LONGEST_RESULT, []
        for one in node.nodes:
            part = self._text(self._value(one))[:room]
            room -= len(part)
            parts.append(part)
        return "".join(parts)

    def _arguments(self, node: Any) -> tuple[list[Any], dict[str, Any]]:  # noqa: ANN401 - a filter or a test
        given = [self._known(self._value(one)) for one in node.args]
        named = {one.key: self._known(self._value(one.value)) for one in node.kwargs}
        self._spend(sum(map(size_of, (*given, *named.values()))))
        return given, named

    def _filtered(self, node: nodes.Filter) -> Any:  # noqa: ANN401 - as above
        value = self._value(node.node) if node.node is not None else ""
        if node.name not in {"d", "default"}:
            self._known(value)
        given, named = self._arguments(node)
        self._spend(size_of(value))
        try:
            found = FILTERS[node.name](value, *given, **named)
        except (TypeError, ArithmeticError) as exc:
            raise NotAllowedError(f"the filter {node.name} cannot be used with these values") from exc
        return found[:LONGEST_RESULT] if isinstance(found, str) else found

    def _tested(self, node: nodes.Test) -> bool:
        value = self._value(node.node)
        if node.name not in {"defined", "undefined"}:
            self._known(value)
        given, named = self._arguments(node)
        self._spend(size_of(value))
        try:
            return bool(TESTS[node.name](value, *given, **named))
        except TypeError as exc:
            raise NotAllowedError(f"the test {node.name} cannot be used with these values") from exc

    def _compared(self, node: nodes.Compare) -> bool:
        left = self._known(self._value(node.expr))
        for operand in node.ops:
            right = self._known(self._value(operand.expr))
            self._spend(size_of(left) + size_of(right))
            try:
                if not OPERATORS[operand.op](left, right):
                    return False
            except TypeError as exc:
                raise NotAllowedError("values of different kinds cannot be compared") from exc
            left = right
        return True

    #: What may stand in a text, and how it is computed.
    HOW: ClassVar[Mapping[type[nodes.Node], Callable[[Any, Any], Any]]] = {
        nodes.Const: _constant,
        nodes.Name: _incident,
        nodes.Getattr: _attribute,
        nodes.Getitem: _item,
        nodes.Filter: _filtered,
        nodes.Test: _tested,
        nodes.Compare: _compared,
        nodes.And: _and,
        nodes.Or: _or,
        nodes.Not: _not,
        nodes.CondExpr: _chosen,
        nodes.Concat: _joined,
    }
