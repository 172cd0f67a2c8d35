"""What a template and a cut add on the way to the ticket is taken off on the way back."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector_core import FieldName, Incident, Location, render, sample_incident, shorten
from connector_core.contract.merge import DEFAULT_RULES, Direction, FieldRule, with_one_way
from connector_core.contract.shaping import Shaping, Shown
from connector_core.contract.templates import parts_around

LOBBY = sample_incident()
HALL = LOBBY.model_copy(update={"location": Location(name="Hall")})
PREFIX = "[{{ incident.location.name }}] {{ incident.title }}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def title(template: str | None, value: str, incident: Incident = LOBBY, last: tuple[str | None, str | None] = ("", "")):
    """Take off what a template put around a title."""
    shaping = Shaping({FieldName.TITLE: template} if template else {}, (ELLIPSIS,))
    return shaping.taken_off(FieldName.TITLE, value, incident, Shown(*last))


@pytest.mark.parametrize(
    ("template", "value", "left"),
    [
        (PREFIX, "[Lobby] Fan failed", "Fan failed"),
        (PREFIX, "[Lobby]   Fan failed ", "Fan failed"),
        (PREFIX, "[Lobby][Lobby] Fan", "[Lobby] Fan"),
        (PREFIX, "[URGENT] Fan failed", "[URGENT] Fan failed"),
        (PREFIX, "Fan failed", "Fan failed"),
        (PREFIX, "[Lobby]", "[Lobby]"),
        ("{{ incident.title }} ({{ incident.device.model }})", "Fan (x) (X-200)", "Fan (x)"),
        ("{{ incident.location.name }}: {{ incident.title }} ({{ incident.device.model }})", "Lobby: Fan", "Fan"),
        ("{{ incident.location.name }}: {{ incident.title }} ({{ incident.device.model }})", "Fan (X-200)", "Fan"),
        ("{% if incident.priority == 'high' %}!{% endif %} {{ incident['title'] }}", "! Fan", "Fan"),
        ("{{ incident.title }}", "Fan", "Fan"),
        (None, "[Lobby] Fan", "[Lobby] Fan"),
    ],
)
def test_what_the_template_puts_around_a_value_is_taken_off(template, value, left):
    """The fixed parts go, however blanks are spelt; what people wrote in their place stays."""
    assert title(template, value) == left


def test_an_incident_that_has_moved_is_told_by_what_was_there_before():
    """The ticket still shows the old place; a value that only happens to be part of the other is no frame."""
    assert title(PREFIX, "[Lobby] Fan is hot", HALL, ("Fan", "[Lobby] Fan")) == "Fan is hot"
    assert title(PREFIX, "[Lobby] Fan is hot", HALL, ("Fan", "Fan is")) == "[Lobby] Fan is hot"


def test_the_end_that_was_cut_comes_back():
    """A ticket shows the beginning of a long text; whoever edits it has not removed the rest."""
    long = "Fan failed in the room behind the lobby"
    cut = f"Fan failed in the{ELLIPSIS}"

    assert title(None, f"The fan failed in the{ELLIPSIS}", last=(long, cut)) == f"The {long[0].lower()}{long[1:]}"
    assert title(PREFIX, f"[Lobby] Big fan{ELLIPSIS}", last=(long, f"[Lobby] {cut}")) == "Big fan room behind the lobby"
    assert title(None, "The fan failed", last=(long, cut)) == "The fan failed"
    assert title(None, f"Wait{ELLIPSIS}", last=("Fan", "Fan")) == f"Wait{ELLIPSIS}"


@pytest.mark.parametrize(
    "template",
    [
        "Incident at {{ incident.location.name }}",
        "{{ incident.title | upper }}",
        "{{ incident.title ~ '!' }}",
        "{{ incident.title }} {{ incident.title }}",
        "{% if incident.title %}{{ incident.title }}{% endif %}",
        "{% if incident.title == 'x' %}!{% endif %}{{ incident.title }}",
        "{{ incident.title or 'x' }}",
        "{{ incident }} {{ incident.title }}",
        "{{ incident['ti' ~ 'tle'] }}{{ incident.title }}",
        "A constant",
    ],
)
def test_a_template_that_cannot_be_undone_has_the_title_synced_one_way(template):
    """The value cannot be told again out of what it made, so it does not come back, whatever the rules say."""
    shaping = Shaping({FieldName.TITLE: template, FieldName.DESCRIPTION: "{{ incident.title }}"})

    assert parts_around(template, "title") is None
    kept = with_one_way({FieldName.PRIORITY: FieldRule(direction=Direction.OFF)}, shaping)
    assert kept[FieldName.TITLE].direction is Direction.TO_TICKET
    assert kept[FieldName.DESCRIPTION].direction is Direction.OFF
    assert kept[FieldName.PRIORITY].direction is Direction.OFF


def test_a_template_that_can_be_undone_leaves_the_rules():
    """Title and description come back as the rules say."""
    shaping = Shaping({FieldName.TITLE: PREFIX, FieldName.DESCRIPTION: "At:\n\n{{ incident.description }}"})

    assert with_one_way(DEFAULT_RULES, shaping) == DEFAULT_RULES


WORDS = st.text(st.sampled_from("ab []()*.\\\n\N{FIRE}\u200d\u202e\t") | st.characters(codec="utf-8"), max_size=30)
PARTS = st.lists(
    st.sampled_from(["[", "] ", "(", ") - ", "{{ incident.location.name }}", "{{ incident.device.model }}", " "])
    | st.text(st.characters(codec="utf-8", exclude_characters="{}#%"), max_size=5),
    max_size=4,
).map("".join)


@given(PARTS, PARTS, WORDS, WORDS, WORDS)
def test_out_and_in_again_is_the_identity(before: str, after: str, value: str, place: str, edited: str):
    """Whatever stands around it, a value comes back as it was, and so does what a person makes of it."""
    template = f"{before}{{{{ incident.title }}}}{after}"
    value, edited = " ".join(value.split()), " ".join(edited.split())
    assume(value and edited and parts_around(template, "title") is not None)
    incident = LOBBY.model_copy(update={"title": value, "location": Location(name=place)})
    shown = " ".join(render(template, incident).split())
    frames = [
        " ".join(render(template, incident.model_copy(update={"title": text})).split()) for text in (value, edited)
    ]

    assert title(template, shown, incident, (value, shown)) == value
    assert title(template, frames[1], incident, (value, shown)) == edited


def test_a_long_text_of_blanks_is_read_at_once():
    """What people write cannot make the look for the frame slow."""
    template = (
        "{{ incident.device.name }}{{ incident.device.model }}{{ incident.title }} x {{ incident.location.name }}"
    )
    text = f"a{' ' * 30_000}b x"

    assert title(template, text, LOBBY, ("a", "a" * 30_000)) == text


@given(st.lists(st.text("abc ", min_size=1, max_size=9), min_size=1, max_size=6))
def test_nothing_grows_however_often_it_is_edited(edits: list[str]):
    """Each turn there and back leaves what the person wrote, with the frame once."""
    incident, last = LOBBY, ("", "")
    for edit in filter(str.strip, edits):
        shown = render(PREFIX, incident)
        last = (incident.title, shown)
        told = title(PREFIX, f"{shown} {edit}".strip(), incident, last)
        incident = incident.model_copy(update={"title": shorten(told, 10_000)})

    assert render(PREFIX, incident).count("[Lobby]") == 1
