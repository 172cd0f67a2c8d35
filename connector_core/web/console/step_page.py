"""One of a plugin's steps: its questions, and a function for each button; of an integration, or of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.models import Finding
from connector_core.contract.setup_steps import FieldKind, SetupStep
from connector_core.contract.templates import variables
from connector_core.health.webhook_health import arrived
from connector_core.setup.questionnaire import FoundSeveral
from connector_core.store import Link, LinkFilter
from connector_core.web.console import visible
from connector_core.web.console.owners import Owner, of_integration
from connector_core.web.console.questions import (
    TYPED,
    changed_answers,
    form_keys,
    preview,
    questions,
    remember_labels,
    unanswered,
    with_ticks,
)
from connector_core.web.console.source_page import shown_findings
from connector_core.web.console.visits import Visit, go
from connector_core.web.console.webhook_light import has_webhook, light
from connector_core.web.console.words import Problem, problem_of

MOST_RECENT = 20
KEPT = "keep."  # begins a parameter with what was typed and is not saved

Button = Callable[[Visit, Owner, SetupStep], Response]


def show(visit: Visit) -> Response:
    """Show a step of an integration."""
    return show_step(visit, of_integration(visit, visible.usable(visit, visit.named("integration"))))


def save(visit: Visit) -> Response:
    """Do what the pressed button of an integration's step says."""
    owner = of_integration(visit, visible.usable(visit, visit.named("integration")))
    step = owner.way.step(visit.named("step"))
    action = visit.form.get("action")
    if action not in {"reload", "reveal", "wait"}:
        owner.refuse_in_file()
    button = {**BUTTONS, "discard": _discard, "forget": _forget, "wait": _wait}.get(action, update)
    return button(visit, owner, step)


