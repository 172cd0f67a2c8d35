"""One of the plugin's steps: its questions, *Reload*, *Update* and *Next*."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.errors import ConnectorError, RetryLater
from connector_core.setup_flow import WEBHOOK_SECRET, FoundSeveral
from connector_core.setup_steps import FieldKind, SetupField, SetupStep
from connector_core.store import IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.questions import (
    TYPED,
    changed_answers,
    form_keys,
    preview,
    questions,
    unanswered,
)
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit, go
from connector_core.web.console.webhook_light import has_webhook, light
from connector_core.web.console.wizard_steps import Way, is_settled, refuse_in_file, way
from connector_core.web.console.words import Trouble, trouble

KEPT = "keep."


def show(visit: Visit) -> Response:
    """Show the step; its lists are fetched each time."""
    seen, steps, step = _place(visit)
    given = {name.removeprefix(KEPT): value for name, value in visit.query.items() if name.startswith(KEPT)}
    return _page(visit, seen, steps, step, given)


def save(visit: Visit) -> Response:
    """Do what the pressed button says."""
    seen, steps, step = _place(visit)
    action = visit.form.get("action", "update")
    address = f"/integrations/{seen.id}/setup/step/{step.key}"
    if action == "reload":
        names = [name for f in _askable(step) for key in form_keys(f, visit.form) for name in (key, key + TYPED)]
        kept = {f"{KEPT}{name}": visit.form[name] for name in names if name in visit.form}
        return go(f"{address}?{urlencode({**kept, 'reloaded': '1'})}#answers")
    if seen.is_in_file:
        raise refuse_in_file(seen.record, seen.place)
    if action == "generate":
        return _page(visit, seen, steps, step, visit.form, generated=secrets.token_hex(32))
    if action == "forget":
        visit.app.setup.forget_former_secret(seen.id)
        return go(address, "forgotten")
    return _answer(visit, seen, steps, step, address)


def _answer(visit: Visit, seen: Seen, steps: Way, step: SetupStep, address: str) -> Response:
    form = _with_pick(visit.form)
    goes_on = form.get("action") == "next"
    following = steps.after(step.key)
    changed = changed_answers(step, seen.record, form)
    again = {f.key: form[f.key] for f in _askable(step) if f.kind is FieldKind.CHOICE and form.get(f.key)}
    if labels := unanswered(step, seen.record, form):
        error = Trouble(
            "unanswered", f"{', '.join(labels)}: nothing is selected yet.", "Select one, then click Update."
        )
        return _page(visit, seen, steps, step, form, error=error)
    try:
        # What is chosen already is held against the list again, unless the person only passes by.
        visit.app.setup.answer(seen.id, changed if goes_on else {**again, **changed})
    except ConnectorError as exc:
        status = 503 if isinstance(exc, RetryLater) else 422
        return _page(visit, seen, steps, step, form, error=trouble(exc), status=status, found=_found(exc))
    if goes_on and following is not None:
        return go(following.address)
    return go(address, "updated" if changed else "unchanged")


def _with_pick(form: Mapping[str, str]) -> Mapping[str, str]:
    """Put what was picked among several hits in place of what was typed."""
    key, _, value = form.get("pick", "").partition("=")
    return {**form, key: value} if key else form


def _found(error: ConnectorError) -> FoundSeveral | None:
    return error if isinstance(error, FoundSeveral) else None


def _place(visit: Visit) -> tuple[Seen, Way, SetupStep]:
    seen, _ = visible.usable(visit, visit.named("integration"))
    steps = way(visit, seen.record)
    return seen, steps, steps.step(visit.named("step"))


def _askable(step: SetupStep) -> list[SetupField]:
    return [asked for asked in step.fields if asked.kind is not FieldKind.SECRET]


def _page(  # noqa: PLR0913 - by keyword, what the page shows besides
    visit: Visit,
    seen: Seen,
    steps: Way,
    step: SetupStep,
    given: Mapping[str, str],
    *,
    error: Trouble | None = None,
    generated: str = "",
    status: int = 422,
    found: FoundSeveral | None = None,
) -> Response:
    record, flow = seen.record, visit.app.setup
    needed = steps.needed_by(step, record)
    is_authorized = is_settled(visit.app.store.grant(record.id))
    is_ready = is_authorized and not needed
    is_active = record.state is IntegrationState.ACTIVE
    kept = seen.entry.plugin.info.link_settings if seen.entry is not None else frozenset()
    return visit.page(
        "step.html",
        status if error else 200,
        seen=seen,
        way=steps,
        current=step.key,
        step=step,
        questions=questions(flow, record, step, given, fetch=is_ready),
        preview=preview(step) if is_ready else None,
        needed=needed,
        is_authorized=is_authorized,
        is_ready=is_ready,
        is_active=is_active,
        was_reloaded="reloaded" in visit.query,
        keeps={f.key: flow.keep_old_settings(record.id, f.key) for f in step.fields if f.key in kept},
        has_webhook=has_webhook(step),
        webhook_secret=WEBHOOK_SECRET,
        light=light(visit.app.store, record),
        generated=generated,
        error=error,
        found=found,
    )
