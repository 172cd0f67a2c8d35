"""Descriptions and comments in each language of markup: written, read back, written over, cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import Comment, Device, Incident, Location, Priority, TicketSnapshot, WriteComment, utf16_length
from connector_core.kit.comment_texts import NO_TEXT, SOMEBODY, CommentParts, comment_text, read_comment
from connector_core.kit.details import Details, zone_of
from connector_core.kit.html_markup import HTML
from connector_core.kit.markup import MARKDOWN, PLAIN, Kind, Markup, is_web
from connector_core.kit.texts import CUT_NOTE, clean
from tests.support.jira.hostile_texts import ADDRESSES, HOSTILE

MARKER = "cnx-0123456789abcdef0123"
LANGUAGES = pytest.mark.parametrize("markup", [PLAIN, HTML, MARKDOWN], ids=["plain", "html", "markdown"])
TEXTS = st.text(st.characters(codec=None), max_size=200) | st.text("<>&;#\\*_-`[]()!=.:1 \t\n\u00a0ab/", max_size=200)
NASTY = [
    *HOSTILE,
    *ADDRESSES,
    "<script>alert(1)</script>",
    "a <b>bold</b> &lt;tag&gt; &amp;amp; &nbsp; &#65;",
    "1. one\n2) two\n10.5 kg",
    "    code\n\ttab",
    "a\\\nb\\",
    "# not\n===\n---\n> quote\n- - -\n***",
    "<https://a.test/> [x](https://b.test) ![y](z)",
    "see https://a.test/x_y_z. Or https://a.test/q?a=1&b=2!",
    "two  spaces   and\u00a0one",
    "== Incident details ==",
    "Reference: something",
    "Device:\n- Name: mine",
]

FULL = Incident.model_validate(
    {
        "id": "inc-1",
        "title": "Fan failed",
        "description": "It is hot.\n\nVery <hot> & *loud*.",
        "issue": "Temperature",
        "priority": Priority.HIGH,
        "url": "https://incidents.example.test/1?a=b&c=(d)",
        "opened_at": datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        "device": Device(id="d-1", name="Fan*<1>", model="F_1", other={"Rack": "7", "Owner: of": "Ada & Bo", "": "x"}),
        "location": Location(path="HQ > Floor 2", address="Main St. 1\nTown", timezone="Asia/Tokyo"),
    }
)


def of(description: str | None, **more: object) -> Incident:
    """Make an incident about which everything is known, with another description."""
    return FULL.model_copy(update={"description": description, **more})


def added_to(text: str, before: str, line: str, markup: Markup) -> str:
    """Put a line of a person in front of the line of a text that holds some words."""
    lines = markup.lines(text)
    at = next(n for n, one in enumerate(lines) if before in markup.unescape(one))
    shown = f"<p>{line}</p>\n" if markup is HTML else f"{line}\n"
    return "".join([*lines[:at], shown, *lines[at:]])


@LANGUAGES
def test_everything_known_is_listed(markup: Markup):
    """Incident, device and location are listed as they are, below the incident's own words; the marker comes last."""
    shown = markup.unescape(Details(markup).write(FULL, MARKER))
    words = [
        *("It is hot.", "Very <hot> & *loud*.", "Incident details", "Incident", "Issue: Temperature", "Priority: High"),
        *("Opened: 2026-03-02 18:30 JST, 2026-03-02 09:30 UTC", "https://incidents.example.test/1?a=b&c=(d)"),
        *("Device", "Name: Fan*<1>", "Model: F_1", "ID: d-1", "Rack: 7", "Owner: of: Ada & Bo"),
        *(
            "Location",
            "Path: HQ > Floor 2",
            "Address: Main St. 1 Town",
            "Time zone: Asia/Tokyo",
            f"Reference: {MARKER}",
        ),
    ]
    found = [shown.replace("%28", "(").replace("%29", ")").find(word) for word in words]

    assert -1 not in found
    assert found == sorted(found)
    assert shown.endswith(MARKER)


