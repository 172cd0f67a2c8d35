"""Fields that a site hides or refuses, and tickets that agents finished before we heard of it, at a site over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from connector_core import (
    CreateTicket,
    FieldName,
    NotCreated,
    Receipt,
    RemoteError,
    TicketQuery,
    TicketSnapshot,
)
from connector_core.testing import MemoryCore
from connector_jira_jsm.checks.checkup import check
from connector_jira_jsm.settings import Fallback
from connector_jira_jsm.tickets.reading import fetch
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import Fault
from connector_jira_jsm_sandbox.profile import DEFAULT
from tests.support.changes import close, look_for
from tests.support.jira.at_sandbox import Place, place

HIDDEN = replace(DEFAULT, hidden_fields=frozenset({"priority"}))
MUTE = frozenset({"description"})


@pytest.fixture
def site() -> Iterator[Place]:
    """Work on a site of one's own."""
    with place() as made:
        yield made


def written(site: Place, ticket: TicketSnapshot) -> list[str]:
    """List the writes about a ticket."""
    return [call.method for call in site.sandbox.calls if call.method in {"PUT", "POST"} and ticket.id in call.path]


def test_life_on_a_site_that_hides_priority():
    """The request is made once, found after a lost answer, read, edited and closed; its priority is unknown."""
    with place(profile=HIDDEN) as site:
        change, ticket = site.open(priority="high", description="It is hot.")
        again = look_for(change, site.clock.now(), age_s=600.0)
        found = write_change(site.integration, again)
        (read,) = fetch(site.integration, TicketQuery(ids=frozenset({ticket.id})))
        edited = site.update(change, ticket, FieldName.TITLE, FieldName.PRIORITY, title="New", priority="low")
        closed = write_change(site.integration, close(change, edited.ticket))

        assert isinstance(found, Receipt)
        assert isinstance(read, TicketSnapshot)
        assert isinstance(closed, Receipt)
        assert (found.ticket.id, len(site.sandbox.tickets())) == (ticket.id, 1)
        assert [one.unknown for one in (ticket, found.ticket, read)] == [{FieldName.PRIORITY}] * 3
        assert edited.ticket.title == "New"
        assert edited.refused.keys() == {FieldName.PRIORITY}
        assert closed.ticket.done


@pytest.mark.parametrize("move", ["51", "31"])
@pytest.mark.parametrize(
    "names",
    [(FieldName.TITLE, FieldName.PRIORITY), (FieldName.TITLE,), (FieldName.PRIORITY,), (FieldName.DESCRIPTION,)],
)
def test_what_an_agent_finished_is_not_edited(site: Place, move: str, names: tuple[FieldName, ...]):
    """Canceled or resolved before we heard of it: another title or priority writes nothing, and its end is told."""
    change, ticket = site.open(priority="high", description="It is hot.")
    site.sandbox.workbench.move(ticket.id, move)
    before = len(site.sandbox.workbench.issue(ticket.id).history)

    receipt = site.update(change, ticket, *names, title="New", priority="low", description="It is cold.")

    assert receipt.untouched
    assert (receipt.ticket.done, receipt.ticket.title) == (True, ticket.title)
    assert written(site, ticket) == []
    assert len(site.sandbox.workbench.issue(ticket.id).history) == before


def puts(site: Place, ticket: TicketSnapshot) -> list[list[str]]:
    """List the fields of each edit of a ticket."""
    path = f"/issue/{ticket.id}"
    edits = [call for call in site.sandbox.calls if call.method == "PUT" and call.path.endswith(path)]
    return [sorted(json.loads(call.request_body)["fields"]) for call in edits]


@pytest.mark.parametrize(
    ("field", "name", "shows"),
    [
        ("summary", FieldName.TITLE, '"Fan 1 failed"'),
        ("priority", FieldName.PRIORITY, '"High"'),
        ("description", FieldName.DESCRIPTION, "former text"),
    ],
)
def test_what_a_rule_sets_back_is_written_twice_and_told(field: str, name: FieldName, shows: str):
    """Jira answers 200 and shows what was there: one more try of that field alone, then the receipt says so."""
    with place(profile=replace(DEFAULT, reverted_fields=frozenset({field}))) as site:
        change, ticket = site.open(priority="high", description="It is hot.")
        every = (FieldName.TITLE, FieldName.PRIORITY, FieldName.DESCRIPTION)

        receipt = site.update(change, ticket, *every, title="New", priority="low", description="It is cold.")

        assert puts(site, ticket) == [["description", "priority", "summary"], [field]]
        assert receipt.unkept.keys() == {name}
        assert shows in receipt.unkept[name]
        assert getattr(receipt.ticket, name.value) == getattr(ticket, name.value)
        assert not receipt.refused


