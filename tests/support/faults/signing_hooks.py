"""What the outside tester is taught: to sign as a friend would, so that it gets beyond the door.

Loaded by its own process (see test_schemathesis.py). A request whose own headers are malformed is sent as it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import requests
import schemathesis

from connector_core.http_source.signatures import sign, signing_keys
from tests.support.faults.strangers_app import EVENT_SECRETS, HOOK_SECRETS, hook_signature

WELL_FORMED = {
    "webhook-id": re.compile(r"[!-~]{1,255}"),
    "webhook-timestamp": re.compile(r"[0-9]{1,12}"),
    "webhook-signature": re.compile(r"[!-~]+( [!-~]+)*"),
}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - the tester's own types
    """Aim three of four requests at addresses that exist, and have those signed."""
    if crc32(repr(case.body).encode("utf-8", "replace")) % 4 == 0:
        return
    if "source" in case.path_parameters:
        case.path_parameters["source"] = "acme"
        kwargs["auth"] = sign_event
    if "route" in case.path_parameters:
        case.path_parameters["route"] = "jira"
        kwargs["auth"] = sign_delivery
    if "integration" in case.path_parameters:
        case.path_parameters["integration"] = "desk"


def sign_event(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign as a platform does, unless the request's own headers are wrong on purpose."""
    given = {name: str(request.headers.get(name, "")) for name in WELL_FORMED}
    if all(pattern.fullmatch(given[name]) for name, pattern in WELL_FORMED.items()):
        keys = signing_keys(EVENT_SECRETS[0])
        request.headers.update(sign(keys, given["webhook-id"], datetime.now(UTC), bytes_of(request)))
    return request


def sign_delivery(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign as a ticketing system does."""
    request.headers["X-Hub-Signature"] = hook_signature(bytes_of(request), HOOK_SECRETS[0])
    return request


def bytes_of(request: requests.PreparedRequest) -> bytes:
    """Return the body as it will be sent."""
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)
