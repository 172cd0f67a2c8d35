"""Notifications: who is told of what needs attention, by which channel, and whether messages arrive.

Every page is about one organization that the person sees. Secrets are asked for, and never shown again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.notify.conditions import Kind
from connector_core.notify.settings import CHANNELS, MOST_RECIPIENTS
from connector_core.registry.notifiers import Notifier, NotifierStatus, NotifierUnknown
from connector_core.setup.notifiers import answers_of
from connector_core.web.console import visible
from connector_core.web.console.confirm import Confirmation, ask
from connector_core.web.console.start_page import LONGEST_NAME
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.words import Problem, problem_of

_NOT_IN_ID = re.compile(r"[^a-z0-9_-]+")
TITLES = {"email": "E-mail", "slack": "Slack", "teams": "Microsoft Teams", "webhook": "Signed webhook"}
KINDS = {
    Kind.AUTHORIZATION_LOST: "Access has expired or was revoked",
    Kind.AUTHORIZATION_ENDING: "Access ends soon",
    Kind.INTEGRATION_BLOCKED: "An integration is blocked",
    Kind.INCIDENTS_BLOCKED: "Incidents need attention",
    Kind.SOURCE_NOT_READ: "No incidents come in",
    Kind.DELIVERIES_REFUSED: "Deliveries are refused",
    Kind.BACKLOG: "Changes have been waiting for long",
    Kind.TEST_FAILED: "A daily test incident failed",
}
TONES = {"ok": "good", "problem": "bad", "unused": "fair"}
WORDS = {"ok": "working", "problem": "failing", "unused": "no message sent yet"}


@dataclass(frozen=True)
class Field:
    """One question of the form; `options` are those of a list, by their value."""

    key: str
    label: str
    help: str
    is_required: bool = False
    is_secret: bool = False
    options: Mapping[str, str] | None = None


_RECIPIENTS = f"Up to {MOST_RECIPIENTS} addresses, separated by commas."
FIELDS: Mapping[str, Sequence[Field]] = {
    "email": (
        Field("host", "Mail server", "For example smtp.example.com.", is_required=True),
        Field("security", "Encryption", "Its certificate is checked.", options={
            "starttls": "STARTTLS", "tls": "TLS from the start", "none": "None, only in your own network",
        }),
        Field("port", "Port", "Default: 587 with STARTTLS, 465 with TLS, 25 without encryption."),
        Field("user", "User name", "Leave it empty if the mail server asks for no sign-in."),
        Field("password", "Password", "Stored encrypted, and not shown again.", is_secret=True),
        Field("sender", "From", "The address that messages come from.", is_required=True),
        Field("recipients", "To", _RECIPIENTS, is_required=True),
    ),
    "slack": (
        Field("url", "Webhook address", "Create an incoming webhook for the channel in Slack, and paste its address.",
              is_required=True, is_secret=True),
    ),
    "teams": (
        Field("url", "Workflow address", "In Teams, add the workflow that posts to a channel when a webhook request is "
              "received, and paste its address.", is_required=True, is_secret=True),
    ),
    "webhook": (
        Field("url", "Address", "Messages are posted here as JSON.", is_required=True, is_secret=True),
        Field("secret", "Secret", "Messages are signed with it (Standard Webhooks), so that the receiver can verify "
              "them. 8 characters or more.", is_required=True, is_secret=True),
    ),
}  # fmt: skip


def choose(visit: Visit) -> Response:
    """List the organizations, or go to the only one."""
    organizations = visible.organizations(visit)
    if len(organizations) == 1:
        return go(_address(next(iter(organizations))))
    statuses = visit.app.registry.notifiers.statuses(list(organizations))
    counts = {name: [one for one in statuses if one.notifier.organization == name] for name in organizations}
    return visit.page("notification_organizations.html", organizations=organizations, counts=counts)


def show(visit: Visit) -> Response:
    """Show the notifiers of an organization."""
    return _page(visit, _organization(visit))


def test(visit: Visit) -> Response:
    """Send a test message, and say what became of it."""
    organization = _organization(visit)
    notifier = _notifier(visit, organization)
    try:
        visit.app.notifier_setup.test(organization, notifier.name)
    except ConnectorError as exc:
        return _page(visit, organization, tested=notifier.name, problem=problem_of(exc))
    return _page(visit, organization, tested=notifier.name)


def ask_new(visit: Visit) -> Response:
    """Ask for the settings of a new notifier."""
    organization = _organization(visit)
    _refuse_viewer(visit)
    return _form(visit, organization, _channel(visit), {})


def add(visit: Visit) -> Response:
    """Add a notifier."""
    organization, channel = _organization(visit), _channel(visit)
    name = _id_of(visit.form.get("name", ""))
    try:
        visit.app.notifier_setup.add(organization, name, {**_answers(visit), "channel": channel})
    except ConfigError as exc:
        return _form(visit, organization, channel, visit.form, problem_of(exc))
    return go(_address(organization), "notifier_added")


def ask_change(visit: Visit) -> Response:
    """Show the settings of a notifier in the form."""
    organization = _organization(visit)
    _refuse_viewer(visit)
    notifier = _notifier(visit, organization)
    visit.app.notifier_setup.changeable(organization, notifier.name)
    given = answers_of(notifier.settings) if notifier.settings is not None else {}
    return _form(visit, organization, notifier.channel, _boxes(notifier, given), notifier=notifier)


def change(visit: Visit) -> Response:
    """Give a notifier other settings."""
    organization = _organization(visit)
    notifier = _notifier(visit, organization)
    try:
        visit.app.notifier_setup.change(organization, notifier.name, _answers(visit))
    except AnswerUnfit as exc:
        return _form(visit, organization, notifier.channel, visit.form, problem_of(exc), notifier=notifier)
    return go(_address(organization), "updated")


def ask_removal(visit: Visit) -> Response:
    """Say what would go, and ask."""
    organization = _organization(visit)
    _refuse_viewer(visit)
    notifier = visit.app.notifier_setup.changeable(organization, _notifier(visit, organization).name)
    question = Confirmation("Remove the notifier", "It sends no more messages.", "Keep it")
    crumbs = (("Notifications", "/notifications"), (visible.organizations(visit)[organization], _address(organization)))
    return ask(visit, question, crumbs, subject=notifier.name)


def remove(visit: Visit) -> Response:
    """Remove it."""
    organization = _organization(visit)
    visit.app.notifier_setup.remove(organization, _notifier(visit, organization).name)
    return go(_address(organization), "notifier_removed")


def failing(visit: Visit, organizations: Sequence[str]) -> list[NotifierStatus]:
    """Return the notifiers whose messages do not arrive, of organizations that this person sees."""
    return [one for one in visit.app.registry.notifiers.statuses(organizations) if one.word == "problem"]


def _page(visit: Visit, organization: str, *, tested: str = "", problem: Problem | None = None) -> Response:
    return visit.page(
        "notifications.html",
        422 if problem else 200,
        organization=organization,
        name=visible.organizations(visit)[organization],
        statuses=visit.app.registry.notifiers.statuses([organization]),
        titles=TITLES,
        kinds=KINDS,
        tones=TONES,
        states=WORDS,
        tested=tested,
        problem=problem,
        address=_address(organization),
    )


def _form(  # noqa: PLR0913 - what the form shows, by keyword
    visit: Visit,
    organization: str,
    channel: str,
    given: Mapping[str, str],
    problem: Problem | None = None,
    *,
    notifier: Notifier | None = None,
) -> Response:
    is_first = not given
    return visit.page(
        "notifier.html",
        422 if problem else 200,
        organization=organization,
        name=visible.organizations(visit)[organization],
        channel=channel,
        title=TITLES[channel],
        fields=FIELDS[channel],
        kinds=KINDS,
        given=_first_boxes() if is_first else given,
        error=problem,
        notifier=notifier,
        address=_address(organization),
    )


def _answers(visit: Visit) -> dict[str, str]:
    """Return what was filled in; a box that is not checked sends nothing."""
    kept = {field.key for fields in FIELDS.values() for field in fields}
    kept |= {"backlog_after", "remind_every", "quiet_hours.start", "quiet_hours.end", "quiet_hours.zone"}
    found = {key: value for key, value in visit.form.items() if key in kept}
    checked = [kind.value for kind in Kind if visit.form.get(f"on.{kind}")]
    if not checked:
        raise AnswerUnfit("Choose at least one condition.", key="conditions", fix="Check a box.")
    found["conditions"] = ", ".join(checked)
    found["all_clear"] = "true" if visit.form.get("all_clear") else "false"
    found["quiet_hours.let_urgent_through"] = "true" if visit.form.get("quiet_hours.let_urgent_through") else "false"
    return found


def _boxes(notifier: Notifier, given: Mapping[str, str]) -> dict[str, str]:
    """Return answers as the form sends them."""
    found = dict(given)
    settings = notifier.settings
    if settings is None:
        return {**found, **_first_boxes()}
    found |= {f"on.{kind}": "yes" for kind in settings.conditions}
    found.pop("all_clear", None)
    if settings.all_clear:
        found["all_clear"] = "yes"
    if settings.quiet_hours is None or not settings.quiet_hours.let_urgent_through:
        found.pop("quiet_hours.let_urgent_through", None)
    return found


def _first_boxes() -> dict[str, str]:
    return {**{f"on.{kind}": "yes" for kind in Kind}, "all_clear": "yes"}


def _organization(visit: Visit) -> str:
    """Return the organization of the address.

    Raises:
        NotVisible: there is none, or not for this person.
    """
    named = visit.named("organization")
    if named not in visible.organizations(visit):
        raise NotVisible("There is no such organization.")
    return named


def _notifier(visit: Visit, organization: str) -> Notifier:
    try:
        return visit.app.registry.notifiers.get(organization, visit.named("notifier"))
    except NotifierUnknown as exc:
        raise NotVisible("There is no such notifier.") from exc


def _channel(visit: Visit) -> str:
    named = visit.query.get("channel", "")
    if named not in CHANNELS:
        raise NotVisible("There is no such channel.")
    return named


def _refuse_viewer(visit: Visit) -> None:
    if not visit.user.is_admin:
        raise NotVisible("There is nothing to do here for viewers.")


def _id_of(name: str) -> str:
    """Return the id that a name stands for: what people type has capitals and blanks."""
    return _NOT_IN_ID.sub("-", name.lower()).strip("-_")[:LONGEST_NAME]


def _address(organization: str) -> str:
    return f"/notifications/{quote(organization, safe='')}"
