"""What messages say, and that names from elsewhere are nothing but names in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from connector_core.notify.conditions import Kind
from connector_core.notify.messages import MOST_LINES, Writer, as_json
from connector_core.notify.posting import slack, teams
from tests.support.messages_at_hand import AT, message, notice

HOSTILE = (
    "Evil\r\nBcc: all@example.com\r\n\r\n<!channel> <https://evil.example|Login> [a](https://evil.example) "
    "\u202egnp\x1b[31m\ud800"
)
SLACK_BLOCKS, SLACK_SIGNS, TEAMS_BYTES = 50, 12_000, 28_000


def test_a_message_says_what_is_so_and_where_to_act():
    """One sentence, one link, and the organization in the subject."""
    said = message(notice(Kind.AUTHORIZATION_LOST))

    assert said.subject == "Acme Inc.: action needed"
    assert said.text == (
        "Acme Inc.: action needed\n\n"
        "acme-desk: Desk access has expired or was revoked. Authorize it again.\n"
        "https://connector.example.com/integrations/acme-desk/setup/authorize"
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words_for_its_start_its_lasting_and_its_end(kind):
    """No placeholder is left, and each has a page."""
    values = {"system": "Desk", "reason": "Why.", "count": "3", "until": AT.isoformat()}
    started = replace(notice(kind, "" if kind is Kind.SOURCE_NOT_READ else "acme-desk"), values=values)
    lasting, ended = replace(started, told_at=AT), replace(started, told_at=AT, ended_at=AT)

    texts = [line.text for line in message(started, lasting, ended).lines]

    assert len(set(texts)) == 3
    assert texts[1].startswith("Still: ")
    assert texts[2].startswith("Resolved: ")
    assert not any("{" in text or "  " in text for text in texts)
    assert all(line.url.startswith("https://connector.example.com/") for line in message(started, ended).lines)


def test_what_is_about_the_source_leads_to_its_page():
    """It has no integration."""
    (line,) = message(notice(Kind.SOURCE_NOT_READ, "", reason="The key was refused.")).lines

    assert line.text == "Desk: no incidents come in. The key was refused."
    assert line.url == "https://connector.example.com/sources/acme"


def test_times_are_those_of_the_zone_that_is_set():
    """And the zone is named."""
    writer = Writer("https://connector.example.com", "acme", "Acme", zone="Europe/Berlin")

    (line,) = writer.of([notice(Kind.BACKLOG)], message_id="1", now=AT, are_left=False).lines

    assert line.text == "acme-desk: changes have been waiting since 2026-11-28 13:00 Europe/Berlin."


def test_all_clear_is_said_when_nothing_is_left():
    """Not while another condition lasts."""
    ended = notice(told_at=AT, ended_at=AT)

    assert message(ended).subject == "Acme Inc.: all clear"
    assert message(ended, are_left=True).subject == "Acme Inc.: problem resolved"
    assert message(ended, notice(integration="other")).subject == "Acme Inc.: action needed"


def test_names_of_others_are_on_one_line_and_cut():
    """Line ends, control signs, signs that turn the direction, half characters: none is left."""
    said = message(notice(reason=HOSTILE + "x" * 10_000), name=HOSTILE)

    assert "\n" not in said.subject
    assert len(said.subject) < 120
    (line,) = said.lines
    assert len(line.text) < 400
    assert not set("\r\n\x1b\u202e\ud800") & set(line.text + said.subject)
    said.text.encode()


def test_no_name_is_markup_in_a_chat():
    """Nobody is pinged, and no link is there but ours."""
    said = message(notice(reason=HOSTILE), name=HOSTILE)

    text = json.dumps(slack(said))
    assert "<!" not in text
    assert "<https://evil" not in text
    assert text.count("<https://connector.example.com/") == 1
    assert {block["text"]["verbatim"] for block in slack(said)["blocks"]} == {True}
    card = teams(said)["attachments"][0]["content"]
    assert {part["type"] for part in card["body"]} == {"RichTextBlock", "ActionSet"}
    assert [action["url"] for part in card["body"] for action in part.get("actions", ())] == [said.lines[0].url]


def test_a_hundred_conditions_fit_into_every_channel():
    """The first are told, the others counted."""
    many = [
        notice(integration=f"{'d' * 60}{number}", reason="\U0001f469\u200d\U0001f692 & < >" * 200)
        for number in range(100)
    ]

    said = message(*many)

    assert len(said.lines) == MOST_LINES
    assert said.more == 100 - MOST_LINES
    assert said.subject == "Acme Inc.: action needed (100 problems)"
    blocks = slack(said)["blocks"]
    assert len(blocks) <= SLACK_BLOCKS
    assert sum(len(block["text"]["text"]) for block in blocks) <= SLACK_SIGNS
    assert len(json.dumps(teams(said), ensure_ascii=False).encode()) <= TEAMS_BYTES


def test_the_form_for_programs_has_every_fact():
    """What began when, about what, and where to act."""
    ended = notice(integration="other", told_at=AT, ended_at=AT + timedelta(minutes=5))

    shown = as_json(message(notice(), ended))

    assert shown["all_clear"] is False
    assert shown["organization"] == "acme"
    assert shown["conditions"] == [
        {
            "state": "started",
            "kind": "integration_blocked",
            "integration": "acme-desk",
            "since": "2026-11-28T12:00:00+00:00",
            "text": "acme-desk is blocked: The project is gone.",
            "url": "https://connector.example.com/integrations/acme-desk",
        },
        {
            "state": "ended",
            "kind": "integration_blocked",
            "integration": "other",
            "since": "2026-11-28T12:00:00+00:00",
            "text": "Resolved: other is no longer blocked.",
            "url": "https://connector.example.com/integrations/other",
        },
    ]
