"""Three daemons as processes on one PostgreSQL database do once what one alone would do."""

from __future__ import annotations

import json
from time import monotonic

import pytest

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, source_plugin, until
from connector_core.plugins import load_plugins
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.cluster import opened_cluster
from tests.support.jira.at_stage import sandbox_of
from tests.support.linking import open_incident, ticket_shows

EVERY_S = 1.0
POLLS, CALLS_A_POLL = 12, 2
LONGER_THAN_A_LOOK_S, LOOK_AND_REGISTER = 5.0, 2
WEBHOOKS = "/rest/api/3/webhook"


def settings(tree):
    """Poll each second, and have the webhook registered by the connector."""
    organization = tree["organizations"][ORGANIZATION]
    organization["source"]["poll_every"] = f"{EVERY_S:.0f}s"
    organization["integrations"][INTEGRATION]["managed_webhook"] = True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgresql_database):
    """Put up three daemons between a platform that is polled and a helpdesk whose webhook they register."""
    postgresql_database.clear()
    source = source_plugin(load_plugins(), "xyte")
    folder = tmp_path_factory.mktemp("several")
    options = {"nodes": 3, "edit": settings, "source": source, "with_webhook": False, "reconcile": "1h"}
    with opened_cluster(folder, postgresql_database.url, **options) as opened:
        until(lambda: logged(opened, "webhook_kept"))  # its registration is over
        yield opened
    postgresql_database.clear()


def logged(cluster, event):
    """Return what all daemons logged of an event."""
    lines = [line for daemon in cluster.nodes for line in daemon.log_path.read_text().splitlines()]
    return [json.loads(line) for line in lines if f'"{event}"' in line]


def lists(cluster):
    """Count the calls that ask for incidents: those that are open, and those that were closed."""
    return len([path for _, path in list(cluster.stage.platform.api.calls) if path.endswith("/incidents")])


@pytest.mark.extended
def test_a_source_is_polled_as_often_as_by_one_daemon(cluster):
    """Three that each asked every second would have asked so often in a third of the time."""
    before, started = lists(cluster), monotonic()

    until(lambda: lists(cluster) >= before + POLLS * CALLS_A_POLL)

    assert monotonic() - started > EVERY_S * (POLLS - 3)


@pytest.mark.extended
def test_one_webhook_is_registered_although_the_answer_is_slow(cluster):
    """All daemons see the new consent; one of them asks, and the others leave it to that one."""
    stage, site = cluster.stage, sandbox_of(cluster.stage).site
    (former,) = site.dynamic_webhooks
    del site.dynamic_webhooks[former]
    kept = len(logged(cluster, "webhook_kept"))
    slow = Fault("slow", path=WEBHOOKS, delay_s=LONGER_THAN_A_LOOK_S, times=None)
    stage.sandbox.add_fault(slow)

    stage.authorize()
    until(lambda: site.dynamic_webhooks and len(logged(cluster, "webhook_kept")) > kept)
    stage.sandbox.clear_faults()

    # By all of them: one looks and registers, and another may have begun a look just before. Three alone make seven.
    assert LOOK_AND_REGISTER <= slow.hits <= 2 * LOOK_AND_REGISTER
    assert len(site.dynamic_webhooks) == 1


def test_what_a_killed_daemon_did_for_all_goes_on(cluster):
    """Sources are polled as before, and each incident gets one ticket."""
    cluster.nodes[1].kill()

    _, ticket = open_incident(cluster.stage, "After the kill")

    ticket_shows(cluster.stage, ticket, title="After the kill")
    cluster.nodes[2].kill()
    open_incident(cluster.stage, "After another")
    assert len(cluster.stage.sandbox.tickets()) == 2
