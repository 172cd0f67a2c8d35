"""What people read: words for our states, sentences after a change, and what to do about an error in the browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connector_core.contract.errors import ConnectorError
from connector_core.contract.setup_steps import AnswerUnfit

WORDS = {
    "in_sync": "in sync",
    "draft": "set-up unfinished",
    "incident": "platform",
    "ticket": "ticketing system",
    "yaml": "configuration file",
    "setup": "this console",
    "ok": "fine",
    "told": "pushes",
    "idle": "not asked",
    "missing": "no source",
    "unfinished": "set-up unfinished",
}

_SAID = {
    "updated": "Updated.",
    "unchanged": "Nothing was changed.",
    "authorized": "Access is authorized.",
    "site_needed": "Approved. One more choice is needed.",
    "activated": "The integration is active. Every new incident opens a ticket from now on.",
    "disabled": "The integration is disabled. Nothing travels until it is activated again.",
    "removed": "The integration was removed. Tickets and incidents stay as they are.",
    "retried": "It is tried again now.",
    "retried_all": "All of them are tried again now.",
    "discarded": "What was waiting was discarded.",
    "recreated": "A new ticket is made now.",
    "reset": "It is read from the beginning with the next look.",
    "source_removed": "The source was removed. Links, tickets and incidents stay as they are.",
    "unlinked": "Nothing is carried between the two any more. Ticket and incident stay as they are.",
    "history_read": "The history of the ticket was read; see the timeline.",
    "resolved": "Your choice holds. What became of it is in the timeline.",
    "exists": "This integration exists already; go on here.",
    "created": "The integration was made. Nothing happens before you activate it.",
    "draft_discarded": "The settings are those in effect again.",
    "forgotten": "Only the present secret is accepted from now on.",
    "logged_out": "You are logged out.",
    "ended": "Your login has ended. Log in again to go on where you were.",
}

# Errors advise for the command line; where the way in the browser is another one, it stands here.
_ADVICE = {
    "authorization_needed": "Do the step Authorize access.",
    "consent_failed": "Click Authorize access to start again.",
    "disabled_by_hand": "Click Activate on the step Enable to end that.",
    "integration_not_active": "Activate the integration.",
    "other_account": "Log in as before, or authorize with the other account if the change is meant.",
    "secrets_unreadable": "Have the former key put back into secret_key, or do the step Authorize access.",
    "several_found": "Choose below which one is meant.",
    "settings_incomplete": "Answer the steps that are still open.",
    "begun_elsewhere": "Click Authorize access to start again, in this browser.",
    "state_unknown": "Click Authorize access to start again.",
    "choice_unknown": "The list was fetched anew; select one of what is there now.",
    "integration_unknown": "",
    "source_missing": "",
    "conflict": "Choose it below.",
    "discarded": "Click Retry if it should go on after all.",
    **dict.fromkeys(
        ("ticket_deleted", "ticket_archived", "ticket_hidden", "ticket_gone", "moved_unfit"),
        "Choose below: Retry looks whether it is back, Make a new ticket replaces it, Discard stops here, and Unlink "
        "parts the two.",
    ),
    "write_not_kept": "See in the ticketing system what sets it back. Then Retry writes it again, Discard takes both "
    "sides as they are.",
    "too_many_changes": "See in the timeline what changes it; Retry goes on at once.",
}

# Commands that advice names, and the way to the same thing in the browser.
_CLICKS = {
    "retry": "click Retry",
    "integrations authorize": "do the step Authorize access",
    "integrations enable": "click Activate",
    "sources setup": "click Connect a source",
    "sources remove": "click Remove on the page of the source",
}
_COMMAND = re.compile(rf"(Run: |then: )?connector ({'|'.join(_CLICKS)})( [\w-]+)?(?=$|[.,;])")


def said(code: str) -> str:
    """Return the sentence that follows a change; nothing for a code that is not ours."""
    return _SAID.get(code, "")


def advice(code: str, fix: str) -> str:
    """Return what to do about a problem, for somebody in a browser."""
    return _ADVICE.get(code, in_browser(fix))


def in_browser(text: str) -> str:
    """Replace the commands that a text says to run by what to click."""

    def click(found: re.Match[str]) -> str:
        words = _CLICKS[found[2]]
        return {"Run: ": words[0].upper() + words[1:], "then: ": f"then {words}"}.get(found[1], words)

    return _COMMAND.sub(click, text)


@dataclass(frozen=True)
class Problem:
    """An error as a page shows it."""

    code: str
    message: str
    fix: str
    key: str = ""  # of the question that it is about


def problem_of(error: ConnectorError) -> Problem:
    """Put an error into words for a page."""
    key = error.key if isinstance(error, AnswerUnfit) else ""
    return Problem(error.code, error.message, advice(error.code, error.fix), key)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, or an item of a numbered list."""

    text: str
    number: int | None = None


def paragraphs(text: str) -> Sequence[Sequence[Paragraph]]:
    """Cut a text at its empty lines; paragraphs in a row that begin with a number belong together."""
    groups: list[list[Paragraph]] = []
    for part in re.split(r"\n\s*\n", text.strip()):
        numbered = re.match(r"(\d+)\.\s+(.*)", part, re.DOTALL)
        paragraph = Paragraph(numbered[2], int(numbered[1])) if numbered else Paragraph(part)
        if groups and paragraph.number is not None and groups[-1][-1].number is not None:
            groups[-1].append(paragraph)
        elif part:
            groups.append([paragraph])
    return groups
