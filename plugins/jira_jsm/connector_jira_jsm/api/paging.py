"""Lists of Jira's that come in pages: three ways to go on."""

from __future__ import annotations

from connector_core import RetryLater
from connector_core.kit.paging import Cursor, Offset

PAGE = 100

#: Lists of the platform that have no total.
BY_TOKEN = Cursor("nextPageToken", at="nextPageToken", last="isLast")
#: Lists of the platform that tell how many there are; one that does not ends with an empty page.
BY_TOTAL = Offset("startAt", total="total")
#: Other lists of the platform.
BY_COUNT = Offset("startAt", last="isLast")
#: Lists of the service desk. Their links to the next page name the site's own host, where an OAuth token is not good.
OF_DESKS = Offset("start", last="isLastPage")


class SearchIncomplete(RetryLater):
    """A search warns that it shows a part only: what it does not show may be there all the same."""

    default_code = "search_incomplete"
