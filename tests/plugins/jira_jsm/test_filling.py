"""Texts turned into values of fields, kind by kind, and requests with all kinds of fields on the difficult site."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector_core import (
    ConfigError,
    CreateTicket,
    Incident,
    Priority,
    Receipt,
    Severity,
    WriteFields,
    sample_incident,
)
from connector_core.kit.fields import FormField, Gap, Kind, Option, Unfit
from connector_jira_jsm.fields.filling import fill_screen
from connector_jira_jsm.fields.form_fields import of_form, value_of
from connector_jira_jsm.fields.mapping import request_fields
from connector_jira_jsm.settings import JiraSettings
from connector_jira_jsm.setup import field_steps
from connector_jira_jsm.tickets.workflow import STEPS, Step, Workflow
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.support.jira.difficult_site import handle, incident, opened
from tests.support.jira.handles import build

FILLED = dict(DIFFICULT.settings["request_fields"])
STORED = {
    "id": "11",
    "name": "Start",
    "to": "3",
    "to_name": "Busy",
    "done": False,
    "screen": [
        {
            "id": "resolution",
            "name": "Resolution",
            "kind": "one of a list",
            "required": True,
            "has_value": False,
            "options": [["1", "Done", []]],
        }
    ],
}
CITIES = (Option("1", "Berlin"), Option("2", "Zürich, Bahnhof", (Option("3", "Gleis 1"),)))


@pytest.fixture
def sandbox(difficult: JiraSandbox) -> JiraSandbox:
    """Work on the difficult site."""
    return difficult


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.TEXT, " two\nlines ", "two lines"),
        (Kind.LONG_TEXT, "two\nlines", "two\nlines"),
        (Kind.NUMBER, "12.50", 12.5),
        (Kind.NUMBER, "12", 12),
        (Kind.DATE, "2026-11-23T09:59:30Z", "2026-11-23"),
        (Kind.DATE_TIME, "2026-11-23T09:59:30Z", "2026-11-23T09:59:30.000+0000"),
        (Kind.CHOICE, "berlin", {"id": "1"}),
        (Kind.CHOICES, "Zürich, Bahnhof", [{"id": "2"}]),
        (Kind.CHOICES, "1, Berlin,2", [{"id": "1"}, {"id": "1"}, {"id": "2"}]),
        (Kind.CASCADE, "Zürich, Bahnhof > Gleis 1", {"id": "2", "child": {"id": "3"}}),
        (Kind.CASCADE, "2 > 3", {"id": "2", "child": {"id": "3"}}),
        (Kind.CASCADE, "Berlin", {"id": "1"}),
        (Kind.PERSON, "712020:5a1c0f1e", {"accountId": "712020:5a1c0f1e"}),
        (Kind.PEOPLE, "a:1, b:2", [{"accountId": "a:1"}, {"accountId": "b:2"}]),
        (Kind.LABELS, "New York, av", ["New_York", "av"]),
    ],
)
def test_text_becomes_the_value_of_its_field(kind: Kind, text: str, value: object) -> None:
    """Each kind has the form that Jira takes; options go by id or by label."""
    assert value_of(FormField("f", "F", kind, options=CITIES), text) == value


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        (Kind.TEXT, "  ", "left empty"),
        (Kind.NUMBER, "many", "needs a number"),
        (Kind.NUMBER, "inf", "needs a number"),
        (Kind.DATE, "23.11.2026", "needs a date"),
        (Kind.DATE_TIME, "soon", "needs a time"),
        (Kind.CHOICE, "Paris", "does not offer 'Paris'"),
        (Kind.CHOICES, ",", "left empty"),
        (Kind.CASCADE, "Berlin > Gleis 1", "nothing in its list"),
        (Kind.CASCADE, "Paris > x", "does not offer"),
        (Kind.PERSON, "Hana Helper", "needs an account ID"),
        (Kind.OTHER, "x", "preset value"),
    ],
)
def test_unfit_text_is_refused_with_a_reason(kind: Kind, text: str, part: str) -> None:
    """What is no value of the field says why."""
    with pytest.raises(Unfit, match=part):
        value_of(FormField("f", "F", kind, options=CITIES), text)


@given(st.sampled_from(Kind), st.text(max_size=80))
def test_any_text_is_a_value_or_unfit(kind: Kind, text: str) -> None:
    """Whatever an incident holds breaks nothing, and no other exception gets out."""
    try:
        told = value_of(FormField("f", "F", kind, options=CITIES), text)
    except Unfit as exc:
        told = str(exc)

    assert told or told == 0


def survived(field: FormField) -> FormField:
    """Return a field as it is after it was remembered, on the screen of a step."""
    step = Step("1", "Close", "2", "Closed", done=True, screen=(field,))
    (again,) = STEPS.validate_python(json.loads(json.dumps(STEPS.dump_python((step,)))))
    return again.screen[0]


@given(st.builds(FormField, st.text(), st.text(), st.sampled_from(Kind), st.booleans(), st.booleans(), st.just(CITIES)))
def test_field_that_was_written_down_is_the_same(field: FormField) -> None:
    """A field survives the memory."""
    assert survived(field) == field


def test_request_holds_every_kind_of_field(sandbox: JiraSandbox) -> None:
    """Constants, choices and templates arrive in the issue; a preset is left to Jira."""
    integration = handle(
        sandbox, request_type="25", request_fields={**FILLED, "customfield_10105": "2026-12-01T08:00Z"}
    )

    ticket = opened(integration, location={"name": "Saal 1"}, issue="offline", opened_at="2026-11-23T09:59:30Z")

    issue = sandbox.workbench.issue(ticket.id).fields
    custom = dict(issue.custom)
    assert custom["customfield_10101"] == "Saal 1"
    assert custom["customfield_10104"] == "2026-11-23"
    assert custom["customfield_10106"]["value"] == "Berlin"
    assert [one["value"] for one in custom["customfield_10107"]] == ["Bild", "Ton"]
    assert custom["customfield_10108"]["child"]["value"] == "Bildschirm"
    assert custom["customfield_10109"]["displayName"] == "Hana Helper"
    assert issue.labels == ("connector", "offline")
    assert sandbox.ticket(ticket.id)["priority"] == "Dringend"


def test_required_field_without_a_value_stops_before_the_call(sandbox: JiraSandbox) -> None:
    """The gaps are named with their kind, and nothing is created."""
    given_fields = {name: text for name, text in FILLED.items() if name not in {"labels", "customfield_10103"}}
    before = len(sandbox.tickets())

    with pytest.raises(ConfigError) as caught:
        opened(handle(sandbox, request_type="25", request_fields=given_fields))

    assert caught.value.code == "request_fields_empty"
    assert "Betroffene has no value (number); Stichwörter has no value (labels)" in caught.value.message
    assert caught.value.advice.answers == ("request_fields.customfield_10103",)
    assert len(sandbox.tickets()) == before


def test_optional_field_that_cannot_be_filled_is_left_out(sandbox: JiraSandbox) -> None:
    """A text that is no value of an optional field does not stop the request, and is told."""
    integration = handle(sandbox, request_type="25", request_fields={**FILLED, "customfield_10105": "soon"})

    change = CreateTicket(incident=incident(), marker="cnx-1")
    receipt = write_change(integration, change)

    assert isinstance(receipt, Receipt)
    assert "Frist needs a time" in receipt.note


def test_field_that_became_required_is_seen_without_waiting(sandbox: JiraSandbox) -> None:
    """A form that changed since it was read is read again before anybody is bothered, and its new field filled in."""
    integration = handle(sandbox, request_type="27", request_fields={"customfield_10101": "Saal 2"})
    opened(integration)
    desk = DIFFICULT.desks[0]
    plain = desk.request_types[2]
    room = next(one for one in desk.request_types[0].fields if one.field_id == "customfield_10101")
    longer = type(plain)(plain.id, plain.name, plain.description, (*plain.fields, room))
    kinds = (*desk.request_types[:2], longer)
    sandbox.administer(
        desks=(type(desk)(desk.id, desk.project_id, desk.project_key, desk.name, kinds, desk.priority_ids),)
    )

    ticket = opened(integration)

    assert dict(sandbox.workbench.issue(ticket.id).fields.custom)["customfield_10101"] == "Saal 2"


def test_summary_and_description_come_from_templates(sandbox: JiraSandbox) -> None:
    """Both are filled in at the creation, and the summary again when the incident is renamed."""
    integration = handle(
        sandbox,
        summary="[{{ incident.location.name }}] {{ incident.title }}",
        description="Seen on {{ incident.device.name or 'something' }}",
    )
    ticket = opened(integration, location={"name": "Saal 1"})
    renamed = incident(title="Ton weg", location={"name": "Saal 1"})

    change = WriteFields(incident=renamed, marker="m", ticket=ticket, fields=frozenset({"title"}))
    receipt = write_change(integration, change)

    assert ticket.title == "[Saal 1] Bild weg"
    assert ticket.description == "Seen on something"
    assert isinstance(receipt, Receipt)
    assert receipt.ticket.title == "[Saal 1] Ton weg"


def test_request_is_raised_for_somebody(sandbox: JiraSandbox) -> None:
    """Reporter and participants are those of the settings; a stranger is refused in words."""
    person = DIFFICULT.person.account_id
    ticket = opened(handle(sandbox, raise_on_behalf_of=person, participants=f"{person}"))

    issue = sandbox.workbench.issue(ticket.id)
    assert issue.reporter.account_id == person
    assert issue.fields.participants == (person,)
    with pytest.raises(Exception, match="does not exist"):
        opened(handle(sandbox, raise_on_behalf_of="nobody"))


def test_resolution_of_a_screen_has_a_default() -> None:
    """A resolution that is insisted on is Done, or the first one; a chosen one is that."""
    shown = FormField(
        "resolution", "Resolution", Kind.CHOICE, required=True, options=(Option("9", "Fixed"), Option("8", "Done"))
    )

    assert fill_screen([shown], {}, sample_incident()).values == {"resolution": {"id": "8"}}
    assert fill_screen([shown], {"resolution": "Fixed"}, sample_incident()).values == {"resolution": {"id": "9"}}
    assert fill_screen([shown], {"resolution": "Lost"}, sample_incident()).fatal


@pytest.mark.parametrize(
    "given_settings",
    [
        {"request_fields": {"customfield_1": "{{ incident.titel }}"}},
        {"summary": "{% for a in incident.title %}{% endfor %}"},
        {"close_fields": {"resolution": "{{"}},
        {"close_fallback": "give up"},
        {"priority_to_ticket": {"urgent": "1"}},
        {"priority_to_incident": {"1": "urgent"}},
    ],
)
def test_mistakes_in_settings_are_told_at_the_check_of_the_file(given_settings: dict[str, Any]) -> None:
    """A template with a mistake and an unknown word are mistakes of the configuration."""
    with pytest.raises(ValidationError):
        JiraSettings.model_validate({"service_desk": "1", "request_type": "2", "close_status": "3", **given_settings})


def test_yaml_numbers_and_lists_are_read_as_texts() -> None:
    """YAML may make numbers and lists of what people write."""
    settings = JiraSettings.model_validate(
        {
            "service_desk": "1",
            "request_type": "2",
            "close_status": "3",
            "request_fields": {"a": 12, "b": ["x", "y"]},
            "close_fallback": ["comment"],
        }
    )

    assert settings.request_fields == {"a": "12", "b": "x, y"}
    assert [one.value for one in settings.close_fallback] == ["comment"]


def test_step_shows_gaps_then_what_a_sample_gives(sandbox: JiraSandbox) -> None:
    """The preview lists required fields without a value, and afterwards the values of a sample incident."""
    bare = field_steps.fields_step(handle(sandbox, request_type="25"))
    full = field_steps.fields_step(
        handle(sandbox, request_type="25", request_fields=FILLED, summary="! {{ incident.title }}")
    )
    assert bare.preview is not None
    assert full.preview is not None

    upper = field_steps.fields_step(handle(sandbox, request_type="25", summary="{{ incident.title | upper }}"))
    assert upper.preview is not None

    gaps = [remark.text for remark in bare.preview() if remark.severity is Severity.PROBLEM]
    warnings = [remark.text for remark in upper.preview() if remark.severity is Severity.WARNING]
    shown = [remark.line for remark in full.preview()]

    assert "Kategorie has no value (one of a list in two levels)." in gaps
    assert len(gaps) == 8
    assert any(text.startswith("Summary: changes made in Jira are not synced back") for text in warnings)
    assert not [text for text in shown if "not synced back" in text]
    assert shown[0].startswith("Every required field has a value")
    assert {"Zusammenfassung: ! Display offline", "Kategorie: Gerät > Bildschirm", "Standort: Berlin"} <= set(shown)


def test_rows_of_the_step_offer_what_jira_offers(sandbox: JiraSandbox) -> None:
    """Required fields come first; a list may be chosen from or typed over, and a wrong text is said at once."""
    group = field_steps.fields_step(handle(sandbox, request_type="25")).fields[0]
    assert group.rows is not None

    rows = {row.key: row for row in group.rows()}

    cascade = rows["customfield_10108"]
    assert cascade.load is not None
    assert [choice.label for choice in cascade.load()] == [
        "Gerät",
        "Gerät > Bildschirm",
        "Gerät > Kamera",
        "Raumtechnik",
    ]
    assert cascade.may_be_typed
    assert cascade.check is not None
    assert cascade.check("Gerät > Kamera") == ""
    assert "does not offer" in cascade.check("{{ incident.title }}")
    assert [row.required for row in rows.values()] == sorted((row.required for row in rows.values()), reverse=True)


def test_priorities_step_shows_both_ways(sandbox: JiraSandbox) -> None:
    """The project's own list is offered, and what goes where is shown."""
    integration = handle(
        sandbox, request_type="25", priority_to_ticket={"low": "Normal"}, priority_to_incident={"Kann warten": "none"}
    )
    step = field_steps.priorities_step(integration)
    assert step.preview is not None

    shown = [remark.line for remark in step.preview()]

    assert shown == [
        "critical: ↔ Notfall",
        "high: ↔ Dringend",
        "moderate: → Normal",
        "low: ↔ Normal",
        "planning: → Kann warten",
        "Not synced back: Kann warten.",
    ]


