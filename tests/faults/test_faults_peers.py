"""A helpdesk that fails in its ways: what each means for a call, for the links, and for everybody else."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from connector_core.demo.stage import INTEGRATION, until
from connector_jira_jsm_sandbox.faults import Fault, rate_limited
from tests.support.faults.campaign import figures, opened_stage, push, wait_until_quiet

API = "/rest/"
CREATE = r"/rest/servicedeskapi/request$"
PER_INTEGRATION = 8
LIMITED_S = 5
FIRST_WAITS_S = 10.0
ALMOST_S = 0.5  # what the two sides' readings of the clock may differ by


@pytest.fixture(scope="module")
def whole_stage(tmp_path_factory):
    """Open one stage for the whole module."""
    with opened_stage(tmp_path_factory.mktemp("peers")) as opened:
        yield opened


@pytest.fixture
def stage(whole_stage):
    """Give the stage to a test, and end its trouble afterwards."""
    yield whole_stage
    whole_stage.sandbox.clear_faults()
    wait_until_quiet(whole_stage, within_s=120)


def opened(stage, prefix, count):
    """Open incidents; return their titles by id."""
    return {stage.platform.open(f"{prefix} {number}"): f"{prefix} {number}" for number in range(count)}


def tickets_of(stage, incidents):
    """Return the tickets of incidents by title; a title that comes twice fails."""
    found = [ticket for ticket in stage.sandbox.tickets() if ticket["title"] in incidents.values()]
    assert len({ticket["title"] for ticket in found}) == len(found)
    return {ticket["title"]: ticket for ticket in found}


def all_linked(stage, incidents):
    """Return whether each incident has its ticket."""
    return tickets_of(stage, incidents).keys() == set(incidents.values())


def calls_since(stage, moment):
    """Return the API calls after a time."""
    return [call for call in stage.sandbox.calls if call.time > moment and API in call.full_path]


def is_early(time, limited):
    """Return whether a call was made while a wait that was asked for before it was not over."""
    return any(0 < (time - asked).total_seconds() < LIMITED_S - ALMOST_S for asked in limited)


def links_of(stage, *options):
    """List links as the command does."""
    return json.loads(stage.daemon.command("links", "--json", *options).stdout)


@pytest.mark.extended
def test_torn_answers_make_no_second_request(stage):
    """A create that was done, half answered, or answered by another is looked for before it is done again."""
    for kind in ("lost_answer", "truncated", "html", "reset"):
        stage.sandbox.add_fault(Fault(kind, "POST", CREATE))
    stage.sandbox.add_fault(Fault("status", "POST", CREATE, status=502))

    incidents = opened(stage, "torn", 5)

    until(lambda: all_linked(stage, incidents), within_s=120)
    wait_until_quiet(stage, within_s=120)
    assert all_linked(stage, incidents)


@pytest.mark.extended
def test_a_poisoned_link_holds_up_nobody_and_is_cured_by_retry(stage):
    """Of many links one is always refused: the others are done, it is listed with a fix, and retried when cured."""
    incidents = opened(stage, "healthy", 20)
    until(lambda: all_linked(stage, incidents), within_s=120)
    poisoned, title = next(iter(incidents.items()))
    ticket = tickets_of(stage, incidents)[title]["id"]
    stage.sandbox.add_fault(Fault("status", "PUT", f"/issue/{ticket}$", times=None, status=400))

    for incident in incidents:
        incidents[incident] += " renamed"
        stage.platform.change(incident, title=incidents[incident])
    until(lambda: len(tickets_of(stage, incidents)) == len(incidents) - 1, within_s=120)
    until(lambda: figures(stage, "connector_links")[INTEGRATION, "blocked"] == 1)
    (failed,) = links_of(stage, "--failed")
    stage.sandbox.clear_faults()
    retried = stage.daemon.command("retry", poisoned)
    until(lambda: all_linked(stage, incidents))

    assert (failed["incident"], failed["state"]) == (poisoned, "blocked")
    assert failed["reason"]
    assert retried.returncode == 0
    assert links_of(stage, "--failed") == []


@pytest.mark.extended
def test_rate_limit_is_obeyed_across_a_restart(stage):
    """While a site asks to wait nobody calls it, not even the next life of the daemon; then all goes on."""
    stage.sandbox.add_fault(rate_limited(retry_after=LIMITED_S, times=None))
    incidents = opened(stage, "limited", 20)
    until(lambda: any(call.status == 429 for call in stage.sandbox.calls))
    until(lambda: figures(stage, "connector_lanes")[("parked",)] >= len(incidents))
    stage.daemon.kill()
    restarted = datetime.now(UTC)
    stage.daemon.start()
    push(stage, "evt-limited", id="inc-limited", title="limited too")
    until(lambda: len(calls_since(stage, restarted)) > 0)
    limited = [call.time for call in stage.sandbox.calls if call.status == 429]
    early = [call.time for call in calls_since(stage, limited[0]) if is_early(call.time, limited)]
    stage.sandbox.clear_faults()
    until(lambda: all_linked(stage, {**incidents, "inc-limited": "limited too"}), within_s=120)

    assert len(early) < PER_INTEGRATION  # those that were under way when the first was told to wait
    assert [time for time in early if time > restarted] == []


@pytest.mark.extended
def test_an_outage_is_probed_by_one_and_its_end_is_no_stampede(stage):
    """While a site is down few calls are made, and when it is back no more at once than an integration may."""
    before = datetime.now(UTC)
    stage.sandbox.add_fault(Fault("status", path=API, status=503, times=None))
    incidents = opened(stage, "patient", 40)
    until(lambda: figures(stage, "connector_lanes")[("parked",)] >= len(incidents), within_s=120)
    until(lambda: (datetime.now(UTC) - before).total_seconds() > 5)
    lasted_s = (datetime.now(UTC) - before).total_seconds()
    during = len(calls_since(stage, before))
    gauge = InFlight(stage.sandbox)
    stage.sandbox.clear_faults()
    until(lambda: all_linked(stage, incidents), within_s=120)
    gauge.end()

    assert (
        during <= PER_INTEGRATION + 6 + (lasted_s - 5) / 4
    )  # the fourth probe comes some four seconds after the third
    assert 1 < gauge.most <= PER_INTEGRATION + 1  # its lanes, and one that looks at all of its tickets


class InFlight:
    """Counts how many calls the sandbox works on at once; each takes a little longer.

    After the first, which is alone because it finds out that the site is back, one waits for another beside it.
    """

    def __init__(self, sandbox):
        self.most = self._now = self._calls = 0
        self._two = asyncio.Event()
        self._edge = sandbox._server.config.app
        self._app, self._edge._app = self._edge._app, self

    async def __call__(self, *call):
        """Serve one call."""
        self._calls += 1
        is_probe = self._calls == 1
        self._now += 1
        self.most = max(self.most, self._now)
        if self.most > 1:
            self._two.set()
        try:
            if not is_probe:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._two.wait(), FIRST_WAITS_S)
            await asyncio.sleep(0.02)
            await self._app(*call)
        finally:
            self._now -= 1

    def end(self):
        """Count no longer."""
        self._edge._app = self._app


@pytest.mark.extended
def test_revoked_authorization_is_said_and_made_good_by_a_new_one(stage):
    """When access is taken away events are still accepted and wait; after a new consent all are synced."""
    stage.sandbox.authorization.revoke_all()
    incidents = opened(stage, "revoked", 5)
    until(lambda: figures(stage, "connector_links")[INTEGRATION, "paused"] == len(incidents))
    status = json.loads(stage.daemon.command("status", "--json").stdout)
    waiting = links_of(stage, "--failed")
    accepted = push(stage, "evt-revoked", id="inc-revoked", title="revoked later")
    stage.authorize()
    until(lambda: all_linked(stage, {**incidents, "inc-revoked": "revoked later"}))

    assert [row["problem"] != "" for row in status["integrations"]] == [True]
    assert {link["code"] for link in waiting} == {"authorization_needed"}
    assert all(re.search("connector integrations authorize", link["fix"]) for link in waiting)
    assert accepted.status_code == 200
