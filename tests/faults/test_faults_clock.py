"""The clock of the daemon's machine is set by an hour, forward and back, while work waits.

A library put before the daemon's libc shifts what it sees of the wall clock, and of nothing else.
"""

from __future__ import annotations

import re
import struct

import pytest
import structlog

from connector_core.demo.stage import until
from connector_core.health.clock_watch import ClockWatch
from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox.faults import Fault, WebhookFault, rate_limited
from tests.support.faults.campaign import opened_stage, wait_until_quiet
from tests.support.faults.preload import compiled

HOUR_S = 3600
CREATE = r"/rest/servicedeskapi/request$"


@pytest.fixture
def stage(tmp_path):
    """Open a stage whose daemon sees another time, as far off as `set_clock` says."""
    shift = tmp_path / "shift"
    shift.write_bytes(struct.pack("q", 0))
    library = compiled("clock_shift", tmp_path)

    def prepare(stage):
        stage.daemon._environ |= {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(shift)}
        stage.set_clock = lambda seconds: _overwrite(shift, seconds)

    with opened_stage(tmp_path, prepare=prepare, reconcile="200ms") as opened:
        yield opened


def _overwrite(shift, seconds):
    with shift.open("r+b", buffering=0) as file:
        file.write(struct.pack("q", seconds))


def noticed(stage):
    """Return by how many hours the daemon says that its clock was set, each time."""
    told = re.findall(r'"by_s": (-?\d+)', stage.daemon.log_path.read_text())
    return [round(int(by_s) / HOUR_S) for by_s in told]


@pytest.mark.extended
@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_set_while_work_waits(stage, hours):
    """Nothing waits for an hour that comes twice, nothing is done twice, what a wrong clock refused is made good."""
    stage.sandbox.add_fault(rate_limited(retry_after=2, path=CREATE, times=1))
    stage.sandbox.add_fault(Fault("status", "POST", CREATE, status=503, times=2))
    stage.sandbox.add_fault(Fault("lost_answer", "POST", CREATE, times=1))
    incidents = [stage.platform.open(f"N{number}") for number in range(5)]
    until(lambda: any(call.fault == "lost_answer" for call in stage.sandbox.calls), within_s=120)
    stage.set_clock(hours * HOUR_S)
    until(lambda: noticed(stage) == [hours])
    until(lambda: len(stage.sandbox.tickets()) == len(incidents), within_s=120)
    stage.sandbox.add_fault(WebhookFault("dropped", times=100))  # so that only the poller can tell
    for ticket in stage.sandbox.tickets():
        stage.sandbox.edit_ticket(ticket["id"], title=f"{ticket['title']} from the agent")
    until(lambda: "callback_unauthorized" in stage.daemon.log_path.read_text())
    stage.sandbox.clear_faults()
    stage.set_clock(0)
    until(lambda: noticed(stage) == [hours, -hours])
    wanted = [f"N{number} from the agent" for number in range(5)]
    until(lambda: sorted(stage.platform.incident(incident)["title"] for incident in incidents) == wanted, within_s=120)
    wait_until_quiet(stage, within_s=120)

    assert len(stage.sandbox.tickets()) == len(incidents)
    assert len(stage.platform.changes) == len(incidents)


def test_small_corrections_of_the_clock_are_no_news():
    """A clock that is slewed is left alone, however far it comes in the end."""
    clock, told = FrozenClock(), []
    life = type("Life", (), {"clock_was_set": lambda _, by_s, now, *__: told.append((by_s, now))})()
    watch = ClockWatch(life, clock, structlog.get_logger("test"), after=())
    for _ in range(100):
        clock.forward(1)
        clock.set_by(0.5)
        watch.look()
    clock.forward(1)
    clock.set_by(-HOUR_S)
    watch.look()
    watch.look()

    assert [by_s for by_s, _ in told] == [-HOUR_S]
