"""The wizard in a terminal, with a person typing."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess

import pytest

from connector_core.demo.stage import INTEGRATION, ORGANIZATION

WAIT_S = 30


@pytest.fixture
def stage(open_stage):
    """Open a stage with an authorized draft."""
    opened = open_stage(authorized=False, in_file=False)
    opened.daemon.command("integrations", "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm")
    opened.authorize()
    return opened


def converse(stage, *answers):
    """Run the wizard on a terminal; type each answer when its question was asked. Return all that was shown."""
    ours, theirs = pty.openpty()
    command = [*stage.daemon._command, "integrations", "setup", INTEGRATION]
    environ = {**stage.daemon._environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(command, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = ""
    for question, answer in answers:
        shown += _read_until(ours, question)
        os.write(ours, f"{answer}\r".encode())
    shown += _read_until(ours, None)
    os.close(ours)
    assert process.wait(WAIT_S) == 0, shown
    return shown


def _read_until(terminal, question):
    """Read what is shown until a question is asked, or to the end."""
    text = ""
    while question is None or question not in text:
        assert select.select([terminal], [], [], WAIT_S)[0], f"nothing more is shown, waiting for {question}:\n{text}"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how a terminal says that its other side is gone
            piece = b""
        if not piece:
            assert question is None, f"never asked: {question}\n{text}"
            break
        text += piece.decode(errors="replace")
    return text


UP, DOWN = "\x1b[A", "\x1b[B"


def test_a_person_walks_through_every_step(stage):
    """Lists are gone through with the arrow keys or by typing, Reload fetches again, the secret is not echoed."""
    shown = converse(
        stage,
        ("Service desk:", UP),  # from the first entry up is the last one, Reload
        ("found.", "Supp"),
        ("Request type:", DOWN),
        ("Request Fields: set", "n"),
        ("Priorities: set", "n"),
        ("Close status:", "auto-close"),
        ("Close Status: set", "n"),
        ("Webhook Secret", "typed-by-a-person"),
        ("Webhook: set Who creates the webhook", "n"),
    )

    for title in ("Select Service Desk", "Request Types", "Close Status", "Webhook", "Reload"):
        assert title in shown
    assert "typed-by-a-person" not in shown
    assert "Everything is answered." in shown
    record = json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)
    assert record["settings"] == {"service_desk": "10", "request_type": "26", "close_status": "do_not_auto_close"}
    assert record["webhook_secret"] == "set"


def test_somebody_whose_name_several_have_is_chosen_in_the_terminal(stage):
    """What was typed may mean two people; the list says who they are, and the account id is what is saved."""
    hill = next(one for one in stage.sandbox.profile.people if one.display_name == "Hana Hill")

    shown = converse(
        stage,
        ("Service desk:", "Supp"),
        ("Request type:", DOWN),
        ("Request Fields: set", "y"),
        ("Summary", ""),
        ("Description", ""),
        ("On behalf of", "Nobody"),
        ("knows nobody called Nobody", "Hana"),
        ("On behalf of, several fit", DOWN),
        ("Participants", ""),
        ("Priorities: set", "n"),
        ("Close status:", "auto-close"),
        ("Close Status: set", "n"),
        ("Webhook Secret", ""),
        ("Webhook: set", "n"),
    )

    record = json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)
    assert f"Hana Hill  {hill.account_id}" in shown
    assert record["settings"]["raise_on_behalf_of"] == hill.account_id
    assert record["settings_in_words"]["raise_on_behalf_of"] == f"Hana Hill ({hill.account_id})"
