"""Lists of Jira's that come in pages: three ways to go on, one loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connector_core import RetryLater
from connector_jira_jsm.api.bodies import Json

PAGE = 100
MOST_PAGES = 100

Place = dict[str, str]  # what a request for a page says of where the page begins
NextOf = Callable[[Json, int], Place | None]


class TooManyPages(RetryLater):
    """A list did not come to an end."""

    default_code = "too_many_pages"


def paged(
    request: Callable[[Place], Json],
    items: Callable[[Json], Sequence[Json]],
    next_of: NextOf,
    *,
    first: Place | None = None,
) -> Iterator[Json]:
    """Yield the entries of all pages.

    `next_of` gets a page and how many entries there were so far, and returns where the next one begins, None after the
    last. A place that was just asked for ends the list as well: it would be the same page for ever.

    Raises:
        TooManyPages: there is no end.
    """
    place, seen = first or {}, 0
    for _ in range(MOST_PAGES):
        page = request(place)
        entries = items(page)
        yield from entries
        seen += len(entries)
        following = next_of(page, seen)
        if following is None or following == place:
            return
        place = following
    raise TooManyPages("A list of Jira's does not come to an end.")


def by_token(page: Json, _: int) -> Place | None:
    """Go on where a page says, in lists of the platform that have no total."""
    token = page.get("nextPageToken")
    return {"nextPageToken": token} if token and page.get("isLast") is not True else None


def by_total(page: Json, seen: int) -> Place | None:
    """Go on until all are there; a list that does not tell how many ends with an empty page."""
    total = page.get("total")
    return None if isinstance(total, int) and seen >= total else {"startAt": str(seen)}


def by_count(place: str, last: str) -> NextOf:
    """Go on while a page says that it is not the last: counted, under the names that the list has for it."""
    return lambda page, seen: {place: str(seen)} if page.get(last) is False else None
