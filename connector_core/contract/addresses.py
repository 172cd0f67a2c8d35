"""What counts as an HTTP address: in settings, and as a link that others may click."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_WEB = frozenset({"http", "https"})
# Browsers leave some of these out and read a backslash as a slash: the address is then another than it looks.
_NOT_IN_LINKS = re.compile(r"^\s|[\x00-\x1f\x7f\\]")


def http_address(url: str, *, example: str) -> str:
    """Return an address without a slash at its end; one that paths can be appended to and that holds no credentials.

    Raises:
        ValueError: it is something else; the message shows the example.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _WEB and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"expected an address like {example}")
    return url.rstrip("/")


def web_link(url: str | None) -> str | None:
    """Return an address that a browser opens as a page of the web; None for any other, such as `javascript:…`.

    Who tells of an incident or a ticket chooses its address, and others click on it.
    """
    if url is None or _NOT_IN_LINKS.search(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in _WEB and parts.hostname else None


#: A link that was told to us: what is none is left out, and the rest is taken.
WebLink = Annotated[str | None, AfterValidator(web_link)]
