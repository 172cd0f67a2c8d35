"""Routing: which of an organization's integrations an incident goes to, by rules in an order. Pure.

rules = (RoutingRule(when=Conditions(priority=Priority.CRITICAL), to=("desk",)), RoutingRule(to=("others",)))
matching(rules, incident)   # 1 for a critical incident, 2 for any other, 0 where no rule matches
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from connector_core.contract.models import Incident, Location, Priority
from connector_core.contract.models.record import Record

MOST_RULES = 50
MOST_TARGETS = 20
LONGEST_TEXT = 200
#: All rules of an organization together, as JSON in UTF-8.
MOST_BYTES = 16_000
NOBODY = "no integration"

_URGENCY = {name: place for place, name in enumerate(Priority)}  # most urgent first
_IntegrationId = Annotated[str, StringConstraints(min_length=1, max_length=63)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, strip_whitespace=True)]
_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 63}


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Conditions(Record):
    """What an incident has to be like; all that is named has to be so, in capitals or small letters."""

    space: _Text | None = Field(
        None, description="The space: its ID, its name, or a path like Acme/Berlin, which takes all spaces below it."
    )
    priority: Priority | None = Field(None, description="Exactly this priority.")
    priority_at_least: Priority | None = Field(None, description="This priority or a more urgent one.")
    device_model: _Text | None = Field(None, description="The model of the device.")
    title: _Text | None = Field(None, description="A text that the title contains.")

    @model_validator(mode="after")
    def _one_priority(self) -> Self:
        if self.priority is not None and self.priority_at_least is not None:
            raise ValueError("priority and priority_at_least exclude each other; leave one out")
        return self

    @property
    def is_any(self) -> bool:
        """Whether every incident is like that."""
        return self == Conditions()

    def match(self, incident: Incident) -> bool:
        """Return whether an incident is like that; what it does not tell is not so."""
        return (
            (self.space is None or _is_in(self.space, incident.location))
            and (self.priority is None or incident.priority is self.priority)
            and (self.priority_at_least is None or _is_as_urgent(incident.priority, self.priority_at_least))
            and (self.device_model is None or _is_model(self.device_model, incident))
            and (self.title is None or _folded(self.title) in _folded(incident.title))
        )

    @property
    def parts(self) -> Sequence[tuple[str, str]]:
        """Each condition in words, and the text that it asks for, empty where it asks for none."""
        urgency = f"priority is {self.priority}" if self.priority else ""
        if self.priority_at_least:
            urgency = f"priority is {self.priority_at_least} or higher"
        texts = (self.space, "", self.device_model, self.title)
        said = zip(("space is", urgency, "device model is", "title contains"), texts, strict=True)
        return [(words, text) for words, text in said if words and text is not None] or [("any incident", "")]

    def __str__(self) -> str:
        """Say it in words: `priority is critical and title contains "printer"`."""
        return " and ".join(f'{words} "{text}"' if text else words for words, text in self.parts)


class RoutingRule(Record):
    """Where incidents go that are like something."""

    when: Conditions = Field(Conditions(), description="What an incident has to be like. Default: all are.")
    to: Annotated[
        tuple[_IntegrationId, ...],
        BeforeValidator(_as_list),
        Field(max_length=MOST_TARGETS),
        WithJsonSchema({"anyOf": [_ID_SCHEMA, {"type": "array", "items": _ID_SCHEMA, "maxItems": MOST_TARGETS}]}),
    ] = Field(description="IDs of the integrations that get it, each a ticket of its own; [] for none.")

    @property
    def targets(self) -> str:
        """Name where incidents go."""
        return ", ".join(self.to) or NOBODY


RoutingRules = tuple[RoutingRule, ...]
_rules = cache(lambda: TypeAdapter(RoutingRules))  # made when some are read: it takes a while


def matching(rules: Sequence[RoutingRule], incident: Incident) -> int:
    """Return the number of the first rule that an incident matches, from 1; 0 where none does."""
    return next((number for number, rule in enumerate(rules, 1) if rule.when.match(incident)), 0)


def checked(rules: RoutingRules) -> RoutingRules:
    """Return rules that make sense together.

    Raises:
        ValueError: one can never match, or names an integration twice; or there is too much of them.
    """
    if len(rules) > MOST_RULES:
        raise ValueError(f"there may be {MOST_RULES} rules at most")
    seen: dict[Conditions, int] = {}
    for number, rule in enumerate(rules, 1):
        if len(set(rule.to)) != len(rule.to):
            raise ValueError(f"rule {number} names an integration twice")
        if Conditions() in seen:
            raise ValueError(f"rule {number} is never reached: rule {seen[Conditions()]} matches every incident")
        if rule.when in seen:
            raise ValueError(f"rule {number} is never reached: rule {seen[rule.when]} has the same conditions")
        seen[rule.when] = number
    if len(written(rules).encode()) > MOST_BYTES:
        raise ValueError(f"the rules are too long: all together have {MOST_BYTES // 1000} kB at most")
    return rules


def written(rules: Sequence[RoutingRule]) -> str:
    """Write rules as JSON, without what they leave open."""
    return _rules().dump_json(tuple(rules), exclude_none=True).decode()


def read(text: str) -> RoutingRules:
    """Read what `written` wrote."""
    return _rules().validate_json(text)


def understood(given: Any) -> RoutingRules:  # noqa: ANN401 - what somebody wrote, as YAML or JSON has it
    """Read a list of rules as people write it.

    Raises:
        ValueError: it is no such list; the text says what is wrong with which rule.
    """
    try:
        return checked(_rules().validate_python(given))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        text = _COMPLAINTS.get(first["type"], first["msg"]).format(**first.get("ctx", {}))
        raise ValueError(_complaint(first["loc"], text)) from exc


_COMPLAINTS = {
    "enum": "expected {expected}",
    "extra_forbidden": "unknown key",
    "missing": "missing",
    "string_too_long": "too long, {max_length} characters at most",
    "string_too_short": "empty",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "model_type": "expected keys and values",
    "too_long": "too many, {max_length} at most",
}


def _complaint(place: Sequence[int | str], message: str) -> str:
    """Say where something is wrong, in words of the list."""
    if not place or not isinstance(place[0], int):
        return "expected a list of rules"
    keys = ".".join(map(str, place[1:]))
    text = message.removeprefix("Value error, ")
    return f"rule {place[0] + 1}{f', {keys}' if keys else ''}: {text[:1].lower()}{text[1:]}"


def _is_as_urgent(priority: Priority | None, least: Priority) -> bool:
    return priority is not None and _URGENCY[priority] <= _URGENCY[least]


def _is_model(wanted: str, incident: Incident) -> bool:
    model = None if incident.device is None else incident.device.model
    return model is not None and _folded(model) == _folded(wanted)


def _is_in(wanted: str, location: Location | None) -> bool:
    if location is None:
        return False
    if _folded(wanted) in {_folded(name) for name in (location.id, location.name) if name is not None}:
        return True
    steps = _steps(wanted)
    return location.path is not None and bool(steps) and _steps(location.path)[: len(steps)] == steps


def _steps(path: str) -> list[str]:
    return [step for part in path.split("/") if (step := _folded(part))]


def _folded(text: str) -> str:
    """Return a text as it is compared: in one case, with single blanks."""
    return " ".join(text.casefold().split())
