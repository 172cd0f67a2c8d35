"""The forms of a page as a browser sends them, without one."""

from __future__ import annotations

from html.parser import HTMLParser


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.forms.append({})
        elif not self.forms or "disabled" in given:
            return
        elif tag == "input" and name:
            if given.get("type") in {"radio", "checkbox"} and "checked" not in given:
                return
            self.forms[-1][name] = given.get("value", "on")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and (self._select not in self.forms[-1] or "selected" in given):
            self.forms[-1][self._select] = given.get("value", "")


def forms_of(page: str) -> list[dict[str, str]]:
    """Return the fields of each form of a page, as they are sent if nobody touches them."""
    reader = _Forms()
    reader.feed(page)
    reader.close()
    return reader.forms


def form_with(page: str, *names: str) -> dict[str, str]:
    """Return the fields of the first form that has these."""
    return next(form for form in forms_of(page) if set(names) <= form.keys())
