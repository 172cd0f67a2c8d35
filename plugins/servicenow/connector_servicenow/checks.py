"""What is tried before the first incident, and each night: every right that is missing, with the role that gives it."""

from __future__ import annotations

from collections.abc import Iterator

from connector_core import ConfigError, Finding, hookspecs, implements
from connector_core.kit.checks import listed, ok, problem, readable, run, warning, webhook_is_there
from connector_servicenow import incidents, lists
from connector_servicenow.access import own_row
from connector_servicenow.settings import DO_NOT_CLOSE, ServiceNowIntegration
from connector_servicenow.table import Table, raw

_SEE_CLOSE = "Choose another one in set-up, under Close Status."


@implements(hookspecs.check_integration)
def check(integration: ServiceNowIntegration) -> list[Finding]:
    """Try all that the integration will need; nothing is changed."""
    return run(
        _incidents(integration),
        readable(
            "account",
            "The account is known",
            lambda: raw(own_row(Table.of(integration, "sys_user")), "user_name"),
            lack="ServiceNow does not say which account is used",
            fix="Let the account read its own row of sys_user; everything else works without.",
        ),
        _choices(integration),
        _columns(integration),
        readable(
            "journal",
            "Comments and work notes can be read",
            lambda: _entry(integration),
            lack="Comments of incidents cannot be read",
            fix="Let the account read sys_journal_field, by an access rule (ACL) or the role that has one, unless "
            "there is no comment yet. Comments of the platform are written all the same.",
        ),
        _group(integration),
        webhook_is_there(integration),
    )


def _incidents(integration: ServiceNowIntegration) -> Iterator[Finding]:
    try:
        row = next(Table.of(integration).find({}, fields=incidents.FIELDS, most="1"), None)
    except ConfigError as exc:
        role = "itil, and snc_platform_rest_api_access where the Table API is closed"
        yield problem("incidents_closed", "Incidents cannot be read", exc.message, f"Give the account the role {role}.")
        return
    hidden = [name for name in incidents.FIELDS if row is not None and raw(row, name) is None]
    if row is None:
        said = "There is none, or our account may see none: then give it the role itil."
        yield warning("incidents_none", "No incident is shown", said)
    elif hidden:
        fix = "Have an administrator let the account read these columns: access rules (ACL) close them."
        yield problem("columns_closed", "Columns of incidents are hidden", ", ".join(hidden), fix)
    else:
        yield ok("incidents", "Incidents can be read")


def _choices(integration: ServiceNowIntegration) -> Iterator[Finding]:
    settings = integration.settings
    states = yield from readable(
        "choices",
        "The lists of states and codes can be read",
        lambda: lists.states(integration),
        lack="The lists of states and codes cannot be read",
        fix=lists.CHOICES_FIX,
    )
    if not states or settings.close_status == DO_NOT_CLOSE:
        return
    yield from listed(
        "close_status",
        "The close state is there",
        settings.close_status,
        states,
        lack="The close state is not in the list",
        fix=_SEE_CLOSE,
    )
    if not settings.close_code:
        said = "Most instances refuse to resolve an incident without one."
        yield warning("close_code_open", "No resolution code is chosen", said, _SEE_CLOSE)
    elif codes := lists.choices(integration, "close_code"):
        lack = "The resolution code is not in the list"
        yield from listed(
            "close_code", "The resolution code is there", settings.close_code, codes, lack=lack, fix=_SEE_CLOSE
        )


def _columns(integration: ServiceNowIntegration) -> Iterator[Finding]:
    insisted = yield from readable(
        "dictionary",
        "The fields that must be filled can be read",
        lambda: lists.insisted(integration),
        lack="Which fields must be filled cannot be read",
        fix="Give the account the role personalize_dictionary, or look for yourself what a new incident must have.",
    )
    sent = {*integration.settings.new_fields, "assignment_group", "description", "correlation_id"}
    sent |= {"caller_id"} if integration.settings.caller else set()
    for name, label in sorted((insisted or {}).items()):
        if name not in sent:
            fix = "Fill it in set-up, under Further Fields of a new incident, unless the instance does."
            yield warning("field_open", "A field that must be filled is not", f"{label} ({name})", fix)


def _entry(integration: ServiceNowIntegration) -> str | None:
    rows = Table.of(integration, "sys_journal_field").find({}, fields=("sys_id", "value"), most="1")
    return next((raw(row, "value") for row in rows), None)


def _group(integration: ServiceNowIntegration) -> Iterator[Finding]:
    group = integration.settings.assignment_group
    rows = Table.of(integration, "sys_user_group").find({"sys_id": group, "active": "true"}, fields=("name",))
    there = {raw(row, "sys_id") or "": raw(row, "name") or "" for row in rows}
    if group in there:
        integration.core.tell_label("assignment_group", group, there[group])
    fix, lack = (
        "Choose another one in set-up, under Assignment Group.",
        "The assignment group is not there, or not active",
    )
    yield from listed("group", "The assignment group is there", group, there, lack=lack, fix=fix)
