"""How the site says no: one exception that carries an answer, and the documented error bodies."""

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
    media_type: str = "application/json"


class Refusal(Exception):
    """An operation is refused with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def jira_error(status: int, *messages: str, errors: Mapping[str, str] | None = None) -> Refusal:
    """Refuse in the words of the platform API."""
    return Refusal(Answer(status, {"errorMessages": list(messages), "errors": dict(errors or {})}))


def jsm_error(status: int, message: str, key: str = "sd.request.validation.error") -> Refusal:
    """Refuse in the words of the service desk API."""
    body = {"errorMessage": message, "i18nErrorMessage": {"i18nKey": key, "parameters": []}}
    return Refusal(Answer(status, body))


def oauth_error(status: int, error: str, description: str) -> Refusal:
    """Refuse in the words of the authorization server."""
    return Refusal(Answer(status, {"error": error, "error_description": description}))


def gateway_unauthorized(message: str = "Unauthorized") -> Refusal:
    """Refuse as the API gateway does before the request reaches the site."""
    return Refusal(Answer(401, {"code": 401, "message": message}))


def gateway_unknown_site(path: str, timestamp: str) -> Refusal:
    """Refuse a cloud id that nobody has."""
    body = {
        "timestamp": timestamp,
        "status": 404,
        "error": "Not Found",
        "message": "No message available",
        "path": path,
    }
    return Refusal(Answer(404, body, {"X-Failure-Category": "FAILURE_CLIENT_TCS"}))


def unknown_path(status: int, title: str, path: str) -> Answer:
    """Answer a path or method that does not exist."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": f"No endpoint {path}.", "instance": path}
    return Answer(status, body, media_type="application/problem+json")
