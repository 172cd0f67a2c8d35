"""One source: how it stands, what was found, its settings, *Test connection*, resetting and removing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Finding, Severity
from connector_core.contract.setup_steps import FieldKind
from connector_core.polling.sources import SourceWord
from connector_core.web.console import visible
from connector_core.web.console.checked import Checked
from connector_core.web.console.confirm import Confirmation, ask
from connector_core.web.console.questions import questions
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.wizard_steps import SOURCE, addresses_of_source, source_marks

TONES = {
    SourceWord.OK: "good",
    SourceWord.TOLD: "good",
    SourceWord.IDLE: "fair",
    SourceWord.WAITING: "fair",
    SourceWord.WARNING: "fair",
    SourceWord.UNFINISHED: "fair",
    SourceWord.MISSING: "fair",
    SourceWord.PROBLEM: "bad",
}
_ORDER = (Severity.PROBLEM, Severity.WARNING, Severity.OK)


@dataclass(frozen=True)
class Setting:
    """One setting as the page shows it."""

    label: str
    text: str


def show(visit: Visit) -> Response:
    """Show everything about one source."""
    return _page(visit, None)


def test(visit: Visit) -> Response:
    """Try everything the source needs, and show what was found."""
    organization = visible.source(visit, visit.named("organization")).organization
    return _page(visit, visit.app.poller.check(organization))


def ask_reset(visit: Visit) -> Response:
    """Say what resetting the sync position means, and ask."""
    question = Confirmation(
        "Reset sync position",
        "All incidents are read again at the next poll, as at the first one. Links stay, and no incident gets a second"
        " ticket. Open incidents without a ticket are ignored or get one, as your settings say.",
    )
    return _ask(visit, question)


def reset(visit: Visit) -> Response:
    """Have it read from the beginning."""
    organization = visible.source(visit, visit.named("organization")).organization
    visit.app.source_setup.reset(organization)
    return go(f"/sources/{organization}", "reset")


def ask_removal(visit: Visit) -> Response:
    """Say what would go, and ask."""
    visit.app.source_setup.removable(visible.source(visit, visit.named("organization")).organization)
    question = Confirmation(
        "Remove the source",
        "Its settings and secrets are deleted, and no more incidents come in. Links, tickets and incidents stay as they"
        " are. If you connect the same platform again, syncing continues where it stopped.",
        "Keep it",
    )
    return _ask(visit, question)


def remove(visit: Visit) -> Response:
    """Remove it."""
    organization = visible.source(visit, visit.named("organization")).organization
    visit.app.source_setup.remove(organization)
    return go(f"/sources/{organization}", "source_removed")


def shown_findings(findings: Sequence[Finding]) -> list[Checked]:
    """Order findings, what must be done first."""
    return sorted((Checked(finding, finding.fix, None) for finding in findings), key=_rank)


def _ask(visit: Visit, question: Confirmation) -> Response:
    organization = visible.source(visit, visit.named("organization")).organization
    if not visit.user.is_admin:
        raise NotVisible("There is nothing to do here for viewers.")
    name = visible.organizations(visit)[organization]
    return ask(visit, question, (("Integrations", "/"), (f"Source of {name}", f"/sources/{organization}")))


def _page(visit: Visit, findings: Sequence[Finding] | None) -> Response:
    status = visible.source(visit, visit.named("organization"))
    organization, registry = status.organization, visit.app.registry
    noticed = status.last.findings if status.last is not None else ()
    is_usable = organization in registry.sources.usable()
    plugin = registry.sources.plugin(organization) if is_usable else None
    return visit.page(
        "source.html",
        source=status,
        tone=TONES[status.word],
        name=visible.organizations(visit)[organization],
        noticed=[Checked(finding, finding.fix, None) for finding in noticed],
        findings=None if findings is None else shown_findings(findings),
        is_usable=is_usable,
        can_rename=not visit.app.config.organizations[organization].is_named,
        can_test=plugin is not None and plugin.implements("check_source"),
        can_reset=plugin is not None and plugin.implements("poll_incidents"),
        can_set_up=registry.sources.can_make(organization),
        is_made=registry.sources.made(organization) is not None,
        settings=_settings(visit, organization),
        setup_at=_setup_at(visit, organization),
        place=registry.sources.place(organization),
        config_path=str(visit.app.config.path),
    )


def _setup_at(visit: Visit, organization: str) -> str:
    """Return the address of the first of the source's own steps, or of the choice of a platform at first."""
    addresses = addresses_of_source(visit, organization)
    try:
        marks = source_marks(addresses, organization)
    except ConnectorError:
        return addresses.page()  # the page is the more needed when a plugin fails
    return next((mark.address for mark in marks if mark.key != SOURCE), addresses.page())


def _settings(visit: Visit, organization: str) -> list[Setting]:
    """List the settings, of secrets only that they are set."""
    written = visit.app.registry.sources.written(organization)
    if written is not None:
        shown = [Setting(_label(key), str(value)) for key, value in written.answers.items()]
        return shown + [Setting(_label(key), "set") for key in sorted(written.secrets)]
    flow, record = visit.app.source_setup, visit.app.registry.sources.made(organization)
    if record is None:
        return []
    try:
        steps = flow.looked_at(organization)
    except ConnectorError:
        return []  # the page is the more needed when a plugin fails
    found = [q for step in steps for q in questions(flow, record, step, {}, fetch=False)]
    return [
        Setting(q.label, ("set" if q.is_set else "not set") if q.kind is FieldKind.SECRET else q.present_label)
        for q in found
        if q.kind is FieldKind.SECRET or q.present_label
    ]


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _rank(shown: Checked) -> int:
    return _ORDER.index(shown.finding.severity)
