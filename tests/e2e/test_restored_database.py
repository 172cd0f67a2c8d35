"""A database of before, put back: no incident gets a second request, and all are looked for in a few searches."""

from __future__ import annotations

import shutil

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, until
from connector_core.store import NO_TICKET, LinkState
from connector_jira_jsm_sandbox.faults import Fault
from tests.support.linking import incident_shows, open_incident, ticket_shows

INCIDENTS = 6


def searches(stage):
    """Count the searches for tickets since a time that is not the reconciler's."""
    return sum(
        call.full_path.endswith("/search/jql") and b"created >=" in call.request_body for call in stage.sandbox.calls
    )


def creations(stage):
    """Count the creations of requests."""
    return sum(
        call.method == "POST" and call.full_path.endswith("/servicedeskapi/request") for call in stage.sandbox.calls
    )


def database_of(stage):
    """Return the file of the database."""
    return stage.config_path.parent / "connector.db"


@pytest.fixture
def taken(stage):
    """Take a copy, open incidents, and put the copy back: as `db backup` makes it, or the plain file."""

    def take(way, **fields):
        open_incident(stage, "Known")
        backup = stage.config_path.parent / "backup"
        if way == "backup":
            assert stage.daemon.command("db", "backup", str(backup)).returncode == 0
        else:
            stage.daemon.stop()
            shutil.copy(database_of(stage), backup)
            stage.daemon.start()
        opened = [open_incident(stage, f"After {number}", **fields) for number in range(INCIDENTS)]
        stage.daemon.stop()
        for name in database_of(stage).parent.glob("connector.db*"):
            if name.suffix in {".db", ".db-wal", ".db-shm"}:
                name.unlink()
        shutil.copy(backup, database_of(stage))
        return stage, opened

    return take


@pytest.mark.extended
@pytest.mark.parametrize("way", ["backup", "file"])
def test_what_was_opened_after_the_backup_keeps_its_request(taken, way):
    """The platform tells of changes; each request is taken over with what an agent did to it meanwhile."""
    stage, opened = taken(way)
    (renamed, its_ticket), (edited, edited_ticket), (ended, ended_ticket) = opened[:3]
    stage.sandbox.edit_ticket(edited_ticket, title="Seen to")
    stage.sandbox.finish_ticket(ended_ticket)
    made, looked = creations(stage), searches(stage)
    stage.daemon.start()

    stage.platform.change(renamed, title="Renamed")
    for incident, _ in opened[1:]:
        stage.platform.change(incident, priority="critical")
    new = stage.platform.open("New")

    ticket_shows(stage, its_ticket, title="Renamed")
    incident_shows(stage, ended, status="closed")
    until(lambda: all(stage.ticket_of(incident) for incident, _ in opened))
    until(lambda: stage.ticket_of(new))
    assert [stage.ticket_of(incident)["id"] for incident, _ in opened] == [ticket for _, ticket in opened]
    assert creations(stage) - made == 1
    assert searches(stage) - looked <= INCIDENTS
    assert len(stage.sandbox.tickets()) == INCIDENTS + 2
    assert stage.platform.incident(edited)["title"] in {"Seen to", "After 1"}


def standing(stage, incident):
    """Return where the links of an incident stand, in a word and a code."""
    with stage.opened_store() as store:
        return [(link.status.state, link.status.code) for link in store.links.find(text=incident)]


def told(stage, incident):
    """Return what the timeline of an incident's link tells, by kind."""
    with stage.opened_store() as store:
        (link,) = store.links.find(text=incident)
        return {entry.kind: entry for entry in store.timelines.read(link.id)}


def set_up_otherwise(stage, **settings):
    """Change the integration's settings in the file, while no daemon runs."""
    tree = YAML().load(stage.config_path)
    tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION] |= settings
    YAML().dump(tree, stage.config_path)