def test_what_is_kept_the_second_time_is_written(site: Place):
    """A proxy answered the first edit in Jira's place."""
    change, ticket = site.open(priority="high")
    site.undescribed = "PUT "
    site.sandbox.add_fault(Fault("status", method="PUT", path="/issue/", status=200, body={}))

    receipt = site.update(change, ticket, FieldName.TITLE, title="New")

    assert puts(site, ticket) == [["summary"], ["summary"]]
    assert (receipt.ticket.title, receipt.unkept) == ("New", {})


def by_hand(site: Place, summary: str) -> None:
    """Have a person make a ticket."""
    desk = site.sandbox.profile.desks[0]
    kind = desk.request_types[0].issue_type_id
    site.sandbox.site.create(
        site.sandbox.profile.person, project_key=desk.project_key, issue_type_id=kind, summary=summary
    )


def looked_for(site: Place, change: CreateTicket, *, of_earlier_life: bool = False) -> Receipt | NotCreated:
    """Look for a ticket, long after the answer to its creation was lost."""
    incident = change.incident.model_copy(update={"id": "inc-lost"})
    ours = CreateTicket(incident=incident, marker="cnx-0000000000000000ffff")
    look = look_for(ours, site.clock.now(), age_s=600.0, of_earlier_life=of_earlier_life)
    return write_change(site.integration, look)


@pytest.mark.parametrize("of_earlier_life", [False, True])
def test_the_same_title_many_times_is_no_doubt_where_descriptions_are_hidden(*, of_earlier_life: bool):
    """What people made, and what carries our note, is not the ticket that is looked for: nothing waits for a person."""
    with place(profile=replace(DEFAULT, hidden_fields=MUTE)) as site:
        for _ in range(5):
            change, _ = site.open(title="Offline")
            by_hand(site, "Offline")

        for _ in range(2):  # the second time from what is kept
            assert isinstance(looked_for(site, change, of_earlier_life=of_earlier_life), NotCreated)
        assert len(site.sandbox.tickets()) == 10


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_ticket_that_a_link_has_is_no_doubt(*, is_linked: bool):
    """Descriptions were hidden after it was made, and it has no note yet: without its link it may be anybody's."""
    with place() as site:
        change, ticket = site.open(title="Offline")
        site.sandbox.administer(hidden_fields=MUTE)
        core = MemoryCore(site.integration.core.grant(), linked={ticket.id} if is_linked else set())
        site.integration = replace(site.integration, core=core)

        if is_linked:
            assert isinstance(looked_for(site, change), NotCreated)
        else:
            with pytest.raises(RemoteError) as caught:
                looked_for(site, change)
            assert caught.value.code == "ticket_doubtful"


def test_a_ticket_made_without_any_mark_is_neither_taken_nor_doubled():
    """Its answer was lost and no description could be sent: showing the field proves nothing, deleting it ends it."""
    with place(profile=replace(DEFAULT, hidden_fields=MUTE)) as site:
        change, _ = site.open(title="Offline")
        lost = site.sandbox.site.create(
            site.sandbox.profile.account,
            project_key="SUP",
            issue_type_id=site.sandbox.profile.desks[0].request_types[0].issue_type_id,
            summary="Offline",
        )

        for hidden in (MUTE, frozenset[str]()):
            site.sandbox.administer(hidden_fields=hidden)
            with pytest.raises(RemoteError) as caught:
                looked_for(site, change)
            assert caught.value.code == "ticket_doubtful"
            assert f"delete {lost.key}" in caught.value.fix
        site.sandbox.delete_ticket(lost.id)

        assert isinstance(looked_for(site, change), NotCreated)


