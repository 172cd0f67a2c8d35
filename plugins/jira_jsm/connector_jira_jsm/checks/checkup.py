"""Trying, without changing anything, what an integration will need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_core import ConfigError, ConnectorError, Finding, hookspecs, implements
from connector_core.kit.checks import ok, problem, run, warning, webhook_is_there
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api.addresses import own_address
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.auth.sites import scopes_at
from connector_jira_jsm.checks.drift import DRIFT, picture
from connector_jira_jsm.checks.findings import CONSOLE_PAGE, FORM_PAGE, PERMISSIONS_PAGE, WORKFLOW_PAGE
from connector_jira_jsm.checks.form_checks import check_edit_screen, check_form, check_hidden
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.forms import keep
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.settings import DO_NOT_CLOSE, Fallback, JiraIntegration, JiraSettings
from connector_jira_jsm.setup import labels
from connector_jira_jsm.setup.steps import statuses_of
from connector_jira_jsm.tickets import transition_paths
from connector_jira_jsm.tickets.transition_paths import Place
from connector_jira_jsm.webhooks import managed

# Each with what does not work without it.
NEEDED = {
    "BROWSE_PROJECTS": ("Browse projects", "Nothing can be read."),
    "CREATE_ISSUES": ("Create issues", "No ticket can be created."),
    "EDIT_ISSUES": ("Edit issues", "Changes do not reach tickets."),
    "TRANSITION_ISSUES": ("Transition issues", "Tickets cannot be closed."),
}
USEFUL = {
    "LINK_ISSUES": ("Link issues", "Tickets get no link to their incident."),
    "ADD_COMMENTS": ("Add comments", "Nobody can be asked to close a ticket by hand."),
}
ADMINISTERS = ("ADMINISTER_PROJECTS", "ADMINISTER")  # either lets edits be made without mail
SCOPES = {
    "read:jira-work": "Nothing can be read.",
    "write:jira-work": "Changes do not reach tickets.",
    "read:jira-user": "The account cannot be named.",
    "read:servicedesk-request": "Desks and request types cannot be read.",
    "write:servicedesk-request": "No ticket can be created.",
}
# Names that people take for finished, whatever their category.
_SOUNDS_DONE = """
done closed resolved complete completed finished fertig erledigt geschlossen gelöst abgeschlossen terminé résolu fermé
clos hecho resuelto cerrado fatto chiuso risolto concluído resolvido fechado klaar gesloten opgelost 完了
"""
SOUNDS_DONE = frozenset(_SOUNDS_DONE.split())


@implements(hookspecs.check_integration)
def check(integration: JiraIntegration) -> Sequence[Finding]:
    """Check from the bottom up; what could not be asked is a finding too, and ends the list."""
    return run(_findings(integration))


def _findings(integration: JiraIntegration) -> Iterator[Finding]:
    client = JiraClient(integration)
    settings = integration.settings
    account = client.myself()
    yield ok("authorization", "Authorization works", f"As {account.get('displayName') or account.get('accountId')}.")
    yield from _of_scopes(integration)
    if client.desk_info().get("isLicensedForUse") is False:
        yield problem(
            "jsm_missing",
            "Jira Service Management is not licensed on this site",
            fix="Ask an administrator of the site to enable it.",
        )
        return
    yield ok("jsm", "The site has Jira Service Management")
    desk = _visible_desk(client, settings)
    if isinstance(desk, Finding):
        yield desk
        return
    labels.tell_of_desk(integration, settings, desk)
    yield ok("service_desk", "The service desk is visible", f"{desk.get('projectName')} ({desk.get('projectKey')})")
    kind = _existing_type(client, settings)
    if isinstance(kind, Finding):
        yield kind
    else:
        labels.tell_of_type(integration, settings, kind)
        yield from _of_type(kind)
        yield from _of_form_and_workflow(integration, client, settings, desk, kind)
    yield from _of_permissions(client, settings, str(desk.get("projectId") or ""))
    yield from _of_webhook(integration, settings)


def _of_form_and_workflow(
    integration: JiraIntegration, client: JiraClient, settings: JiraSettings, desk: Json, kind: Json
) -> Iterator[Finding]:
    form = keep(integration, settings, client.request_type_fields(settings.service_desk, settings.request_type))
    labels.tell_of_form(integration, settings, form)
    yield from check_form(integration, client, settings, form)
    project, issue_type = str(desk.get("projectKey") or ""), str(kind.get("issueTypeId") or "")
    place = Place(project, issue_type, settings.request_type, tuple(statuses_of(client.statuses(project), issue_type)))
    labels.tell_of_statuses(integration, settings, place.statuses)
    yield from _of_close_status(settings, place)
    yield from _of_workflow(integration, client, settings, place, form)


def _of_workflow(
    integration: JiraIntegration, client: JiraClient, settings: JiraSettings, place: Place, form: RequestFields
) -> Iterator[Finding]:
    try:
        look = transition_paths.look_around(integration, client, place)
    except ConnectorError as exc:
        yield warning("close_status_unseen", "Tickets could not be looked at", exc.message, exc.fix)
        return
    yield from check_hidden(look.hidden)
    if settings.close_status != DO_NOT_CLOSE:
        yield from _of_paths(settings, place, look)
    if look.sample is not None:
        key = str(look.sample.get("key"))
        yield from check_edit_screen(client.edit_fields(str(look.sample["id"])), key)
    yield from DRIFT.check(integration, look.workflow.place, picture(form, place.statuses, look.workflow))


def _of_paths(settings: JiraSettings, place: Place, look: transition_paths.Look) -> Iterator[Finding]:
    """Return from where tickets cannot be closed: a problem when that is from everywhere, or for want of a value."""
    target = settings.close_status
    name = next((str(one.get("name")) for one in place.statuses if str(one.get("id")) == target), "")
    if not name:
        return
    found = transition_paths.reaches(look.workflow, place.open_statuses(target), target, settings.close_fields)
    lost = [reach for reach in found if not reach.path and not reach.lacking and reach.is_known]
    for reach in (one for one in found if one.lacking):
        yield problem("close_status_fields", transition_paths.sentence(reach, name), fix=sentences.SCREEN_FIX)
    for reach in lost:
        tell = problem if len(lost) == len(found) and not reach.other else warning
        yield tell("close_status_unreachable", transition_paths.sentence(reach, name), fix=sentences.WORKFLOW_FIX)
    reached = [reach.status for reach in found if reach.path]
    unknown = [reach.status for reach in found if not reach.path and not reach.is_known and not reach.lacking]
    known = [f"Checked from: {', '.join(reached)}."] if reached else []
    later = [f"Will be checked with the first ticket in: {', '.join(unknown)}."] if unknown else []
    yield ok("close_status_ways", "Paths to the close status", " ".join([*known, *later]))


def _visible_desk(client: JiraClient, settings: JiraSettings) -> Json | Finding:
    try:
        return client.service_desk(settings.service_desk)
    except ConfigError as exc:
        return problem(
            "service_desk_missing",
            "The service desk is not there, or the account may not see it",
            exc.message,
            f"{PERMISSIONS_PAGE} Or choose another service desk.",
        )


def _existing_type(client: JiraClient, settings: JiraSettings) -> Json | Finding:
    try:
        return client.request_type(settings.service_desk, settings.request_type)
    except ConfigError as exc:
        return problem(
            "request_type_missing",
            "The request type is not on the service desk",
            exc.message,
            "In Jira: Project settings > Request types. Or choose another request type.",
        )


def _of_type(kind: Json) -> Iterator[Finding]:
    name = str(kind.get("name"))
    if kind.get("canCreateRequest") is False:
        yield problem(
            "request_type_restricted",
            "The account may not raise requests of this type",
            name,
            f"{FORM_PAGE} Under Restrictions let the account's group use it. Or choose another request type.",
        )
    else:
        yield ok("request_type", "The request type exists", name)


def _of_close_status(settings: JiraSettings, place: Place) -> Iterator[Finding]:
    misleading = [
        str(one.get("name"))
        for one in place.statuses
        if not mapping.is_done(one) and str(one.get("name", "")).casefold() in SOUNDS_DONE
    ]
    if misleading:
        yield warning(
            "close_status_sounds_done",
            f"A status sounds finished and is not of the category Done: {', '.join(misleading)}",
            "A ticket that is moved there does not close its incident.",
            f"{WORKFLOW_PAGE} Change its category to Done, if it is meant as the end.",
        )
    if settings.close_status == DO_NOT_CLOSE:
        yield ok("close_status", "Tickets are not closed automatically")
        return
    status = next((status for status in place.statuses if str(status["id"]) == settings.close_status), None)
    if status is None:
        yield problem(
            "close_status_missing",
            "The close status is not in the request type's workflow",
            fix=f"Choose another close status, or add it. {WORKFLOW_PAGE}",
        )
    elif not mapping.is_done(status):
        yield warning(
            "close_status_not_done",
            f'The close status "{status.get("name")}" is not of the category Done',
            "Jira, and this connector, will still see the ticket as open.",
            f"Choose a status of the category Done, or change its category. {WORKFLOW_PAGE}",
        )
    else:
        yield ok("close_status", "The close status exists and counts as done", str(status.get("name")))


def _of_permissions(client: JiraClient, settings: JiraSettings, project_id: str) -> Iterator[Finding]:
    silent = () if settings.notify_users else ADMINISTERS
    held = client.permissions((*NEEDED, *USEFUL, *silent), project_id)
    if silent and all(held.get(name) is False for name in silent):
        yield warning(
            "notify_users_ignored",
            "Jira mails watchers about changed fields although notify_users is off",
            "The account administers neither Jira nor the project, and Jira then ignores the wish.",
            f"{PERMISSIONS_PAGE} Give the account the permission Administer projects, or remove the setting.",
        )
    lacking = [name for name in (*NEEDED, *USEFUL) if held.get(name) is False]
    for name in lacking:
        label, effect = NEEDED.get(name) or USEFUL[name]
        if name == "ADD_COMMENTS" and Fallback.COMMENT not in settings.close_fallback:
            continue
        closes_nothing = name == "TRANSITION_ISSUES" and settings.close_status == DO_NOT_CLOSE
        tell = warning if name in USEFUL or closes_nothing else problem
        code = "permission_useful" if name in USEFUL else "permission_missing"
        yield tell(code, f"The account lacks the permission {label}", effect, PERMISSIONS_PAGE)
    if all(held.get(name) for name in NEEDED):
        yield ok("permissions", "The account may read, create, edit and move tickets")


def _of_scopes(integration: JiraIntegration) -> Iterator[Finding]:
    grant = integration.core.grant()
    if grant is None or grant.site is None or own_address(grant):
        return  # an API token has no scopes that could be listed; the other checks try it
    held = scopes_at(integration, grant, grant.site.id)
    lacking = [scope for scope in SCOPES if scope not in held]
    for scope in lacking:
        detail = f"{SCOPES[scope]} The gateway lists: {', '.join(sorted(held)) or 'none'}."
        yield problem("scope_missing", f"The authorization lacks the scope {scope}", detail, CONSOLE_PAGE)
    if not lacking:
        yield ok("scopes", "The authorization has all scopes")


def _of_webhook(integration: JiraIntegration, settings: JiraSettings) -> Iterator[Finding]:
    """Say how the webhook is set up; whether one is missing the core knows: that of another desk may do."""
    labels.tell_of_webhook(integration, settings)
    lack = managed.what_lacks(integration) if settings.managed_webhook else ""
    yield from webhook_is_there(integration, is_managed=settings.managed_webhook, lack=lack, fix=managed.BY_HAND)
