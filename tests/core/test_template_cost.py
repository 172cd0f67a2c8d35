"""What a template costs: templates of Jinja's whole grammar, and how many steps, how much memory and text they take.

Steps are calls, of Python and of C; a number with millions of digits or a text that was multiplied shows as memory. No
time is measured.
"""

from __future__ import annotations

import sys
import tracemalloc
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS as EVERY_FILTER
from jinja2.tests import TESTS as EVERY_TEST

from connector_core import ConfigError, Device, FieldName, Incident, mistake_in, render, sample_incident
from connector_core.contract import template_engine
from connector_core.contract.template_filling import MOST_WORK, Filling
from connector_core.contract.template_values import FILTERS, LONGEST_TEXT, OPERATORS, TESTS
from connector_core.contract.templates import can_be_undone

LONG = sample_incident().model_copy(
    update={
        "title": "ẞŉ x" * 10_000,
        "description": "a" * 100_000,
        "device": Device(name="9" * 50_000, other={f"key {number}": "v" * 100 for number in range(200)}),
    }
)
BARE = Incident(id="inc-1", title="Fan failed")
STEPS_PER_CHARACTER, FIRST_STEPS = 60, 6_000
MOST_BYTES = 8_000_000

# A template


def words(*of):
    """Draw one of some words."""
    return st.sampled_from(of)


numbers = words(
    "0", "1", "-1", "15", "255", "4000000", "30000000", "9" * 30, "9" * 7_000, "1e308", "1e9999", "0x" + "f" * 50
)
texts = words("'a'", "''", "'ẞ'", "'%1000000000d'", "'{:>1000000000}'", "'" + "b" * 500 + "'", "'\\n'")
names = words(
    "incident", "incident.title", "incident.description", "incident.device.name", "incident.device", "incident.titel",
    "incident['device']['other']", "incident.title.__class__", "true", "none", "loop", "self", "x",
)  # fmt: skip
filters, tests = words(*EVERY_FILTER), words(*EVERY_TEST)
functions = words(*DEFAULT_NAMESPACE, "incident.title.upper", "incident.title.__mul__", "x")
arithmetic = words("*", "**", "+", "-", "/", "//", "%", "~", "==", "<", "in", "not in", "and", "or")


