"""What a page shows, apart from what it carries: letters that are drawn at random may spell any short word."""

from __future__ import annotations

from html.parser import HTMLParser

UNSEEN = frozenset({"script", "style", "template"})
READ_OUT = ("aria-label", "alt", "placeholder", "title")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in UNSEEN
        given = dict(attrs)
        names = (
            READ_OUT if tag != "input" or given.get("type") in {"hidden", "radio", "checkbox"} else (*READ_OUT, "value")
        )
        self.seen += [text for name in names if (text := given.get(name))]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in UNSEEN

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.seen.append(data)


def shown(page: str) -> str:
    """Return what people see of a page or have read out: no addresses, scripts and hidden tokens."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return "\n".join(reader.seen)
