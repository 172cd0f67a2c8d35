"""The last step, *Enable*: what was answered, and *Activate*, which tries everything first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from connector_core.contract.models import Finding, Severity
from connector_core.contract.setup_steps import Answered, FieldKind, SetupStep, StepFlow
from connector_core.health.source_findings import SOURCE_MISSING
from connector_core.setup.integrations import NotReady
from connector_core.store import NEEDS_AUTHORIZATION, IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.checked import Checked
from connector_core.web.console.questions import Question, questions
from connector_core.web.console.rules_page import not_accepted, unchangeable, ways
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import Visit, go
from connector_core.web.console.webhook_light import light
from connector_core.web.console.wizard_steps import (
    AUTHORIZE,
    ENABLE,
    SOURCE,
    Mark,
    Way,
    addresses_of_integration,
    source_steps,
    way,
)
from connector_core.web.console.words import advice


def first(visit: Visit) -> Response:
    """Go to the step that comes next."""
    seen = visible.usable(visit, visit.named("integration"))
    return go(way(visit, seen.entry).first_open().address, visit.query.get("said", ""))


def show(visit: Visit) -> Response:
    """Sum up the answers, and warn of an integration that does the same."""
    seen = visible.usable(visit, visit.named("integration"))
    last = visit.app.store.checkups.of(seen.id) if {"checked", "refused"} & visit.query.keys() else None
    found = visit.app.setup.same_place(seen.id) if last is None else last.findings
    return _page(visit, seen, checked(visit, seen, found), is_refused=last is not None and "refused" in visit.query)


def activate(visit: Visit) -> Response:
    """Check everything; activate, or list what is missing."""
    seen = visible.usable(visit, visit.named("integration"))
    try:
        visit.app.setup.enable(seen.id)
    except NotReady:  # what was found is stored
        return go(f"{addresses_of_integration(visit, seen.id).page(ENABLE)}?refused=1")
    visit.app.engine.nudge()
    return go(visit.at("integration", integration=seen.id), "activated")


def check(visit: Visit) -> Response:
    """Check an active integration again."""
    seen = visible.usable(visit, visit.named("integration"))
    visit.app.setup.check(seen.id)
    return go(f"{addresses_of_integration(visit, seen.id).page(ENABLE)}?checked=1")


def checked(visit: Visit, seen: Usable, findings: Sequence[Finding]) -> list[Checked]:
    """Order findings, what must be done first, and lead each to its step."""
    steps = way(visit, seen.entry)
    order = (Severity.PROBLEM, Severity.WARNING, Severity.OK)
    ordered = sorted(findings, key=lambda finding: order.index(finding.severity))
    return [Checked(finding, advice(finding.code, finding.fix), _step_of(finding, steps)) for finding in ordered]


def _texts(flow: StepFlow, record: Answered, step: SetupStep) -> list[str]:
    """Return the answers to a step as people read them; of secrets only that they are set."""
    is_alone = len(step.fields) == 1
    return [_text(question, is_alone=is_alone) for question in questions(flow, record, step, {}, fetch=False)]


def _text(question: Question, *, is_alone: bool) -> str:
    """Return one answer; what a step asks besides its list is told with its name."""
    text = question.words
    if question.kind is FieldKind.SECRET:
        text = "set" if question.is_set else ""
    is_list = question.kind is FieldKind.GROUP or (question.kind is FieldKind.CHOICE and question.is_required)
    return text if is_alone or is_list or not text else f"{question.label}: {text}"


def _step_of(finding: Finding, steps: Way) -> Mark | None:
    if finding.severity is Severity.OK:
        return None
    if finding.code == NEEDS_AUTHORIZATION:
        return next((mark for mark in steps.marks if mark.key == AUTHORIZE), None)
    if finding.code == SOURCE_MISSING:
        return next((mark for mark in steps.marks if mark.key.startswith(SOURCE) and not mark.is_done), None)
    return next((mark for mark in steps.marks if finding.code.startswith(mark.key)), None)


def _page(visit: Visit, seen: Usable, found: Sequence[Checked] = (), *, is_refused: bool = False) -> Response:
    record = seen.record
    steps = way(visit, seen.entry)
    answers = {step.key: _texts(visit.app.setup, record.with_draft(), step) for step in steps.steps}
    source, flow = visit.app.registry.sources.made(record.organization), visit.app.source_setup
    if source is not None and (asked := source_steps(visit, record.organization)):
        answers[SOURCE] = [visit.app.plugins.get(source.plugin).info.title]
        answers.update((f"{SOURCE}.{step.key}", _texts(flow, source, step)) for step in asked)
    return visit.page(
        "enable.html",
        200,
        seen=seen,
        way=steps,
        current=ENABLE,
        grant=visit.app.store.grants.get(record.id),
        answers=answers,
        checked=found,
        ways=ways(
            record.rules,
            record.comments,
            seen.entry.handle.shaping,
            unchangeable(seen.entry),
            not_accepted(visit, record.organization),
        ),
        is_refused=is_refused,
        is_active=record.state is IntegrationState.ACTIVE,
        light=light(visit.app.store, record, seen.route, visit.app.clock.now()),
    )
