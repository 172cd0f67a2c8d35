"""How an integration stands, in one word and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Severity
from connector_core.health.source_findings import SOURCE_MISSING
from connector_core.polling.sources import SourceWord
from connector_core.registry.authorizations import ends_soon
from connector_core.setup.integrations import NO_PROBLEM
from connector_core.store import NEEDS_AUTHORIZATION, Backlog, Checkup, IntegrationState
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit
from connector_core.web.console.words import advice, in_browser

NEED_SOMEBODY = ("blocked", "conflict", "gone")
NO_SOURCE = "No incidents come in: the organization has no source."
UNFINISHED = frozenset({*NEED_SOMEBODY, "waiting", "paused"})


@dataclass(frozen=True)
class Statuses:
    """What is asked for once, for all integrations of a page."""

    links: Mapping[str, Backlog]
    activity: Mapping[str, datetime]
    checkups: Mapping[str, Checkup]
    ends: Mapping[str, datetime]


@dataclass(frozen=True)
class Row:
    """An integration as a list shows it; `tone` is good, fair or bad."""

    seen: Seen
    word: str
    tone: str
    sentence: str
    fix: str
    links: Mapping[str, int]
    oldest_undelivered: datetime | None
    last_activity: datetime | None

    @property
    def total(self) -> int:
        """How many links there are."""
        return sum(self.links.values())

    @property
    def need_somebody(self) -> int:
        """How many links wait for a person."""
        return sum(self.links.get(state, 0) for state in NEED_SOMEBODY)


def statuses(visit: Visit) -> Statuses:
    """Ask the store once for a page."""
    store = visit.app.store
    return Statuses(
        store.overview.backlogs(), store.overview.last_activity(), store.checkups.every(), store.grants.ends()
    )


def row(visit: Visit, seen: Seen, asked: Statuses) -> Row:
    """Say how an integration stands."""
    links = asked.links.get(seen.id, Backlog())
    word, tone, sentence, fix = _judged(visit, seen, links, asked)
    return Row(
        seen=seen,
        word=word,
        tone=tone,
        sentence=sentence,
        fix=fix,
        links=links.links,
        oldest_undelivered=links.oldest_undelivered,
        last_activity=asked.activity.get(seen.id),
    )


def _judged(visit: Visit, seen: Seen, links: Backlog, asked: Statuses) -> tuple[str, str, str, str]:
    record = seen.record
    if seen.error is not None:
        return "unusable", "bad", seen.error.message, seen.error.fix
    if record.state is IntegrationState.DISABLED:
        return "disabled", "fair", "Nothing travels.", advice("disabled_by_hand", "")
    if record.state is IntegrationState.DRAFT:
        return _unfinished(visit, seen)
    if record.problem_code:
        return "problem", "bad", record.problem, advice(record.problem_code, "")
    return _active(visit, seen, links.links, asked)


def _active(visit: Visit, seen: Seen, links: Mapping[str, int], asked: Statuses) -> tuple[str, str, str, str]:
    if cut_off := _cut_off(visit, seen.record.organization):
        return "needs you", "bad", *cut_off
    stuck = sum(links.get(state, 0) for state in NEED_SOMEBODY)
    if stuck:
        reason = visit.app.store.overview.first_reason(seen.id, NEED_SOMEBODY)
        return "needs you", "bad", f"{stuck} {'link needs' if stuck == 1 else 'links need'} somebody: {reason}", ""
    last = asked.checkups.get(seen.id)
    found = () if last is None else last.findings
    problems = [one for one in found if one.severity is Severity.PROBLEM and one.code != SOURCE_MISSING]
    if problems:
        return (
            "needs you",
            "bad",
            f"The last check found: {problems[0].title}.",
            advice(problems[0].code, problems[0].fix),
        )
    soon = ends_soon(seen.id, asked.ends.get(seen.id), visit.app.clock.now())
    if soon is not None:
        return "active", "fair", f"{soon.title}.", "Do the step Authorize access before that, or put in a new token."
    waiting = links.get("waiting", 0)
    if waiting:
        return "active", "good", f"{waiting} {'change is' if waiting == 1 else 'changes are'} on the way.", ""
    return "active", "good", "Everything is in step.", ""


def _cut_off(visit: Visit, organization: str) -> tuple[str, str] | None:
    """Say why no incidents come in for an organization, and what to do; None when they may."""
    if visit.app.source_setup.is_open(organization):
        return NO_SOURCE, "Connect a source."
    source = visit.app.poller.status(organization)
    if source.word is SourceWord.PROBLEM:
        return f"No incidents come in. {source.sentence}", in_browser(source.fix)
    return None


def _unfinished(visit: Visit, seen: Seen) -> tuple[str, str, str, str]:
    if visit.app.source_setup.is_open(seen.record.organization):
        return "set-up unfinished", "fair", NO_SOURCE, ""
    if seen.record.problem_code not in {NO_PROBLEM, NEEDS_AUTHORIZATION}:
        return "set-up unfinished", "fair", seen.record.problem, advice(seen.record.problem_code, "")
    if visit.app.store.grants.get(seen.id) is None:
        return "set-up unfinished", "fair", "Access is not authorized yet.", ""
    try:
        missing = [step.title for step in visit.app.setup.missing(seen.id)]
    except ConnectorError as exc:
        return "set-up unfinished", "fair", exc.message, advice(exc.code, exc.fix)
    text = f"Still open: {', '.join(missing)}." if missing else "Everything is answered; activate it."
    return "set-up unfinished", "fair", text, ""
