"""PostgreSQL goes away, only reads, or gives way to a standby: the daemon goes on, and nothing is lost."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from connector_core.demo.stage import until
from tests.support.events import send_event
from tests.support.linking import open_incident, ticket_shows
from tests.support.postgres import own_pair, own_server


@pytest.fixture
def server():
    """Start a server that this test may change."""
    with own_server(fsync=True) as started:
        yield started


@pytest.fixture
def pair():
    """Start a server and its standby."""
    with own_pair() as started:
        yield started


@pytest.fixture
def stage(open_stage, pair):
    """Open a stage whose daemon knows both servers."""
    folders = ",".join(quote(str(one.folder), safe="") for one in pair)
    return open_stage(database=f"postgresql://connector@/connector?host={folders}&port=5432,5432")


def is_turned_away(stage, name):
    """Return whether an event is answered in a way that has it sent again."""
    answer = send_event(stage, name)
    assert answer.status_code in {200, 202, 503}
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


def titles(stage):
    """Return the titles of all tickets."""
    return sorted(ticket["title"] for ticket in stage.sandbox.tickets())


@pytest.mark.extended
def test_a_standby_takes_over(stage, pair):
    """Whoever sends is told to come again meanwhile; then all goes on there, with what both had."""
    primary, standby = pair
    incident, ticket = open_incident(stage, "Before")
    until(lambda: not standby.is_behind(primary))
    primary.crash()
    until(lambda: is_turned_away(stage, "Meanwhile"))
    stage.platform.change(incident, title="Changed meanwhile")  # is sent until it is taken
    standby.promote()
    until(stage.daemon.is_ready)

    ticket_shows(stage, ticket, title="Changed meanwhile")
    assert send_event(stage, "Meanwhile").status_code < 300
    until(lambda: titles(stage) == ["Changed meanwhile", "Meanwhile"])


@pytest.mark.extended
def test_a_standby_that_lacks_the_last_commits_makes_no_second_ticket(stage, pair):
    """What was stored last is gone with the other one; its tickets are looked for, by a daemon that never stopped."""
    primary, standby = pair
    open_incident(stage, "Both know it")
    until(lambda: not standby.is_behind(primary))
    standby.stop()
    lost, ticket = open_incident(stage, "Only the primary knows it")
    primary.crash()
    standby.start()
    standby.promote()
    until(stage.daemon.is_ready)

    stage.platform.change(lost, title="It is known again")

    ticket_shows(stage, ticket, title="It is known again")
    assert titles(stage) == ["Both know it", "It is known again"]


@pytest.mark.extended
def test_a_server_that_takes_no_changes(open_stage, server):
    """It is said so, and whoever sends is told to come again; when it takes them again, all goes on."""
    stage = open_stage(database=server.url)
    incident, ticket = open_incident(stage, "Before")
    server.configure("default_transaction_read_only", "on")
    until(lambda: is_turned_away(stage, "Meanwhile"))
    ready = requests.get(f"{stage.daemon.url}/readyz", timeout=60)
    assert ready.status_code == 503
    assert requests.get(f"{stage.daemon.url}/healthz", timeout=60).status_code == 200
    stage.platform.change(incident, title="Changed meanwhile")
    server.configure("default_transaction_read_only", "off")
    until(stage.daemon.is_ready)

    ticket_shows(stage, ticket, title="Changed meanwhile")
    assert send_event(stage, "Meanwhile").status_code < 300
    until(lambda: titles(stage) == ["Changed meanwhile", "Meanwhile"])


@pytest.mark.extended
def test_a_primary_that_only_reads_is_left_for_the_standby(stage, pair):
    """Nothing cuts the connections to it: the daemon lets go of them itself."""
    primary, standby = pair
    incident, ticket = open_incident(stage, "Before")
    until(lambda: not standby.is_behind(primary))
    primary.configure("default_transaction_read_only", "on")
    standby.promote()
    until(stage.daemon.is_ready)

    stage.platform.change(incident, title="On the other one")
    ticket_shows(stage, ticket, title="On the other one")
    open_incident(stage, "New there")
