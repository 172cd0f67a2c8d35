"""The check tells what people call the ids that settings hold, and priorities are known again after a restart."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from connector_core import Integration, Priority
from connector_core.contract.memory import Notebook
from connector_core.testing import MemoryCore
from connector_jira_jsm.checks.checkup import check
from connector_jira_jsm.webhooks import incoming
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.plugins.jira_jsm.test_incoming_webhook import SECRET, issue, signed
from tests.support.jira.at_sandbox import place
from tests.support.jira.difficult_site import handle, opened
from tests.support.jira.openapi_check import assert_calls_match_openapi

SECRET_VALUE = SecretStr(SECRET)


def _delivery(number: str, key: str, priority: str, priority_id: str) -> bytes:
    """Make a delivery about a ticket with this priority."""
    shown = {**issue(priority={"name": priority, "id": priority_id}), "id": number, "key": key}
    return json.dumps({"timestamp": 1, "webhookEvent": "jira:issue_updated", "issue": shown}).encode()


def told(integration: Integration) -> dict[tuple[str, str], str]:
    """Check, and return what was told."""
    core = integration.core
    assert isinstance(core, MemoryCore)
    core.labels.clear()
    check(integration)
    return dict(core.labels)


def test_desk_type_and_status_are_named():
    """The names are those of the lists in set-up."""
    with place(more={"managed_webhook": True}) as site:
        found = told(site.integration)

    named = {key: label for key, label in found.items() if label}
    assert named == {
        ("managed_webhook", "true"): "The connector registers it",
        ("service_desk", "10"): "Support (SUP)",
        ("request_type", "25"): "Report an incident",
        ("close_status", "10002"): "Resolved",
    }


def test_fields_entries_and_priorities_are_named():
    """A row of a group is named, and its entry where it is one of a list; a template has no other name."""
    with JiraSandbox(DIFFICULT) as sandbox:
        settings = {**sandbox.integration_settings(), "priority_to_ticket": {"critical": "10200"}}
        found = told(handle(sandbox, **settings))

    assert found[("request_fields.customfield_10106", "")] == "Standort"
    assert found[("request_fields.customfield_10106", "10110")] == "Berlin"
    assert ("request_fields.customfield_10103", "1") not in {k for k, v in found.items() if v}
    assert found[("priority_to_ticket.critical", "")] == "Critical"
    assert found[("close_status", str(settings["close_status"]))] == "Geschlossen"


def test_a_priority_of_the_sites_own_is_known_right_after_a_restart():
    """The list was read once; the next process knows it before any call, paired as settings say by then."""
    with JiraSandbox(DIFFICULT) as sandbox:
        first = handle(sandbox, **sandbox.integration_settings())
        ticket = opened(first, priority="critical")
        raw = _delivery(ticket.id, ticket.key, "Notfall", "10200")
        later = replace(first, cache={}, webhook_secrets=(SECRET_VALUE,))
        other = later.settings.model_copy(update={"priority_to_incident": {"10200": "low"}})
        before = sandbox.call_count()

        known = incoming.receive(later, signed(raw))
        paired = incoming.receive(replace(later, cache={}, settings=other), signed(raw))
        unknown = incoming.receive(replace(later, cache={}, memory=Notebook()), signed(raw))

        assert sandbox.call_count() == before
        assert_calls_match_openapi(sandbox.calls)
    assert known is not None
    assert known.tickets[0].priority is Priority.CRITICAL
    assert paired is not None
    assert paired.tickets[0].priority is Priority.LOW
    assert unknown is not None
    assert unknown.tickets[0].priority is None


@pytest.mark.parametrize("kept", ["[1]", '{"a": 1}', '"x"', "[[1, 2, 3], null, [[], {}]]"])
def test_a_memory_that_is_no_list_of_priorities_is_none(kept: str):
    """What was remembered may be of another version."""
    with JiraSandbox(DIFFICULT) as sandbox:
        made = handle(sandbox, **sandbox.integration_settings())
        key = f"priorities {made.settings.service_desk}/{made.settings.request_type}"
        made.memory.remember(key, json.loads(kept))
        made = replace(made, webhook_secrets=(SECRET_VALUE,))

        found = incoming.receive(made, signed(_delivery("1", "STOER-1", "Sofort", "10200")))

    assert found is not None
    assert found.tickets[0].priority is None
