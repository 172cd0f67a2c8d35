"""One of a plugin's steps: its questions, and a function for each button; of an integration, or of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.models import Finding
from connector_core.contract.setup_steps import FieldKind, SetupStep
from connector_core.contract.templates import variables
from connector_core.health.webhook_health import arrived
from connector_core.setup.questionnaire import FoundSeveral
from connector_core.store import IntegrationRecord, Link, LinkFilter
from connector_core.web.console import owners, visible
from connector_core.web.console.owners import Owner
from connector_core.web.console.questions import (
    changed_answers,
    preview,
    questions,
    remember_labels,
    unanswered,
    with_ticks,
)
from connector_core.web.console.setup_links_in_force import in_force
from connector_core.web.console.source_page import shown_findings
from connector_core.web.console.visits import Handler, Visit, go
from connector_core.web.console.webhook_light import has_webhook, light
from connector_core.web.console.words import Problem, problem_of

MOST_RECENT = 20

Button = Callable[[Visit, Owner, SetupStep], Response]


@dataclass(frozen=True)
class Shown:
    """What a step's page shows besides what is saved: what was typed, and what came of a button."""

    given: Mapping[str, str] = field(default_factory=dict)
    error: Problem | None = None
    status: int = 200
    #: The hits of which one has to be picked.
    found: FoundSeveral | None = None
    findings: Sequence[Finding] | None = None
    generated: str = ""
    is_revealed: bool = False
    is_reloaded: bool = False


def of_integration(button: Button) -> Handler:
    """Make a handler of what a step's page does, for the steps of the integration that an address is about."""

    def handle(visit: Visit) -> Response:
        owner = owners.of_integration(visit, visible.usable(visit, visit.named("integration")))
        return button(visit, owner, owner.way.step(visit.named("step")))

    return handle


def of_source(button: Button) -> Handler:
    """Make a handler of what a step's page does, for the steps of the source that an address is about."""

    def handle(visit: Visit) -> Response:
        owner = owners.source_named(visit)
        return button(visit, owner, owner.way.step(visit.named("step")))

    return handle


