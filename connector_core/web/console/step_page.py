"""One of a plugin's steps: its questions, *Reload*, *Update* and *Next*; of an integration or of a source."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.models import Finding
from connector_core.contract.setup_steps import FieldKind, SetupField, SetupStep
from connector_core.setup.integrations import WEBHOOK_SECRET
from connector_core.setup.questionnaire import FoundSeveral
from connector_core.web.console.owners import Owner, of_integration
from connector_core.web.console.questions import (
    TYPED,
    changed_answers,
    form_keys,
    preview,
    questions,
    unanswered,
)
from connector_core.web.console.source_page import shown_findings
from connector_core.web.console.visits import Visit, go
from connector_core.web.console.webhook_light import has_webhook, light
from connector_core.web.console.words import Problem, problem_of

KEPT = "keep."

FindOwner = Callable[[Visit], Owner]


def show(visit: Visit, find: FindOwner = of_integration) -> Response:
    """Show the step; its lists are fetched each time."""
    owner = find(visit)
    step = owner.way.step(visit.named("step"))
    given = {name.removeprefix(KEPT): value for name, value in visit.query.items() if name.startswith(KEPT)}
    return _page(visit, owner, step, given)


def save(visit: Visit, find: FindOwner = of_integration) -> Response:
    """Do what the pressed button says."""
    owner = find(visit)
    step = owner.way.step(visit.named("step"))
    action = visit.form.get("action", "update")
    address = f"{owner.steps_at}/{step.key}"
    if action == "reload":
        names = [name for f in _askable(step) for key in form_keys(f, visit.form) for name in (key, key + TYPED)]
        kept = {f"{KEPT}{name}": visit.form[name] for name in names if name in visit.form}
        return go(f"{address}?{urlencode({**kept, 'reloaded': '1'})}#answers")
    owner.refuse_in_file()
    if action == "generate":
        return _page(visit, owner, step, visit.form, made=generated(step))
    if action == "discard" and owner.flow is visit.app.setup:
        visit.app.setup.discard_draft(owner.name)
        return go(address, "draft_discarded")
    if action == "forget" and owner.flow is visit.app.setup:  # the name of a source may be an integration's too
        visit.app.setup.forget_former_secret(owner.name)
        return go(address, "forgotten")
    return _answer(visit, owner, step, address, find)


def _answer(visit: Visit, owner: Owner, step: SetupStep, address: str, find: FindOwner) -> Response:
    form = _with_pick(visit.form)
    action = form.get("action")
    following = owner.way.after(f"{owner.mark}{step.key}")
    changed = changed_answers(step, owner.record, form)
    again = {f.key: form[f.key] for f in _askable(step) if f.kind is FieldKind.CHOICE and form.get(f.key)}
    if labels := unanswered(step, owner.record, form):
        return _page(visit, owner, step, form, error=_not_given(step, labels))
    try:
        # What is chosen already is held against the list again, unless the person only passes by.
        owner.flow.answer(owner.name, changed if action == "next" else {**again, **changed})
        if action == "test" and owner.can_test:
            findings = visit.app.poller.check(owner.name)
            return _page(visit, find(visit), step, {}, findings=findings)
    except ConnectorError as exc:
        status = 503 if isinstance(exc, RetryLater) else 422
        return _page(visit, owner, step, form, error=problem_of(exc), status=status, found=_found(exc))
    if action == "next" and following is not None:
        return go(following.address)
    return go(address, "updated" if changed else "unchanged")


def _not_given(step: SetupStep, labels: Sequence[str]) -> Problem:
    named = ", ".join(labels)
    if any(asked.label in labels and asked.kind is FieldKind.CHOICE for asked in step.fields):
        return Problem("unanswered", f"{named}: nothing is selected yet.", "Select one, then click Update.")
    return Problem("unanswered", f"{named}: nothing is given yet.", "Fill it in, then click Update.")


def generated(step: SetupStep) -> str:
    """Make a new secret for the question that takes one."""
    maker = next((asked.generate for asked in step.fields if asked.generate is not None), None)
    return secrets.token_hex(32) if maker is None else maker()


def generated_for(step: SetupStep) -> str:
    """Name the question that a new secret can be made for, if there is one."""
    made = next((asked.key for asked in step.fields if asked.generate is not None), "")
    return made or (WEBHOOK_SECRET if has_webhook(step) else "")


def _with_pick(form: Mapping[str, str]) -> Mapping[str, str]:
    """Put what was picked among several hits in place of what was typed."""
    key, _, value = form.get("pick", "").partition("=")
    return {**form, key: value} if key else form


def _found(error: ConnectorError) -> FoundSeveral | None:
    return error if isinstance(error, FoundSeveral) else None


def _askable(step: SetupStep) -> list[SetupField]:
    return [asked for asked in step.fields if asked.kind is not FieldKind.SECRET]


def _page(  # noqa: PLR0913 - by keyword, what the page shows besides
    visit: Visit,
    owner: Owner,
    step: SetupStep,
    given: Mapping[str, str],
    *,
    error: Problem | None = None,
    findings: Sequence[Finding] | None = None,
    made: str = "",
    status: int = 422,
    found: FoundSeveral | None = None,
) -> Response:
    record, seen = owner.record, owner.seen
    needed = owner.way.needed_by(step, record)
    is_ready = owner.is_authorized and not needed
    setup = visit.app.setup
    entry = seen.entry if seen is not None and owner.flow is setup else None
    kept = entry.plugin.info.link_settings if entry is not None else frozenset()
    return visit.page(
        "step.html",
        status if error else 200,
        owner=owner,
        way=owner.way,
        current=f"{owner.mark}{step.key}",
        step=step,
        questions=questions(owner.flow, record, step, given, fetch=is_ready),
        preview=preview(step) if is_ready and findings is None else None,
        findings=None if findings is None else shown_findings(findings),
        needed=needed,
        is_ready=is_ready,
        was_reloaded="reloaded" in visit.query,
        keeps={f.key: setup.keep_old_settings(owner.name, f.key) for f in step.fields if f.key in kept},
        before_change=setup.before_change(owner.name, step) if entry is not None else "",
        held=setup.held(owner.name) if entry is not None else "",
        has_webhook=has_webhook(step),
        generated_for=generated_for(step),
        light=None if seen is None else light(visit.app.store, seen.record, seen.route, visit.app.clock.now()),
        generated=made,
        error=error,
        found=found,
    )
