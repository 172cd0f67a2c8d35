"""Lists that come in pages: all entries once, an end in any case, and no part taken for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connector_core import RetryLater
from connector_jira_jsm.api.bodies import objects_of
from connector_jira_jsm.api.paging import (
    MOST_PAGES,
    NextOf,
    Place,
    TooManyPages,
    by_count,
    by_token,
    by_total,
    first_only,
    paged,
)


def read(pages: Sequence[dict[str, Any]], next_of: NextOf, first: Place | None = None) -> tuple[str, list[Place]]:
    """Read a list; return its entries, and the places that were asked for."""
    asked: list[Place] = []

    def request(place: Place) -> dict[str, Any]:
        asked.append(place)
        return pages[min(len(asked), len(pages)) - 1]

    entries = paged(request, lambda page: objects_of(page.get("values")), next_of, first=first)
    return "".join(entry["id"] for entry in entries), asked


def page(entries: str, **more: object) -> dict[str, Any]:
    """Make a page with an entry for each letter."""
    return {"values": [{"id": one} for one in entries], **more}


@pytest.mark.parametrize(
    ("next_of", "first", "pages", "asked"),
    [
        (by_token, None, [page("ab", nextPageToken="t"), page("c")], [{}, {"nextPageToken": "t"}]),
        (by_token, None, [page("", nextPageToken="t"), page("abc", isLast=True)], [{}, {"nextPageToken": "t"}]),
        (by_token, None, [page("abc", nextPageToken="t", isLast=True)], [{}]),
        (by_total, {"startAt": "0"}, [page("ab", total=3), page("c", total=3)], [{"startAt": "0"}, {"startAt": "2"}]),
        (by_total, {"startAt": "0"}, [page("abc"), page("")], [{"startAt": "0"}, {"startAt": "3"}]),
        (by_count("start", "isLastPage"), {"start": "0"}, [page("abc")], [{"start": "0"}]),
        (
            by_count("start", "isLastPage"),
            {"start": "0"},
            [page("a", isLastPage=False), page("bc", isLastPage=False), page("", isLastPage=False)],
            [{"start": "0"}, {"start": "1"}, {"start": "3"}],
        ),
        (first_only, None, [page("abc", nextPageToken="t", isLast=False)], [{}]),
    ],
)
def test_every_entry_is_read_once(next_of: NextOf, first: Place | None, pages: list[Any], asked: list[Place]):
    """Each kind of list says in its own way where the next page begins, and which one is the last."""
    assert read(pages, next_of, first) == ("abc", asked)


@pytest.mark.parametrize(
    "pages", [[page("a", nextPageToken="t"), page("b", nextPageToken="t")], [page("a", isLast=False)]]
)
def test_part_of_a_list_is_not_the_whole(pages: list[Any]):
    """A page that leads to itself, or to none although it is not the last, hides the rest."""
    with pytest.raises(RetryLater) as caught:
        read(pages, by_token)

    assert caught.value.code == "answer_unreadable"


def test_list_without_an_end_is_given_up():
    """Whoever decides on it gets an error of its own class, under the code that people know."""
    with pytest.raises(TooManyPages) as caught:
        read([page("a", isLastPage=False)], by_count("start", "isLastPage"))

    assert caught.value.code == "too_many_pages"


def test_list_of_as_many_pages_as_are_read_is_whole():
    """The limit is beyond the last page, not before it."""
    pages = [page("a", isLastPage=False)] * (MOST_PAGES - 1) + [page("b", isLastPage=True)]

    entries, asked = read(pages, by_count("start", "isLastPage"))

    assert (len(entries), entries[-1], len(asked)) == (MOST_PAGES, "b", MOST_PAGES)
