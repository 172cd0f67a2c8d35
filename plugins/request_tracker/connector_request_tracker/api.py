"""Request Tracker's REST interface, version 2: what its answers mean, and how things are written in a search."""

from __future__ import annotations

import re
from http import HTTPStatus

from requests import Response

import connector_core as core
from connector_core.kit import answers, paging
from connector_core.kit.absences import absent_by_status

#: Not every list tells how many pages it has: then a short one is the last.
PAGES = paging.PageNumber("page", size=100, size_parameter="per_page", pages="pages")
RIGHT_FIX = (
    "Have an administrator of Request Tracker give the token's user the rights in the queue that \"Request "
    'Tracker" in the documentation lists.'
)


def _own_cases(response: Response, said: answers.Complaint, about: answers.Subject) -> core.ConnectorError | None:
    """Tell why a ticket is not there, and a missing right that is answered as a mistake of ours."""
    if response.status_code == HTTPStatus.BAD_REQUEST and "Permission Denied" in said.sentences:
        refused = "Request Tracker does not permit this to the token's user."
        return core.ConfigError(refused, code="permission_missing", detail=str(said), fix=RIGHT_FIX)
    return absent_by_status(response, said, about, vendor="Request Tracker", hidden_fix=RIGHT_FIX)


FIXES = answers.Fixes(
    permission=RIGHT_FIX,
    authorization="Make a new token in Request Tracker (Settings, Auth Tokens) and enter it in set-up.",
    page="Check the address: it is the one under which people open Request Tracker, without what follows /REST.",
)
RULES = answers.Answers("Request Tracker", own=_own_cases, fixes=FIXES)


def is_number(text: str) -> bool:
    """Return whether a text is a number as Request Tracker writes them, which other scripts have signs for, too."""
    return text.isascii() and text.isdigit()


def quoted(text: str) -> str:
    """Return a text as it stands in TicketSQL."""
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"
