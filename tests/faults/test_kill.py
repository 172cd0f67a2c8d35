"""The daemon killed at random moments while both sides change: nothing is lost, doubled or left apart."""

from __future__ import annotations

import random
import threading
from time import monotonic

from tests.support.faults.campaign import LONG, Traffic, opened_stage, report, wait_until_quiet
from tests.support.faults.verdict import compare

SEED = 20261124
KILLS = 200 if LONG else 4
LONGEST_LIFE_S = 1.5
START_UP_S = 1.0
SHUTDOWN_S = 0.3


def test_killed_at_random_moments(tmp_path, capsys):
    """After many kills, in start-up and shutdown too, every incident has one request and both sides agree."""
    chance = random.Random(SEED)
    with opened_stage(tmp_path) as stage:
        with Traffic(stage, SEED, pause_s=0.06) as traffic:
            for _ in range(KILLS - 1):
                _kill_somewhere(stage.daemon, chance)
            _live(chance.uniform(0.2, LONGEST_LIFE_S))
        stage.daemon.kill()
        killed = monotonic()
        stage.daemon.start()
        wait_until_quiet(stage, within_s=300)
        caught_up_s = monotonic() - killed
        verdict = compare(stage, traffic.subjects)
        acknowledged = len(stage.platform.acknowledged)
    did = f"kill: seed={SEED} kills={KILLS} edits={traffic.edits} events acknowledged={acknowledged}"
    report(capsys, f"{did} {verdict} caught up in {caught_up_s:.1f} s")

    assert verdict.is_clean, [*verdict.lost, *verdict.doubled, *verdict.diverged]


def _kill_somewhere(daemon, chance):
    """Kill the daemon at work, in its shutdown, or in the start-up that follows; leave it running."""
    how = chance.choice(["at work", "in shutdown", "in start-up"])
    _live(chance.uniform(0, LONGEST_LIFE_S))
    if how == "in shutdown":
        daemon.terminate()
        _live(chance.uniform(0, SHUTDOWN_S))
    daemon.kill()
    if how == "in start-up":
        daemon.launch()
        _live(chance.uniform(0, START_UP_S))
        daemon.kill()
    daemon.start()


def _live(seconds):
    threading.Event().wait(seconds)
