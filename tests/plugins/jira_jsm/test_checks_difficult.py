"""What the difficult site would refuse is found before the first incident, what changed there before the next one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector_core import Finding, Integration, Severity
from connector_core.testing import FrozenClock
from connector_jira_jsm.checks.checkup import check
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.support.jira.difficult_site import closed, handle, opened
from tests.support.jira.handles import NOW

FULL: dict[str, Any] = {"request_type": "25", **DIFFICULT.settings}


@pytest.fixture
def sandbox(difficult: JiraSandbox) -> JiraSandbox:
    """Work on the difficult site."""
    return difficult


def found(integration: Integration) -> dict[str, list[Finding]]:
    """Check, and return the findings by code."""
    findings: dict[str, list[Finding]] = {}
    for finding in check(integration):
        findings.setdefault(finding.code, []).append(finding)
    return findings


def problems(findings: dict[str, list[Finding]]) -> set[str]:
    """Return the codes of what would fail."""
    return {code for code, listed in findings.items() if any(one.severity is Severity.PROBLEM for one in listed)}


def with_type(number: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any of a request type's attributes
    """Return the desk with one of its request types changed."""
    desk = DIFFICULT.desks[0]
    kinds = tuple(replace(one, **changes) if n == number else one for n, one in enumerate(desk.request_types))
    return {"desks": (replace(desk, request_types=kinds),)}


def test_edits_that_cannot_be_made_silently_are_found(sandbox: JiraSandbox) -> None:
    """An account that administers nothing is mailed about all the same; without the wish nothing is said of it."""
    wished = found(handle(sandbox, **FULL, notify_users=False))
    not_wished = found(handle(sandbox, **FULL))
    sandbox.administer(denied=frozenset())
    allowed = found(handle(sandbox, **FULL, notify_users=False))

    assert wished["notify_users_ignored"][0].severity is Severity.WARNING
    assert "Administer projects" in wished["notify_users_ignored"][0].fix
    assert "notify_users_ignored" not in not_wished.keys() | allowed.keys()


def test_with_everything_given_nothing_stands_in_the_way(sandbox: JiraSandbox) -> None:
    """The settings that go with the site pass, and what is odd about it is said."""
    integration = handle(sandbox, **FULL)
    closed(integration, opened(integration))
    opened(integration)

    findings = found(integration)

    assert problems(findings) == set()
    assert "Erledigt" in findings["close_status_sounds_done"][0].title
    assert findings["edit_screen_priority"][0].severity is Severity.WARNING
    assert "Screens" in findings["edit_screen_priority"][0].fix
    assert "Checked from: Neu, In Prüfung, In Arbeit" in findings["close_status_ways"][0].detail


def test_every_gap_of_the_form_is_a_finding_with_a_way_out(sandbox: JiraSandbox) -> None:
    """Each required field without a value is named, with its kind and how to fill it."""
    findings = found(handle(sandbox, request_type="25"))

    gaps = findings["request_fields_missing"]
    assert len(gaps) == 8
    assert all(gap.severity is Severity.PROBLEM for gap in gaps)
    assert any(gap.title.startswith("Standort has no value (one of a list)") for gap in gaps)
    assert all("Project settings > Request types" in gap.fix and "(request_fields." in gap.fix for gap in gaps)


def test_field_that_nobody_can_fill_needs_a_preset(sandbox: JiraSandbox) -> None:
    """A required field of another product's kind is for the administrator, with the place to go."""
    gap = found(handle(sandbox, request_type="26"))["request_fields_missing"][0]

    assert "only a preset value in Jira" in gap.title
    assert "hide it from the portal and enter the preset value" in gap.fix
    assert "--set" not in gap.fix


def test_a_preset_fills_a_field_that_nobody_can_fill() -> None:
    """It is no gap then, and the finding names the fields that Jira fills in by itself; a request can be raised."""
    desk = DIFFICULT.desks[0]
    kinds = [
        replace(
            kind, fields=tuple(replace(one, preset=("AN-1",)) if one.name == "Anlage" else one for one in kind.fields)
        )
        for kind in desk.request_types
    ]
    with JiraSandbox(replace(DIFFICULT, desks=(replace(desk, request_types=tuple(kinds)),))) as sandbox:
        integration = handle(sandbox, request_type="26")
        findings = found(integration)
        ticket = opened(integration)

    assert "request_fields_missing" not in findings
    assert findings["request_fields"][0].detail.endswith("Jira has a value for: Anlage.")
    assert ticket.key.startswith("STOER-")


def test_values_that_do_not_fit_are_found(sandbox: JiraSandbox) -> None:
    """An option that is not offered, a value for a field that is not there, unknown people and priorities."""
    fields = {**FULL["request_fields"], "customfield_10106": "Paris", "customfield_99999": "x"}
    findings = found(
        handle(
            sandbox,
            **{**FULL, "request_fields": fields},
            raise_on_behalf_of="nobody",
            priority_to_ticket={"critical": "Blocker"},
        )
    )

    assert "does not offer 'Paris'" in findings["request_fields_missing"][0].title
    assert findings["request_fields_unknown"][0].detail == "customfield_99999"
    assert findings["request_fields_people"][0].detail == "nobody"
    assert "Blocker" in findings["priorities_gone"][0].detail
    assert problems(findings) == {"request_fields_missing", "request_fields_people"}


