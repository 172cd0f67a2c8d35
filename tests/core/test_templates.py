"""Texts with an incident's values in them: what may stand there, what is left empty, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import ConfigError, Device, Incident, mistake_in, render, sample_incident

SAMPLE_INCIDENT = sample_incident()
BARE = Incident(id="inc-1", title="Fan failed")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("as it is", "as it is"),
        ("[{{ incident.location.name }}] {{ incident.title }}", "[Lobby] Display offline"),
        ("{{ incident.title | upper | truncate(9) }}", "DISPLA..."),
        ("{% if incident.priority == 'high' %}now{% else %}later{% endif %}", "now"),
        ("{{ incident.device.model ~ '/' ~ incident.device['vendor'] }}", "X-200/Acme"),
    ],
)
def test_values_are_filled_in(text, filled):
    """Values, filters, conditions and joining are what a template may hold."""
    assert render(text, SAMPLE_INCIDENT) == filled
    assert mistake_in(text) == ""


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ incident.device.model }}", ""),
        ("{{ incident.device.model or 'unknown' }}", "unknown"),
        ("{{ incident.description }}!", "!"),
        ("{{ incident.location.name | default('nowhere', true) }}", "nowhere"),
    ],
)
def test_what_an_incident_lacks_is_left_empty(text, filled):
    """An incident without device or location breaks no template."""
    assert render(text, BARE) == filled


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{{ incident.titel }}", "titel"),
        ("{{ incident.device.serial }}", "serial"),
        ("{{ device.name }}", "there is no device"),
        ("{{ incident.title", "unexpected end"),
        ("{% for a in incident.title %}{{ a }}{% endfor %}", "for is not allowed"),
        ("{{ incident.title.upper() }}", "call is not allowed"),
        ("{{ 'a' * 1000000000 }}", "mul is not allowed"),
        ("{{ '%1000000000d' % 1 }}", "mod is not allowed"),
        ("{{ incident.title | replace('a', 'b') }}", "replace"),
        ("{% set a = incident %}", "assign is not allowed"),
        ("{% include 'x' %}", "include is not allowed"),
        ("{{ incident.title }}" + " " * 8_000, "longer than"),
        ("{{ incident.title | truncate(1) }}", "length"),
    ],
)
def test_mistakes_are_told_beforehand(text, part):
    """A misspelt name, and whatever could take long or grow large, is said at set-up."""
    assert part in mistake_in(text)


@pytest.mark.parametrize("text", ["{{ incident.__class__ }}", "{{ incident.title.__class__ }}", "{{ incident.items }}"])
def test_nothing_behind_the_values_can_be_reached(text):
    """A name leads to a value of the incident or to nothing."""
    assert render(text, SAMPLE_INCIDENT) == ""


def test_long_texts_are_cut():
    """Neither a long value nor a long text gets out whole."""
    long = BARE.model_copy(update={"description": "x" * 1_000_000, "device": Device(name="y" * 100)})

    assert len(render("{{ incident.description }}" * 300, long)) == 32_000
    assert render("{{ incident.device.name }}", long, limit=10) == "y" * 10


@given(st.text(alphabet="{}%#|~.()'\" abincdetl=*-+[]0", max_size=60))
def test_any_text_is_filled_in_or_refused(text):
    """Whatever somebody types ends in a text or in a sentence about it."""
    try:
        filled = render(text, SAMPLE_INCIDENT)
    except ConfigError as exc:
        filled = exc.message

    assert isinstance(filled, str)
