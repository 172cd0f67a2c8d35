"""The steps of set-up, and what is checked afterwards."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from connector_core import ConfigError, Priority, RetryLater, Severity
from connector_core.contract.setup_steps import fetch_choices, fetch_rows
from connector_servicenow import check_integration, configure_steps
from connector_servicenow.settings import ServiceNowSettings
from connector_servicenow_sandbox.profile import ACCOUNT_ROLES
from tests.support.servicenow import at, opened, unfinished


def asked(integration):
    """Return the questions by their key."""
    return {field.key: field for step in configure_steps(integration) for field in step.fields}


def findings(integration):
    """Return what is not as it should be, by code."""
    return {one.code: one for one in check_integration(integration) if one.severity is not Severity.OK}


def test_the_address_comes_before_access_is_authorized(integration):
    """With what access is authorized with; every question is a setting."""
    first, *others = configure_steps(unfinished(integration, {}))

    assert first.before_authorization
    assert not any(step.before_authorization for step in others)
    assert set(asked(integration)) - {"webhook_secret"} <= set(ServiceNowSettings.model_fields)


def test_lists_come_from_the_instance(integration):
    """Groups, states with the usual one first, codes."""
    fields = asked(integration)

    assert "AV Support" in [one.label for one in fetch_choices(fields["assignment_group"])]
    assert [one.value for one in fetch_choices(fields["close_status"])] == ["6", "1", "2", "3", "7", "8", "none"]
    assert "Solution provided" in [one.value for one in fetch_choices(fields["close_code"])]
    assert [row.key for row in fetch_rows(fields["impact_urgency"])] == [f"impact_urgency.{one}" for one in Priority]


@pytest.mark.parametrize("how", ["refused", "empty"])
def test_lists_that_are_closed_say_which_role_opens_them(sandbox, integration, how):
    """State and code can be typed all the same."""
    sandbox.administer(closed_table=how)
    sandbox.set_account(roles=ACCOUNT_ROLES - {"personalize_choices"})
    fields = asked(integration)

    with pytest.raises(ConfigError) as told:
        fetch_choices(fields["close_status"])

    assert "itil" in told.value.fix or "personalize_choices" in told.value.fix
    assert fields["close_code"].may_be_typed
    assert fields["close_status"].may_be_typed


@pytest.mark.parametrize(("typed", "found"), [("Carl", 1), ("carl.caller", 1), ("^NQactive=true", 0)])
def test_a_caller_is_found_by_a_part_of_the_name(integration, typed, found):
    """What would part the query finds nobody by accident."""
    assert len(asked(integration)["caller"].find(typed)) == found


def test_the_rule_is_handed_out_filled_in(integration):
    """With address and key, the key masked, and what to do to send a test event."""
    rule = next(step for step in configure_steps(integration) if step.key == "webhook")
    (script,) = rule.values

    assert f'"{integration.webhook_url}"' in script.value
    assert "czNjcmV0" in script.value  # s3cret
    assert "czNjcmV0" not in script.masked
    assert rule.test_event
    assert "{{" not in script.value


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("instance", "ftp://acme", "acme"),
        ("new_fields", "u_room {{ incident.id }}", "u_room = {{ incident.location.name }}\nu_kind = av"),
        ("new_fields", "u_room = {{ incident.titel }}", "u_room = 1"),
        ("close_notes", "{{ incident.titel }}", "Done: {{ incident.title }}"),
    ],
)
def test_answers_are_checked(integration, key, wrong, right):
    """A mistake is told beside its question."""
    check = asked(integration)[key].check

    assert check(wrong)
    assert not check(right)


def test_pairs_are_checked(integration):
    """Impact and urgency, as 1/2."""
    check = fetch_rows(asked(integration)["impact_urgency"])[0].check

    assert check is not None
    assert check("high")
    assert not check(" 1 / 2 ")


def test_settings_as_they_are_typed():
    """A name stands for an address, lines for further fields, commas for states; what is none is refused."""
    given = {"instance": "acme", "assignment_group": "0" * 32, "new_fields": "u_room = 1", "done_states": "6, 7"}
    settings = ServiceNowSettings.model_validate({**given, "impact_urgency": {"low": "3/3"}, "close_status": "42"})

    assert settings.instance == "https://acme.service-now.com"
    assert settings.new_fields == {"u_room": "1"}
    assert settings.done == {"6", "7", "42"}
    assert settings.priorities.theirs(Priority.LOW) == {"impact": "3", "urgency": "3"}
    assert settings.priorities.theirs(Priority.HIGH) == {"impact": "1", "urgency": "2"}
    with pytest.raises(ValidationError):
        ServiceNowSettings.model_validate({**given, "new_fields": "no line"})


def test_all_is_well_on_a_simple_instance(sandbox, integration):
    """Nothing is found, nothing is written."""
    ticket = opened(integration)
    sandbox.write_comment(ticket.id, "On our way")
    before = len(sandbox.calls)

    assert findings(integration) == {}
    assert {call.method for call in sandbox.calls[before:]} == {"GET"}


@pytest.mark.parametrize("how", ["refused", "empty"])
@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("personalize_choices", "choices_closed"),
        ("personalize_dictionary", "dictionary_closed"),
        ("journal_reader", "journal_closed"),
    ],
)
def test_each_missing_right_is_a_finding_with_what_to_give(sandbox, integration, how, role, code):
    """Closed tables answer 403, or leave all rows out."""
    sandbox.write_comment(opened(integration).id, "On our way")
    sandbox.administer(closed_table=how)
    sandbox.set_account(roles=ACCOUNT_ROLES - {role})

    found = findings(integration)

    assert set(found) == {code}
    assert role in found[code].fix or code == "journal_closed"


def test_an_account_without_roles(sandbox, integration):
    """The first right is the first finding; all others are told too."""
    opened(integration)
    sandbox.set_account(roles=frozenset())

    found = findings(integration)

    assert next(iter(found)) == "incidents_closed"
    assert found["incidents_closed"].severity is Severity.PROBLEM
    assert {"choices_closed", "dictionary_closed", "journal_closed"} <= set(found)


def test_a_locked_api_names_its_role(difficult, hard):
    """The Table API itself may be closed."""
    difficult.set_account(roles=frozenset({"itil"}))

    assert "snc_platform_rest_api_access" in findings(hard)["incidents_closed"].fix


def test_the_difficult_instance(hard):
    """What is closed there is told, and nothing stands in the way."""
    opened(hard)
    found = findings(hard)

    assert set(found) == {"dictionary_closed", "journal_closed"}
    assert {one.severity for one in found.values()} == {Severity.WARNING}


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("close_status", "42", "close_status_missing"),
        ("close_code", "Nothing", "close_code_missing"),
        ("close_code", "", "close_code_open"),
        ("assignment_group", "0" * 32, "group_missing"),
    ],
)
def test_what_settings_name_and_is_not_there(sandbox, clock, setting, value, code):
    """A state that nobody has, a code, a group."""
    integration = at(sandbox, clock, **{setting: value})
    sandbox.write_comment(opened(integration).id, "On our way")

    assert set(findings(integration)) == {code}


def test_hidden_columns_are_a_problem(sandbox, integration):
    """Without the marker no incident can be found again."""
    opened(integration)
    sandbox.administer(hidden_fields=frozenset({"correlation_id"}))

    assert findings(integration)["columns_closed"].detail == "correlation_id"


def test_an_instance_that_sleeps(sandbox, integration):
    """Not reachable: nothing more is asked."""
    sandbox.sleep()

    assert [one.code for one in check_integration(integration)] == ["not_checked"]


def test_lists_of_an_instance_that_sleeps(sandbox, integration):
    """The step says so, and can be reloaded."""
    sandbox.sleep()

    with pytest.raises(RetryLater):
        fetch_choices(asked(integration)["assignment_group"])