def test_the_request_for_an_incident_of_ones_own_is_shown(sandbox: JiraSandbox) -> None:
    """As for the sample: its title by the template, its text as it is written into Jira, its priority's partner."""
    step = field_steps.fields_step(handle(sandbox, request_type="25", summary="! {{ incident.title }}"))
    assert step.preview_of is not None

    shown = {
        remark.label: remark.text for remark in step.preview_of(Incident(id="i", title="Beamer", priority=Priority.LOW))
    }

    assert shown["Zusammenfassung"] == "! Beamer"
    assert "Normal" in shown.values()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("id", "value", "name", "label", "type", "items", "custom", "children", "to", "fields", "required")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_form_of_any_shape_is_read(schema: object, options: object, name: object) -> None:
    """Whatever a site answers in place of a field is a field that can be asked for and written down."""
    shown = {"fieldId": "customfield_1", "name": name, "jiraSchema": schema, "validValues": options, "required": True}

    (field,) = request_fields({"requestTypeFields": [shown, schema, name]}).others

    assert survived(field).options == field.options
    assert field_steps.rows_of(build()[0]).row(field).key == "customfield_1"


@given(st.lists(JSON, max_size=4))
def test_transitions_of_any_shape_are_learnt(transitions: list[object]) -> None:
    """Whatever a site answers in place of transitions is learnt as far as it is one, and found again."""
    integration, _ = build()
    known = [one for one in transitions if isinstance(one, dict)]

    seen = Workflow(integration, "SUP/25").learn("Open", known)

    assert Workflow(integration, "SUP/25").steps("Open") == seen


