"""Turns an answer into what the web framework sends."""

from __future__ import annotations

import json

from starlette.responses import Response

from connector_servicenow_sandbox.answers import Answer


def as_response(answer: Answer, *, without_body: bool = False) -> Response:
    """Return an answer as JSON, or without a body."""
    if answer.body is None or without_body:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    text = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"))
    media_type = "application/json;charset=UTF-8"
    return Response(text, status_code=answer.status, media_type=media_type, headers=dict(answer.headers))
