"""Request Tracker's REST interface, version 2: where it is, what its answers mean, how it is searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

from requests import Response

import connector_core as core
from connector_core.kit import answers, grants, paging, rest
from connector_core.kit.values import Json
from connector_request_tracker.settings import AnyTracker, TrackerSettings

HIDDEN = "ticket_hidden"
VENDOR = "Request Tracker"
#: Not every list tells how many pages it has: then a short one is the last.
PAGES = paging.PageNumber("page", size=100, size_parameter="per_page", pages="pages")
RIGHT_FIX = (
    "Have an administrator of Request Tracker give the token's user the rights in the queue that the README of this "
    "plugin lists."
)
_SHOWN = "Subject,Status,Priority,LastUpdated,Queue"
LINKS = ",_hyperlinks"  # what shows where a ticket leads; it makes a search slower


def _own_cases(response: Response, said: answers.Complaint, about: answers.Subject) -> core.ConnectorError | None:
    """Tell a ticket that is hidden, and a missing right that is answered as a mistake of ours."""
    status, is_read = response.status_code, response.request.method == "GET"
    if status == HTTPStatus.FORBIDDEN and about is answers.Subject.TICKET and is_read and said.from_api:
        return core.TicketGone("The ticket is hidden from the token's user.", code=HIDDEN, detail=str(said))
    if status == HTTPStatus.BAD_REQUEST and "Permission Denied" in said.sentences:
        refused = "Request Tracker does not permit this to the token's user."
        return core.ConfigError(refused, code="permission_missing", detail=str(said), fix=RIGHT_FIX)
    return None


FIXES = answers.Fixes(
    permission=RIGHT_FIX,
    authorization="Make a new token in Request Tracker (Settings, Auth Tokens) and enter it in set-up.",
    page="Check the address: it is the one under which people open Request Tracker, without what follows /REST.",
)
RULES = answers.Answers(VENDOR, own=_own_cases, fixes=FIXES)


def address_of(integration: AnyTracker) -> str:
    """Return the address of the site, from the answers given so far."""
    return str(grants.setting_given(integration, TrackerSettings, "address"))


def rest_of(integration: AnyTracker, auth: rest.Auth = None) -> rest.Rest:
    """Return the REST interface of an integration."""
    return rest.Rest(integration, f"{address_of(integration)}/REST/2.0", RULES, auth=auth)


def search(integration: AnyTracker, query: str, also: str = "") -> Iterator[Json]:
    """Yield the tickets that a query in TicketSQL finds, the oldest first; deleted ones are in no search."""
    return rest_of(integration).pages("/tickets", "items", PAGES, params=asking(query, also))


def asking(query: str, also: str = "") -> dict[str, str]:
    """Return what a search for tickets is asked with, further fields `also` among that."""
    return {"query": query, "fields": _SHOWN + also, "orderby": "id", "order": "ASC"}


def is_number(text: str) -> bool:
    """Return whether a text is a number as Request Tracker writes them, which other scripts have signs for, too."""
    return text.isascii() and text.isdigit()


def quoted(text: str) -> str:
    """Return a text as it stands in TicketSQL."""
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"
