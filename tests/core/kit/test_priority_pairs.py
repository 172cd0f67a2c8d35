"""Impact and urgency: read back by what the other side makes of them, which is learned."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from connector_core import PluginInfo, Priority
from connector_core.contract.setup_steps import fetch_rows
from connector_core.kit.priority_pairs import learn, ours_of, pairs_step
from connector_core.kit.settings import PairSettings
from connector_core.testing import make_integration

PAIRS = PairSettings().priorities


@pytest.fixture
def integration():
    """Return the handle of an integration."""
    return make_integration(PluginInfo("a", "A", PairSettings), {})


def shown(pair, number):
    """Return what a ticket shows."""
    impact, urgency = pair.split("/") if pair else (None, None)
    return {"impact": impact, "urgency": urgency, "priority": number}


@pytest.mark.parametrize(
    ("pair", "number", "ours"),
    [
        ("1/2", None, Priority.HIGH),
        ("3/1", "3", Priority.MODERATE),
        ("1/2", "4", Priority.LOW),
        ("", "1", Priority.CRITICAL),
        ("3/1", None, None),
        ("", "6", None),
    ],
)
def test_the_computed_priority_counts(integration, pair, number, ours):
    """Before anything is learned; a pair alone counts where no number is shown."""
    assert ours_of(integration, PAIRS, shown(pair, number)) is ours


def test_what_is_made_of_a_pair_is_learned(integration):
    """Then the pair is ours, and any other number with it is a person's; a later rule is learned anew."""
    learn(integration, shown("1/2", "4"))
    learn(integration, shown("1/1", None))

    assert ours_of(integration, PAIRS, shown("1/2", "4")) is Priority.HIGH
    assert ours_of(integration, PAIRS, shown("1/2", "1")) is Priority.CRITICAL
    integration.cache.clear()  # a restart
    assert ours_of(integration, PAIRS, shown("1/2", "4")) is Priority.HIGH

    learn(integration, shown("1/2", "5"))
    learn(integration, shown("2/2", "1"))

    assert ours_of(integration, PAIRS, shown("1/2", "4")) is Priority.LOW
    assert ours_of(integration, PAIRS, shown("1/2", "5")) is Priority.HIGH
    assert ours_of(integration, PAIRS, shown("2/2", "1")) is Priority.MODERATE


def test_settings_take_pairs_over_the_usual_ones():
    """As they are typed; what is none is refused."""
    priorities = PairSettings.model_validate({"impact_urgency": {"low": " 3 / 3 "}}).priorities

    assert priorities.theirs(Priority.LOW) == {"impact": "3", "urgency": "3"}
    assert priorities.theirs(Priority.HIGH) == {"impact": "1", "urgency": "2"}
    with pytest.raises(ValidationError):
        PairSettings.model_validate({"impact_urgency": {"low": "high"}})


def test_the_step_says_what_is_left_open():
    """A row for each of ours, by its usual pair."""
    step = pairs_step(title="Priorities", help="What they become.")
    rows = fetch_rows(step.fields[0])
    check = rows[0].check

    assert rows[1].help == "Left open: 1/2."
    assert (step.help, pairs_step().help) == ("What they become.", "What each priority is written as.")
    assert check is not None
    assert check("high")
    assert not check("1/2")
