"""Priorities that are written as impact and urgency, of which the other side computes its own priority by its rules.

    class DeskSettings(PairSettings): ...  # of `kit.settings`, which every command loads

    priority = pairs.ours(integration, settings.priorities, {"impact": "1", "urgency": "2", "priority": "1"})

What it makes of a pair is learned from what it shows right after a write of ours: nobody has to know its rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from pydantic import TypeAdapter

from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Priority
from connector_core.contract.setup_steps import SetupStep
from connector_core.kit.kept import keep, known
from connector_core.kit.priorities import FieldPriorities
from connector_core.kit.settings import COMPUTED, IMPACT, URGENCY, USUAL_PAIRS, pair_of
from connector_core.kit.steps import StepWords, priority_values_step, wrong_by

#: What a ticket shows of its priority: `IMPACT`, `URGENCY` and `COMPUTED` by name; None for what is not shown.
Shown = Mapping[str, str | None]

_SEEN = "priority of pairs"
_SEEN_AS = TypeAdapter(dict[str, str])


def pairs_step(**words: Unpack[StepWords]) -> SetupStep:
    """Ask what each of ours is written as, as the setting `impact_urgency`, a group.

    >>> pairs_step(title="Priorities").fields[0].key
    'impact_urgency'
    """
    named: StepWords = {"help": "What each priority is written as.", **words}
    return priority_values_step(
        "impact_urgency",
        USUAL_PAIRS,
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
