"""One integration: how it stands, what was found, its settings and links; disabling and removing it."""

from __future__ import annotations

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError
from connector_core.contract.setup_steps import WEBHOOK_SECRET, FieldKind, answer_to
from connector_core.contract.shaping import Shaping
from connector_core.health.webhook_health import is_managed
from connector_core.polling.sources import SourceStatus
from connector_core.setup.answering import looked_at
from connector_core.store import Checkup, IntegrationState, LinkFilter, Run
from connector_core.web.console import visible
from connector_core.web.console.charts import spoken
from connector_core.web.console.checked import Checked
from connector_core.web.console.confirm import Confirmation, ask
from connector_core.web.console.enable_page import checked
from connector_core.web.console.overview_page import FIRST, PERIODS, incidents_card, past, sides
from connector_core.web.console.questions import Question, questions
from connector_core.web.console.rules_page import not_accepted, unchangeable, ways
from connector_core.web.console.status import outages, row, statuses
from connector_core.web.console.visible import Seen, Usable
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.webhook_light import light
from connector_core.web.console.wizard_steps import refuse_in_file
from connector_core.words.round_trips import verdict

READS = ("reconcile_changed", "reconcile_full")
LATEST = 10


def show(visit: Visit) -> Response:
    """Show everything about one integration."""
    return _page(visit, visible.integration(visit, visit.named("integration")))


def check(visit: Visit) -> Response:
    """Try everything the integration needs, and show what was found."""
    seen = visible.usable(visit, visit.named("integration"))
    visit.app.setup.check(seen.id)
    return go(f"/integrations/{seen.id}", "checked")


def ask_disabling(visit: Visit) -> Response:
    """Say what disabling means, and ask."""
    seen = visible.usable(visit, visit.named("integration"))
    _refuse_viewers(visit)
    question = Confirmation(
        "Disable",
        "While disabled, nothing is synced: incidents get no tickets, and no change reaches the other side. Changes"
        " made meanwhile are caught up when you activate it again.",
        "Keep it active",
    )
    return ask(visit, question, (("Integrations", "/"), (seen.title, f"/integrations/{seen.id}")))


def disable(visit: Visit) -> Response:
    """Make it rest."""
    seen = visible.usable(visit, visit.named("integration"))
    visit.app.setup.disable(seen.id)
    return go(f"/integrations/{seen.id}", "disabled")


def ask_removal(visit: Visit) -> Response:
    """Say what would go, and ask."""
    seen = visible.integration(visit, visit.named("integration"))
    _refuse_viewers(visit)
    if seen.is_in_file:
        raise refuse_in_file(seen.record, seen.place)
    return _removal(visit, seen)


def remove(visit: Visit) -> Response:
    """Remove it once its name was typed."""
    seen = visible.integration(visit, visit.named("integration"))
    if visit.form.get("name", "").strip() != seen.id:
        return _removal(visit, seen, f"Type {seen.id} to confirm.")
    visit.app.setup.remove(visible.usable(visit, seen.id).id)
    return go("/", "removed")


def _refuse_viewers(visit: Visit) -> None:
    if not visit.user.is_admin:
        raise NotVisible("There is nothing to do here for viewers.")


def _removal(visit: Visit, seen: Seen, error: str = "") -> Response:
    """Ask for the name; the webhook that somebody made by hand is not ours to remove."""
    return visit.page(
        "remove.html",
        422 if error else 200,
        seen=seen,
        total=row(visit, seen, statuses(visit)).total,
        stays=seen.record.webhook_secrets and not is_managed(seen.record),
        error=error,
    )


def _page(visit: Visit, seen: Seen) -> Response:
    store, findings = visit.app.store, None
    last = store.checkups.of(seen.id)
    if last is not None and isinstance(seen, Usable):
        findings = _last_found(visit, seen, last)
    now, asked, lately = visit.app.clock.now(), statuses(visit), past(visit, PERIODS[FIRST], seen.id)
    last_test = store.round_trips.last(seen.id)
    latest = LinkFilter(frozenset({seen.record.organization}), seen.id, limit=LATEST)
    return visit.page(
        "integration.html",
        row=row(visit, seen, asked),
        outages=outages(visit, asked, seen.id),
        seen=seen,
        grant=store.grants.get(seen.id),
        settings=_settings(visit, seen),
        ways=ways(
            seen.record.rules,
            seen.record.comments,
            seen.entry.handle.shaping if seen.entry is not None else Shaping(),
            unchangeable(seen.entry),
            not_accepted(visit, seen.record.organization),
        ),
        light=light(store, seen.record, seen.route, now),
        source=_source(visit, seen),
        webhook_url=seen.entry.webhook_url if seen.entry is not None else "",
        lately=lately,
        card=incidents_card(lately),
        to=sides(visit, seen),
        spoken=spoken,
        links=[visit.app.registry.worded(link) for link in store.overview.search(latest)],
        findings=findings,
        last_test=last_test,
        test_verdict="" if last_test is None else verdict(last_test),
        checked_at=last.at if last is not None else None,
        apart=visit.app.open_incidents.apart(seen.id) if seen.entry is not None else 0,
        was_applied=bool(store.link_settings.runs(seen.id)),
        last_run=_last_read(visit, seen),
        held=visit.app.setup.held(seen.id) if seen.entry is not None and seen.record.draft is not None else "",
        is_active=seen.record.state is IntegrationState.ACTIVE,
        is_draft=seen.record.state is IntegrationState.DRAFT,
    )


def _last_read(visit: Visit, seen: Seen) -> Run | None:
    """Return the latest run that read tickets, of those that changed or all of them."""
    runs = [visit.app.store.runs.last(seen.id, kind) for kind in READS]
    return max((run for run in runs if run is not None), key=lambda run: run.ended_at, default=None)


def _source(visit: Visit, seen: Seen) -> SourceStatus | None:
    """Say how the platform stands that the incidents come from; None for an organization that the file lost."""
    is_known = seen.record.organization in visible.organizations(visit)
    return visible.source(visit, seen.record.organization) if is_known else None


def _last_found(visit: Visit, seen: Usable, last: Checkup) -> list[Checked] | None:
    try:
        return checked(visit, seen, last.findings)
    except ConnectorError:
        return None  # the page is the more needed when a plugin fails


def _settings(visit: Visit, seen: Seen) -> list[Question]:
    """List the answers by the questions they belong to; those that no step asks for stand in the file."""
    if seen.entry is None:
        return []
    flow = visit.app.setup
    try:
        steps = looked_at(seen.entry)
    except ConnectorError:
        steps = ()  # the page is the more needed when a plugin fails
    found = [q for step in steps for q in questions(flow, seen.record, step, {}, fetch=False)]
    found = [question for question in found if question.key != WEBHOOK_SECRET]
    asked = {question.key for question in found}
    others = {key: answer_to(seen.record.answers, key) for key in seen.record.answers if key not in asked}
    labels = flow.store.integrations.labels(seen.record.id)
    return found + [_other(key, value, labels.get((key, value), value)) for key, value in others.items()]


def _other(key: str, value: str, label: str) -> Question:
    return Question(
        key=key,
        label=key.replace("_", " "),
        help="",
        kind=FieldKind.TEXT,
        is_required=False,
        present=value,
        present_label=label,
        selected=value,
        is_set=True,
    )
