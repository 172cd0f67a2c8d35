"""Steps of set-up: what is asked, checked and shown, with words of the plugin."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, SecretStr

from connector_core import Choice, CopyValue, FieldKind, Priority, Settings, SetupStep, Severity, make_secret
from connector_core.contract.setup_steps import fetch_choices, fetch_rows
from connector_core.kit.grants import text_given
from connector_core.kit.priorities import Level, NumberPriorities
from connector_core.kit.scripts import filled_script, handed_out, script_step
from connector_core.kit.steps import (
    NO_PARTNER,
    TO_INCIDENT,
    TO_TICKET,
    ask,
    choice_step,
    close_step,
    priorities_so_far,
    priorities_step,
    priority_numbers_step,
    priority_values_step,
    rows_so_far,
    webhook_step,
    wrong_by,
)
from tests.core.kit.handles import answered

FOUR = [Level(str(at), name) for at, name in enumerate(("Urgent", "High", "Normal", "Low"), 1)]


def shown(step: SetupStep) -> list[str]:
    """Return what the preview of a step says."""
    assert step.preview is not None
    return [remark.line for remark in step.preview()]


def test_a_choice_is_asked_with_the_words_of_the_plugin():
    """The list is fetched when it is looked at, and anew each time."""
    looks: list[int] = []

    def load() -> list[Choice]:
        looks.append(1)
        return [Choice("3", "AV Support")]

    step = choice_step("queue", load, label="Queue", hint="Not there?", title="Select Queue", needs=frozenset({"site"}))

    assert looks == []
    assert [fetch_choices(step.fields[0]), fetch_choices(step.fields[0])] == [(Choice("3", "AV Support"),)] * 2
    assert len(looks) == 2
    assert (step.key, step.title, step.help, step.needs) == ("queue", "Select Queue", "", frozenset({"site"}))
    assert (step.fields[0].label, step.fields[0].help, step.fields[0].required) == ("Queue", "Not there?", True)


def test_leaving_open_comes_last():
    """Who closes tickets by hand chooses so below the statuses."""
    statuses = [Choice("6", "Resolved")]
    keep = Choice("none", "Do not auto-close")

    assert fetch_choices(close_step(lambda: statuses, keep_open=keep).fields[0]) == (*statuses, keep)
    assert fetch_choices(close_step(lambda: statuses).fields[0]) == tuple(statuses)


def test_a_secret_that_the_vendor_makes_is_not_made_here():
    """A step for a webhook offers a new secret only where the other side takes one."""
    assert webhook_step(hint="Paste it.").fields[0].generate is make_secret
    assert webhook_step(hint="Paste it.", vendor_makes_secret=True).fields[0].generate is None
    assert webhook_step(hint="Paste it.").optional
    assert not webhook_step(hint="Paste it.", optional=False).optional


def test_priorities_are_asked_each_way_and_shown():
    """Rows are those of ours, and those offered; the preview says what the answers lead to."""
    integration = answered(**{TO_TICKET: {"planning": "Normal"}, TO_INCIDENT: {"4": NO_PARTNER}})
    step = priorities_step(integration, lambda: FOUR, title="Priorities", none_offered="There are none.")
    there, back = (fetch_rows(asked) for asked in step.fields)

    assert [row.key for row in there] == [f"{TO_TICKET}.{ours}" for ours in Priority]
    assert [choice.label for choice in fetch_choices(there[0])] == ["Urgent", "High", "Normal", "Low"]
    assert [(row.key, row.label) for row in back] == [(f"{TO_INCIDENT}.{one.id}", one.name) for one in FOUR]
    assert fetch_choices(back[0])[-1].value == NO_PARTNER
    assert [there[0].unanswered, back[3].unanswered] == ["Automatic (Urgent)", "Automatic (Planning)"]
    assert back[0].unanswered == "Automatic (Critical)"
    assert shown(step) == [
        "critical: ↔ Urgent",
        "high: ↔ High",
        "moderate: → Normal",
        "low: → Normal",
        "planning: ↔ Normal",
        "Not synced back: Low.",
    ]


def test_nothing_offered_is_said():
    """A ticketing system without priorities has no rows, and the preview says so."""
    step = priorities_step(answered(), list, none_offered="There are none.")

    assert [fetch_rows(asked) for asked in step.fields] == [(), ()]
    assert step.preview is not None
    assert [(remark.text, remark.severity) for remark in step.preview()] == [("There are none.", Severity.WARNING)]


def test_what_is_no_priority_of_ours_is_left_out():
    """Answers of another version do not keep anybody from the step."""
    integration = answered(**{TO_TICKET: {"blocker": "1"}, TO_INCIDENT: {"1": "blocker", "2": "low"}})
    paired = priorities_so_far(integration, FOUR)

    assert paired.ours("1") is Priority.CRITICAL
    assert paired.ours("2") is Priority.LOW


@pytest.mark.parametrize(("text", "good"), [("0", True), (" 100 ", True), ("-1", False), ("101", False), ("x", False)])
def test_numbers_of_priorities_are_checked(text: str, good: object):
    """A number outside of what the other side takes is refused with the numbers that are good."""
    step = priority_numbers_step(NumberPriorities.between(0, 100), 0, 100)
    rows = fetch_rows(step.fields[0])

    assert [row.help for row in rows] == [f"Left open: {number}." for number in (100, 75, 50, 25, 0)]
    assert all(row.check is not None and (row.check(text) == "") is good for row in rows)


def short(text: str) -> str:
    """Take a short text."""
    if len(text) > 3:
        raise ValueError("expected at most three letters")
    return text


class DeskSettings(Settings):
    """Settings of all kinds."""

    site: Annotated[str, AfterValidator(short)] = Field(description="Where it is.")
    seats: int = Field(4, title="Number of seats", description="How many there are.")
    token: SecretStr | None = Field(None, description="It lets us in.")
    way: Annotated[str, FieldKind.CHOICE] = Field("a", description="How.")


def test_a_setting_is_asked_for_as_it_is_declared():
    """Its title or name, its description, whether it has to be answered, and whether it is a secret."""
    asked = [ask(DeskSettings, key) for key in ("site", "seats", "token")]

    assert [one.label for one in asked] == ["Site", "Number of seats", "Token"]
    assert [one.help for one in asked] == ["Where it is.", "How many there are.", "It lets us in."]
    assert [one.required for one in asked] == [True, False, False]
    assert [one.kind for one in asked] == [FieldKind.TEXT, FieldKind.TEXT, FieldKind.SECRET]
    assert asked[2].check is None
    assert DeskSettings(site="abc").seats == 4


def test_what_a_plugin_says_of_a_question_counts():
    """Words, the list, and how it is asked for."""
    asked = ask(DeskSettings, "way", "Ways", "One of them.", load=lambda: [Choice("a", "A")], is_fixed=True)

    assert (asked.label, asked.help, asked.kind) == ("Ways", "One of them.", FieldKind.CHOICE)
    assert [one.value for one in fetch_choices(asked)] == ["a"]
    assert asked.check is None
    assert ask(DeskSettings, "site", check=lambda _: "No.").check("a") == "No."  # type: ignore[misc]


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("site", "abc", ""),
        ("site", "abcd", "Expected at most three letters."),
        ("seats", "7", ""),
        ("seats", "many", "Input should be a valid integer, unable to parse string as an integer."),
    ],
)
def test_an_answer_is_checked_as_its_setting_is(key: str, text: str, said: str):
    """What is wrong is a sentence; nothing is said of a good one."""
    check = ask(DeskSettings, key).check

    assert check is not None
    assert check(text) == said


def test_only_what_a_reader_refuses_is_wrong():
    """Another error of it is a mistake of the plugin, and is not hidden."""

    def broken(_: str) -> None:
        raise KeyError("x")

    assert wrong_by(short)("abcd") == "Expected at most three letters."
    with pytest.raises(KeyError):
        wrong_by(broken)("x")


def test_values_of_priorities_are_asked_for_one_by_one():
    """Each with what it is when it is left open, and checked by itself."""
    step = priority_values_step("pairs", {Priority.HIGH: "1/2"}, label="Pairs", check=wrong_by(short), hint="As 1/2.")
    rows = fetch_rows(step.fields[0])

    assert (step.fields[0].key, step.fields[0].label, step.fields[0].help) == ("pairs", "Pairs", "As 1/2.")
    assert [row.help for row in rows] == ["", "Left open: 1/2.", "", "", ""]
    assert [row.key for row in rows] == [f"pairs.{ours}" for ours in Priority]
    assert all(row.check is not None and row.check("1/22") for row in rows)


def test_answers_so_far_are_read():
    """An answer given is taken before what is active; there may be neither."""
    integration = answered(queue=3, close_fields={"a": 1}, odd="text")

    assert [text_given(integration, name) for name in ("queue", "nothing")] == ["3", ""]
    assert [rows_so_far(integration, name) for name in ("close_fields", "odd", "none")] == [{"a": "1"}, {}, {}]


@given(st.text())
def test_a_value_in_a_script_is_a_literal_and_nothing_else(value: str):
    """Whatever a secret holds, the script has a literal of just this text in its place."""
    assert json.loads(filled_script("{{ secret }}", {"secret": value})) == value
    quoted = filled_script("{{secret | quoted}}", {"secret": value})
    assert re.fullmatch(r"'(?:[^'\\]|\\['\\])*'", quoted)
    assert re.sub(r"\\(['\\])", r"\1", quoted[1:-1]) == value


def test_a_script_is_handed_out_filled_in():
    """It stands among what is to be copied, behind other values; one that asks for more is a mistake of the plugin."""
    step = script_step(
        "send({{ url }}, {{ url | quoted }}, '{{ other');",
        {"url": 'https://a.test/?q="x"&#{y}'},
        name="Business Rule",
        title="Script",
        values=(CopyValue("Table", "incident"),),
    )

    assert step.values[0] == CopyValue("Table", "incident")
    assert step.values[1].label == "Business Rule"
    assert step.values[1].value == (
        'send("https://a.test/?q=\\"x\\"&\\u0023{y}", \'https://a.test/?q="x"&#{y}\', \'{{ other\');'
    )
    with pytest.raises(KeyError):
        script_step("{{ secret }}", {}, name="Scrip")


@pytest.mark.parametrize("place", ["{{ secret }}", "{{ secret | quoted }}"])
def test_a_secret_in_a_script_is_masked_as_it_is_written_there(place):
    """Also one that a literal has to escape; to copy, it is whole."""
    step = script_step(f"sign({place})", {"secret": SecretStr('it\'s "so" #{x}')}, name="Scrip", title="Script")
    (shown,) = step.values

    assert "so" in shown.value
    assert shown.masked[6:-2] == "\N{BULLET}" * 8
    assert "so" not in repr(step)


def test_a_script_is_handed_out_once_there_is_a_secret():
    """With the address and the newest secret, in the form that the other side takes, and masked."""
    bare = answered()
    integration = replace(bare, webhook_url="https://c.example/x", webhook_secrets=(SecretStr("new"), SecretStr("old")))
    script = "post({{ url | quoted }}, {{ secret | quoted }})"

    (shown,) = handed_out(integration, script, name="Rule", as_stored=lambda one: SecretStr(one.get_secret_value() * 2))

    assert handed_out(bare, script, name="Rule") == ()
    assert (shown.label, shown.value) == ("Rule", "post('https://c.example/x', 'newnew')")
    assert "newnew" not in shown.masked
