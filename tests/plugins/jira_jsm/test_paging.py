"""Lists that come in pages: all entries once, an end in any case, and no part taken for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connector_core import RetryLater
from connector_core.kit.paging import MOST_PAGES, OnePage, Paging, Place, TooManyPages, paged
from connector_core.kit.reply import Reply
from connector_core.kit.values import as_object, as_objects
from connector_jira_jsm.api.paging import BY_TOKEN, BY_TOTAL, OF_DESKS


def read(pages: Sequence[dict[str, Any]], paging: Paging) -> tuple[str, list[Place | str]]:
    """Read a list; return its entries, and the places that were asked for."""
    asked: list[Place | str] = []

    def request(place: Place | str) -> Reply:
        asked.append(place)
        return Reply(pages[min(len(asked), len(pages)) - 1])

    entries = paged(request, lambda page: as_objects(as_object(page).get("values")), paging)
    return "".join(entry["id"] for entry in entries), asked


def page(entries: str, **more: object) -> dict[str, Any]:
    """Make a page with an entry for each letter."""
    return {"values": [{"id": one} for one in entries], **more}


@pytest.mark.parametrize(
    ("paging", "pages", "asked"),
    [
        (BY_TOKEN, [page("ab", nextPageToken="t"), page("c")], [{}, {"nextPageToken": "t"}]),
        (BY_TOKEN, [page("", nextPageToken="t"), page("abc", isLast=True)], [{}, {"nextPageToken": "t"}]),
        (BY_TOKEN, [page("abc", nextPageToken="t", isLast=True)], [{}]),
        (BY_TOTAL, [page("ab", total=3), page("c", total=3)], [{"startAt": "0"}, {"startAt": "2"}]),
        (BY_TOTAL, [page("abc"), page("")], [{"startAt": "0"}, {"startAt": "3"}]),
        (OF_DESKS, [page("abc")], [{"start": "0"}]),
        (
            OF_DESKS,
            [page("a", isLastPage=False), page("bc", isLastPage=False), page("", isLastPage=False)],
            [{"start": "0"}, {"start": "1"}, {"start": "3"}],
        ),
        (OnePage(), [page("abc", nextPageToken="t", isLast=False)], [{}]),
    ],
)
def test_every_entry_is_read_once(paging: Paging, pages: list[Any], asked: list[Place | str]):
    """Each kind of list says in its own way where the next page begins, and which one is the last."""
    assert read(pages, paging) == ("abc", asked)


@pytest.mark.parametrize(
    "pages", [[page("a", nextPageToken="t"), page("b", nextPageToken="t")], [page("a", isLast=False)]]
)
def test_part_of_a_list_is_not_the_whole(pages: list[Any]):
    """A page that leads to itself, or to none although it is not the last, hides the rest."""
    with pytest.raises(RetryLater) as caught:
        read(pages, BY_TOKEN)

    assert caught.value.code == "answer_unreadable"


def test_list_without_an_end_is_given_up():
    """Whoever decides on it gets an error of its own class, under the code that people know."""
    with pytest.raises(TooManyPages) as caught:
        read([page("a", isLastPage=False)], OF_DESKS)

    assert caught.value.code == "too_many_pages"


def test_list_of_as_many_pages_as_are_read_is_whole():
    """The limit is beyond the last page, not before it."""
    pages = [page("a", isLastPage=False)] * (MOST_PAGES - 1) + [page("b", isLastPage=True)]

    entries, asked = read(pages, OF_DESKS)

    assert (len(entries), entries[-1], len(asked)) == (MOST_PAGES, "b", MOST_PAGES)
