"""Texts with an incident's values in them: what may stand there, what is left empty, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import ChainableUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

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
        ("{% for a in incident.title %}{{ a }}{% endfor %}", "a loop (for) is not allowed"),
        ("{{ incident.title.upper() }}", "a call such as x() is not allowed"),
        ("{{ 'a' * 1000000000 }}", "arithmetic is not allowed"),
        ("{{ '%1000000000d' % 1 }}", "arithmetic is not allowed"),
        ("{{ incident.title | replace('a', 'b') }}", "replace"),
        ("{% set a = incident %}", "set is not allowed"),
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


def larger(part):
    """Draw an expression of smaller ones that a template may hold."""
    plain = st.sampled_from(["upper", "lower", "title", "trim", "capitalize", "length", "first", "last", "int"])
    given_something = st.sampled_from(["truncate(9)", "truncate(7, true, '~')", "default('x')", "d('x', true)"])
    operators = st.sampled_from(["~", "==", "!=", "in", "not in", "and", "or", "<", ">="])
    tests = st.sampled_from(["defined", "undefined", "string", "number", "not none", "eq 'high'", "in 'higher'"])
    return st.one_of(
        st.tuples(part, plain).map("|".join),
        st.tuples(part, given_something).map("|".join),
        st.tuples(part, operators, part).map(lambda drawn: f"({' '.join(drawn)})"),
        st.tuples(part, tests).map(lambda drawn: f"({' is '.join(drawn)})"),
        st.tuples(part, part, part).map(lambda drawn: "({} if {} else {})".format(*drawn)),
        part.map("(not {})".format),
    )


values = st.sampled_from(
    ["incident.title", "incident.device.name", "incident['priority']", "incident.location.path", "incident.titel",
     "'high'", "''", "7", "2.5", "true"]
)  # fmt: skip
expressions = st.recursive(values, larger, max_leaves=8)


def by_jinja(text):
    """Fill the sample incident in as Jinja itself does."""
    environment = ImmutableSandboxedEnvironment(
        undefined=ChainableUndefined, finalize=lambda value: "" if value is None else value
    )
    return environment.from_string(text).render(incident=SAMPLE_INCIDENT.model_dump(mode="json")).strip()


@given(expressions, expressions)
def test_what_may_stand_in_a_template_means_what_it_means_to_jinja(one, other):
    """Whatever Jinja fills in is filled in as Jinja does."""
    text = "a {{ ONE }} b{% if OTHER %} c {{- OTHER }}{% else %} d{% endif %}".replace("ONE", one).replace(
        "OTHER", other
    )
    try:
        expected = by_jinja(text)
    except (TemplateError, TypeError):
        return

    assert render(text, SAMPLE_INCIDENT) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [("{% for x in incident %}", "a loop (for) is not allowed"), ("{% if incident.title %}x", "is not closed")],
)
def test_what_is_not_closed_is_said_without_jargon(text, said):
    """Who writes a template need not know what reads it."""
    with pytest.raises(ConfigError) as caught:
        render(text, sample_incident())

    assert said in caught.value.message
    assert "looking for" not in caught.value.message
