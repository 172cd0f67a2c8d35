"""Slow neighbours: while sites hold every call of theirs, nobody else waits.

The sites hold what comes in until the test lets go, so what is judged is the order: it happened although not one of the
held calls had been answered, nor given up.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from connector_core.demo.stage import until
from tests.support.faults.campaign import LONG
from tests.support.faults.neighbours import desk_of, neighbours, wait_for_tickets

SLOW = 200 if LONG else 40
INCIDENTS_EACH = 3
WORKERS = 512 if LONG else 64  # fewer than there are lanes, more than there are slow sites
HEALTHY, PAUSED, LATE = SLOW, SLOW + 1, SLOW + 2
VIEWS = 60
INSIDE_S = 20.0
"""Long before the connector gives a held call up, which would free what holds it."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Put up the sites; those that are slow have a ticket each, so that there is something to reconcile."""
    with neighbours(tmp_path_factory.mktemp("neighbours"), sites=SLOW + 3, tenants=SLOW + 2, workers=WORKERS) as opened:
        first = [f"first of {number}" for number in range(SLOW + 2)]
        for number, title in enumerate(first):
            opened.open(number, title)
        wait_for_tickets(opened, first)
        yield opened


@pytest.fixture
def slow(stage):
    """Have all slow sites hold what is called: lanes, and then reconciles; let go afterwards."""
    sites = stage.sites[:SLOW]
    stage.relays.hold(*sites)
    for each in range(INCIDENTS_EACH):
        for number in range(SLOW):
            stage.open(number, f"waits {stage.sites[number].calls} {number} {each}")
    until(lambda: all(site.held >= 2 for site in sites), within_s=60)  # a lane and a reconcile at least
    yield sites
    stage.relays.release(*sites)


@pytest.mark.extended
def test_a_healthy_site_has_its_ticket_while_slow_ones_hold_every_call(stage, slow):
    """However many lanes and reconciles hang."""
    stage.open(HEALTHY, "healthy")

    until(lambda: stage.has_ticket("healthy"), within_s=INSIDE_S)
    assert all(site.held + site.given_up >= 1 for site in slow)


@pytest.mark.extended
def test_what_happens_by_the_clock_goes_on(stage, slow):
    """A breaker is probed, the file is applied, a new tenant is authorized and followed, while all slow calls hang."""
    stage.sites[PAUSED].refusals = 1
    stage.open(PAUSED, "after a pause")
    stage.add_tenant(LATE)
    applied = stage.daemon.command("config", "apply")

    assert applied.returncode == 0, applied.stdout + applied.stderr
    until(lambda: stage.active() == SLOW + 3, within_s=INSIDE_S)
    until(lambda: stage.has_ticket("after a pause"), within_s=INSIDE_S)
    stage.open(LATE, "late tenant")
    until(lambda: stage.has_ticket("late tenant"), within_s=INSIDE_S)
    assert all(site.held + site.given_up >= 1 for site in slow)


@pytest.mark.extended
def test_health_figures_and_login_answer_while_admins_wait_for_lists(stage, slow):
    """Pages that need a slow site wait apart, a few for each; more are told to come again. Others have their lists."""
    admin = stage.visitor("ada")
    slow_step = f"{stage.daemon.url}/integrations/{desk_of(slow[0])}/setup/step/service_desk"
    before = slow[0].held
    with ThreadPoolExecutor(VIEWS) as pool:
        waiting = [pool.submit(admin.session.get, slow_step, timeout=120) for _ in range(VIEWS)]
        until(lambda: slow[0].held > before and sum(one.done() for one in waiting) >= VIEWS // 2)
        told = [one.result() for one in waiting if one.done()]

        for path in ("/healthz", "/readyz", "/metrics", "/login"):
            assert requests.get(stage.daemon.url + path, timeout=INSIDE_S).ok
        other = stage.visitor("ada")
        assert other.get("/").ok
        assert (
            "Support (SUP)" in other.get(f"/integrations/{desk_of(stage.sites[HEALTHY])}/setup/step/service_desk").text
        )
        assert {answer.status_code for answer in told} == {503}
        assert all("answers slowly" in answer.text and answer.headers["Retry-After"] for answer in told)
        assert not all(one.done() for one in waiting)
        stage.relays.release(*slow)
        assert {one.result().status_code for one in waiting} == {200, 503}
    stage.relays.hold(*slow)


@pytest.fixture
def calm(tmp_path):
    """Put up one tenant with one ticket, and wait until nothing is left to do."""
    with neighbours(tmp_path, sites=1, tenants=1) as opened:
        opened.open(0, "only one")
        wait_for_tickets(opened, ["only one"])
        until(lambda: opened.open_lanes() == 0)
        yield opened


@pytest.mark.extended
def test_a_viewers_look_calls_nobody(calm):
    """Every page that a viewer can come to is shown, and no site is called for it."""
    viewer = calm.visitor("vic")
    one = f"/integrations/{desk_of(calm.sites[0])}"
    steps = re.findall(r'href="(/integrations/[^"]*/setup/[^"]*)"', viewer.get(f"{one}/setup/enable").text)
    assert len(set(steps)) > 5

    for path in ["/", "/links", "/unfinished", one, f"{one}/rules", "/sources/org-0", *steps]:
        before = calls_for_pages(calm)
        assert viewer.get(path).status_code in {200, 404}, path
        assert calls_for_pages(calm) == before, path


def calls_for_pages(stage):
    """Count the calls that only pages make: lists, forms and previews."""
    asked = re.compile(r"/servicedesk$|/requesttype|/field$|/statuses|/priority|/myself|/transitions")
    return sum(bool(asked.search(call.full_path)) for call in stage.sandbox.calls if call.method == "GET")