@LANGUAGES
@pytest.mark.parametrize("text", NASTY)
def test_hostile_words_come_back(markup: Markup, text: str):
    """Whatever an incident says is read back as it was, also when it is written over itself."""
    details = Details(markup)
    written = details.write(of(text), MARKER)

    assert details.own_words(written) == markup.normalise(text)
    assert details.own_words(details.rewrite(written, of(text), MARKER)) == markup.normalise(text)
    assert details.mentions(written, MARKER)


@LANGUAGES
@given(text=TEXTS, name=TEXTS)
def test_any_words_come_back(markup: Markup, text: str, name: str):
    """Any description survives the way to the ticket and back, whatever the device is called."""
    details = Details(markup)
    incident = of(text, device=Device(name=name, other={name: text}), issue=name)
    written = details.write(incident, MARKER)

    assert details.own_words(written) == (markup.normalise(text) or None)
    assert details.own_words(details.rewrite(written, incident, MARKER)) == (markup.normalise(text) or None)


@LANGUAGES
@given(text=TEXTS)
def test_any_text_is_escaped_and_read(markup: Markup, text: str):
    """Each language reads exactly what it wrote, and parts a text into lines without losing a sign."""
    written = markup.escape(text)

    assert markup.unescape(clean(written)) == markup.normalise(text)
    assert "".join(markup.lines(written)) == written


@LANGUAGES
@given(text=TEXTS)
def test_what_strangers_write_is_read(markup: Markup, text: str):
    """Any text of a ticket is read, parted and written over; nothing fails, and no sign gets lost between lines."""
    details = Details(markup)
    shown = clean(f"{text}<p>{text}<li><a href='{text}'>x</a><pre>{text}")

    assert "".join(markup.lines(shown)) == shown
    assert isinstance(details.own_words(shown), str | None)
    assert details.own_words(details.rewrite(shown, of("new"), MARKER)) == "new"


@LANGUAGES
def test_nothing_is_written_twice_the_same(markup: Markup):
    """Writing an unchanged incident over its own description changes nothing, also what its source adds."""
    details = Details(markup)
    written = details.write(FULL, MARKER)

    assert details.rewrite(written, FULL, MARKER) == written


@LANGUAGES
def test_what_people_added_stays(markup: Markup):
    """Lines in our part stay behind those of ours that they stood behind, those below it stay below."""
    details = Details(markup)
    text = details.write(FULL, MARKER)
    text = added_to(text, "Priority: High", "Seen by Ada", markup)
    text = added_to(text, "Reference:", "Key is at the desk", markup)
    text += "\n<p>Fuse changed</p>" if markup is HTML else "\nFuse changed"

    anew = details.rewrite(text, of("It is cold.", issue="Cold"), MARKER)
    lines = [line for line in markup.unescape(clean(anew)).split("\n") if line]

    assert lines[0] == "It is cold."
    assert "Seen by Ada" in lines[lines.index(next(one for one in lines if "Issue: Cold" in one)) + 1]
    assert lines[-3:] == ["Key is at the desk", f"Reference: {MARKER}", "Fuse changed"]
    assert "Temperature" not in anew
    assert details.rewrite(anew, of("It is cold.", issue="Cold"), MARKER) == anew


@LANGUAGES
def test_words_of_people_above_are_the_description(markup: Markup):
    """What stands above our part is the incident's, and keeps its markup as long as it says the same."""
    details = Details(markup)
    bold = {HTML: "<p>It is <em>hot</em>.</p>", MARKDOWN: "It is _hot_.", PLAIN: "It is hot."}[markup]
    words = "It is _hot_." if markup is MARKDOWN else "It is hot."
    ours = details.write(of(None), MARKER)

    assert details.own_words(f"{bold}\n\n{ours}") == words
    assert details.rewrite(f"{bold}\n\n{ours}", of(words), MARKER).startswith(bold)
    mixed = details.rewrite(f"{bold}\n\n{ours}", of(f"{words}\n\nAnd more."), MARKER)
    assert mixed.startswith(bold)
    assert details.own_words(mixed) == f"{words}\n\nAnd more."


