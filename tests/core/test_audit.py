"""The audit log: what somebody changes is written down with their name, in the same transaction, and no secret is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.merge import Direction, FieldRule, Side, agreed_at_creation
from connector_core.contract.models import FieldName, TicketSnapshot
from connector_core.contract.routing import Conditions, RoutingRule
from connector_core.store import (
    About,
    Act,
    Actor,
    AuditFilter,
    IntegrationState,
    LinkState,
    LinkStatus,
    NotifierRecord,
    Progress,
    SessionRecord,
    SetupLink,
    SourceRecord,
    Subject,
    Via,
)
from connector_core.store.acting import acting
from connector_core.store.audit import KEPT_FOR
from connector_core.store.forgetting import KEPT
from tests.support.lanes_at_hand import open_links

EVERYTHING = AuditFilter()


@pytest.fixture
def ada(store, clock):
    """Have Ada act in the console, once the store is there."""
    with acting(Actor("ada", Via.CONSOLE, clock.now())):
        yield


def log(store, **wanted):
    """Return what was done, the earliest first."""
    return store.audit.find(AuditFilter(**wanted), 1000)[::-1]


def desk(store):
    """Return the integration as it is."""
    (found,) = (one for one in store.integrations.every() if one.id == "desk")
    return found


def test_what_the_connector_does_by_itself_is_not_in_it(store):
    """Nobody acts when a problem is noted, or a record stored by the daemon."""
    store.integrations.put(replace(desk(store), answers={"desk": "2"}))
    store.integrations.note_problem("desk", "code", "problem")

    assert log(store) == []


@pytest.mark.usefixtures("ada")
def test_changes_of_an_integration_name_both_values(store):
    """Answers, rules, comments and state, each with what it was."""
    known = desk(store)
    changed = replace(
        known,
        answers={"desk": "2", "type": "5"},
        rules={FieldName.TITLE: FieldRule(direction=Direction.TO_TICKET)},
        comments=CommentRules(to_ticket="public"),
    )
    store.integrations.change(changed, known)
    store.integrations.put(replace(changed, state=IntegrationState.DISABLED))

    first, second = log(store)

    assert (first.by.name, first.by.via, first.act) == ("ada", Via.CONSOLE, Act.CHANGED)
    assert first.about == About(Subject.INTEGRATION, "desk", "acme")
    assert first.changes["desk"] == ("1", "2")
    assert first.changes["type"] == (None, "5")
    assert first.changes["rule: title"][0] is None
    assert {"comments to the ticket"} < set(first.changes)
    assert (second.act, second.changes) == (Act.DISABLED, {"state": ("active", "disabled")})


@pytest.mark.usefixtures("ada")
def test_what_was_not_changed_is_no_entry(store):
    """A form that is sent as it was, a problem that ended, a change that lost against another."""
    known = desk(store)
    store.integrations.put(known)
    store.integrations.put(replace(known, problem_code="x", problem="y"))
    assert not store.integrations.change(replace(known, answers={"desk": "3"}), known)

    assert log(store) == []


@pytest.mark.usefixtures("ada")
def test_no_secret_is_in_it(store):
    """Of a secret only that there is one, and that it is another."""
    known = desk(store)
    secret = "correct horse battery staple"
    store.integrations.put(replace(known, secret_answers={"token": SecretStr(secret)}, webhook_secrets=()))
    store.integrations.put(replace(known, secret_answers={"token": SecretStr(f"{secret}2")}))

    first, second = log(store)

    assert first.changes == {"token": (None, "set"), "webhook secret": ("set", None)}
    assert second.changes == {"token": ("set", "set anew"), "webhook secret": (None, "set")}
    assert secret not in repr(log(store))


@pytest.mark.usefixtures("ada")
def test_beginning_and_removing(store, clock):
    """What was removed is still told of."""
    made = replace(desk(store), id="other", webhook_secrets=())
    assert store.integrations.begin(made)
    assert not store.integrations.begin(made)
    store.integrations.remove("other")
    store.integrations.remove("other")
    source = SourceRecord("acme", "feed", {"url": "https://x"}, {"key": SecretStr("k")}, clock.now())
    store.sources.begin(source, None)
    store.sources.put(replace(source, answers={"url": "https://y"}), source)
    store.sources.remove("acme")

    told = [(one.act, one.about.subject, one.about.name) for one in log(store)]

    integration, of_source = (Subject.INTEGRATION, "other"), (Subject.SOURCE, "acme")
    assert told == [
        (Act.CREATED, *integration),
        (Act.REMOVED, *integration),
        (Act.CREATED, *of_source),
        (Act.CHANGED, *of_source),
        (Act.REMOVED, *of_source),
    ]
    assert log(store)[3].changes == {"url": ("https://x", "https://y")}


@pytest.mark.usefixtures("ada")
def test_what_is_done_about_a_link_is_in_both_records(store, clock):
    """The timeline of the link names who did it, the audit log which link."""
    open_links(store, clock, 1)
    (link,) = store.links.find()
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 7200)
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Offline", updated=clock.now())
    base = agreed_at_creation(link.incident, ticket)
    progress = Progress(ticket=ticket, base=base, status=LinkStatus(LinkState.CONFLICT))
    assert store.links.record(claim, progress, clock.now())
    store.links.resume(link.id, clock.now())
    store.links.resolve(link.id, FieldName.TITLE, Side.TICKET, clock.now())
    store.links.discard(link.id, clock.now())
    store.links.unlink(link.id, clock.now())

    acts = [one.act for one in log(store, subject=Subject.LINK, name=str(link.id))]
    timeline = store.timelines.read(link.id)

    assert acts == [Act.RETRIED, Act.DECIDED, Act.DISCARDED, Act.UNLINKED]
    assert [entry.values["by"] for entry in timeline[-4:]] == ["ada"] * 4


def test_logins_and_setup_links(store, clock):
    """Who comes in, who leaves, and what is handed to somebody else."""
    now = clock.now()
    with acting(Actor("gus", Via.CONSOLE, now)):
        store.sessions.begin("token", SessionRecord("gus", "proof", "form", now, now, now + timedelta(hours=1)))
        store.sessions.end("token")
        store.sessions.end("token")
        store.setup_links.add("t", SetupLink("desk", "authorize", "gus", now, now + timedelta(days=3)))

    assert [(one.act, one.about.name, one.about.organization) for one in log(store)] == [
        (Act.SIGNED_IN, "gus", ""),
        (Act.SIGNED_OUT, "gus", ""),
        (Act.SHARED, "desk", "acme"),
    ]


def test_it_is_searched_page_by_page_and_within_organizations(store, clock):
    """Filters and pages together, the latest first."""
    for name, organization in (("a", "acme"), ("b", "bolt"), ("c", "acme")):
        with acting(Actor(f"by {name}", Via.TERMINAL, clock.now())):
            store.integrations.begin(replace(desk(store), id=name, organization=organization, webhook_secrets=()))
        clock.forward(86_400)

    first = store.audit.find(EVERYTHING, 2)
    rest = store.audit.find(AuditFilter(before=first[-1].id), 2)

    assert [one.about.name for one in (*first, *rest)] == ["c", "b", "a"]
    assert [one.about.name for one in log(store, organizations=["acme"])] == ["a", "c"]
    assert [one.about.name for one in log(store, by="by b")] == ["b"]
    assert [one.about.name for one in log(store, since=clock.now() - timedelta(days=2))] == ["b", "c"]
    assert [one.about.name for one in log(store, until=clock.now() - timedelta(days=2))] == ["a"]
    assert log(store, organizations=[]) == []


@pytest.mark.usefixtures("ada")
def test_a_very_long_value_is_cut(store):
    """An entry can be read in a line, whatever was pasted."""
    store.integrations.put(replace(desk(store), answers={"desk": "x" * 100_000}))

    ((_, text),) = log(store)[0].changes.values()

    assert len(text) == 300


@pytest.mark.usefixtures("ada")
def test_a_change_far_behind_the_beginning_of_a_long_value_is_in_it(store, clock):
    """What is shown is cut around what differs, so that nobody hides a change behind words that stay."""
    long = "x" * 1000
    store.integrations.put(replace(desk(store), answers={"desk": f"{long} harmless"}))
    store.integrations.put(replace(desk(store), answers={"desk": f"{long} harmful {long}"}))
    routed = [(RoutingRule(when=Conditions(title=f"{long[:199]}{n}"), to=("desk",)),) * 3 for n in (1, 2)]
    store.routing.put("acme", routed[0], None, "ada", clock.now())
    store.routing.put("acme", routed[1], store.routing.made("acme"), "ada", clock.now())

    _, answer, _, rules = log(store)

    before, after = answer.changes["desk"]
    assert before.endswith("harmless")
    assert " harmful x" in after
    assert before.startswith("…")
    assert max(map(len, (before, after, *rules.changes["rules"]))) <= 300
    assert rules.changes["rules"][0] != rules.changes["rules"][1]


@pytest.mark.usefixtures("ada")
def test_logins_that_are_ended_for_others_are_in_it(store, clock):
    """All at once, or those of one."""
    now = clock.now()
    for name in ("gus", "vic", "vic"):
        with acting(None):
            session = SessionRecord(name, "proof", "form", now, now, now + timedelta(hours=1))
            store.sessions.begin(f"{name} {clock.now()}", session)
        clock.forward(1)
    store.sessions.end_all("vic")
    store.sessions.end_all()

    assert [(one.by.name, one.act, one.about.name) for one in log(store)] == [
        ("ada", Act.SIGNED_OUT, "vic"),
        ("ada", Act.SIGNED_OUT, "vic"),
        ("ada", Act.SIGNED_OUT, "gus"),
    ]


def test_it_is_forgotten_in_time(store, clock):
    """As the manual says."""
    (kept,) = [one for one in KEPT if one.table == "audit_entry"]
    for _ in range(3):
        with acting(Actor("ada", Via.CONSOLE, clock.now())):
            store.sessions.begin(
                str(clock.now()), SessionRecord("ada", "p", "f", clock.now(), clock.now(), clock.now())
            )
        clock.forward(86_400)

    store.forgetting.forget(kept, clock.now() + KEPT_FOR - timedelta(days=2), 100)

    assert len(log(store)) == 2


@pytest.mark.usefixtures("ada")
def test_notifiers(store, clock):
    """Who is told of what is changed by somebody, too; the address of a chat is as secret as a password."""
    made = NotifierRecord("acme", "mail", {"to": ["a@x"]}, {"password": SecretStr("hidden")}, clock.now())
    store.notifiers.put(made)
    store.notifiers.put(replace(made, settings={"to": ["b@x"]}))
    store.notifiers.remove("acme", "mail")
    store.notifiers.remove("acme", "mail")

    created, changed, removed = log(store, subject=Subject.NOTIFIER)

    assert (created.act, created.changes["password"]) == (Act.CREATED, (None, "set"))
    assert changed.changes == {"to": ('["a@x"]', '["b@x"]')}
    assert (removed.act, removed.about) == (Act.REMOVED, About(Subject.NOTIFIER, "mail", "acme"))
    assert "hidden" not in repr(log(store))
