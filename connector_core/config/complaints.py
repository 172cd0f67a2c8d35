"""Validating parts of a document with pydantic models, and turning what pydantic complains about into mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector_core.config.mistakes import Mistake
from connector_core.config.positions import KeyPath
from connector_core.config.references import References
from connector_core.config.values import ID_PATTERN
from connector_core.secrets import Masker

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
}

_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


@dataclass
class Complaints:
    """Collects the mistakes of a document while parts of it are validated."""

    references: References
    values: Mapping[str, Any]
    mistakes: list[Mistake] = field(default_factory=list)
    of_broken: set[KeyPath] = field(default_factory=set)

    def note(self, path: KeyPath, message: str, fix: str = "") -> None:
        """Add a mistake at a key."""
        self.mistakes.append(self.references.document.mistake(path, message, fix))

    def validated(
        self, model: type[Model], values: Mapping[str, Any], base: KeyPath, *, also_known: Collection[str] = ()
    ) -> Model | None:
        """Return the model of these values, or note what is wrong with them and return None.

        Args:
            model: what to validate with.
            values: the part of the document, references replaced.
            base: the part's key path.
            also_known: keys that may stand beside those of the model; used to suggest what a wrong key meant.
        """
        try:
            return model.model_validate(values)
        except ValidationError as exc:
            self._note_all(exc, model, base, also_known)
            return None

    def _note_all(
        self, exc: ValidationError, model: type[BaseModel], base: KeyPath, also_known: Collection[str]
    ) -> None:
        """Note each complaint once; what a union complains about several times at one key becomes one sentence."""
        found: dict[KeyPath, dict[str, str]] = {}
        meant: set[KeyPath] = set()  # keys that are there, misspelled: to say that they lack would count them twice
        for error in exc.errors(include_url=False):
            path = self._place(base, error)
            if self._is_broken(path):
                self.of_broken.add(path)
                continue
            if error["type"] == "default_factory_not_called":
                continue
            if error["type"] == "extra_forbidden":
                known = {*_keys_at(model, error["loc"][:-1]), *(also_known if len(error["loc"]) == 1 else ())}
                name = str(error["loc"][-1])
                message, fix = "unknown key", nearest(name, known)
                meant |= {(*path[:-1], one) for one in _closest(name, known)}
            else:
                message, fix = self._sentence(error, path, core=not base)
            found.setdefault(path, {})[message] = fix
        for path, sentences in found.items():
            if path in meant and "is required" in sentences:
                continue
            self.note(path, ", or ".join(sentences), next(filter(None, sentences.values()), ""))

    def _place(self, base: KeyPath, error: ErrorDetails) -> KeyPath:
        """Find the key that a complaint is about; pydantic also names members of unions, which no file contains."""
        path = base
        for part in error["loc"]:
            if (*path, part) in self.references.document.positions:
                path = (*path, part)
        return (*path, error["loc"][-1]) if error["type"] == "missing" else path

    def _is_broken(self, path: KeyPath) -> bool:
        """Return whether a reference at or under the key failed, which was said already."""
        return any(broken[: len(path)] == path for broken in self.references.broken)

    def _sentence(self, error: ErrorDetails, path: KeyPath, *, core: bool) -> tuple[str, str]:
        """Say what is wrong and what to do, never with the value."""
        kind, context = error["type"], error.get("ctx", {})
        given = self._given(path)
        if kind == "missing":
            return "is required", f"add `{path[-1]}:` here"
        if kind in _EXPECTED:
            found = _kind(given)
            fix = "write it in quotes" if kind == "string_type" and isinstance(given, int | float) else ""
            return f"{_EXPECTED[kind]}, found {found}", fix or ("give it a value" if given is None else "")
        if kind == "union_tag_not_found":
            return f"{str(context.get('discriminator')).strip(chr(39))} is required", ""
        rule = _broken_rule(kind, context, given)
        if rule:
            return rule
        sentence = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if not core:  # the author of a plugin may have put a value into the sentence
            hidden = Masker(*self.references.texts, *([given] if isinstance(given, str) else []))
            sentence = hidden.mask(sentence)
        message, _, fix = sentence.partition(" — ")
        return clause(message), fix

    def _given(self, path: KeyPath) -> Any:  # noqa: ANN401 - YAML holds anything
        value: Any = self.values
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def _broken_rule(kind: str, context: Mapping[str, Any], given: object) -> tuple[str, str] | None:
    """Say which bound or choice a value of the right type breaks; None when it is another kind of complaint."""
    if kind == "string_pattern_mismatch" and context.get("pattern") == ID_PATTERN:
        return "this id cannot be used", "begin with a-z or 0-9; then also - and _, up to 63 characters"
    if kind in {"string_too_short", "too_short"} and context.get("min_length") == 1:
        return "is empty", "give it a value, or remove the key"
    if kind in _LIMITS:
        return f"expected {_LIMITS[kind][0]} {context.get(_LIMITS[kind][1])}", ""
    if kind == "union_tag_invalid":
        expected = str(context.get("expected_tags", ""))
        what = str(context.get("discriminator")).strip("'")
        return f"{what}: expected {expected}", _suggestion(context.get("tag"), expected)
    if kind in {"literal_error", "enum"}:
        expected = str(context.get("expected", ""))
        return f"expected {expected}", _suggestion(given, expected)
    return None


def nearest(name: str, known: Collection[str]) -> str:
    """Suggest what a wrong name may have meant, or list what there is."""
    for close in _closest(name, known):
        return f"did you mean {close}?"
    return f"known here: {', '.join(sorted(known))}" if known else "remove it"


def _closest(name: str, known: Collection[str]) -> list[str]:
    """Return the one name that a wrong one is like, if any."""
    return difflib.get_close_matches(name, known, n=1)


def _suggestion(given: object, expected: str) -> str:
    options = [option.strip(" '\"") for option in expected.replace(" or ", ", ").split(",")]
    close = difflib.get_close_matches(str(given).lower(), options, n=1)
    return f"did you mean {close[0]}?" if close else ""


def _keys_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """List the keys of the models at a place, whatever lists, mappings and unions are on the way."""
    models = {model}
    for part in loc:
        inner = {
            found
            for candidate in models
            for name, info in candidate.model_fields.items()
            if part in (name, info.alias)
            for found in _models_in(info.annotation)
        }
        models = inner or models  # an index, an id, or the member of a union
    return {info.alias or name for candidate in models for name, info in candidate.model_fields.items()}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "keys and values"


def clause(sentence: str) -> str:
    """Make a sentence fit for standing after a colon."""
    return (sentence[:1].lower() + sentence[1:]).rstrip(".")
