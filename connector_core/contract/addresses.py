"""What counts as an HTTP address in settings."""

from __future__ import annotations

from urllib.parse import urlsplit


def http_address(url: str, *, example: str) -> str:
    """Return an address without a slash at its end; one that paths can be appended to and that holds no credentials.

    Raises:
        ValueError: it is something else; the message shows the example.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"expected an address like {example}")
    return url.rstrip("/")
