"""The life of a ticket at Jira, as the core's kit has it for every plugin."""

from __future__ import annotations

import pytest

from connector_core.testing import TicketingLife
from connector_core.testing.conformance.liar import Mutant
from connector_core.testing.conformance.mutants import MUTANTS
from connector_core.testing.conformance.system import MovingClock
from connector_core.testing.trials import try_mutants
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox


class TestJiraLife(TicketingLife):
    """On a simple site."""

    plugin = "jira_jsm"
    shares_clock = True
    cannot = {  # noqa: RUF012 - as documented
        "conditional_writes": "the API takes no condition with a change: what is set between look and write is told",
        "doubted_close": "Jira refuses a transition that is not there; none is known that was confirmed and not made",
    }

    @classmethod
    def open_system(cls, clock: MovingClock) -> JiraSandbox:
        """Start a site that goes by our clock."""
        sandbox = JiraSandbox(clock=clock.now)
        sandbox.start()
        return sandbox


@pytest.mark.extended
class TestJiraLifeOnADifficultSite(TestJiraLife):
    """With required fields, several transitions, names of its own."""

    cannot = {  # noqa: RUF012 - as documented
        **TestJiraLife.cannot,
        "edit_priority": "the edit screen of this site lacks the field",
    }

    @classmethod
    def open_system(cls, clock: MovingClock) -> JiraSandbox:
        """Start the difficult site."""
        sandbox = JiraSandbox(DIFFICULT, clock=clock.now)
        sandbox.start()
        return sandbox


#: Of each kind one that is noticed at once.
A_FEW = (
    "a write whose answer was lost is made again at once",
    "attempted_at is ignored: a look creates",
    "an unknown outcome is called known",
    "a look that failed found nothing",
    "done is always false",
    "changed_since is taken for now",
    "a person's change is written over",
    "a close does nothing and says done",
    "errors tell secrets",
    "the secret is not looked at",
    "the body is not signed",
    "internal comments are called public",
    "all is well, whatever is found",
)


def test_the_checks_notice_what_is_broken():
    """Of each kind of mistake one is noticed."""
    few = [mutant for mutant in MUTANTS if mutant.name in A_FEW]
    assert len(few) == len(A_FEW)

    assert _survivors(TestJiraLife, few) == []


@pytest.mark.extended
@pytest.mark.parametrize("life", [TestJiraLife, TestJiraLifeOnADifficultSite])
def test_every_mutant_is_noticed(life: type[TestJiraLife]):
    """Whatever is broken in the plugin or in its session, one of the checks fails."""
    trials = try_mutants(life)

    assert len(trials) >= 25
    assert [trial.mutant for trial in trials if not trial.noticed_by] == []


def _survivors(life: type[TestJiraLife], mutants: list[Mutant]) -> list[str]:
    return [trial.mutant for trial in try_mutants(life, mutants) if not trial.noticed_by]
