"""What a person gave for fields, in settings, turned into the values of a form or a screen for one incident.

A text is a constant, a choice by id or label, or a template over the incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connector_core import Incident, render
from connector_core.kit.fields import Filled, FormField
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.form_fields import FILLING, RESOLUTION, TEXT_LIMIT
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.settings import JiraSettings

USUAL_RESOLUTION = "done"


def as_shown(incident: Incident, settings: JiraSettings) -> Incident:
    """Return an incident with the title and the description that its ticket is to show."""
    changes: dict[str, Any] = {}
    if settings.summary:
        changes["title"] = render(settings.summary, incident) or incident.title
    if settings.description:
        changes["description"] = render(settings.description, incident, limit=TEXT_LIMIT) or None
    return incident.model_copy(update=changes) if changes else incident


def request_of(incident: Incident, marker: str, form: RequestFields, settings: JiraSettings) -> Filled:
    """Write an incident as the values of a request, with those that settings give for the other fields."""
    filled = FILLING.fill(form.others, settings.request_fields, incident)
    own = mapping.request_values(as_shown(incident, settings), marker, form)
    return Filled({**filled.values, **own}, filled.gaps)


def fill_screen(screen: Iterable[FormField], texts: Mapping[str, str], incident: Incident) -> Filled:
    """Fill in a transition's screen; a resolution that is insisted on and not set becomes Done, or the first one."""
    screen = tuple(screen)
    filled = FILLING.fill(screen, texts, incident)
    asked = next((field for field in screen if field.id == RESOLUTION and field.insists), None)
    if asked is None or RESOLUTION in texts or not asked.options:
        return filled
    usual = next((one for one in asked.options if one.label.casefold() == USUAL_RESOLUTION), asked.options[0])
    gaps = tuple(gap for gap in filled.gaps if gap.field.id != RESOLUTION)
    return Filled({**filled.values, RESOLUTION: {"id": usual.id}}, gaps)
