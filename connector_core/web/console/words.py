"""What people read: words for our states, sentences after a change, and what to do about an error in the browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connector_core.contract.errors import ConnectorError
from connector_core.contract.secret_lists import MAKE_ONE
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.words.advice import Way, for_browser
from connector_core.words.earlier import without_advice

WORDS = {
    "in_sync": "in sync",
    "draft": "setup unfinished",
    "action_needed": "action needed",
    "incident": "platform",
    "ticket": "ticketing system",
    "yaml": "configuration file",
    "setup": "this console",
    "ok": "fine",
    "told": "pushes",
    "idle": "not checked",
    "missing": "no source",
    "unfinished": "setup unfinished",
}

_SAID = {
    "updated": "Updated.",
    "unchanged": "Nothing was changed.",
    "authorized": "Access is authorized.",
    "site_needed": "Approved. One more choice is needed.",
    "activated": "The integration is active. Every new incident opens a ticket from now on. Send a test incident to see"
    " that changes sync both ways.",
    "disabled": "The integration is disabled. Nothing is synced until it is activated again.",
    "removed": "The integration was removed. Tickets and incidents stay as they are.",
    "retried": "Retrying now.",
    "retried_all": "Retrying all of them now.",
    "linked_again": "Linked again. Both sides are being compared.",
    "compared": "Both sides are being compared.",
    "checked": "Everything was checked; see Health.",
    "tested": "Saved and tested.",
    "none_selected": "Nothing was done: no link was selected.",
    "discarded": "Pending changes were discarded.",
    "recreated": "A new ticket is being created.",
    "reset": "Sync position reset. Everything is read again at the next poll.",
    "source_removed": "The source was removed. Links, tickets and incidents stay as they are.",
    "routing_saved": "Saved. The rules apply to new incidents.",
    "incident_sent": "Sent. The ticket is created now.",
    "renamed": "Renamed.",
    "duplicated": "The copy is a draft. Secrets and the authorization were not copied.",
    "ticket_linked": "Linked. Both sides are being compared.",
    "settings_begun": "The settings are being applied now.",
    "settings_undone": "The former settings are being restored now.",
    "unlinked": "Unlinked. Ticket and incident stay as they are.",
    "history_read": "The history of the ticket was read; see the timeline.",
    "resolved": "Saved. See the timeline.",
    "exists": "This integration exists already; go on here.",
    "created": "Integration created. Nothing is synced before you activate it.",
    "draft_discarded": "Draft discarded. The settings in effect are unchanged.",
    "forgotten": "Old secret removed. Only the current one is accepted.",
    "setup_link_revoked": "The setup link was revoked. Whoever opens it is told so.",
    "notifier_added": "The notifier was added. Send a test to see whether messages arrive.",
    "notifier_removed": "The notifier was removed.",
    "logged_out": "You are signed out.",
    "logged_out_everywhere": "You are signed out in every browser.",
    "preferred": "Saved.",
    "ended": "Your session has ended. Sign in again to go on where you were.",
}

# What a page says about an error, where that is not what the error says to do.
_ADVICE = {
    "authorization_needed": "Authorize access again.",
    "consent_failed": "Authorize access to start again.",
    "disabled_by_hand": "Activate it on the step Enable.",
    "integration_not_active": "Activate the integration.",
    "other_account": "Sign in with the same account as before, or authorize with the other one to change it.",
    "secrets_unreadable": "Put the former key back into secret_key, or authorize access again.",
    "several_found": "Select the right one below.",
    "settings_incomplete": "Finish setup.",
    "begun_elsewhere": "Authorize access to start again, in this browser.",
    "state_unknown": "Authorize access to start again.",
    "choice_unknown": "The list was reloaded. Select an entry that is in it now.",
    "integration_unknown": "",
    "source_missing": "",
    "not_unsent": "It may have a ticket by now, or be closed. Open the page again.",
    "routing_integration_unknown": "Select one from the list, or remove the rule.",
}

# A command, for whoever has a terminal.
_MAKE_ONE = f"{MAKE_ONE[:1].upper()}{MAKE_ONE[1:]}."


def said(code: str) -> str:
    """Return the sentence that follows a change; nothing for a code that is not ours."""
    return _SAID.get(code, "")


def advice(code: str, fix: str) -> str:
    """Return what to do about a problem, for somebody in a browser."""
    return _ADVICE.get(code, "Enter a longer one." if fix == _MAKE_ONE else without_advice(fix))


@dataclass(frozen=True)
class Problem:
    """An error as a page shows it."""

    code: str
    message: str
    fix: str
    key: str = ""  # of the question that it is about
    ways: Sequence[Way] = ()


def problem_of(error: ConnectorError) -> Problem:
    """Put an error into words for a page."""
    key = error.key if isinstance(error, AnswerUnfit) else ""
    ways = () if error.advice is None else for_browser((error.advice,))
    return Problem(error.code, error.message, advice(error.code, error.fix), key, ways)


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