def search_without_lag(stage):
    """Let Jira's search know of everything at once, and the next daemon know that it does."""
    stage.sandbox.site.search_lag_s = 0.0
    tree = YAML().load(stage.config_path)
    tree["plugins"]["jira_jsm"]["search_settle"] = 0
    YAML().dump(tree, stage.config_path)


@pytest.mark.extended
def test_what_is_told_of_an_incidents_end_alone_reaches_its_ticket(stage, taken):
    """Resolved or edited, each by an event that begins no link: the ticket is found, and none is made."""
    search_without_lag(stage)
    _, opened = taken("backup", opened_at=None)
    (ended, its_ticket), (edited, edited_ticket), (finished, its_finished) = opened[:3]
    stage.sandbox.finish_ticket(its_finished)
    unheard, *others = [stage.platform.open("Nobody heard of it", told=False) for _ in range(3 * INCIDENTS)]
    made, looked = creations(stage), searches(stage)
    stage.daemon.start()

    stage.platform.resolve(ended)
    stage.platform.change(edited, title="Renamed")
    stage.platform.change(finished, priority="critical")
    for incident in (unheard, *others, unheard):
        stage.platform.resolve(incident)

    until(lambda: stage.sandbox.ticket(its_ticket)["done"])
    ticket_shows(stage, edited_ticket, title="Renamed")
    incident_shows(stage, finished, status="closed")
    until(lambda: all(standing(stage, one) == [(LinkState.IN_SYNC, NO_TICKET)] for one in (unheard, *others)))
    assert creations(stage) == made
    assert searches(stage) - looked <= INCIDENTS
    assert told(stage, unheard)[NO_TICKET].values["why"] == "incident_over"


@pytest.mark.extended
def test_a_comment_finds_its_ticket(stage, taken):
    """It is written when that may be: half a minute after the start, for the lost daemon may have written it too."""
    search_without_lag(stage)
    _, opened = taken("backup", opened_at=None)
    (incident, ticket), made = opened[0], creations(stage)
    set_up_otherwise(stage, comments={"to_ticket": "internal"})
    stage.daemon.start()

    stage.platform.comment(incident, "Ada", "Still dark")

    until(lambda: stage.sandbox.workbench.issue(ticket).fields.comments)
    assert creations(stage) == made


@pytest.mark.extended
def test_a_look_outlives_a_kill_an_outage_and_other_settings(stage, taken):
    """Another desk is chosen, Jira does not answer the search, the daemon is killed: the ticket is closed once it can.

    The event is told twice. A ticket that people closed meanwhile, as its webhook tells, closes its incident.
    """
    search_without_lag(stage)
    _, opened = taken("file", opened_at=None)
    (ended, its_ticket), (edited, edited_ticket) = opened[:2]
    made = creations(stage)
    other = stage.sandbox.profile.desks[1]
    set_up_otherwise(stage, service_desk=other.id, request_type=other.request_types[0].id)
    stage.sandbox.add_fault(Fault("slow", path="/search/jql", delay_s=30, times=None))
    stage.daemon.start()
    for _ in range(2):
        stage.platform.resolve(ended)
    stage.platform.change(edited, priority="critical")
    until(lambda: stage.platform.waiting == 0)
    until(lambda: standing(stage, ended) == standing(stage, edited) == [(LinkState.WAITING, "looking")])
    stage.sandbox.finish_ticket(edited_ticket)
    assert stage.sandbox.wait_for_deliveries()
    stage.daemon.kill()
    stage.sandbox.clear_faults()
    stage.daemon.start()

    until(lambda: stage.sandbox.ticket(its_ticket)["done"])
    incident_shows(stage, edited, status="closed")
    assert creations(stage) == made


def test_a_restart_looks_for_nothing(stage):
    """A stop and a start, with an incident opened in between, cost no search, and no wait."""
    open_incident(stage, "Known")
    stage.daemon.stop()
    incident = stage.platform.open("While away")
    looked = searches(stage)
    stage.daemon.start()

    until(lambda: stage.ticket_of(incident))
    assert searches(stage) == looked
