"""Fields that are typed as lines: read, refused with the line that is wrong, filled in."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from connector_core import FieldKind, Settings, sample_incident
from connector_core.kit.field_lines import FieldLines, Template, filled, lines_of
from connector_core.kit.steps import ask


class DeskSettings(Settings):
    """Settings with fields and a template."""

    new_fields: FieldLines = Field(default_factory=dict, description="Further fields.")
    notes: Template = Field("", description="Notes.")


def test_fields_are_the_same_from_the_file_and_as_typed():
    """A mapping and lines mean the same; a value may have the sign that parts."""
    typed = DeskSettings.model_validate({"new_fields": " u_room = {{ incident.location.name }}\n\nu_sum=a=b "})
    written = DeskSettings.model_validate({"new_fields": {"u_room": "{{ incident.location.name }}", "u_sum": "a=b"}})

    assert typed == written


@pytest.mark.parametrize("line", ["no sign", "= 3", "u room = 3", "u_room ="])
def test_a_line_that_names_no_field_is_refused_by_name(line: str):
    """With what lines look like."""
    with pytest.raises(ValueError, match="expected lines like") as told:
        lines_of(f"u_floor = 2\n{line}")

    assert line in str(told.value)


def test_a_template_with_a_mistake_is_no_setting():
    """Neither alone nor among fields; where it is asked for, the question says so."""
    with pytest.raises(ValidationError):
        DeskSettings.model_validate({"notes": "{{ incident.titel }}"})
    asked = ask(DeskSettings, "new_fields")

    assert asked.kind is FieldKind.LONG_TEXT
    assert asked.check is not None
    assert "titel" in asked.check("u_room = {{ incident.titel }}")
    assert asked.check("u_room = {{ incident.title }}") == ""


def test_what_comes_out_empty_is_left_out_and_what_is_long_is_cut():
    """So that a rule of the other side is asked for it, and not an empty text taken."""
    texts = {"u_none": "{{ '' }}", "u_title": "{{ incident.title }}"}

    assert filled(texts, sample_incident().model_copy(update={"title": "x" * 99}), 10).keys() == {"u_title"}
    assert len(filled(texts, sample_incident().model_copy(update={"title": "x" * 99}), 10)["u_title"]) <= 10
