"""Reading a list to its end: page after page, whatever spelling the hub uses, and never in circles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector_core import RetryLater, Scope

MAX_PAGES = 1000

_LISTS = ("items", "incidents", "devices", "spaces", "notes", "data")
_WRAPPERS = ("payload", "result", "response", "body")


@dataclass(frozen=True)
class Listing:
    """What a list holds; `is_complete` is False when some of it may be missing, for the reason in `problem`."""

    items: Sequence[object]
    problem: str = ""

    @property
    def is_complete(self) -> bool:
        """Return whether every page was read."""
        return not self.problem


def read_all(fetch: Callable[[int], object], key: Callable[[object], object], max_pages: int = MAX_PAGES) -> Listing:
    """Read pages from the first on; of an item that comes twice, as when others are inserted meanwhile, the later one.

    `key` names an item, None for one that has no name.

    Raises:
        RetryLater: an answer holds no list.
    """
    found: dict[object, object] = {}
    for number in range(1, max_pages + 1):
        answer = fetch(number)
        items = items_of(answer)
        more = _more_of(answer)
        names = [_name(key, item, number, place) for place, item in enumerate(items)]
        is_news = any(name not in found for name in names)
        found.update(zip(names, items, strict=True))
        if more is False:
            return Listing(list(found.values()))
        if not items:
            # Without a word on whether there is more, an empty page is the end.
            return Listing(list(found.values()), "" if more is None else "a page was empty although more was announced")
        if not is_news:
            return Listing(list(found.values()), "" if more is None else "the hub gave the same page again")
    return Listing(list(found.values()), f"there were more than {max_pages} pages")


def items_of(answer: object) -> list[object]:
    """Return the list of an answer, bare or in whichever envelope."""
    if isinstance(answer, dict):
        for name in _LISTS:
            if isinstance(answer.get(name), list):
                found: list[object] = answer[name]
                return found
        for name in _WRAPPERS:
            if isinstance(answer.get(name), dict | list):
                return items_of(answer[name])
    if isinstance(answer, list):
        return answer
    raise RetryLater(
        "Xyte's answer holds no list.",
        code="no_items",
        scope=Scope.SITE,
        fix="Check base_url; is there a proxy in between?",
    )


def _more_of(answer: object) -> bool | None:
    """Return whether an answer announces another page; None when it says nothing."""
    if isinstance(answer, list):
        return False
    if not isinstance(answer, dict):
        return None
    told = [bool(answer[name]) for name in ("has_next_page", "next_page") if name in answer]
    info: Any = answer.get("page_info")
    if isinstance(info, Mapping) and "has_next" in info:
        told.append(bool(info["has_next"]))
    for name in _WRAPPERS:
        if not told and isinstance(answer.get(name), dict):
            return _more_of(answer[name])
    return any(told) if told else None


def _name(key: Callable[[object], object], item: object, page: int, place: int) -> object:
    name = key(item)
    return (page, place) if name is None else name
