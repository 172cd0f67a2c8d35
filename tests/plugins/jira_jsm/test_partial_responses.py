"""Answers in which any keys are missing or null, at every caller: never gone, never a change, never a second ticket."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connector_core import (
    ConnectorError,
    FieldName,
    InboundRequest,
    Incident,
    Receipt,
    RetryLater,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WriteComment,
)
from connector_core.contract.merge import Sides, as_they_are, merge
from connector_core.contract.models import Comment
from connector_jira_jsm.checks.checkup import check
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.setup import users
from connector_jira_jsm.setup.steps import steps
from connector_jira_jsm.tickets import comments
from connector_jira_jsm.tickets.reading import fetch
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm.webhooks import incoming
from connector_jira_jsm_sandbox.shapes import issue_fields
from tests.support.changes import close as closing
from tests.support.changes import look_for
from tests.support.examples import up_to
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.gaps import EMPTY, GONE, Gap, gaps_in_answers, without

ISSUE_KEYS = (
    "key",
    "fields",
    "fields.summary",
    "fields.description",
    "fields.priority",
    "fields.priority.id",
    "fields.priority.name",
    "fields.status",
    "fields.status.id",
    "fields.status.name",
    "fields.status.statusCategory",
    "fields.status.statusCategory.key",
    "fields.updated",
)
CREATED_KEYS = (
    "issueId",
    "issueKey",
    "createdDate",
    "createdDate.iso8601",
    "currentStatus",
    "currentStatus.status",
    "currentStatus.statusCategory",
    "requestFieldValues",
)
WAY_KEYS = (
    "transitions",
    "to",
    "to.id",
    "to.name",
    "to.statusCategory",
    "to.statusCategory.key",
    "hasScreen",
    "isAvailable",
    "allowedValues",
    "required",
    "schema",
)
SET_UP_KEYS = (
    "values",
    "isLastPage",
    "projectName",
    "projectKey",
    "projectId",
    "name",
    "description",
    "issueTypeId",
    "canCreateRequest",
    "requestTypeFields",
    "required",
    "validValues",
    "jiraSchema",
    "visible",
    "statuses",
    "statusCategory",
    "accountId",
    "displayName",
    "permissions",
    "havePermission",
    "issueChangeLogs",
    "changeHistories",
)
COMMENT_KEYS = ("comments", "total", "id", "author", "author.displayName", "body", "created", "jsdPublic", "properties")
A_FEW = settings(max_examples=up_to(15), deadline=None, suppress_health_check=list(HealthCheck))


def gaps(*keys: str) -> st.SearchStrategy[list[Gap]]:
    """Draw any of these keys, and whether each is missing or null."""
    return st.lists(st.tuples(st.sampled_from(keys), st.sampled_from([GONE, EMPTY])), max_size=6)


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site among the tests."""
    with place() as made:
        yield made


def moved(incident: Incident, known: TicketSnapshot, shown: TicketSnapshot) -> set[FieldName]:
    """Return the fields that look changed when a ticket is seen anew."""
    before = as_they_are(incident, known)
    at = known.updated or incident.opened_at
    assert at is not None
    return {one.field for one in merge(before, Sides(incident, at, shown.over(known)))}


def emptied(found: list[Gap]) -> set[FieldName]:
    """Return the fields that Jira shows as empty: null is a value of these two."""
    ours = {"fields.description": FieldName.DESCRIPTION, "fields.priority": FieldName.PRIORITY}
    return {ours[path] for path, how in found if path in ours and how == EMPTY}


@A_FEW
@given(found=gaps("id", *ISSUE_KEYS))
def test_only_the_id_is_needed(site: Place, found: list[Gap]):
    """Whatever else is absent is unknown and is no change; without an id the ticket is unreadable, never nothing."""
    change, known = site.open(description="It is hot.", priority="high")
    issue = site.sandbox.workbench.issue(known.id)
    fields = issue_fields(site.sandbox.site, issue, issue.fields, site.sandbox.profile.account, "2")
    body = without({"id": issue.id, "key": issue.key, "fields": fields}, found)

    shown = mapping.snapshot(body, (), known.url)

    if body.get("id") is None:
        assert isinstance(shown, UnreadableTicket)
        return
    assert isinstance(shown, TicketSnapshot)
    assert shown.id == known.id
    assert moved(change.incident, known, shown) <= emptied(found)