def test_screen_without_a_value_is_a_problem_before_the_first_close(sandbox: JiraSandbox) -> None:
    """A ticket that stands before the last step shows what its screen asks for."""
    required = tuple(
        replace(one, required_fields=("customfield_10115",)) if one.id == "41" else one
        for one in DIFFICULT.transitions
        if one.id != "51"
    )
    sandbox.administer(transitions=required)
    integration = handle(sandbox)
    ticket = opened(integration)
    for step in ("11", "21"):
        sandbox.workbench.move(ticket.id, step)

    findings = found(integration)

    assert any("Ursache has no value" in one.title for one in findings["close_status_fields"])
    assert "close_fields" in findings["close_status_fields"][0].fix


@pytest.mark.parametrize(
    ("permission", "severity"),
    [
        ("CREATE_ISSUES", Severity.PROBLEM),
        ("EDIT_ISSUES", Severity.PROBLEM),
        ("TRANSITION_ISSUES", Severity.PROBLEM),
        ("LINK_ISSUES", Severity.WARNING),
        ("ADD_COMMENTS", Severity.WARNING),
    ],
)
def test_each_missing_permission_is_named(sandbox: JiraSandbox, permission: str, severity: Severity) -> None:
    """The permission, what does not work without it, and where to give it."""
    sandbox.administer(denied=frozenset({permission}))

    findings = found(handle(sandbox))

    code = "permission_missing" if severity is Severity.PROBLEM else "permission_useful"
    words = permission.replace("_", " ").capitalize()
    assert [(one.severity, words in one.title) for one in findings[code]] == [(severity, True)]
    assert "Project settings > Permissions" in findings[code][0].fix


def test_changes_of_the_site_are_told_before_the_next_incident(sandbox: JiraSandbox) -> None:
    """A new required field, a vanished option, a renamed status and priority, a closed way: each is a finding."""
    integration = handle(sandbox, **FULL)
    opened(integration)
    first = found(integration)
    desk = DIFFICULT.desks[0]
    kind = desk.request_types[0]
    shorter = tuple(
        replace(one, required=True)
        if one.name == "Frist"
        else replace(one, options=one.options[1:])
        if one.name == "Standort"
        else one
        for one in kind.fields
        if one.name != "Lage"
    )
    sandbox.administer(
        **with_type(0, fields=shorter),
        statuses=tuple(replace(s, category="done") if s.name == "Erledigt" else s for s in DIFFICULT.statuses),
        priorities=tuple(replace(p, name="Sofort") if p.name == "Notfall" else p for p in DIFFICULT.priorities),
        transitions=tuple(t for t in DIFFICULT.transitions if t.id != "91"),
    )

    second = found(integration)
    third = found(integration)

    texts = [one.title for code, listed in second.items() if code.startswith("drift_") for one in listed]
    assert [one.severity for one in first["drift"]] == [Severity.OK]
    assert {
        "The field Frist is required now",
        "The request type has no field Lage any more",
        "The field Standort does not offer Berlin any more",
        "The status Erledigt is of the category Done now",
        "The priority Notfall is called Sofort now",
        "From Neu no transition leads to Eskaliert (Eskalieren) any more",
    } <= set(texts)
    # What would break the next incident is a problem of its own, too.
    assert {one.title.split(" ")[0] for one in second["request_fields_missing"]} == {"Frist", "Standort"}
    assert [one.title for one in third["drift_field"]] == [one.title for one in second["drift_field"]]


def test_changes_are_told_for_a_week(sandbox: JiraSandbox) -> None:
    """After a week a change is how things are."""
    clock = FrozenClock(NOW)
    integration = replace(handle(sandbox), clock=clock)
    check(integration)
    plain = DIFFICULT.desks[0].request_types[2]
    room = DIFFICULT.desks[0].request_types[0].fields[4]
    sandbox.administer(**with_type(2, fields=(*plain.fields, room)))

    told = found(integration)
    clock.forward(6 * 86400)
    still = found(integration)
    clock.forward(2 * 86400)
    over = found(integration)

    assert told["drift_field"][0].title == "The request type has a new field Lage"
    assert "Noticed on 2026-03-02 at 09:30 UTC" in still["drift_field"][0].detail
    assert "drift_field" not in over


def test_check_refreshes_the_form_for_the_next_incident(sandbox: JiraSandbox) -> None:
    """What the check read is what the next request is filled in by."""
    integration = handle(sandbox, request_fields={"customfield_10101": "Saal 3"})
    opened(integration)
    plain = DIFFICULT.desks[0].request_types[2]
    room = next(one for one in DIFFICULT.desks[0].request_types[0].fields if one.name == "Raum")
    sandbox.administer(**with_type(2, fields=(*plain.fields, room)))
    check(integration)
    before = sandbox.call_count()

    ticket = opened(integration)

    assert dict(sandbox.workbench.issue(ticket.id).fields.custom)["customfield_10101"] == "Saal 3"
    assert sandbox.call_count() - before <= 4
