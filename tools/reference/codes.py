"""Every code of the product, read from the source: where it is raised, with the sentences beside it.

A code is what something named `code` is called with: an error, a finding, a refusal, the status of a link. What it
means and the way out stand where it is raised. Where they do not, they are in `codes.toml`, and so are codes that a
table or another system decides on.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from connector_core.contract.advice import Advice, Remedy
from connector_core.words.advice import for_terminal

ROOT = Path(__file__).parents[2]
SUPPLEMENT = Path(__file__).with_name("codes.toml")
#: What is called with a code and only hands it on: to the log, the metrics, the database, or to another system.
HANDS_ON = frozenset(
    {"tokens_for_code", "advice", "said", "labels", "bound", "note", "read", "Complaint"}
    | {"NewEntry"}
    | {"info", "warning", "error", "exception"}
)
CODE = re.compile(r"[a-z][a-z0-9_]*…?|…[a-z0-9_]+")
#: Parameters that hold what a code means, the best one first, and what to do about it.
MEANING = ("message", "title", "sentence", "reason", "problem", "text", "what")
FIX = "fix"
_ERRORS = {
    "ConfigError": "settings",
    "AnswerUnfit": "settings",
    "AuthError": "authorization",
    "RetryLater": "later",
    "RemoteError": "refused",
    "TicketGone": "refused",
    "FieldsRefused": "refused",
    "WebhookRejected": "turned-away",
    "PluginError": "plugin",
    "Refusal": "connection",
}
_FINDINGS = frozenset({"Finding", "ok", "warning", "problem"})


@dataclass
class Code:
    """One code, and all that the source says of it."""

    name: str
    kinds: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    meanings: list[str] = field(default_factory=list)
    fixes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Taker:
    """A function or class that takes a code: the names of its parameters in their order."""

    parameters: tuple[str, ...]
    kind: str
    module: str
    is_method: bool


@dataclass
class Source:
    """A module of the product."""

    path: Path
    tree: ast.Module

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything that is in it."""
        return list(ast.walk(self.tree))

    @cached_property
    def name(self) -> str:
        """The path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def owner(self) -> str:
        """The package that it belongs to."""
        return next(part for part in self.path.relative_to(ROOT).parts if part.startswith("connector_"))

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """The names that the module gives to values."""
        given = [(target, one.value) for one in self.tree.body if isinstance(one, ast.Assign) for target in one.targets]
        given += [(one.target, one.value) for one in self.tree.body if isinstance(one, ast.AnnAssign) and one.value]
        for target, value in list(given):
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                given += zip(target.elts, value.elts, strict=False)
        return {target.id: value for target, value in given if isinstance(target, ast.Name)}

    @cached_property
    def imported(self) -> dict[str, str]:
        """The names that the module takes from others, each with the file where it may be."""
        return {
            one.asname or one.name: f"{(node.module or '').replace('.', '/')}.py"
            for node in self.nodes
            if isinstance(node, ast.ImportFrom)
            for one in node.names
        }


def sources() -> list[Source]:
    """Return every module whose codes people meet: not the stand-ins, nor what tests are made of."""
    folders = [ROOT / "connector_core", *ROOT.glob("plugins/*/connector_*"), *ROOT.glob("examples/*/connector_*")]
    left_out = {"testing", "template"}
    return [
        Source(path, ast.parse(path.read_text()))
        for folder in sorted(folders)
        if not folder.name.endswith("_sandbox")
        for path in sorted(folder.rglob("*.py"))
        if not left_out & set(path.relative_to(folder).parts)
    ]


class Reader:
    """Finds the codes of some modules."""

    def __init__(self, modules: list[Source]) -> None:
        self.codes: dict[str, Code] = {}
        self._bases: dict[str, list[str]] = {}
        self._defined: Counter[str] = Counter()
        self.untraced: set[str] = set()
        self._constants: dict[str, list[ast.expr]] = {}
        self._takers: dict[tuple[str, str], Taker] = {}
        self._shared: dict[str, Taker] = {}
        for module in modules:
            for name, value in module.constants.items():
                self._constants.setdefault(name, []).append(value)
            for node in module.nodes:
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    self._defined[node.name] += 1
                if isinstance(node, ast.ClassDef):
                    self._bases[node.name] = [_name_of(base) for base in node.bases]
        for module in modules:
            self._find_takers(module)
        for module in modules:
            self._read(module)

    def _error(self, name: str) -> str:
        """Return who has to act on an error of a class, or of what it is derived from; nothing if it is none."""
        if name in _ERRORS:
            return _ERRORS[name]
        return next((kind for base in self._bases.get(name, ()) if (kind := self._error(base))), "")

    def _find_takers(self, module: Source) -> None:
        methods = {
            one
            for node in module.nodes
            if isinstance(node, ast.ClassDef)
            for one in node.body
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in HANDS_ON | {"__init__"}:
                every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                named = [one.arg for one in every if one.arg != "code" or _is_text(one.annotation)]
                parameters = tuple(name for name in named if name not in {"self", "cls", "db"})
            elif isinstance(node, ast.ClassDef):
                parameters = tuple(
                    one.target.id
                    for one in node.body
                    if isinstance(one, ast.AnnAssign)
                    and isinstance(one.target, ast.Name)
                    and (one.target.id != "code" or _is_text(one.annotation))
                )
            else:
                continue
            if "code" in parameters or "problem_code" in parameters:
                if isinstance(node, ast.ClassDef):
                    kind = self._error(node.name) or ("finding" if node.name in _FINDINGS else "state")
                else:
                    kind = _kind_of(node)
                named_so = tuple("code" if one == "problem_code" else one for one in parameters)
                taker = Taker(named_so, kind, module.name, node in methods)
                self._takers[module.name, node.name] = taker
                if not node.name.startswith("_"):
                    self._shared[node.name] = taker

    def _read(self, module: Source) -> None:
        for node in module.nodes:
            if isinstance(node, ast.ClassDef):
                self._read_class(module, node)
        for function, call in _calls(module.tree):
            self._read_call(module, function, call)

    def _read_class(self, module: Source, node: ast.ClassDef) -> None:
        """Read the code that an error has when none is named; the docstring says what it means."""
        for statement in node.body:
            if isinstance(statement, ast.Assign) and any(
                isinstance(one, ast.Name) and one.id == "default_code" for one in statement.targets
            ):
                for name in self._texts(statement.value, module, None):
                    self._note(name, module, self._error(node.name) or "refused", [_first_line(node)], [])

    def _read_call(self, module: Source, function: ast.AST | None, call: ast.Call) -> None:
        called = _name_of(call.func)
        if called in HANDS_ON and not self._is_check(module, called):
            return
        kind, given = self._given(module, called, call)
        value = given.get("code", given.get("problem_code"))
        if value is None or not kind:
            return
        told = self._texts(value, module, function)
        names = [text for text in told if CODE.fullmatch(text)]
        is_known = names or told == [""] or isinstance(value, ast.Constant | ast.JoinedStr)  # "": of nothing, any more
        if not is_known and not _is_handed_on(value, function):
            self.untraced.add(f"{module.name}: {ast.unparse(value)}")
        said = next((given[name] for name in MEANING if name in given), None)
        meanings = self._texts(said, module, function) if said is not None else []
        fixes = self._texts(given[FIX], module, function) if FIX in given else []
        if run := _command_of(given.get("advice")):
            fixes = [f"{text} {run}".strip() for text in fixes or [""]]
        for name in names:
            self._note(name, module, kind, meanings, fixes)

    def _given(self, module: Source, called: str, call: ast.Call) -> tuple[str, dict[str, ast.expr]]:
        """Return what a call makes of a code, nothing if it takes none, and its arguments by their names."""
        given = {one.arg: one.value for one in call.keywords if one.arg}
        taker, kind = self._taker(module, called, call), self._error(called)
        if taker is not None and kind in {"", "connection"}:
            arguments = [one for one in call.args if not (isinstance(one, ast.Name) and one.id == "db")]
            given = {**dict(zip(taker.parameters, arguments, strict=False)), **given}
            kind = kind or taker.kind
        elif kind and call.args:
            given.setdefault("message", call.args[0])
        if kind == "finding" and (called.endswith("ok") or ast.unparse(given.get("severity", call)).endswith(".OK")):
            kind = "fine"
        return kind or ("state" if called == "replace" else ""), given

    def _taker(self, module: Source, called: str, call: ast.Call) -> Taker | None:
        """Return the function or class that a call is of, if it takes a code."""
        own, shared = self._takers.get((module.name, called)), self._shared.get(called)
        if own is not None or shared is None:
            return own
        is_method = isinstance(call.func, ast.Attribute)
        is_meant = shared.is_method == is_method and (is_method or self._is_meant(called, shared, module))
        return shared if is_meant else None

    def _is_meant(self, called: str, taker: Taker, module: Source) -> bool:
        """Return whether a name in a module is that taker, and not another thing of the same name."""
        place = module.imported.get(called)
        return place is not None and (self._defined[called] == 1 or taker.module.endswith(place))

    def _is_check(self, module: Source, called: str) -> bool:
        """Return whether a word of the log is a finding here: `warning` is both."""
        return (module.name, called) in self._takers or any(
            isinstance(node, ast.ImportFrom)
            and (node.module or "").endswith("kit.checks")
            and called in {one.asname or one.name for one in node.names}
            for node in module.tree.body
        )

    def _note(self, name: str, module: Source, kind: str, meanings: list[str], fixes: list[str]) -> None:
        code = self.codes.setdefault(name, Code(name))
        code.kinds.add(kind)
        code.owners.add(module.owner)
        code.meanings += [text for text in meanings if text and text not in code.meanings]
        code.fixes += [text for text in fixes if text and text not in code.fixes]

    def _texts(self, value: ast.expr, module: Source, function: ast.AST | None) -> list[str]:  # noqa: PLR0911 - a case a line
        """Return what an expression may read as, with "…" for what is filled in."""
        match value:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                shown = [part.value if isinstance(part, ast.Constant) else "…" for part in parts]
                return ["".join(str(part) for part in shown)] if len(shown) > 1 else []
            case ast.IfExp(body=body, orelse=other):
                return self._texts(body, module, function) + self._texts(other, module, function)
            case ast.BoolOp(values=values):
                return [text for one in values for text in self._texts(one, module, function)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                lefts, rights = self._texts(left, module, function), self._texts(right, module, function)
                both = [f"{one}{other}" for one in lefts or ["…"] for other in rights or ["…"]]
                return both if lefts or rights else []
            case ast.Call(func=ast.Attribute(value=inner, attr="format" | "capitalize")):
                return self._texts(inner, module, function)
            case ast.Attribute(value=ast.Name(id="AbsenceKind"), attr=name):
                return [f"ticket_{name.lower()}"]
            case ast.Attribute(attr=name) if name.isupper():
                return self._named(name, module, None)
            case ast.Name(id=name):
                return self._named(name, module, function)
        return []

    def _named(self, name: str, module: Source, function: ast.AST | None) -> list[str]:
        local = [
            statement.value
            for statement in ast.walk(function or ast.Pass())
            if isinstance(statement, ast.Assign)
            and any(isinstance(one, ast.Name) and one.id == name for one in statement.targets)
        ]
        if local:
            return [text for one in local if not _mentions(one, name) for text in self._texts(one, module, function)]
        for found in [module.constants[name]] if name in module.constants else self._constants.get(name, []):
            if texts := self._texts(found, module, None):
                return texts
        return []


def _mentions(value: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST | None, ast.Call]]:
    """Return each call with the function that it stands in."""
    waiting: list[tuple[ast.AST | None, ast.AST]] = [(None, tree)]
    while waiting:
        function, node = waiting.pop()
        if isinstance(node, ast.Call):
            yield function, node
        inside = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        waiting += [(inside, one) for one in ast.iter_child_nodes(node)]


def _is_text(annotation: ast.expr | None) -> bool:
    """Return whether a parameter may be a code of ours: a number with its name is a status of HTTP or SMTP."""
    return annotation is None or "str" in ast.unparse(annotation)


def _kind_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what a function that takes a code makes of it, by what it says that it returns."""
    made = {_name_of(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
    error = next((_ERRORS[name] for name in sorted(made) if name in _ERRORS), "")
    return error or ("finding" if made & _FINDINGS else "state")


def _command_of(advice: ast.expr | None) -> str:
    """Return what a terminal says of an `Advice(Remedy.…)`, with "…" for what it is about."""
    match advice:
        case ast.Call(args=[ast.Attribute(attr=name), *_]) if name in Remedy.__members__:
            return for_terminal((Advice(Remedy[name], "…", step="…"),))
    return ""


def _name_of(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_handed_on(value: ast.expr, function: ast.AST | None) -> bool:
    """Return whether a code came from somewhere else: a parameter, an error, a record."""
    match value:
        case ast.Name(id=name):
            arguments = getattr(function, "args", None)
            return arguments is not None and name in {one.arg for one in (*arguments.args, *arguments.kwonlyargs)}
        case ast.Attribute(attr="code" | "problem_code" | "default_code" | "outcome" | "kind"):
            return True
        case ast.Attribute(value=inner, attr="value"):
            return _is_handed_on(inner, function)
        case ast.Subscript(slice=ast.Constant(value="code" | "problem_code")):
            return True
    return False


def _first_line(node: ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


@dataclass(frozen=True)
class Supplement:
    """What is not said where a code is raised."""

    computed: dict[str, list[str]]
    meaning: dict[str, str]
    fix: dict[str, str]


def supplement() -> Supplement:
    """Return what `codes.toml` says."""
    return Supplement(**tomllib.loads(SUPPLEMENT.read_text()))


@cache
def read() -> Reader:
    """Return all codes of the product, and what could not be told; nobody changes it."""
    return Reader(sources())
