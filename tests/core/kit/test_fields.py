"""Fields that people added: texts become values, gaps are named, and set-up asks for them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import Choice, FieldKind, Incident, Location, Severity, sample_incident
from connector_core.kit.field_rows import FieldRows, gap_remarks, value_remarks
from connector_core.kit.fields import (
    Below,
    Filling,
    FormField,
    Kind,
    Option,
    Person,
    Unfit,
    Value,
    choices,
    in_words,
    plainly,
)

BERLIN = Option("1", "Berlin")
TRACK = Option("3", "Gleis 1")
ZURICH = Option("2", "Zürich, Bahnhof", (TRACK,))
CITIES = (BERLIN, ZURICH)
SEATS = FormField("seats", "Seats", Kind.NUMBER, required=True)
NOTE = FormField("note", "Note", Kind.LONG_TEXT)
GRADE = FormField("grade", "Grade", Kind.CHOICE, required=True, has_value=True, options=CITIES)


@pytest.mark.parametrize(
    ("kind", "text", "value", "plain", "words"),
    [
        (Kind.TEXT, " two\nlines ", "two lines", "two lines", "two lines"),
        (Kind.LONG_TEXT, "two\nlines", "two\nlines", "two\nlines", "two\nlines"),
        (Kind.NUMBER, "12.50", 12.5, 12.5, "12.5"),
        (Kind.NUMBER, "12.0", 12, 12, "12"),
        (Kind.DATE, "2026-11-23T09:59:30Z", date(2026, 11, 23), "2026-11-23", "2026-11-23"),
        (
            Kind.DATE_TIME,
            "2026-11-23T09:59:30",
            datetime(2026, 11, 23, 9, 59, 30, tzinfo=UTC),
            "2026-11-23T09:59:30+00:00",
            "2026-11-23T09:59:30+00:00",
        ),
        (Kind.CHOICE, "berlin", BERLIN, "1", "Berlin"),
        (Kind.CHOICES, "Zürich, Bahnhof", [ZURICH], ["2"], "Zürich, Bahnhof"),
        (Kind.CHOICES, "1,2", [BERLIN, ZURICH], ["1", "2"], "Berlin, Zürich, Bahnhof"),
        (Kind.CASCADE, "2 > Gleis 1", Below(ZURICH, TRACK), "3", "Zürich, Bahnhof > Gleis 1"),
        (Kind.CASCADE, "Berlin", Below(BERLIN, None), "1", "Berlin"),
        (
            Kind.PERSON,
            "ada+av@desk.example",
            Person("ada+av@desk.example"),
            "ada+av@desk.example",
            "ada+av@desk.example",
        ),
        (Kind.PEOPLE, "a, b", [Person("a"), Person("b")], ["a", "b"], "a, b"),
        (Kind.LABELS, "New York, av, av", ["New York", "av"], ["New York", "av"], "New York, av"),
    ],
)
def test_a_text_becomes_a_value(kind: Kind, text: str, value: Value, plain: object, words: str):
    """Each kind has its value, a plain form of it, and words for people."""
    field = FormField("f", "F", kind, options=CITIES)

    assert Filling().read(field, text) == value
    assert Filling().value_of(field, text) == plain == plainly(value)
    assert in_words(value) == words


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        (Kind.TEXT, "  ", "left empty"),
        (Kind.NUMBER, "inf", "needs a number, not 'inf'"),
        (Kind.DATE, "23.11.2026", "needs a date"),
        (Kind.DATE_TIME, "soon", "needs a time"),
        (Kind.CHOICE, "Paris", "does not offer 'Paris'"),
        (Kind.CHOICES, ",", "left empty"),
        (Kind.CASCADE, "Berlin > Gleis 1", "nothing in its list"),
        (Kind.CASCADE, "Paris > x", "does not offer"),
        (Kind.PERSON, "Hana Helper", "needs an account ID"),
        (Kind.PEOPLE, "x" * 256, "needs an account ID"),
        (Kind.OTHER, "x", "is of a colour"),
    ],
)
def test_what_is_no_value_says_why(kind: Kind, text: str, part: str):
    """The reason goes on after the field's name."""
    with pytest.raises(Unfit, match=part):
        Filling(unfillable="is of a colour").read(FormField("f", "F", kind, options=CITIES), text)


@given(st.sampled_from(Kind), st.text(max_size=80), st.sampled_from(["UTC", "America/Los_Angeles"]))
def test_any_text_is_a_value_or_unfit(kind: Kind, text: str, zone: str):
    """Whatever an incident holds breaks nothing, and what is a value can be sent and shown."""
    field = FormField("f", "F", kind, options=CITIES)
    try:
        value = Filling(longest_line=9, longest_text=20).read(field, text, ZoneInfo(zone))
    except Unfit as exc:
        value = str(exc)[:20]

    assert plainly(value) or value == 0
    assert isinstance(in_words(value), str)
    assert not isinstance(value, str) or len(value) <= 20


