"""The life of an issue, as the core's kit has it for every plugin, before the real server."""

from __future__ import annotations

import pytest

from connector_core.testing import TicketingLife
from connector_core.testing.trials import try_mutants


@pytest.mark.extended
class TestRoundupLife(TicketingLife):
    """Before a tracker of its own."""

    plugin = "roundup"
    cannot = {  # noqa: RUF012 - as documented
        "description": "reading it takes a call more, and nobody can change it",
    }

    settings = {"close_status": "resolved"}  # noqa: RUF012 - as documented; as it is without
    longest_wait_s = 0.1  # it shows at once what was done


@pytest.mark.extended
def test_every_mutant_is_noticed():
    """Whatever is broken in the plugin or in its session, one of the checks fails."""
    trials = try_mutants(TestRoundupLife)

    assert len(trials) >= 25
    assert [trial.mutant for trial in trials if not trial.noticed_by] == []
