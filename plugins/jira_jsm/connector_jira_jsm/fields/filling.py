"""What a person gave for fields, in settings, turned into the values of a form or a screen for one incident.

A text is a constant, a choice by id or label, or a template over the incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connector_core import ConfigError, Incident, render
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.form_fields import TEXT_LIMIT, FormField, Kind, Unfit, value_of
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.settings import JiraSettings
from connector_jira_jsm.text import descriptions

USUAL_RESOLUTION = "done"
RESOLUTION = "resolution"


@dataclass(frozen=True)
class Gap:
    """A field that cannot be filled in, and why; the reason goes on after the field's name."""

    field: FormField
    reason: str

    def __str__(self) -> str:
        return f"{self.field.name} {self.reason}"


@dataclass(frozen=True)
class Filled:
    """The values of a form, and the fields that got none although they should."""

    values: Mapping[str, Any]
    gaps: tuple[Gap, ...] = ()

    @property
    def fatal(self) -> tuple[Gap, ...]:
        """The gaps in fields that must be filled in."""
        return tuple(gap for gap in self.gaps if gap.field.insists)


def fill(form: Iterable[FormField], texts: Mapping[str, str], incident: Incident) -> Filled:
    """Fill in the fields that there are texts for, and find those that must not stay empty."""
    values: dict[str, Any] = {}
    gaps = []
    zone = descriptions.zone_of(incident.location)
    for field in form:
        text = texts.get(field.id, "")
        if not text:
            if field.insists:
                gaps.append(Gap(field, nothing_for(field)))
            continue
        try:
            values[field.id] = value_of(field, render(text, incident), zone)
        except Unfit as exc:
            gaps.append(Gap(field, str(exc)))
        except ConfigError as exc:
            gaps.append(Gap(field, f"has a template with a mistake. {exc.message}"))
    return Filled(values, tuple(gaps))


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
    filled = fill(form.others, settings.request_fields, incident)
    own = mapping.request_values(as_shown(incident, settings), marker, form)
    return Filled({**filled.values, **own}, filled.gaps)


def nothing_for(field: FormField) -> str:
    """Return what a field without a value needs."""
    if field.kind is Kind.OTHER:
        return "is of a kind that only a preset value in Jira can fill"
    return f"has no value ({field.kind.value})"


def fill_screen(screen: Iterable[FormField], texts: Mapping[str, str], incident: Incident) -> Filled:
    """Fill in a transition's screen; a resolution that is insisted on and not set becomes Done, or the first one."""
    screen = tuple(screen)
    filled = fill(screen, texts, incident)
    asked = next((field for field in screen if field.id == RESOLUTION and field.insists), None)
    if asked is None or RESOLUTION in texts or not asked.options:
        return filled
    usual = next((one for one in asked.options if one.label.casefold() == USUAL_RESOLUTION), asked.options[0])
    gaps = tuple(gap for gap in filled.gaps if gap.field.id != RESOLUTION)
    return Filled({**filled.values, RESOLUTION: {"id": usual.id}}, gaps)