@A_FEW
@given(found=gaps("id", *ISSUE_KEYS))
def test_full_look_calls_nothing_missing(site: Place, found: list[Gap]):
    """A ticket that is there is given back, read or unreadable, and shows no change."""
    change, known = site.open(description="It is hot.", priority="high")

    with gaps_in_answers(site.integration, found):
        (shown,) = fetch(site.integration, TicketQuery(ids=frozenset({known.id})))

    assert shown.id in {known.id, ""}
    if isinstance(shown, TicketSnapshot):
        assert moved(change.incident, known, shown) <= emptied(found)


@A_FEW
@given(found=gaps("id", *ISSUE_KEYS))
def test_lost_answer_never_makes_a_second_ticket(site: Place, found: list[Gap]):
    """The one that was made is found, or nothing is made; only an empty description says that it is not ours."""
    change, known = site.open(description="It is hot.", priority="high")
    again = look_for(change, site.clock.now(), age_s=10_000.0)

    answer: object = None
    with gaps_in_answers(site.integration, found), suppress(ConnectorError):
        answer = write_change(site.integration, again)

    if isinstance(answer, Receipt):
        assert answer.ticket.id == known.id
    else:
        assert answer is None or FieldName.DESCRIPTION in emptied(found)


@A_FEW
@given(found=gaps(*CREATED_KEYS), then=gaps(*ISSUE_KEYS))
def test_creation_is_never_taken_for_none(site: Place, found: list[Gap], then: list[Gap]):
    """Whatever the answer lacks, there is a receipt with the right id, or the outcome is called unknown."""
    before = len(site.sandbox.tickets())

    receipt, unknown = None, False
    with gaps_in_answers(site.integration, [*found, *then]):
        try:
            _, receipt = site.open(description="It is hot.", priority="high")
        except RetryLater as exc:
            unknown = exc.outcome_unknown

    assert receipt is not None or unknown
    assert len(site.sandbox.tickets()) == before + 1
    assert receipt is None or receipt.id == site.sandbox.tickets()[-1]["id"]


@A_FEW
@given(found=gaps(*ISSUE_KEYS))
def test_edit_shows_what_was_written(site: Place, found: list[Gap]):
    """The receipt tells the written fields, and nothing else has changed; what may be done is not written."""
    change, known = site.open(description="It is hot.", priority="high")

    receipt, code = None, ""
    with gaps_in_answers(site.integration, [one for one in found if one[0] != "fields"]):
        try:
            receipt = site.update(change, known, FieldName.TITLE, title="Another fan")
        except RetryLater as exc:
            code = exc.code

    if receipt is None:
        assert code == "status_unreadable"
        assert any("status" in name or name == "key" for name, _ in found)
        assert site.sandbox.ticket(known.id)["title"] == change.incident.title
        return
    others = moved(change.incident, known, receipt.ticket) - {FieldName.TITLE}
    assert receipt.ticket.title == "Another fan" or ("fields.summary", EMPTY) in found
    assert others <= emptied(found)
    assert site.sandbox.ticket(known.id)["title"] == "Another fan"