def test_names_of_a_hostile_site_are_harmless() -> None:
    """Control characters in names do not reach a terminal."""
    field = of_form(
        {"fieldId": "x", "name": "\x1b[31mred\x07", "validValues": [{"value": "1", "label": "\x1b]0;a\x07"}]}
    )

    assert "\x1b" not in field.name + field.options[0].label + str(Gap(field, "has no value"))


@pytest.mark.parametrize(
    "kept", ["text", [["list"]], [{"id": "11"}], [{**STORED, "screen": [{"id": "x", "name": "X", "kind": "colour"}]}]]
)
def test_remembered_form_that_does_not_fit_any_more_is_looked_up_again(kept: object) -> None:
    """What another version remembered is as if nobody had looked, and no error."""
    integration, _ = build()
    workflow = Workflow(integration, "SUP/25")
    workflow.learn("Open", [{"id": "11", "name": "Start", "to": {"id": "3", "name": "Busy"}}])
    integration.memory.remember("ways 2 SUP/25/Open", kept)
    integration.memory.remember("moves 2 SUP/25", {"Open": kept})

    again = Workflow(integration, "SUP/25")

    assert workflow.steps("Open") is not None
    assert (again.steps("Open"), again.hints()) == (None, {})


def test_form_that_the_version_before_remembered_still_fits() -> None:
    """An upgrade asks for no screen again."""
    integration, _ = build()
    integration.memory.remember("ways 2 SUP/25/Open", [STORED])

    field = FormField("resolution", "Resolution", Kind.CHOICE, required=True, options=(Option("1", "Done"),))
    assert Workflow(integration, "SUP/25").steps("Open") == (
        Step("11", "Start", "3", "Busy", done=False, screen=(field,)),
    )