@LANGUAGES
def test_a_removed_heading_leaves_all_but_the_reference(markup: Markup):
    """Without our heading everything is theirs, but for the reference at the end."""
    reference = markup.line(f"Reference: {MARKER}").alone

    assert Details(markup).own_words(f"{markup.escape('Only this.')}\n\n{reference}\n") == "Only this."
    assert Details(markup).own_words(reference) is None
    assert Details(markup).own_words(None) is None
    assert Details(markup).own_words("") is None


@pytest.mark.cases_in_test(6)
@LANGUAGES
@pytest.mark.parametrize("sign", ["x", "*", "\U0001f525", "<", "&", "line\n", " _"])
@pytest.mark.parametrize(
    ("longest", "count"),
    [
        pytest.param(4_000, len, marks=pytest.mark.extended),
        pytest.param(32_767, utf16_length, marks=pytest.mark.extended),
        (4_000, utf16_length),
        (700, len),
    ],
)
def test_a_long_text_is_cut_and_ours_is_not(markup: Markup, sign: str, longest: int, count: Callable[[str], int]):
    """A text over the limit is cut in the incident's own words, says so, and still has its marker."""
    details = Details(markup, longest, count)
    incident = of(sign * 40_000, issue="*" * 9_000, device=Device(other={f"N{n}": "<" * 400 for n in range(40)}))
    written = details.write(incident, MARKER)
    over = details.rewrite(written, incident, MARKER)

    assert count(written) <= longest
    assert (details.own_words(written) or "").endswith(CUT_NOTE)
    assert details.mentions(written, MARKER)
    assert count(over) <= longest
    assert details.own_words(over) == details.own_words(written)


@LANGUAGES
def test_the_way_to_the_incident_is_found(markup: Markup):
    """A description leads to its own incident, not to one whose address only begins alike."""
    details = Details(markup)
    incident = of("x", url="https://incidents.example.test/12")
    written = details.write(incident, MARKER)

    assert details.leads_to(written, "https://incidents.example.test/12")
    assert not details.leads_to(written, "https://incidents.example.test/1")
    assert not details.leads_to(None, "https://incidents.example.test/12")
    assert not details.leads_to(details.write(of("x", url=None), MARKER), "https://incidents.example.test/12")


@pytest.mark.parametrize(
    "shown",
    [
        "<div class='c'><p>It is hot.</p>\r\n<hr/>\r\n<h3 id=a>Incident details</h3><p><b>Incident</b></p></div>",
        "<p>It&nbsp;is hot.</p><hr /><h3>Incident details</h3><div>Reference: cnx-1</div>",
        "It is <b>hot</b>.<br><hr><h2><span>Incident details</span></h2>",
        "<p>It is\nhot.</p>\n<p>&nbsp;</p><h3>Incident details</h3>",
    ],
)
def test_html_of_an_editor_reads_the_same(shown: str):
    """However an editor or a sanitizer writes our part, what stands above it is found."""
    assert Details(HTML).own_words(shown) == "It is hot."


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("a<br>b<br/><br />c", "a\nb\n\nc"),
        ("<ul><li>a</li><li>b <b>c</b></li></ul>d", "* a\n* b c\n\nd"),
        ("<p>a</p><p>b</p>c<div>d</div>", "a\n\nb\n\nc\nd"),
        ("<script>x<p></script>a<style>y</style>", "a"),
        ('<a href="https://a.test/?a=1&amp;b">here</a>', "here (https://a.test/?a=1&b)"),
        ('<a href="https://b.test">https://b.test</a>', "https://b.test"),
        ('<a href="javascript:x">here</a>', "here"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("1 < 2 &amp;&amp; 3 > 2 <3", "1 < 2 && 3 > 2 <3"),
        ("a<hr>b", "a\n\n----\n\nb"),
        ("<!-- x -->a<!DOCTYPE html>", "a"),
    ],
)
def test_html_is_read_as_a_browser_shows_it(shown: str, text: str):
    """Breaks, blocks, lists and links become lines and words."""
    assert HTML.unescape(shown) == text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("[here](https://a.test/(b))", "here (https://a.test/(b))"),
        ("[here](<https://a.test>) and <https://b.test>", "here (https://a.test) and https://b.test"),
        (r"1\. a\_b \\ \x", r"1. a_b \ \x"),
        ("&#32;a&#9999999;", "a&#9999999;"),
        ("**bold** stays", "**bold** stays"),
    ],
)
def test_markdown_is_read_without_its_escapes(shown: str, text: str):
    """Escapes, entities and links are read; other markup is a person's and stays."""
    assert MARKDOWN.unescape(shown) == text