def test_hidden_field_is_a_finding():
    """The check says which field no ticket shows, and where it is shown again; otherwise it says nothing of it."""
    found = {}
    for profile in (HIDDEN, DEFAULT):
        with place(profile=profile) as site:
            site.open()
            found[bool(profile.hidden_fields)] = {one.code: one for one in check(site.integration)}

    finding = found[True]["field_hidden_priority"]
    assert "Priority" in finding.title
    assert "Project settings > Fields" in finding.fix
    assert "field_hidden_priority" not in found[False]


@pytest.mark.parametrize("way", ["31", "41", "51"])
@pytest.mark.parametrize("fallback", [tuple(Fallback), ()])
def test_what_an_agent_finished_is_not_touched(way: str, fallback: tuple[Fallback, ...]):
    """Resolved, closed or canceled before we knew: no write, no other resolution, and no false way is remembered."""
    with place(more={"close_fallback": list(fallback)}) as site:
        write_change(site.integration, close(*site.open()))
        change, ticket = site.open()
        site.sandbox.workbench.move(ticket.id, way)
        before, history = written(site, ticket), site.sandbox.workbench.issue(ticket.id).history.copy()

        for _ in range(2):
            receipt = write_change(site.integration, close(change, ticket))
            assert isinstance(receipt, Receipt)
            assert receipt.ticket.done

        assert written(site, ticket) == before
        assert site.sandbox.workbench.issue(ticket.id).history == history
        later = write_change(site.integration, close(*site.open()))
        assert isinstance(later, Receipt)
        assert later.ticket.status == "Resolved"


def test_ways_of_earlier_versions_are_not_trusted(site: Place):
    """What form 1 filed under a status it does not lead from is not read."""
    change, ticket = site.open()
    wrong = {"id": "61", "name": "Reopen", "to": "10002", "to_name": "Resolved", "done": True, "screen": []}
    site.integration.memory.remember("ways 1 SUP/25/Waiting for support", [wrong])

    receipt = write_change(site.integration, close(change, ticket))

    assert isinstance(receipt, Receipt)
    assert receipt.ticket.status == "Resolved"


def test_note_is_sent_with_the_first_write(site: Place):
    """Nothing is spent on the property: the edit, or else the transition, takes it along."""
    (first, edited), (second, closed) = site.open(), site.open()

    site.update(first, edited, FieldName.TITLE, title="New")
    write_change(site.integration, close(second, closed))

    for change, ticket in ((first, edited), (second, closed)):
        note = site.sandbox.workbench.issue(ticket.id).properties["connector.link"]
        assert note["marker"] == change.marker
    assert not any("/properties/" in call.path for call in site.sandbox.calls)


def test_optional_field_that_is_refused_at_creation_is_left_out(site: Place):
    """The request is made without it, that is said, and the next one does not ask again."""
    site.open(priority="high")
    site.sandbox.administer(refused_fields=frozenset({"priority"}))

    change = site.open(priority="high")[0]
    receipt = write_change(site.integration, change.model_copy(update={"marker": "cnx-other"}))

    assert isinstance(receipt, Receipt)
    assert "Priority" in receipt.note
    creations = [call for call in site.sandbox.calls if call.path.endswith("/servicedeskapi/request")]
    assert len(creations) == 4
    assert len(site.sandbox.tickets()) == 3


def test_left_out_at_creation_is_no_change_after_a_lost_answer(site: Place):
    """A found ticket whose priority Jira chose is not read as if a person had changed it."""
    site.sandbox.administer(refused_fields=frozenset({"priority"}))
    change, ticket = site.open(priority="high")
    again = look_for(change, site.clock.now(), age_s=600.0)

    receipt = write_change(site.integration, again)

    assert isinstance(receipt, Receipt)
    assert receipt.as_created is not None
    assert receipt.ticket.id == ticket.id
    assert not receipt.as_created.tells(FieldName.PRIORITY)
    assert receipt.as_created.tells(FieldName.TITLE)


def test_required_field_that_is_refused_is_said(site: Place):
    """What the request type insists on cannot be left out."""
    site.sandbox.administer(refused_fields=frozenset({"summary"}))

    with pytest.raises(RemoteError, match="Summary"):
        site.open()
