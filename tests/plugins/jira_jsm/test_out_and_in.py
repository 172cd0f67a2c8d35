"""Out to the ticket and in again is the identity on what people see: title, description, priority, comments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector_core import FieldName, Incident, Location, Priority
from connector_core.contract.shaping import Shaping, Shown
from connector_core.kit import texts
from connector_core.kit.fields import FormField, Kind
from connector_jira_jsm.fields.filling import as_shown
from connector_jira_jsm.fields.form_fields import FILLING
from connector_jira_jsm.fields.priorities import JiraPriority, from_jira, paired, to_jira
from connector_jira_jsm.settings import PLUGIN, JiraSettings
from connector_jira_jsm.text import cuts, descriptions, plain, titles
from tests.support.jira.hostile_texts import ADDRESSES, HOSTILE

MARKER = "cnx-0123456789abcdef0123"
PIECES = st.sampled_from([*HOSTILE, *ADDRESSES, " ", "\n\n", "\N{FIRE}", "[Lobby] ", "word " * 300]) | st.text(
    st.characters(codec="utf-8"), max_size=10
)
TEXTS = st.lists(PIECES, min_size=1, max_size=8).map("".join)
TITLES = [None, "{{ incident.title }}", "[{{ incident.location.name }}] {{ incident.title }} ({{ incident.issue }})"]
DESCRIPTIONS = [None, "Place: {{ incident.location.name }}\n\n{{ incident.description }}\n\n-- *the platform*"]


def settings_with(summary: str | None, description: str | None) -> JiraSettings:
    """Return settings with templates."""
    chosen = {"service_desk": "1", "request_type": "2", "close_status": "3"}
    return JiraSettings(**chosen, summary=summary, description=description)


def seen(title: str) -> str:
    """Return a title as people see it: one line, without signs that cannot be seen or would turn it round."""
    return texts._TURNS.sub("", " ".join(texts.clean(title).split()))


@given(TEXTS, st.sampled_from(TITLES), st.sampled_from(["Lobby", "", "a.*b", "\u202eroom  2"]))
def test_a_title_comes_back(text: str, template: str | None, place: str):
    """However long it is and whatever a template puts around it."""
    title = seen(text)
    assume(title)
    incident = Incident(id="inc-1", title=title, issue="Temperature", location=Location(name=place))
    settings = settings_with(template, None)

    written = titles.fit(as_shown(incident, settings).title)

    shaping = PLUGIN.shaping(settings)
    assert shaping.taken_off(FieldName.TITLE, written, incident, Shown(title, written)) == title


@given(TEXTS, st.sampled_from(DESCRIPTIONS), TEXTS)
def test_a_description_comes_back(text: str, template: str | None, former: str):
    """Written for the first time, and over another one."""
    incident = Incident(id="inc-1", title="Fan failed", description=text, location=Location(name="Lobby"))
    settings = settings_with(None, template)
    shown = as_shown(incident, settings)
    first = descriptions.write(shown, MARKER)
    over = descriptions.rewrite(
        descriptions.write(shown.model_copy(update={"description": former}), MARKER), shown, MARKER
    )
    wanted = texts.normalise(text) or None

    for written in (first, over):
        ticket = descriptions.read(written)
        last = Shown(wanted, ticket)
        assert PLUGIN.shaping(settings).taken_off(FieldName.DESCRIPTION, ticket, incident, last) == wanted


def test_a_description_that_was_cut_keeps_its_end():
    """Whoever edits the beginning in Jira has not removed what Jira could not show."""
    text = "It is hot.\n\n" + "word " * 10_000 + "end"
    incident = Incident(id="inc-1", title="Fan failed", description=text)
    ticket = descriptions.read(descriptions.write(incident, MARKER)) or ""
    edited = ticket.replace("It is hot.", "It is very hot.")

    back = Shaping(cut_marks=PLUGIN.cut_marks).taken_off(FieldName.DESCRIPTION, edited, incident, Shown(text, ticket))

    assert ticket.endswith(cuts.DESCRIPTION)
    assert back == text.replace("It is hot.", "It is very hot.")


@given(st.permutations(["Highest", "High", "Medium", "Low", "Lowest"]), st.sampled_from(Priority))
def test_a_priority_comes_back(names: list[str], priority: Priority):
    """Jira's own names, in whatever order they are listed."""
    offered = paired([JiraPriority(str(number), name) for number, name in enumerate(names)], {}, {})

    written = to_jira(priority, offered)

    assert written is not None
    assert from_jira(written.name, written.id, offered) is priority


@given(TEXTS)
def test_a_comment_reads_as_it_was_written(text: str):
    """Below the line that says whose it is."""
    own = texts.normalise(text)
    assume(own)
    body = f"Ada in Xyte:\n\n{descriptions.fitted(own, descriptions.LONGEST - 100)}"

    assert plain.of_wiki(body).partition("\n\n")[2] == own


@pytest.mark.parametrize(
    ("zone", "text", "day"),
    [
        ("America/Los_Angeles", "2026-11-24T02:30:00Z", "2026-11-23"),
        ("Asia/Tokyo", "2026-11-23T20:00:00+00:00", "2026-11-24"),
        ("America/Los_Angeles", "2026-11-24", "2026-11-24"),
        ("America/Los_Angeles", "0001-01-01T02:30:00Z", "0001-01-01"),
        (None, "2026-11-24T02:30:00Z", "2026-11-24"),
        ("Nowhere/Land", "2026-11-24T02:30:00Z", "2026-11-24"),
    ],
)
def test_a_moment_is_the_day_that_it_is_where_the_incident_is(zone: str | None, text: str, day: str):
    """A due date is that of the place; a day stays the day that it is."""
    incident = Incident(id="inc-1", title="Fan failed", location=Location(timezone=zone))
    due = FormField("duedate", "Due date", Kind.DATE)

    assert FILLING.fill([due], {"duedate": text}, incident).values == {"duedate": day}
    assert FILLING.value_of(due, text) == text[:10]


def test_the_day_of_an_incident_is_that_of_its_place():
    """From a template, as people write it."""
    opened = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    place = Location(timezone="America/Los_Angeles")
    incident = Incident(id="inc-1", title="Fan failed", opened_at=opened, location=place)

    filled = FILLING.fill(
        [FormField("duedate", "Due date", Kind.DATE)], {"duedate": "{{ incident.opened_at }}"}, incident
    )

    assert filled.values == {"duedate": "2026-11-23"}
