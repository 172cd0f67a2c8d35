"""What visitors send as an address, and is none."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from connector_core.config.models import ServerSettings
from connector_core.web.console.visits import _is_ours, _page_of, safe_next

NONE = ("http://[::1", "//[x", "http://[x]/", "/\t/[x")


def asked(**headers: str) -> Request:
    """Return a form that was sent."""
    sent = [(name.encode(), value.encode()) for name, value in {"host": "here", **headers}.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": sent})


@pytest.mark.parametrize("address", NONE)
def test_an_address_that_is_none_is_not_ours(address: str):
    """It ends in a refusal or at the front page, never in a failure."""
    assert safe_next(address) == "/"
    assert not _is_ours(ServerSettings(), asked(origin=address))
    assert _page_of(ServerSettings(), asked(referer=address)) == "/"
