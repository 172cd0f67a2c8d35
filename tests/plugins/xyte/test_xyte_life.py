"""The life of an incident at Xyte, as the core's kit has it for every source."""

from __future__ import annotations

import pytest

from connector_core.testing import SourceLife
from connector_core.testing.conformance.system import MovingClock
from connector_core.testing.trials import try_source_mutants
from connector_xyte_sandbox import XyteSandbox


class TestXyteLife(SourceLife):
    """At an organization that goes by our clock."""

    plugin = "xyte"
    shares_clock = True

    @classmethod
    def open_system(cls, clock: MovingClock) -> XyteSandbox:
        """Start an organization."""
        sandbox = XyteSandbox(now=clock.now)
        sandbox.start()
        return sandbox


@pytest.mark.extended
def test_every_mutant_is_noticed():
    """Whatever is broken in the plugin, one of the checks fails."""
    trials = try_source_mutants(TestXyteLife)

    assert len(trials) >= 10
    assert [trial.mutant for trial in trials if not trial.noticed_by] == []