def joined(*parts):
    """Draw each part and join them."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


def listed(part):
    """Draw a few of a part, with commas between."""
    return st.lists(part, max_size=4).map(", ".join)


def larger(part):
    """Draw an expression of smaller ones."""
    ceiling = joined("method='ceil', precision=", part)
    arguments = st.one_of(listed(part), ceiling, joined("*", part), joined("**", part))
    return st.one_of(
        joined("(", part, " ", arithmetic, " ", part, ")"),
        joined(part, "|", filters),
        joined(part, "|", filters, "(", arguments, ")"),
        joined("(", part, " is ", tests, ")"),
        joined("(", part, " is ", tests, " ", part, ")"),
        joined(functions, "(", arguments, ")"),
        joined(part, "[", part, "]"),
        joined(part, "[", part, ":", part, "]"),
        joined("[", listed(part), "]"),
        joined("{", part, ": ", part, "}"),
        joined("(", part, " if ", part, " else ", part, ")"),
        joined("(not ", part, ")"),
        joined("(-", part, ")"),
    )


expressions = st.recursive(st.one_of(numbers, texts, names), larger, max_leaves=12)


def blocks(part):
    """Draw a statement around smaller templates."""
    return st.one_of(
        joined("{% if ", expressions, " %}", part, "{% else %}", part, "{% endif %}"),
        joined("{% if ", expressions, " %}", part, "{% elif ", expressions, " %}", part, "{% endif %}"),
        joined("{% for x in ", expressions, " %}", part, "{% endfor %}"),
        joined("{% set x = ", expressions, " %}", part),
        joined("{% set x %}", part, "{% endset %}{{ x }}"),
        joined("{% filter ", filters, " %}", part, "{% endfilter %}"),
        joined("{% macro x() %}", part, "{% endmacro %}{{ x() }}"),
        joined("{% with x = ", expressions, " %}", part, "{% endwith %}"),
        joined("{% raw %}", part, "{% endraw %}"),
        st.lists(part, max_size=5).map("".join),
        st.tuples(part, st.integers(1, 400)).map(lambda drawn: drawn[0] * drawn[1]),
    )


templates = st.recursive(st.one_of(joined("{{ ", expressions, " }}"), words("text", "\n")), blocks, max_leaves=6)


# What it costs


class Cost:
    """Counts what is done while it is looked."""

    steps = 0
    most_bytes = 0

    def _count(self, frame, event, argument):
        self.steps += event in {"call", "c_call"}

    @contextmanager
    def counting(self):
        """Count."""
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        sys.setprofile(self._count)
        try:
            yield
        finally:
            sys.setprofile(None)
            self.most_bytes = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.stop()


def allowed(text, incident):
    """Return how many steps a template may take; long values may be looked at as often as the work suffices for."""
    return FIRST_STEPS + STEPS_PER_CHARACTER * len(text) + (2 * MOST_WORK if incident is LONG else 0)


def cost_of(text, incident):
    """Check a template and fill it in as at its first use; return the cost and the text."""
    template_engine._parsed.cache_clear()
    template_engine.parts_around.cache_clear()
    cost, filled = Cost(), ""
    with cost.counting():
        mistake_in(text)
        can_be_undone(text, FieldName.TITLE)
        with suppress(ConfigError):
            filled = render(text, incident)
    return cost, filled


@given(templates, words(LONG, BARE))
def test_any_template_costs_no_more_than_its_length_allows(text, incident):
    """Calls grow with the characters written, memory not at all; what comes out is a text or a sentence."""
    cost, filled = cost_of(text, incident)

    assert cost.steps <= allowed(text, incident)
    assert cost.most_bytes <= MOST_BYTES
    assert len(filled) <= LONGEST_TEXT


@pytest.mark.cases_in_test(6)
@pytest.mark.parametrize(
    "text",
    [
        '{{ 1|round(4000000,"ceil") }}',
        '{{ 1|round(30000000,"ceil") }}',
        "{{ " + "9" * 7_000 + " }}",
        "{{ 'a' * 100000000 }}",
        "{{ 10 ** 10000000 }}",
        "{{ '%100000000d' % 1 }}",
        "{{ 'a'|center(100000000) }}",
        "{{ 'a'|indent(100000000) }}",
        "{{ incident.title|replace('', incident.description) }}",
        "{{ incident.title|wordwrap(1)|batch(1)|list }}",
        "{{ range(100000000)|join }}",
        "{{ '{:>100000000}'.format(1) }}",
        "{{ 'a'|truncate(100000000, end='" + "b" * 7_000 + "') }}",
        "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
        "{{ incident" + ".title" * 1_300 + " }}",
        "{{ incident.title" + "|upper" * 1_300 + " }}",
        "{{ " + " ~ ".join(["incident.description"] * 340) + " }}",
        "{{ incident.description|trim(incident.device.name) }}" * 140,
        "{{ incident.description|upper|lower|title }}" * 170,
        "{% if incident.description in incident.title %}{% endif %}" * 130,
    ],
)
def test_what_was_thought_of_costs_little(text):
    """Each of them took seconds, gigabytes or a page of its own once, or would with one word more in the lists."""
    cost, filled = cost_of(text, LONG)

    assert cost.steps <= allowed(text, LONG)
    assert cost.most_bytes <= MOST_BYTES
    assert len(filled) <= LONGEST_TEXT


NODES = {kind.__name__: how for kind, how in Filling.HOW.items()}


@pytest.mark.parametrize(
    ("kind", "found"), [("filter", FILTERS), ("test", TESTS), ("operator", OPERATORS), ("node", NODES)]
)
def test_the_lists_name_nothing_that_makes_texts_or_numbers_grow(kind, found):
    """Whoever adds to them has to think of what it costs, and to say so here."""
    assert {
        "node": {
            "Const", "Name", "Getattr", "Getitem", "Filter", "Test", "Compare", "And", "Or", "Not", "CondExpr",
            "Concat",
        },
        "filter": {
            "capitalize", "d", "default", "first", "int", "last", "length", "lower", "round", "title", "trim",
            "truncate", "upper",
        },
        "test": {
            "defined", "undefined", "none", "true", "false", "boolean", "string", "mapping", "number", "lower", "upper",
            "in", "eq", "equalto", "==", "ne", "!=", "gt", "greaterthan", ">", "ge", ">=", "lt", "lessthan", "<", "le",
            "<=",
        },
        "operator": {"eq", "ne", "gt", "gteq", "lt", "lteq", "in", "notin"},
    }[kind] == set(found)  # fmt: skip


def test_the_cost_is_seen_where_there_is_one():
    """The measure finds what it is for: a text that was multiplied, and a loop."""
    cost = Cost()
    with cost.counting():
        large = "a" * 2 * MOST_BYTES
        del large
        for _ in range(100_001):
            len("")

    assert cost.most_bytes > MOST_BYTES
    assert cost.steps > 100_000
