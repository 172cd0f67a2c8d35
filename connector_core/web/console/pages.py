"""Rendering: templates of the package, and the headers that every page of the console carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from connector_core.contract.models import utc
from connector_core.web.console.dates import zone_of
from connector_core.web.console.words import WORDS, paragraphs, said
from connector_core.web.public_path import in_page
from connector_core.words.link_status import OF_MANY, word_of

T = TypeVar("T")
KINDS = {"app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_LONGEST_TITLE = 200
#: In which the page that is being rendered shows times: filters know nothing of a page's values.
_zone: ContextVar[str] = ContextVar("zone", default="")
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class Pages:
    """The templates and static files of the console."""

    def __init__(self, base: str = "") -> None:
        self._base = base
        folder = files("connector_core.web.console") / "static"
        self._static = {name: (folder / name).read_bytes() for name in KINDS}
        self._place = f"/static/{sha256(b''.join(self._static.values())).hexdigest()[:12]}"

    def html(self, template: str, status: int = 200, **values: object) -> Response:
        """Render a page, with its times in the `zone` and its colours in the `theme` that the reader chose."""
        values = {"theme": "", "zone": "", **values}
        before = _zone.set(str(values["zone"]))
        try:
            text = templates().get_template(template).render(static=self._place, **values)
        finally:
            _zone.reset(before)
        return HTMLResponse(in_page(self._base, text), status_code=status, headers=HEADERS)

    def static(self, request: Request) -> Response:
        """Serve a static file; its address changes with its content."""
        name = request.path_params["name"]
        if name not in KINDS:
            return Response(status_code=404)
        return Response(self._static[name], media_type=KINDS[name], headers=_FOREVER)


@cache
def templates() -> Environment:
    """Return the templates; each is compiled at its first use, once in a process."""
    made = Environment(
        loader=PackageLoader("connector_core.web.console"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(time=_time, paragraphs=paragraphs, short=_short, words=_words)
    made.filters.update(lower_first=_lower_first, map_with=_map_with, path=_path)
    made.filters.update(state_word=word_of, words_of_many=partial(_words, table={**WORDS, **OF_MANY}))
    made.globals.update(said=said)
    return made


def _time(moment: datetime | None, missing: str = "never") -> Markup:
    """Write a time in the zone that the reader chose, else in UTC, which the script turns into the browser's own."""
    if moment is None:
        return Markup('<span class="soft">{}</span>').format(missing)
    moment = utc(moment)
    text = moment.astimezone(zone_of(_zone.get())).strftime("%Y-%m-%d %H:%M %Z")
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(timespec="milliseconds"), text)


def _words(name: object, table: Mapping[str, str] = WORDS) -> str:
    """Return what people read for a word of ours."""
    return table.get(str(name), str(name).replace("_", " "))


def _lower_first(text: str) -> str:
    """Return a label as it stands inside a sentence."""
    return text[:1].lower() + text[1:]


def _path(text: str) -> Markup:
    """Write a path of names so that each keeps to its place, whichever direction it is read in."""
    parts = (part if part.isascii() else Markup("<bdi>{}</bdi>").format(part) for part in text.split("/"))
    return Markup("/").join(parts)


def _map_with(values: Iterable[T], function: Callable[[T], str]) -> list[str]:
    """Return what a function makes of each value."""
    return [function(value) for value in values]


def _short(text: str | None, most: int = _LONGEST_TITLE) -> str:
    """Return a text of others, cut where it would swell a page."""
    text = text or ""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
