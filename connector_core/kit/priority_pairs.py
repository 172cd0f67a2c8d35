"""Priorities that are written as impact and urgency, of which the other side computes its own priority by its rules.

    class DeskSettings(PairSettings): ...

    priority = pairs.ours(integration, settings.priorities, {"impact": "1", "urgency": "2", "priority": "1"})

What it makes of a pair is learned from what it shows right after a write of ours: nobody has to know its rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Unpack

from pydantic import AfterValidator, Field, TypeAdapter

from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Priority
from connector_core.contract.plugin_info import Settings
from connector_core.contract.setup_steps import SetupStep
from connector_core.kit.kept import keep, known
from connector_core.kit.priorities import FieldPriorities
from connector_core.kit.steps import StepWords, priority_values_step, wrong_by

#: What a ticket shows of its priority: `IMPACT`, `URGENCY` and `COMPUTED` by name; None for what is not shown.
Shown = Mapping[str, str | None]

IMPACT, URGENCY, COMPUTED = PARTS = ("impact", "urgency", "priority")
#: What ours are written as where settings say nothing; the usual rules make 1 to 5 of them.
USUAL: Mapping[Priority, str] = MappingProxyType(dict(zip(Priority, ("1/1", "1/2", "2/2", "2/3", "3/3"), strict=True)))

_PAIR = re.compile(r"[0-9]{1,2}/[0-9]{1,2}")
_SEEN = "priority of pairs"
_SEEN_AS = TypeAdapter(dict[str, str])


def pair_of(text: str) -> str:
    """Return impact and urgency as they are written here.

    >>> pair_of(" 1 / 2 ")
    '1/2'

    Raises:
        ValueError: they are not given as `impact/urgency`.
    """
    if not _PAIR.fullmatch(bare := re.sub(r"\s", "", text)):
        raise ValueError("expected impact and urgency like 1/2")
    return bare


class PairSettings(Settings):
    """What each priority is written as: a base of a plugin's own settings."""

    impact_urgency: Mapping[Priority, Annotated[str, AfterValidator(pair_of)]] = Field(
        {}, description="Impact and urgency for each priority, like 1/2; what is left out is as in the base system."
    )

    @property
    def priorities(self) -> FieldPriorities:
        """The pair that each of ours is written as; what only the computed priority tells is read by its number."""
        pairs = {**USUAL, **self.impact_urgency}
        written = {ours: dict(zip(PARTS, pairs[ours].split("/"), strict=False)) for ours in Priority}
        return FieldPriorities(written, [({COMPUTED: str(number)}, ours) for number, ours in enumerate(Priority, 1)])


def pairs_step(**words: Unpack[StepWords]) -> SetupStep:
    """Ask what each of ours is written as, as the setting `impact_urgency`, a group.

    >>> pairs_step(title="Priorities").fields[0].key
    'impact_urgency'
    """
    named: StepWords = {"help": "What each priority is written as.", **words}
    return priority_values_step(
        "impact_urgency",
        USUAL,
        label="Impact and urgency",
        check=wrong_by(pair_of),
        hint="As 1/2: impact 1, urgency 2. The instance computes the priority out of both, by its own rules.",
        **named,
    )


def ours_of(integration: AnyIntegration, priorities: FieldPriorities, shown: Shown) -> Priority | None:
    """Read a priority back: a pair of ours with what the other side made of it is ours, else its own priority counts.

    >>> ours_of(integration, FieldPriorities({HIGH: {"impact": "1"}}), {"impact": "1", "priority": None})
    <Priority.HIGH: 'high'>
    """
    pair = {name: value for name, value in shown.items() if name != COMPUTED}
    number = shown.get(COMPUTED)
    ours, by_number = priorities.ours(pair), priorities.ours({COMPUTED: number})
    return ours if ours and (by_number is None or number == _seen(integration).get(_name_of(shown))) else by_number


def learn(integration: AnyIntegration, shown: Shown) -> None:
    """Remember which priority the other side made of a pair that we just wrote: its rules may be its own.

    >>> learn(integration, {"impact": "1", "urgency": "2", "priority": "3"})
    """
    pair, made, present = _name_of(shown), shown.get(COMPUTED), _seen(integration)
    if made and present.get(pair) != made:
        keep(integration, _SEEN, {**present, pair: made}, remembered_as=_SEEN_AS)


def _seen(integration: AnyIntegration) -> Mapping[str, str]:
    return known(integration, _SEEN, remembered_as=_SEEN_AS) or {}


def _name_of(shown: Shown) -> str:
    return f"{shown.get(IMPACT)}/{shown.get(URGENCY)}"