def show(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Show a step; its lists are fetched each time, for those who may choose."""
    return page(visit, owner, step, Shown())


def update(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Save what the form says; what is chosen already is held against its list again."""
    owner.refuse_in_file()
    form = _sent(visit)
    if labels := unanswered(step, owner.record, form):
        return _not_given(visit, owner, step, labels)
    changed = changed_answers(step, owner.record, form)
    lists = [asked.key for asked in step.fields if asked.kind is FieldKind.CHOICE]
    chosen = {key: form[key] for key in lists if form.get(key)}
    try:
        owner.flow.answer(owner.name, {**chosen, **changed})
    except ConnectorError as exc:
        return refused(visit, owner, step, exc)
    _keep_names(owner, step)
    return go(owner.address(step), "updated" if changed else "unchanged")


def go_on(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Save what the form says, if everything that is required is there, and go to the next step."""
    owner.refuse_in_file()
    form = _sent(visit)
    if labels := unanswered(step, owner.record, form) or _empty_rows(owner, step, form):
        return _not_given(visit, owner, step, labels)
    changed = changed_answers(step, owner.record, form)
    try:
        owner.flow.answer(owner.name, changed)
    except ConnectorError as exc:
        return refused(visit, owner, step, exc)
    _keep_names(owner, step)
    following = owner.way.after(f"{owner.mark}{step.key}")
    if following is not None:
        return go(following.address)
    return go(owner.address(step), "updated" if changed else "unchanged")


def reload(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Fetch the lists anew; what is typed already stays on the page."""
    return page(visit, owner, step, Shown(with_ticks(visit.form), is_reloaded=True))


def reveal(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Show the secrets in what is to be copied, on this one page."""
    return page(visit, owner, step, Shown(with_ticks(visit.form), is_revealed=True))


def generate(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Make a secret and show it, to be saved by another button."""
    owner.refuse_in_file()
    return page(visit, owner, step, Shown(with_ticks(visit.form), generated=generated(step)))


def wait(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Wait for a test event from now on."""
    since = visit.app.clock.now().isoformat(timespec="seconds")
    return go(f"{owner.address(step)}?{urlencode({'since': since})}#test-event")


def forget(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Remove an integration's former webhook secret."""
    owner.refuse_in_file()
    visit.app.setup.forget_former_secret(owner.name)
    return go(owner.address(step), "forgotten")


def discard(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Discard what is held of an active integration until it is whole."""
    owner.refuse_in_file()
    visit.app.setup.discard_draft(owner.name)
    return go(owner.address(step), "draft_discarded")


#: What the last part of a button's address is: of every wizard, and of an integration's.
BUTTONS: Mapping[str, Button] = {
    "update": update,
    "next": go_on,
    "reload": reload,
    "reveal": reveal,
    "generate": generate,
}
OF_INTEGRATION: Mapping[str, Button] = {**BUTTONS, "wait": wait, "forget": forget, "discard": discard}


def _sent(visit: Visit) -> Mapping[str, str]:
    """Return the answers of a form, with what was picked among several hits in place of what was typed."""
    form = with_ticks(visit.form)
    key, _, value = form.get("pick", "").partition("=")
    return {**form, key: value} if key else form


def _keep_names(owner: Owner, step: SetupStep) -> None:
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


def refused(visit: Visit, owner: Owner, step: SetupStep, error: ConnectorError) -> Response:
    """Show the step with what stood in the way, and with what was typed."""
    found = error if isinstance(error, FoundSeveral) else None
    status = 503 if isinstance(error, RetryLater) else 422
    return page(visit, owner, step, Shown(_sent(visit), problem_of(error), status, found))


def _not_given(visit: Visit, owner: Owner, step: SetupStep, labels: Sequence[str]) -> Response:
    named = ", ".join(labels)
    error = Problem("unanswered", f"{named}: nothing is entered yet.", "Fill it in, then click Update.")
    if any(asked.label in labels and asked.kind is FieldKind.CHOICE for asked in step.fields):
        error = Problem("unanswered", f"{named}: nothing is selected yet.", "Select one, then click Update.")
    return page(visit, owner, step, Shown(_sent(visit), error, 422))


def generated(step: SetupStep) -> str:
    """Make a new secret for the question that takes one."""
    return next((asked.generate() for asked in step.fields if asked.generate is not None), "")


def generated_for(step: SetupStep) -> str:
    """Name the question that a new secret can be made for, if there is one."""
    return next((asked.key for asked in step.fields if asked.generate is not None), "")


def _waited_since(visit: Visit) -> datetime | None:
    """Return since when a test event is waited for; whatever else stands there is nothing."""
    try:
        since = datetime.fromisoformat(visit.query.get("since", ""))
    except ValueError:
        return None
    return since if since.tzinfo is not None else None


def _recent(visit: Visit, owner: Owner) -> Sequence[Link]:
    """Return the latest incidents of an integration, to show a preview with one of them."""
    if owner.seen is None:
        return ()
    mine = frozenset({owner.seen.record.organization})
    return visit.app.store.overview.search(LinkFilter(mine, owner.seen.id, limit=MOST_RECENT))


def page(visit: Visit, owner: Owner, step: SetupStep, shown: Shown) -> Response:
    """Show a step with what was typed, and with what came of it."""
    record, seen = owner.record, owner.seen
    since = _waited_since(visit)
    needed = owner.way.needed_by(step, record)
    may_fetch = owner.is_authorized or step.before_authorization
    is_ready = may_fetch and not needed and visit.may_ask
    setup = visit.app.setup
    asked = questions(owner.flow, record, step, shown.given, fetch=is_ready)
    recent = _recent(visit, owner) if is_ready and step.preview_of is not None else ()
    example = next((one for one in recent if str(one.id) == visit.query.get("incident")), None)
    has_preview = is_ready and shown.findings is None
    kept = frozenset() if seen is None else seen.entry.plugin.info.link_settings
    return visit.page(
        "step.html",
        shown.status,
        owner=owner,
        way=owner.way,
        current=f"{owner.mark}{step.key}",
        step=step,
        questions=asked,
        variables=variables() if step.takes_templates else (),
        is_advanced_open=bool(shown.error) or any(one.is_advanced and one.needs_a_look for one in asked),
        lacking=[row.label for one in asked for row in one.rows if row.is_required and not row.selected],
        preview=preview(step, None if example is None else example.incident) if has_preview else None,
        recent=recent,
        example=example,
        findings=None if shown.findings is None else shown_findings(shown.findings),
        needed=needed,
        may_fetch=may_fetch,
        is_ready=is_ready,
        was_reloaded=shown.is_reloaded,
        keeps={f.key: setup.keep_old_settings(owner.name, f.key) for f in step.fields if f.key in kept},
        before_change="" if seen is None else setup.before_change(seen.id, step),
        held="" if seen is None else setup.held(seen.id),
        setup_links=in_force(visit, owner.name, owner.way, of_source=bool(owner.mark)),
        drafted=frozenset() if seen is None else _drafted(seen.record),
        has_webhook=has_webhook(step),
        generated_for=generated_for(step),
        light=None if seen is None else light(visit.app.store, seen.record, seen.route, visit.app.clock.now()),
        generated=shown.generated,
        error=shown.error,
        found=shown.found,
        is_revealed=shown.is_revealed,
        since=since,
        arrived=None if since is None or seen is None else arrived(visit.app.store, seen.record, since),
    )


def _drafted(record: IntegrationRecord) -> frozenset[str]:
    """Return the questions whose answers in the draft are not those in effect."""
    return frozenset(key for key, value in (record.draft or {}).items() if record.answers.get(key) != value)
