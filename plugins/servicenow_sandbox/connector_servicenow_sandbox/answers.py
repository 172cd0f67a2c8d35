"""How the instance says no: one exception that carries an answer, and the shapes of error bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation sends back; a body of None means no content."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An operation is refused with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, answer.body)
        self.answer = answer


def failure(status: int, message: str, detail: str | None = None, **headers: str) -> Refusal:
    """Refuse in the shape that every REST API of the instance has; headers are named with underscores."""
    body = {"error": {"message": message, "detail": detail}, "status": "failure"}
    return Refusal(Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()}))


def not_found() -> Refusal:
    """Refuse a record that is gone or hidden: which of the two is never told."""
    return failure(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def no_such_address() -> Refusal:
    """Refuse an address that no API has."""
    return failure(400, "Requested URI does not represent any resource")


def not_authenticated() -> Refusal:
    """Refuse somebody unknown."""
    return failure(401, "User Not Authenticated", "Required to provide Auth information", WWW_Authenticate="BASIC")


def write_refused(detail: str) -> Refusal:
    """Refuse a write for an access rule or a data policy."""
    return failure(403, "Operation Failed", detail)


def oauth_failure(error: str = "server_error", description: str = "access_denied", status: int = 401) -> Refusal:
    """Refuse in the words of the token endpoint, which hardly ever tells why."""
    return Refusal(Answer(status, {"error_description": description, "error": error}))
