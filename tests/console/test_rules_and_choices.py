"""In the console: which way fields are synced, whose value is right, and what asks first."""

from __future__ import annotations

import pytest

from connector_core import TicketSnapshot
from connector_core.contract.merge import DEFAULT_RULES, Agreed, ConflictRule, Direction, FieldRule, Side
from connector_core.contract.models import FieldName
from connector_core.engine.backoff import HORIZON_S
from connector_core.setup.synced import set_synced
from connector_core.store import DISCARDED, LinkState, LinkStatus, Progress
from tests.support.served import ADMIN, VIEWER, Served, Visitor

ASK = FieldRule(on_conflict=ConflictRule.ASK)
TITLE = "Display offline"
OPEN = Agreed(incident="open", ticket="open")


@pytest.fixture
def served(tmp_path):
    """Serve a console with one linked ticket, in an integration made in the console."""
    made = Served(tmp_path)
    made.add("helpdesk", "acme", TITLE)
    yield made
    made.stop()


def keep(served, title, *, agreed=TITLE, status=None):
    """Store what the ticket shows, as a run of the lane would."""
    now = served.clock.now()
    (claim,) = served.app.store.lanes.claim("boot", now, 8, HORIZON_S)
    ticket = TicketSnapshot(id="1", key="SUP-1", title=title, updated=now, place="SUP")
    base = {name: Agreed(incident=None, ticket=None) for name in FieldName}
    base |= {FieldName.TITLE: Agreed(incident=agreed, ticket=agreed), FieldName.STATUS: OPEN}
    served.app.store.links.record(claim, Progress(ticket=ticket, base=base, status=status), now)


def selection(**changes):
    """Return the form as it stands, with some fields selected otherwise."""
    rules = {**DEFAULT_RULES, **{FieldName(name): rule for name, rule in changes.items()}}
    return {
        f"{name}.{part}": value
        for name, rule in rules.items()
        for part, value in (("direction", rule.direction), ("on_conflict", rule.on_conflict))
    }


def test_rules_are_changed_in_the_console(served, admin):
    """What was selected is kept, shown on both pages, and only what differs from the usual is stored."""
    page = "/integrations/helpdesk/rules"
    rule = FieldRule(direction=Direction.TO_TICKET)

    answer = admin.post(page, **selection(title=ASK, description=rule))

    assert answer.headers["Location"] == f"{page}?said=updated"
    assert served.app.registry.entry("helpdesk").record.rules == {FieldName.TITLE: ASK, FieldName.DESCRIPTION: rule}
    shown = admin.get("/integrations/helpdesk").text
    assert "both ways; conflicts ask you" in shown
    assert "to the ticket only" in shown
    again = admin.post(page, **selection(title=ASK, description=rule))
    assert again.headers["Location"] == f"{page}?said=unchanged"
    admin.post(page, **selection())
    assert served.app.registry.entry("helpdesk").record.rules == {}


@pytest.mark.parametrize("given", [{}, {"title.direction": "sideways"}])
def test_a_selection_that_is_none_changes_nothing(served, admin, given):
    """A form that somebody made up is explained."""
    form = {**selection(title=ASK), **given} if given else {}

    answer = admin.post("/integrations/helpdesk/rules", **form)

    assert answer.status_code == 422
    assert "not in the list" in answer.text
    assert served.app.registry.entry("helpdesk").record.rules == {}


def test_a_viewer_sees_the_rules_and_changes_none(served):
    """There is no button, and a form sent all the same is refused."""
    viewer = Visitor(served.url)
    viewer.log_in("vic", VIEWER)

    page = viewer.get("/integrations/helpdesk/rules")
    answer = viewer.post("/integrations/helpdesk/rules", **selection(title=ASK))

    assert "Update</button>" not in page.text
    assert answer.status_code == 403
    assert served.app.registry.entry("helpdesk").record.rules == {}


def test_a_conflict_is_decided_in_the_console(served, admin):
    """Each value has its button; the one pressed is synced to the other side."""
    set_synced(served.app.setup, "helpdesk", {FieldName.TITLE: ASK})
    conflict = LinkStatus(LinkState.CONFLICT, "conflict", "Both sides changed the title.", "")
    keep(served, "Power supply dead", agreed="Display", status=conflict)

    page = admin.get("/links/1").text
    assert "Incident: Display offline" in page
    assert "Ticket: Power supply dead" in page
    answer = admin.post("/links/1", action="ticket:title")

    assert answer.headers["Location"] == "/links/1?said=resolved"
    agreed = served.app.store.links.get(1).base[FieldName.TITLE]
    assert (agreed.pending, agreed.sent) == (Side.INCIDENT, "Power supply dead")


def test_a_long_value_does_not_fill_the_button(served, admin):
    """The whole text is in the table, the button has its beginning."""
    set_synced(served.app.setup, "helpdesk", {FieldName.TITLE: ASK})
    long = "very " * 40 + "long"
    keep(served, long, agreed="Display", status=LinkStatus(LinkState.CONFLICT, "conflict", "Both.", ""))

    page = admin.get("/links/1").text

    assert long in page
    assert f"Ticket: {long}" not in page
    assert "Ticket: very very" in page


@pytest.mark.parametrize(("action", "words"), [("unlink", "You can link them again later"), ("discard", "are dropped")])
def test_what_parts_the_two_asks_first(served, admin, action, words):
    """The first press says what will happen and changes nothing; the second one does it."""
    keep(served, TITLE, status=LinkStatus(LinkState.BLOCKED, "refused", "Refused.", ""))

    asked = admin.post("/links/1", action=action)

    assert asked.status_code == 200
    assert words in asked.text
    assert served.app.store.links.get(1).status.state is LinkState.BLOCKED
    done = admin.post("/links/1", action=action, sure="yes")
    assert done.status_code == 303
    status = served.app.store.links.get(1).status
    assert (status.state is LinkState.IN_SYNC) if action == "discard" else (status.code == DISCARDED)


@pytest.fixture
def served_without_comments(tmp_path):
    """Serve a console whose plugin cannot sync comments."""
    made = Served(tmp_path, without={"write_comment", "fetch_comments"})
    made.add("helpdesk", "acme", TITLE)
    yield made
    made.stop()


def test_comments_cannot_be_switched_on_where_the_plugin_cannot_carry_them(served_without_comments):
    """What is not offered cannot be selected."""
    admin = Visitor(served_without_comments.url)
    admin.log_in("ada", ADMIN)
    page = "/integrations/helpdesk/rules"
    assert "comments.to_ticket" not in admin.get(page).text

    refused = admin.post(page, **selection(), **{"comments.to_ticket": "internal"})

    assert refused.status_code == 422
    assert "cannot sync comments" in refused.text


def test_comments_are_switched_on_in_the_console(served, admin):
    """Where the plugin can sync them they are offered, and what was selected is kept."""
    page = "/integrations/helpdesk/rules"
    assert "comments.to_ticket" in admin.get(page).text

    admin.post(page, **selection(), **{"comments.to_ticket": "internal"})

    assert served.app.registry.entry("helpdesk").record.comments.to_ticket == "internal"