def test_a_day_is_that_of_the_place():
    """A moment is the day that it is where the incident is; a day stays what it is."""
    due = FormField("due", "Due", Kind.DATE)
    place = Location(timezone="America/Los_Angeles")
    incident = Incident(id="1", title="x", opened_at=datetime(2026, 11, 24, 2, 30, tzinfo=UTC), location=place)

    assert Filling().fill([due], {"due": "{{ incident.opened_at }}"}, incident).values == {"due": "2026-11-23"}
    assert Filling().fill([due], {"due": "2026-11-24"}, incident).values == {"due": "2026-11-24"}
    assert Filling().value_of(due, "0001-01-01T02:30:00Z", ZoneInfo("America/Los_Angeles")) == "0001-01-01"


def test_gaps_are_named_and_only_what_is_insisted_on_is_fatal():
    """A form is filled in as far as it can be; the form of values is the plugin's."""
    other = FormField("other", "Other", Kind.OTHER, required=True)
    filled = Filling(shape=lambda value: {"value": plainly(value)}).fill(
        [SEATS, NOTE, GRADE, other],
        {"seats": "many", "note": "{{ incident.title", "grade": "berlin"},
        sample_incident(),
    )

    assert filled.values == {"grade": {"value": "1"}}
    assert filled.words == {"grade": "Berlin"}
    assert [gap.field.id for gap in filled.gaps] == ["seats", "note", "other"]
    assert [gap.field.id for gap in filled.fatal] == ["seats", "other"]
    assert str(filled.gaps[0]) == "Seats needs a number, not 'many'"
    assert "template with a mistake" in filled.gaps[1].reason
    assert filled.gaps[2].reason == "is of a kind that cannot be filled in from here"
    assert Filling().fill([SEATS, GRADE], {}, sample_incident()).gaps[0].reason == "has no value (number)"


def test_rows_ask_for_what_is_insisted_on_first():
    """A list may be chosen from or typed over, people are looked up, and a wrong text is said at once."""
    city = FormField("city", "City", Kind.CASCADE, options=CITIES)
    who = FormField("who", "Who", Kind.PERSON)
    rows = FieldRows(Filling(), {Kind.PERSON: lambda text: [Choice("7", text)]}, people="A name.")
    asked = {row.key: row for row in rows.rows([NOTE, city, who, GRADE, SEATS])}

    assert list(asked) == ["seats", "note", "city", "who", "grade"]
    assert [row.required for row in asked.values()] == [True, False, False, False, False]
    assert [row.kind for row in asked.values()] == [
        *(FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.CHOICE, FieldKind.TEXT, FieldKind.CHOICE)
    ]
    assert asked["city"].load is not None
    assert [(one.value, one.label) for one in asked["city"].load()] == choices(city)
    assert choices(city)[2] == ("Zürich, Bahnhof > Gleis 1", "Zürich, Bahnhof > Gleis 1")
    assert asked["city"].may_be_typed
    assert asked["who"].find is not None
    assert asked["who"].find("Ada") == [Choice("7", "Ada")]
    assert asked["who"].help == "Kind: person. A name."
    assert asked["grade"].help == "Kind: one of a list. There is a value for it already."
    assert asked["seats"].check is not None
    assert asked["seats"].check("{{ incident.titel }}") != ""
    assert asked["seats"].check("{{ incident.title }}") == "Seats needs a number, not 'Display offline'."
    assert asked["seats"].check("4") == ""


def test_help_tells_what_there_is():
    """Entries of a list of several, and what to do about a field that cannot be filled in."""
    rows = FieldRows(Filling(), unfillable="Set it there.")

    several = rows.row(FormField("a", "A", Kind.CHOICES, options=CITIES))
    colour = rows.row(FormField("b", "B", Kind.OTHER, help="A colour."))

    assert several.help == "Kind: some of a list."
    assert several.is_many
    assert several.load is not None
    assert [choice.label for choice in several.load()] == ["Berlin", "Zürich, Bahnhof"]
    assert colour.help == "A colour. Kind: another kind. Set it there."


def test_remarks_tell_what_comes_of_the_answers():
    """Gaps by how much they matter, and values in words."""
    filled = Filling().fill([SEATS, NOTE, GRADE], {"note": "{{", "grade": "2"}, sample_incident())

    assert [remark.severity for remark in gap_remarks(filled)] == [Severity.PROBLEM, Severity.WARNING]
    assert gap_remarks(filled)[0].text == "Seats has no value (number)."
    assert [remark.line for remark in value_remarks([SEATS, NOTE, GRADE], filled)] == ["Grade: Zürich, Bahnhof"]