@LANGUAGES
def test_only_the_web_becomes_a_link(markup: Markup):
    """An address that a click must not open stays text, and its signs stay signs."""
    address = "javascript:alert('<b>')"
    written = markup.link("open", address)

    assert markup.unescape(written) == address
    assert "href" not in written
    assert "](" not in written
    assert not is_web("https://a.test/ b")


@LANGUAGES
def test_lines_are_told_by_their_kind(markup: Markup):
    """Each line that we write is known again, with its words."""
    shown = [markup.rule, markup.heading("Top"), markup.title("Small"), markup.bullet("a: b"), markup.escape("words")]
    read = [markup.line(one) for one in shown]

    assert [line.kind for line in read] == [Kind.RULE, Kind.HEADING, Kind.TITLE, Kind.BULLET, Kind.TEXT]
    assert [line.text for line in read] == ["", "Top", "Small", "a: b", "words"]


def test_an_unknown_time_zone_is_none():
    """A time zone that nobody knows, or that is a path, is none."""
    assert zone_of(Location(timezone="../etc/passwd")) is None
    assert zone_of(None) is None
    assert "09:30 UTC" in Details().write(of("x", location=Location(timezone="Nowhere/Land")), MARKER)
    assert "Nowhere" not in Details().write(of("x", location=Location(timezone="Nowhere/Land")), MARKER)


def draft(text: str, author: str = "Ada", platform: str = "Platform") -> WriteComment:
    """Make a comment to be written."""
    comment = Comment.model_construct(id="c-1", author=author, text=text, created_at=datetime(2026, 3, 2, tzinfo=UTC))
    return WriteComment.model_construct(
        ticket=TicketSnapshot(id="1"), comment=comment, platform=platform, marker=MARKER
    )


@LANGUAGES
@given(text=TEXTS)
def test_any_comment_is_taken_apart(markup: Markup, text: str):
    """A comment with its marker is read as what it was made of."""
    written = comment_text(draft(text), markup, with_marker=True)

    assert read_comment(written, markup) == CommentParts(markup.normalise(text) or NO_TEXT, "Ada", "Platform", MARKER)


@LANGUAGES
def test_a_comment_of_a_person_is_all_theirs(markup: Markup):
    """A reference of their own, or a first line like ours, makes no comment ours."""
    theirs = "Ada in Platform:\n\nSee below\n\nReference: 4711"

    assert read_comment(markup.escape(theirs), markup) == CommentParts(theirs)
    assert read_comment(comment_text(draft("Hi"), markup), markup) == CommentParts("Ada in Platform:\n\nHi")


@LANGUAGES
@pytest.mark.parametrize("count", [len, utf16_length])
def test_a_long_comment_is_cut_before_its_marker(markup: Markup, count: Callable[[str], int]):
    """The comment's own words give way; whose it is and the marker stay."""
    written = comment_text(draft("\U0001f525<*" * 9_000, " \n"), markup, longest=900, count=count, with_marker=True)
    parts = read_comment(written, markup)

    assert count(written) <= 900
    assert parts.text.endswith(CUT_NOTE)
    assert (parts.author, parts.marker) == (SOMEBODY, MARKER)
