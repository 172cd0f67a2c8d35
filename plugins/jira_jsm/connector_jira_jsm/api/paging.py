"""Lists of Jira's that come in pages: three ways to go on, one loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connector_core import RetryLater
from connector_jira_jsm.api.bodies import Json, unreadable

PAGE = 100
MOST_PAGES = 100

Place = dict[str, str]  # what a request for a page says of where the page begins
NextOf = Callable[[Json, int, int], Place | None]


class TooManyPages(RetryLater):
    """A list did not come to an end."""

    default_code = "too_many_pages"


class SearchIncomplete(RetryLater):
    """A search warns that it shows a part only: what it does not show may be there all the same."""

    default_code = "search_incomplete"


def paged(
    request: Callable[[Place], Json],
    items: Callable[[Json], Sequence[Json]],
    next_of: NextOf,
    *,
    first: Place | None = None,
) -> Iterator[Json]:
    """Yield the entries of all pages.

    `next_of` gets a page, how many entries it has and how many there were so far; it returns where the next page
    begins, None after the last.

    Raises:
        TooManyPages: there is no end.
        RetryLater: a page leads to itself. What was not shown is not known: a part is no whole list.
    """
    place, seen = first or {}, 0
    for _ in range(MOST_PAGES):
        page = request(place)
        entries = items(page)
        yield from entries
        seen += len(entries)
        following = next_of(page, len(entries), seen)
        if following is None:
            return
        if following == place:
            raise unreadable()
        place = following
    raise TooManyPages("A list of Jira's does not come to an end.")


def first_only(_page: Json, _count: int, _seen: int) -> Place | None:
    """Be content with the first page."""
    return None


def by_token(page: Json, _count: int, _seen: int) -> Place | None:
    """Go on where a page says, in lists of the platform that have no total."""
    token = page.get("nextPageToken")
    if page.get("isLast") is True:
        return None
    if not token and page.get("isLast") is False:
        raise unreadable()
    return {"nextPageToken": token} if token else None


def by_total(page: Json, count: int, seen: int) -> Place | None:
    """Go on until all are there; a list that does not tell how many ends with an empty page."""
    total = page.get("total")
    return {"startAt": str(seen)} if count and not (isinstance(total, int) and seen >= total) else None


def by_count(place: str, last: str) -> NextOf:
    """Go on while a page says that it is not the last: counted, under the names that the list has for it."""
    return lambda page, count, seen: {place: str(seen)} if count and page.get(last) is False else None
