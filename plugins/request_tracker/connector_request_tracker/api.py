"""Request Tracker's REST interface, version 2: where it is, what its answers mean, how it is searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from connector_core import ConfigError, ConnectorError, TicketGone
from connector_core.kit.answers import Answers, Complaint, Fixes, Subject
from connector_core.kit.grants import text_given
from connector_core.kit.paging import PageNumber
from connector_core.kit.rest import Auth, Rest
from connector_core.kit.values import Json
from connector_request_tracker.settings import AnyTracker, site_of

if TYPE_CHECKING:
    from requests import Response

HIDDEN = "ticket_hidden"
VENDOR = "Request Tracker"
#: Not every list tells how many pages it has: then a short one is the last.
PAGES = PageNumber("page", size=100, size_parameter="per_page", pages="pages")
RIGHT_FIX = (
    "Have an administrator of Request Tracker give the token's user the rights in the queue that the README of this "
    "plugin lists."
)
_SHOWN = {"fields": "Subject,Status,Priority,LastUpdated,Queue", "orderby": "id", "order": "ASC"}


def _own_cases(response: Response, complaint: Complaint, about: Subject) -> ConnectorError | None:
    """Tell a ticket that is hidden, and a missing right that is answered as a mistake of ours."""
    status, is_read = response.status_code, response.request.method == "GET"
    if status == HTTPStatus.FORBIDDEN and about is Subject.TICKET and is_read and complaint.from_api:
        return TicketGone("The ticket is hidden from the token's user.", code=HIDDEN, detail=str(complaint))
    if status == HTTPStatus.BAD_REQUEST and "Permission Denied" in complaint.sentences:
        said = "Request Tracker does not permit this to the token's user."
        return ConfigError(said, code="permission_missing", detail=str(complaint), fix=RIGHT_FIX)
    return None


RULES = Answers(
    VENDOR,
    own=_own_cases,
    fixes=Fixes(
        permission=RIGHT_FIX,
        authorization="Make a new token in Request Tracker (Settings, Auth Tokens) and enter it in set-up.",
        page="Check the address: it is the one under which people open Request Tracker, without what follows /REST.",
    ),
)


def address_of(integration: AnyTracker) -> str:
    """Return the address of the site, from the answers given so far."""
    return str(site_of(text_given(integration, "address")))


def rest_of(integration: AnyTracker, auth: Auth = None) -> Rest:
    """Return the REST interface of an integration."""
    return Rest(integration, f"{address_of(integration)}/REST/2.0", RULES, auth=auth)


def search(integration: AnyTracker, query: str) -> Iterator[Json]:
    """Yield the tickets that a query in TicketSQL finds, the oldest first; deleted ones are in no search."""
    return rest_of(integration).pages("/tickets", "items", PAGES, params={"query": query, **_SHOWN})


def is_number(text: str) -> bool:
    """Return whether a text is a number as Request Tracker writes them, which other scripts have signs for, too."""
    return text.isascii() and text.isdigit()


def quoted(text: str) -> str:
    """Return a text as it stands in TicketSQL."""
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"
