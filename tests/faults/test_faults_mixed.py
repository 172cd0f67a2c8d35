"""Everything goes wrong at random rates while both sides change; afterwards both sides agree again."""

from __future__ import annotations

import os
import random
import threading
from datetime import UTC, datetime
from time import monotonic

import pytest

from connector_core.demo.platform import PlatformFault
from connector_core.demo.stage import INTEGRATION
from connector_core.engine import backoff
from connector_jira_jsm_sandbox.faults import Fault, WebhookFault, rate_limited
from tests.support.faults.campaign import LONG, Traffic, opened_stage, report, wait_until_quiet
from tests.support.faults.verdict import compare
from tests.support.jira.at_stage import sandbox_of

SEED = int(os.environ.get("CONNECTOR_CAMPAIGN_SEED", "20261124"))
LASTS_S = 150.0 if LONG else 5.0
LONGEST_S = backoff.LONGEST_S * 1.5
API = "/rest/"
WRITES = "POST|PUT"
CREATE = r"/rest/servicedeskapi/request$"
ISSUE = r"/rest/api/2/issue/"

# Kinds of trouble with the share of calls that each strikes; those about one ticket only trip no breaker.
ALWAYS = (
    (0.03, lambda: Fault("status", path=API, status=500)),
    (0.03, lambda: Fault("status", path=API, status=502)),
    (0.03, lambda: Fault("status", path=API, status=503)),
    (0.05, lambda: Fault("status", "PUT|POST", ISSUE, status=409)),
    (0.03, lambda: Fault("reset", path=API)),
    (0.04, lambda: Fault("lost_answer", WRITES, path=API)),
    (0.04, lambda: Fault("lost_answer", "POST", path=CREATE)),
    (0.05, lambda: Fault("slow", path=API, delay_s=0.4)),
    (0.02, lambda: Fault("html", path=API)),
    (0.03, lambda: Fault("truncated", path=API)),
    (0.02, lambda: rate_limited(retry_after=1)),
    (0.02, lambda: rate_limited(retry_after=1, reason="jira-burst-based")),
    (0.02, lambda: rate_limited(retry_after=1, reason="jira-per-issue-on-write", path=ISSUE)),
    (0.01, lambda: rate_limited(retry_after=1, reason="jira-quota-global-based")),
    (0.02, rate_limited),
)
UNAUTHORIZED = 401
BETWEEN_REFUSALS_S = 15.0
PLATFORM = (
    PlatformFault(status=503),
    PlatformFault(status=429, headers={"Retry-After": "1"}),
    PlatformFault(status=0),
    PlatformFault(status=0, applied=True),
    PlatformFault(status=500, applied=True),
    PlatformFault(status=504, delay_s=1.0, applied=True),
)
PLATFORM_SHARE = 0.15


@pytest.mark.extended
def test_random_faults_lose_and_double_nothing(tmp_path, capsys):
    """When all trouble ends, every incident has one request and both sides agree."""
    chance = random.Random(SEED)
    with opened_stage(tmp_path) as stage:
        with Traffic(stage, SEED, pause_s=0.06) as traffic:
            began = monotonic()
            set_faults(stage, chance)
            while monotonic() - began < LASTS_S:
                once_in_a_while(stage, chance)
                threading.Event().wait(0.5)
        struck = sum(1 for call in sandbox_of(stage).calls if call.fault is not None)
        sandbox_of(stage).clear_faults()
        stage.platform.clear_faults()
        ended = monotonic()
        caught_up(stage)
        caught_up_s = monotonic() - ended
        verdict = compare(stage, traffic.subjects)
        acknowledged, calls = len(stage.platform.acknowledged), stage.sandbox.call_count()
    did = f"faults: seed={SEED} lasted={LASTS_S:.0f} s calls={calls} struck={struck} edits={traffic.edits}"
    report(capsys, f"{did} events acknowledged={acknowledged} {verdict} caught up in {caught_up_s:.1f} s")

    assert verdict.is_clean, [*verdict.lost, *verdict.doubled, *verdict.diverged]


def set_faults(stage, chance):
    """Put lasting trouble in force on both sides."""
    for share, make in ALWAYS:
        fault = make()
        fault.times, fault.probability = None, share
        stage.sandbox.add_fault(fault)
    draw = random.Random(chance.random())
    stage.platform.set_faults(lambda: draw.choice(PLATFORM) if draw.random() < PLATFORM_SHARE else None)


def once_in_a_while(stage, chance):
    """Refuse the access token once, which would be a revocation if it were twice; and meddle with webhooks."""
    plan = stage.sandbox.faults
    refused = [call.time for call in sandbox_of(stage).calls if call.status == UNAUTHORIZED]
    is_long_ago = not refused or (datetime.now(UTC) - refused[-1]).total_seconds() > BETWEEN_REFUSALS_S
    if is_long_ago and not any(fault.status == UNAUTHORIZED for fault in plan.listed()):
        plan._faults.insert(0, Fault("status", path=API, status=UNAUTHORIZED))
    kind = chance.choice(["doubled", "reordered", "delayed", "dropped"])
    stage.sandbox.add_fault(WebhookFault(kind, times=2, delay_s=chance.uniform(0.1, 2)))


def caught_up(stage):
    """Wait until all is synced; dropped webhooks are found by reading the tickets, as the poller does too."""
    wait_until_quiet(stage, within_s=LONGEST_S)
    assert stage.daemon.command("reconcile", INTEGRATION, "--full").returncode == 0
    wait_until_quiet(stage, within_s=LONGEST_S)