def _discard(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    visit.app.setup.discard_draft(owner.name)
    return go(owner.address(step), "draft_discarded")


def _forget(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    visit.app.setup.forget_former_secret(owner.name)
    return go(owner.address(step), "forgotten")


# What integrations and sources have in common


def show_step(visit: Visit, owner: Owner) -> Response:
    """Show a step; its lists are fetched each time, for those who may choose."""
    given = {name.removeprefix(KEPT): value for name, value in visit.query.items() if name.startswith(KEPT)}
    return page(visit, owner, owner.way.step(visit.named("step")), given)


def update(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Save what the form says; with *Next*, go on then."""
    form, goes_on = _with_pick(with_ticks(visit.form)), visit.form.get("action") == "next"
    if labels := unanswered(step, owner.record, form):
        return page(visit, owner, step, form, error=_not_given(step, labels))
    if goes_on and (labels := _empty_rows(owner, step, form)):
        return page(visit, owner, step, form, error=_not_given(step, labels))
    changed = changed_answers(step, owner.record, form)
    # What is chosen already is held against the list again, unless the person only passes by.
    lists = [] if goes_on else [asked.key for asked in step.fields if asked.kind is FieldKind.CHOICE]
    try:
        owner.flow.answer(owner.name, {**{key: form[key] for key in lists if form.get(key)}, **changed})
    except ConnectorError as exc:
        return refused(visit, owner, step, exc)
    _keep_labels(owner, step)
    if goes_on and (following := owner.way.after(f"{owner.mark}{step.key}")) is not None:
        return go(following.address)
    return go(owner.address(step), "updated" if changed else "unchanged")


def _keep_labels(owner: Owner, step: SetupStep) -> None:
    """Keep the names of a group's rows, which its answers do not tell; those of choices are kept with the answer."""
    if any(asked.kind is FieldKind.GROUP for asked in step.fields):
        record = owner.flow.answered(owner.name)
        remember_labels(owner.flow, record, questions(owner.flow, record, step, {}, fetch=True))


def _empty_rows(owner: Owner, step: SetupStep, form: Mapping[str, str]) -> list[str]:
    """Return the rows of groups that are required and empty; none where the lists cannot be fetched."""
    if not any(asked.kind is FieldKind.GROUP for asked in step.fields):
        return []
    asked = questions(owner.flow, owner.record, step, form, fetch=True)
    return [row.label for question in asked for row in question.rows if row.is_required and not row.selected]


def _reload(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Fetch the lists anew; what is typed already, but for secrets, stays on the page."""
    form = with_ticks(visit.form)
    open_to_read = [asked for asked in step.fields if asked.kind is not FieldKind.SECRET]
    names = [name for asked in open_to_read for key in form_keys(asked, form) for name in (key, key + TYPED)]
    kept = {f"{KEPT}{name}": form[name] for name in names if name in form}
    return go(f"{owner.address(step)}?{urlencode({**kept, 'reloaded': '1'})}#answers")


def _reveal(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Show the secrets in what is to be copied, on this one page."""
    return page(visit, owner, step, with_ticks(visit.form), is_revealed=True)


def _wait(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Wait for a test event from now on."""
    since = visit.app.clock.now().isoformat(timespec="seconds")
    return go(f"{owner.address(step)}?{urlencode({'since': since})}#test-event")


def _waited_since(visit: Visit) -> datetime | None:
    """Return since when a test event is waited for; whatever else stands there is nothing."""
    try:
        since = datetime.fromisoformat(visit.query.get("since", ""))
    except ValueError:
        return None
    return since if since.tzinfo is not None else None


def _generate(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    return page(visit, owner, step, with_ticks(visit.form), made=generated(step))


BUTTONS: Mapping[str | None, Button] = {
    "update": update,
    "next": update,
    "reload": _reload,
    "generate": _generate,
    "reveal": _reveal,
}


def refused(visit: Visit, owner: Owner, step: SetupStep, error: ConnectorError) -> Response:
    """Show the step with what stood in the way, and with what was typed."""
    return page(
        visit,
        owner,
        step,
        _with_pick(with_ticks(visit.form)),
        error=problem_of(error),
        status=503 if isinstance(error, RetryLater) else 422,
        found=error if isinstance(error, FoundSeveral) else None,
    )


def _not_given(step: SetupStep, labels: Sequence[str]) -> Problem:
    named = ", ".join(labels)
    if any(asked.label in labels and asked.kind is FieldKind.CHOICE for asked in step.fields):
        return Problem("unanswered", f"{named}: nothing is selected yet.", "Select one, then click Update.")
    return Problem("unanswered", f"{named}: nothing is given yet.", "Fill it in, then click Update.")


def generated(step: SetupStep) -> str:
    """Make a new secret for the question that takes one."""
    return next((asked.generate() for asked in step.fields if asked.generate is not None), "")


def generated_for(step: SetupStep) -> str:
    """Name the question that a new secret can be made for, if there is one."""
    return next((asked.key for asked in step.fields if asked.generate is not None), "")


def _with_pick(form: Mapping[str, str]) -> Mapping[str, str]:
    """Put what was picked among several hits in place of what was typed."""
    key, _, value = form.get("pick", "").partition("=")
    return {**form, key: value} if key else form


def _recent(visit: Visit, owner: Owner) -> Sequence[Link]:
    """Return the latest incidents of an integration, to show a preview with one of them."""
    if owner.seen is None:
        return ()
    mine = frozenset({owner.seen.record.organization})
    return visit.app.store.overview.search(LinkFilter(mine, owner.seen.id, limit=MOST_RECENT))


def page(  # noqa: PLR0913 - by keyword, what the page shows besides
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
    is_revealed: bool = False,
) -> Response:
    """Show a step with what was typed, and with what came of it."""
    record, seen = owner.record, owner.seen
    since = _waited_since(visit)
    needed = owner.way.needed_by(step, record)
    may_fetch = owner.is_authorized or step.before_authorization
    is_ready = may_fetch and not needed and visit.may_ask
    setup = visit.app.setup
    asked = questions(owner.flow, record, step, given, fetch=is_ready)
    recent = _recent(visit, owner) if is_ready and step.preview_of is not None else ()
    example = next((one for one in recent if str(one.id) == visit.query.get("incident")), None)
    kept = frozenset() if seen is None else seen.entry.plugin.info.link_settings
    return visit.page(
        "step.html",
        status if error else 200,
        owner=owner,
        way=owner.way,
        current=f"{owner.mark}{step.key}",
        step=step,
        questions=asked,
        variables=variables() if step.takes_templates else (),
        is_advanced_open=bool(error) or any(one.is_advanced and one.needs_a_look for one in asked),
        lacking=[row.label for one in asked for row in one.rows if row.is_required and not row.selected],
        preview=preview(step, None if example is None else example.incident) if is_ready and findings is None else None,
        recent=recent,
        example=example,
        findings=None if findings is None else shown_findings(findings),
        needed=needed,
        may_fetch=may_fetch,
        is_ready=is_ready,
        was_reloaded="reloaded" in visit.query,
        keeps={f.key: setup.keep_old_settings(owner.name, f.key) for f in step.fields if f.key in kept},
        before_change="" if seen is None else setup.before_change(seen.id, step),
        held="" if seen is None else setup.held(seen.id),
        has_webhook=has_webhook(step),
        generated_for=generated_for(step),
        light=None if seen is None else light(visit.app.store, seen.record, seen.route, visit.app.clock.now()),
        generated=made,
        error=error,
        found=found,
        is_revealed=is_revealed,
        since=since,
        arrived=None if since is None or seen is None else arrived(visit.app.store, seen.record, since),
    )
