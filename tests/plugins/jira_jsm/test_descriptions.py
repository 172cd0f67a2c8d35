"""The text of a ticket: written from an incident, read back as the incident's own words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import Device, Incident, Location, Priority
from connector_core.kit import texts
from connector_jira_jsm.text import cuts, descriptions, wiki
from tests.support.jira.hostile_texts import HOSTILE

MARKER = "cnx-0123456789abcdef0123"


def incident(description: str | None = "It is hot.", **more: object) -> Incident:
    """Make an incident."""
    return Incident.model_validate({"id": "inc-1", "title": "Fan failed", "description": description, **more})


FULL = incident(
    issue="Temperature",
    priority=Priority.HIGH,
    url="https://incidents.example.test/1",
    opened_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    device=Device(id="d-1", name="Fan*", model="F-1", serial_number="S1", mac="00:11", firmware="1.2", vendor="Acme"),
    location=Location(path="HQ > Floor 2", address="Main St. 1\nTown", timezone="Asia/Tokyo"),
)


def test_everything_known_is_listed():
    """Incident, device and location are listed under our heading, the marker comes last."""
    text = descriptions.write(FULL, MARKER)

    assert text.startswith("It is hot.\n\n----\nh3. Incident details\n*Incident*\n* Issue: Temperature")
    assert "* Opened: 2026-03-02 18:30 JST, 2026-03-02 09:30 UTC" in text
    assert "* Link: [open the incident|https://incidents.example.test/1]" in text
    assert "* Name: Fan\\*" in text
    assert "* Address: Main St. 1 Town" in text
    assert text.endswith(f"\nReference: {MARKER}")


def test_nothing_unknown_is_listed():
    """An incident without device, location or text has no empty lines about them."""
    text = descriptions.write(incident(None), MARKER)

    assert text == f"----\nh3. Incident details\n\nReference: {MARKER}"
    assert descriptions.read(text) is None


def test_unknown_time_zone_is_left_out():
    """A time zone that nobody knows leaves UTC."""
    text = descriptions.write(
        incident(opened_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC), location=Location(timezone="../etc/passwd")), MARKER
    )

    assert "* Opened: 2026-03-02 09:30 UTC" in text
    assert "passwd" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_come_back(text: str):
    """Whatever the incident says is read back as it was."""
    assert descriptions.read(descriptions.write(incident(text), MARKER)) == texts.normalise(text)


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_words_come_back(text: str):
    """Any description survives the way to the ticket and back."""
    assert descriptions.read(descriptions.write(incident(text), MARKER)) == (texts.normalise(text) or None)


def test_our_heading_in_the_incident_is_not_ours():
    """An incident that quotes our heading keeps its words."""
    text = "before\nh3. Incident details\nafter"

    assert descriptions.read(descriptions.write(incident(text), MARKER)) == text


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("sign", ["x", "*", "\U0001f525", "{", "line\n"])
def test_long_words_are_cut_and_ours_are_not(sign: str):
    """A text over the limit is cut, says so, and still has its marker."""
    text = descriptions.write(FULL.model_copy(update={"description": sign * 40_000}), MARKER)

    assert len(text) <= 32_767
    assert text.endswith(MARKER)
    assert cuts.DESCRIPTION in wiki.unescape(text)
    assert "Temperature" in text


def test_words_of_people_above_survive():
    """Edits above our heading are the description, our part is not."""
    text = descriptions.write(FULL, MARKER).replace("It is hot.", "It is *very* hot.\n\nI went there.")

    assert descriptions.read(text) == "It is *very* hot.\n\nI went there."


def test_removed_heading_leaves_all_but_the_reference():
    """Without our heading everything is theirs, except the marker line."""
    assert descriptions.read(f"Only this.\n\nReference: {MARKER}\n") == "Only this."


@pytest.mark.parametrize("text", [None, "", "   \n", f"Reference: {MARKER}"])
def test_empty_text_is_none(text: str | None):
    """No words are no description."""
    assert descriptions.read(text) is None


def test_jiras_own_spelling_reads_the_same():
    """Line ends, blank lines and heading as Jira writes them back change nothing."""
    text = descriptions.write(FULL, MARKER)
    theirs = (
        text.replace("\n\n", "\n\n\n").replace("\n", "\r\n").replace("h3. Incident details", "h3. Incident details ")
    )

    assert descriptions.read(theirs) == descriptions.read(text)


def test_marker_is_found():
    """The marker is found in text, also when Jira escaped it."""
    assert descriptions.mentions(f"x\nReference: {MARKER.replace('-', chr(92) + '-')}", MARKER)
    assert not descriptions.mentions("nothing", MARKER)
    assert not descriptions.mentions(None, MARKER)


def test_what_a_source_adds_stands_there_once():
    """A fact of a device that has no label of ours is written over, also when its value is another one."""
    shown = FULL.model_copy(update={"device": Device(id="d-1", other={"Rack": "7"})})
    moved = FULL.model_copy(update={"device": Device(id="d-1", other={"Rack": "8"})})
    text = descriptions.write(shown, MARKER)

    assert descriptions.rewrite(text, shown, MARKER) == text
    assert descriptions.rewrite(text, moved, MARKER) == descriptions.write(moved, MARKER)