@A_FEW
@given(found=gaps("id", *ISSUE_KEYS, *WAY_KEYS), finished=st.booleans())
def test_close_writes_nothing_on_what_may_be_done(site: Place, found: list[Gap], finished: bool):  # noqa: FBT001 - drawn
    """A ticket is closed, or it is said why not; one that somebody finished keeps its history as it is."""
    change, known = site.open(description="It is hot.", priority="high")
    if finished:
        site.sandbox.workbench.move(known.id, "51")
    before = len(site.sandbox.workbench.issue(known.id).history)
    close = closing(change, known)

    receipt = None
    with gaps_in_answers(site.integration, found), suppress(ConnectorError):
        receipt = write_change(site.integration, close)

    issue = site.sandbox.workbench.issue(known.id)
    if finished:
        assert len(issue.history) == before
        assert issue.fields.status_id == "10003"
    if isinstance(receipt, Receipt):
        assert receipt.ticket.done == site.sandbox.ticket(known.id)["done"]


@A_FEW
@given(found=gaps("id", *ISSUE_KEYS))
def test_delivery_is_news_a_hint_or_nothing(site: Place, found: list[Gap]):
    """A webhook's issue with gaps shows no change that was none; one without a time has its ticket read."""
    change, known = site.open(description="It is hot.", priority="high")
    issue = site.sandbox.workbench.issue(known.id)
    fields = issue_fields(site.sandbox.site, issue, issue.fields, site.sandbox.profile.account, "2")
    shown = without({"id": issue.id, "key": issue.key, "fields": fields}, found)
    told = {"webhookEvent": "jira:issue_updated", "issue": shown}

    delivery = incoming.receive(*_signed(site, told))

    assert delivery is not None
    if shown.get("id") is None:
        assert (delivery.tickets, delivery.hints) == ((), frozenset())
        return
    if delivery.tickets:
        assert moved(change.incident, known, delivery.tickets[0]) <= emptied(found)
    else:
        assert delivery.hints == {known.id}


def _signed(site: Place, told: dict[str, Any]) -> tuple[Any, InboundRequest]:
    body = json.dumps(told).encode()
    headers = {"x-hub-signature": "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()}
    integration = replace(site.integration, webhook_secrets=(SecretStr("secret"),))
    return integration, InboundRequest(headers=headers, body=body, received_at=site.clock.now())


@A_FEW
@given(found=gaps(*SET_UP_KEYS, "id", "fieldId", *WAY_KEYS, *ISSUE_KEYS))
def test_set_up_and_checks_say_what_they_could_not_read(site: Place, found: list[Gap]):
    """Lists of desks, request types, statuses, people and ways are read as far as they go, or refused in our words."""
    site.integration.cache.clear()
    with gaps_in_answers(site.integration, found):
        check(site.integration)
        for step in steps(site.integration):
            for field in step.fields:
                for load in (field.load, field.rows):
                    with suppress(ConnectorError):
                        _ = load and list(load())
            with suppress(ConnectorError):
                _ = step.preview and list(step.preview())
        for name in ("Hana", site.sandbox.profile.person.account_id):
            with suppress(ConnectorError):
                users.find_user(site.integration, name)
    site.integration.cache.clear()


@A_FEW
@given(found=gaps(*COMMENT_KEYS))
def test_comments_are_read_as_far_as_they_go(site: Place, found: list[Gap]):
    """A comment with an id is told, internal unless Jira says otherwise; one of a lost answer is not written again."""
    _, known = site.open()
    site.sandbox.workbench.comment(known.id, "Seen to.")
    since = site.clock.now() - timedelta(hours=1)
    comment = Comment(id="c", author="Ada", text="words", created_at=site.clock.now())
    draft = WriteComment(ticket=known, comment=comment, platform="Xyte", marker="m", public=True)
    comments.write(site.integration, draft)

    shown: list[Any] = []
    with gaps_in_answers(site.integration, found), suppress(ConnectorError):
        shown = list(comments.fetch(site.integration, known, since))
        assert shown or any(path in {"id", "comments"} for path, _ in found)
    for one in shown:
        assert one.internal or not any(path == "jsdPublic" for path, _ in found)


def test_change_that_was_no_change(site: Place):
    """A ticket that lacks what it showed before keeps it."""
    _, known = site.open(description="It is hot.", priority="high")
    thin = TicketSnapshot(id=known.id, unknown=frozenset(FieldName))

    assert thin.over(known) == known
