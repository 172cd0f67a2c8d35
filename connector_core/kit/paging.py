"""Lists that come in pages: where the next page begins, by the ways in which APIs say it.

Each way is a value that `Rest.pages` takes, made once:

    BY_LINK = LinkHeader()
    BY_PAGE = PageNumber("page", size=100, size_parameter="per_page", pages="pages")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector_core.contract.errors import RetryLater
from connector_core.kit.reply import Reply
from connector_core.kit.values import Json, as_object, unreadable, value_at

#: How many pages are read before a list counts as endless.
MOST_PAGES = 100

#: What a request for a page says of where the page begins: parameters of a GET, parts of the body of a POST.
Place = Mapping[str, str]


class TooManyPages(RetryLater):
    """A list did not come to an end."""

    default_code = "too_many_pages"


@dataclass(frozen=True)
class Page:
    """A page that was read, as a way to go on gets it."""

    #: The whole answer, with its headers.
    reply: Reply
    #: How many entries it has.
    count: int
    #: How many entries there were so far, with this page's.
    seen: int
    #: Which page it is; the first is 1.
    number: int

    @property
    def body(self) -> Json:
        """The answer's body; an empty object where the body is a bare list."""
        return as_object(self.reply.body)


class Paging(Protocol):
    """A way to go on.

    An own one is a class with these two, for an API that has none of the ways below.
    """

    @property
    def first(self) -> Place:
        """Where the list begins."""
        ...

    def following(self, page: Page) -> Place | str | None:
        """Return where the next page begins, or a link to it; None after the last.

        Raises:
            RetryLater: that cannot be told.
        """
        ...


class _FromNothing:
    """Of ways whose first page needs nothing said."""

    @property
    def first(self) -> Place:
        """Where the list begins."""
        return {}


@dataclass(frozen=True)
class OnePage(_FromNothing):
    """The first page is enough, or there is only one.

    rest.pages("/statuses", "values", OnePage())
    """

    def following(self, page: Page) -> None:
        """Return nothing."""


@dataclass(frozen=True)
class LinkHeader(_FromNothing):
    """Follow the header `Link` (RFC 8288) until there is none, however few entries a page has.

    Where an API leaves out what the account may not see only after it counted, pages amid a list are short or empty.

    rest.pages("/table/incident", "result", LinkHeader(), params={"limit": "100"})
    """

    #: The relation of the link that leads on.
    rel: str = "next"

    def following(self, page: Page) -> str | None:
        """Return the link."""
        return page.reply.links.get(self.rel)


@dataclass(frozen=True)
class LinkInBody(_FromNothing):
    """Follow a link that stands in the body until there is none.

    rest.pages("/tickets", "tickets", LinkInBody("links.next"))
    """

    #: Where in the body the link is: names with dots between them.
    at: str

    def following(self, page: Page) -> str | None:
        """Return the link."""
        link = value_at(page.body, self.at)
        return link if isinstance(link, str) and link else None


@dataclass(frozen=True)
class Cursor(_FromNothing):
    """Go on where a page says, until it says nothing, or that it is the last.

    rest.pages("/tickets", "tickets", Cursor("page[after]", at="meta.after_cursor", more="meta.has_more"))
    """

    #: The parameter that the cursor is sent as.
    parameter: str
    #: Where in the body the cursor is.
    at: str
    #: Where in the body it says that the page is the last, if it does.
    last: str = ""
    #: Where in the body it says that there are more, if it does.
    more: str = ""

    def following(self, page: Page) -> Place | None:
        """Return the cursor.

        Raises:
            RetryLater: there are more, and nothing says where.
        """
        last, more = value_at(page.body, self.last), value_at(page.body, self.more)
        cursor = value_at(page.body, self.at)
        if (self.last and last is True) or (self.more and more is False):
            return None
        if cursor and isinstance(cursor, str | int):
            return {self.parameter: str(cursor)}
        if (self.last and last is False) or (self.more and more is True):
            raise unreadable()
        return None


@dataclass(frozen=True)
class Offset:
    """Go on after as many entries as were there, until the page says it is the last, all are there, or one is empty.

    rest.pages("/desks", "values", Offset("start", last="isLastPage"), params={"limit": "100"})
    """

    #: The parameter that says how many entries to pass over.
    parameter: str
    #: Where in the body it says how many there are in all, if it does.
    total: str = ""
    #: Where in the body it says that the page is the last, if it does; then only `false` leads on.
    last: str = ""

    @property
    def first(self) -> Place:
        """Where the list begins."""
        return {self.parameter: "0"}

    def following(self, page: Page) -> Place | None:
        """Return how many were seen."""
        total = value_at(page.body, self.total) if self.total else None
        if not page.count or (isinstance(total, int) and page.seen >= total):
            return None
        if self.last and value_at(page.body, self.last) is not False:
            return None
        return {self.parameter: str(page.seen)}


@dataclass(frozen=True)
class PageNumber:
    """Ask for page after page, until as many as the body tells are there; where it tells none, until a short one.

    Without `size` only an empty page is short. With it, an API that gives fewer at once than it is asked for would end
    the list too early: choose a size that it surely gives, and name where it tells `per_page`, if it does.

    rest.pages("/tickets", "items", PageNumber("page", size=100, size_parameter="per_page", pages="pages"))
    """

    #: The parameter that says which page.
    parameter: str
    #: How many entries a page has that is not the last.
    size: int = 1
    #: The parameter that asks for pages of that size, if there is one.
    size_parameter: str = ""
    #: Where in the body it says how many pages there are, if it does; a null there tells nothing.
    pages: str = ""
    #: Where in the body it says how many entries a page has at most, if it does.
    told_size: str = ""
    #: The number of the first page.
    begin: int = 1

    @property
    def first(self) -> Place:
        """Where the list begins."""
        return self._place(1)

    def following(self, page: Page) -> Place | None:
        """Return the next number."""
        pages = value_at(page.body, self.pages) if self.pages else None
        told = value_at(page.body, self.told_size) if self.told_size else None
        size = min(self.size, told) if isinstance(told, int) and told > 0 else self.size
        is_last = page.number >= pages if isinstance(pages, int) else page.count < size
        return None if is_last else self._place(page.number + 1)

    def _place(self, number: int) -> Place:
        sized = {self.size_parameter: str(self.size)} if self.size_parameter else {}
        return {**sized, self.parameter: str(self.begin + number - 1)}


def paged(
    request: Callable[[Place | str], Reply],
    items: Callable[[Json], Sequence[Json]],
    paging: Paging,
    most_pages: int = MOST_PAGES,
) -> Iterator[Json]:
    """Yield the entries of all pages; `Rest.pages` is this over HTTP.

    Raises:
        TooManyPages: there is no end.
        RetryLater: a page leads to itself. What was not shown is not known: a part is no whole list.
    """
    place: Place | str = paging.first
    seen = 0
    for number in range(1, most_pages + 1):
        reply = request(place)
        entries = items(reply.body)
        yield from entries
        seen += len(entries)
        following = paging.following(Page(reply, len(entries), seen, number))
        if following is None:
            return
        if following == place:
            raise unreadable()
        place = following
    raise TooManyPages("A list does not come to an end.")
