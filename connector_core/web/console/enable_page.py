"""The last step, *Enable*: what was answered, and *Activate*, which tries everything first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from connector_core.models import Finding, Severity
from connector_core.setup_flow import NotReady
from connector_core.setup_steps import FieldKind
from connector_core.store import IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.questions import questions
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit, go
from connector_core.web.console.webhook_light import light
from connector_core.web.console.wizard_steps import AUTHORIZE, ENABLE, Mark, Way, way
from connector_core.web.console.words import advice


@dataclass(frozen=True)
class Checked:
    """A finding as a page shows it, with the step that settles it."""

    finding: Finding
    fix: str
    step: Mark | None


def first(visit: Visit) -> Response:
    """Go to the step that comes next."""
    seen, _ = visible.usable(visit, visit.named("integration"))
    return go(way(visit, seen.record).first_open().address, visit.query.get("said", ""))


def show(visit: Visit) -> Response:
    """Sum up the answers."""
    seen, _ = visible.usable(visit, visit.named("integration"))
    return _page(visit, seen)


def activate(visit: Visit) -> Response:
    """Check everything; activate, or list what is missing."""
    seen, _ = visible.usable(visit, visit.named("integration"))
    if visit.form.get("action") == "check":
        return _page(visit, seen, checked(visit, seen, visit.app.setup.check(seen.id)))
    try:
        visit.app.setup.enable(seen.id)
    except NotReady as exc:
        return _page(visit, seen, checked(visit, seen, exc.findings), is_refused=True)
    visit.app.engine.nudge()
    return go(f"/integrations/{seen.id}", "activated")


def checked(visit: Visit, seen: Seen, findings: Sequence[Finding]) -> list[Checked]:
    """Order findings, what must be done first, and lead each to its step."""
    steps = way(visit, seen.record)
    order = (Severity.PROBLEM, Severity.WARNING, Severity.OK)
    ordered = sorted(findings, key=lambda finding: order.index(finding.severity))
    return [Checked(finding, advice(finding.code, finding.fix), _step_of(finding, steps)) for finding in ordered]


def _step_of(finding: Finding, steps: Way) -> Mark | None:
    if finding.severity is Severity.OK:
        return None
    if finding.code == "authorization_needed":
        return next(mark for mark in steps.marks if mark.key == AUTHORIZE)
    return next((mark for mark in steps.marks if finding.code.startswith(mark.key)), None)


def _page(visit: Visit, seen: Seen, found: Sequence[Checked] = (), *, is_refused: bool = False) -> Response:
    record = seen.record
    steps = way(visit, record)
    answers = {
        step.key: [
            question.words if question.kind is not FieldKind.SECRET else ("set" if question.is_set else "")
            for question in questions(visit.app.setup, record, step, {}, fetch=False)
        ]
        for step in steps.steps
    }
    return visit.page(
        "enable.html",
        422 if is_refused else 200,
        seen=seen,
        way=steps,
        current=ENABLE,
        grant=visit.app.store.grant(record.id),
        answers=answers,
        checked=found,
        is_refused=is_refused,
        is_active=record.state is IntegrationState.ACTIVE,
        light=light(visit.app.store, record),
    )
