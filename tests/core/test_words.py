"""Facts are stored, words are rendered: every kind has a sentence, and rows of earlier versions speak as today's."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connector_core import EventType, FieldName
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.merge import Why
from connector_core.store import Nuance, StoredEntry, TimelineKind
from connector_core.words.advice import COMMANDS, PLACES, for_browser, for_terminal
from connector_core.words.link_status import REASONS, reason_of
from connector_core.words.names import Names
from connector_core.words.timeline import NUANCES, SENTENCES, sentence, told
from tests.support.sync_lab import happen, make_lab

AT = datetime(2026, 11, 28, tzinfo=UTC)
NAMES = Names(source="Xyte", desk="Jira")
FULL = {
    "field": FieldName.TITLE,
    "incident": "Dark",
    "ticket": "SUP-1",
    "author": "Ada",
    "changed_by": "Hana",
    "key": ["SUP-1", "FAC-1"],
    "place": ["SUP", "FAC"],
    "former": "SUP-2",
    "winner": "ticket",
    "reason": "Jira did not answer.",
}
# What a template has in it that no reader is to see.
UNFILLED = ("{", "}", "?", "None", "incident platform", "helpdesk")


def stored(kind, text="", **values):
    """Return an entry as it is read."""
    return StoredEntry(kind, "ticket", AT, values, text)


@pytest.mark.parametrize("kind", TimelineKind)
def test_every_kind_has_a_sentence(kind):
    """A kind that is added without words fails here."""
    text = sentence(stored(kind, **FULL), NAMES)

    assert text[0].isupper()
    assert text.endswith(".")
    assert not any(sign in text for sign in UNFILLED)


@pytest.mark.parametrize("kind", TimelineKind)
def test_every_kind_has_a_sentence_for_rows_with_few_values(kind):
    """An earlier version stored the field of a decision, and nothing else that a sentence needs."""
    text = sentence(stored(kind, field="title"), NAMES)

    assert text.endswith(".")
    assert not any(sign in text for sign in UNFILLED)


def test_the_catalogue_knows_no_kind_that_there_is_not():
    """Words for what is gone would never be read."""
    assert set(SENTENCES) == set(TimelineKind)
    assert {why for _, why in NUANCES} <= {*Why, *Nuance}


@pytest.mark.parametrize(("kind", "why"), NUANCES)
def test_every_nuance_is_said(kind, why):
    """It says something else than the kind alone."""
    text = sentence(stored(kind, **FULL, why=why), NAMES)

    assert text != sentence(stored(kind, **FULL), NAMES)
    assert not any(sign in text for sign in UNFILLED)


def test_an_unknown_kind_keeps_the_sentence_it_was_stored_with():
    """A later version's kinds too, after a way back."""
    assert (
        sentence(stored("ticket_taught", "The ticket was taught to sing."), NAMES) == "The ticket was taught to sing."
    )


@pytest.mark.parametrize(
    ("kind", "text", "values", "said"),
    [
        ("ticket_written", "The title was carried to the ticket.", {"field": "title"}, "Title synced to Jira."),
        (
            "agreed",
            "The status stays as each side has it.",
            {"field": "status", "reason": "a closed incident is never reopened"},
            "Not synced: a closed incident is not reopened.",
        ),
        (
            "link_blocked",
            "Jira refused: Site is required. Mend the cause, then: connector retry 7",
            {"code": "refused"},
            "Jira refused: Site is required.",
        ),
        (
            "ticket_commented",
            "The ticket was commented on.",
            {"author": "Ada", "not_carried": "It is internal, and only comments that customers see are carried."},
            "Ada commented internally in Jira. Internal comments are not synced.",
        ),
        (
            "conflict_resolved",
            "A person decided that the title's value of the ticket is right.",
            {"field": "title"},
            "Conflict resolved.",
        ),
        ("ticket_changed", "The ticket changed (desk:ticket_updated).", {"title": ["a", "b"]}, "Changed in Jira."),
        ("resumed", "A person asked for another try.", {}, "Retry requested."),
    ],
)
def test_rows_of_earlier_versions_speak_the_new_words(kind, text, values, said):
    """From their kind and values; what only their sentence tells is taken from it, without its command."""
    assert sentence(stored(kind, text, **values), NAMES) == said


def test_no_sentence_is_stored(store, clock):
    """What a lane does from creation to the end is stored as facts, and reads with the vendors' names."""
    lab = make_lab(store, clock)
    happen(lab, EventType.OPENED, title="Fan failed")
    happen(lab, EventType.UPDATED, title="Fan 2 failed")
    happen(lab, EventType.RESOLVED)

    timeline = store.timelines.read(1)
    assert {entry.text for entry in timeline} == {""}
    assert "Title synced to Jira." in [sentence(entry, NAMES) for entry in timeline]


def test_values_stand_beside_the_sentence_once():
    """What the sentence says is not repeated, names of ours are left out, both values of a field are one."""
    entry = stored(
        TimelineKind.TICKET_WRITTEN,
        field="title",
        incident="New",
        ticket="Old",
        why=Why.INCIDENT_CHANGED,
        conflict=True,
    )

    found = told(entry, NAMES)

    assert found.side == "Jira"
    assert [(one.label, one.before, one.text) for one in found.details] == [
        ("Title", "Old", "New"),
        ("Both sides changed", None, "yes"),
    ]


def test_a_link_says_why_by_its_code(store, clock):
    """Also one whose reason an earlier version stored."""
    lab = make_lab(store, clock)
    link = happen(lab, EventType.OPENED)
    lab.operations.unlink(link)

    assert reason_of(store.links.get(1), NAMES) == "Unlinked from T-1: nothing is synced."


@pytest.mark.parametrize("code", REASONS)
def test_no_reason_names_a_command(code):
    """A page shows it too."""
    templates = REASONS[code]
    assert "connector " not in json.dumps(templates).replace("The connector failed", "").replace("connector's", "")


@pytest.mark.parametrize("action", Remedy)
def test_every_action_has_a_command(action):
    """And where it can be done in a browser, a label that is no command."""
    assert for_terminal([Advice(action, "x", step="title")]).startswith("Run: connector ")
    for way in for_browser([Advice(action, "x", step="title")]):
        assert way.address.startswith("/")
        assert "connector" not in way.label
    assert set(COMMANDS) == set(Remedy)
    assert set(PLACES) <= set(Remedy)


def test_several_things_to_do_are_a_choice():
    """In one line."""
    assert for_terminal([Advice(Remedy.RETRY, "7"), Advice(Remedy.DISCARD, "7")]) == (
        "Choose one: connector retry 7; connector discard 7 --yes"
    )
    assert for_terminal([]) == ""
