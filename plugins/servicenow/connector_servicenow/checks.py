"""What is tried before the first incident, and each night: every right that is missing, with the role that gives it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import connector_core as core
from connector_core.kit.checks import listed, ok, problem, readable, run, warning, webhook_is_there
from connector_servicenow import lists
from connector_servicenow.desk import FIELDS, ServiceNow
from connector_servicenow.settings import ServiceNowSettings
from connector_servicenow.table import raw

_INCIDENTS_FIX = "Give the account the role itil, and snc_platform_rest_api_access where the Table API is closed."
_COLUMNS_FIX = "Have an administrator let the account read these columns: access rules (ACL) close them."
_ACCOUNT_FIX = "Let the account read its own row of sys_user; everything else works without."
_JOURNAL_FIX = (
    "Let the account read sys_journal_field, by an access rule (ACL) or the role that has one, unless there is no "
    "comment yet. Comments of the platform are written all the same."
)
_DICTIONARY_FIX = (
    "Give the account the role personalize_dictionary, or look for yourself what a new incident must have."
)
_FIELD_FIX = "Fill it in set-up, under Further Fields of a new incident, unless the instance does."
_CLOSE_FIX = "Choose another one in set-up, under Close Status."


@core.implements(core.hookspecs.check_integration)
def check(integration: core.Integration[ServiceNowSettings]) -> list[core.Finding]:
    """Try all that the integration will need; nothing is changed."""
    parts = (_incidents, _account, _choices, _columns, _journal, _group)
    return run(*(part(ServiceNow(integration)) for part in parts), webhook_is_there(integration))


def _incidents(desk: ServiceNow) -> Iterator[core.Finding]:
    try:
        row = next(desk.table().find({}, fields=FIELDS, most=1), None)
    except core.ConfigError as exc:
        yield problem("incidents_closed", "Incidents cannot be read", exc.message, _INCIDENTS_FIX)
        return
    hidden = [name for name in FIELDS if row is not None and raw(row, name) is None]
    if row is None:
        said = "There is none, or our account may see none: then give it the role itil."
        yield warning("incidents_none", "No incident is shown", said)
    elif hidden:
        yield problem("columns_closed", "Columns of incidents are hidden", ", ".join(hidden), _COLUMNS_FIX)
    else:
        yield ok("incidents", "Incidents can be read")


def _account(desk: ServiceNow) -> Iterator[core.Finding]:
    return readable("account", "The account's row in sys_user", lambda: raw(desk.own_row(), "user_name"), _ACCOUNT_FIX)


def _choices(desk: ServiceNow) -> Iterator[core.Finding]:
    settings, load = desk.settings, partial(lists.states, desk)
    states = yield from readable("choices", "The list of states and codes", load, lists.CHOICES_FIX)
    if not states or settings.close_status == desk.keep_open:
        return
    yield from listed("close_status", "The close state", settings.close_status, states, _CLOSE_FIX)
    if not settings.close_code:
        said = "Most instances refuse to resolve an incident without one."
        yield warning("close_code_open", "No resolution code is chosen", said, _CLOSE_FIX)
    elif codes := lists.choices(desk, "close_code"):
        yield from listed("close_code", "The resolution code", settings.close_code, codes, _CLOSE_FIX)


def _columns(desk: ServiceNow) -> Iterator[core.Finding]:
    load = partial(lists.insisted, desk)
    insisted = yield from readable("dictionary", "The list of fields that must be filled", load, _DICTIONARY_FIX)
    sent = {*desk.settings.new_fields, "assignment_group", "description", "correlation_id"}
    sent |= {"caller_id"} if desk.settings.caller else set()
    for name, label in sorted((insisted or {}).items()):
        if name not in sent:
            yield warning("field_open", "A field that must be filled is not", f"{label} ({name})", _FIELD_FIX)


def _journal(desk: ServiceNow) -> Iterator[core.Finding]:
    rows = desk.table("sys_journal_field").find({}, fields=("sys_id", "value"), most=1)
    entry = (raw(row, "value") for row in rows)
    return readable("journal", "The journal of comments and work notes", lambda: next(entry, None), _JOURNAL_FIX)


def _group(desk: ServiceNow) -> Iterator[core.Finding]:
    group = desk.settings.assignment_group
    there = lists.groups(desk, sys_id=group)
    if group in there:
        desk.integration.core.tell_label("assignment_group", group, there[group])
    fix = "Choose another one in set-up, under Assignment Group."
    yield from listed("group", "The assignment group", group, there, fix)
