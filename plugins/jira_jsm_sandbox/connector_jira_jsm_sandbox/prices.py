"""What a call costs of an app's hourly points (Atlassian, "Rate limiting", October 2026)."""

from __future__ import annotations

import re
from typing import Any

from connector_jira_jsm_sandbox.recorder import RecordedCall

_READING_POSTS = re.compile(r"/(search/jql|bulkfetch|approximate-count|match)$")
_PEOPLE = re.compile(r"/(myself|mypermissions|user)$")
_LISTS = ("issues", "issueChangeLogs", "values", "transitions", "comments")
_PERSON = 2


def points_of(call: RecordedCall) -> int:
    """Return the price: one for the request, one for each thing that was read, two for people and permissions."""
    if not call.path.startswith("/rest/"):
        return 0
    if call.method != "GET" and not _READING_POSTS.search(call.path):
        return 1
    return 1 + (_PERSON if _PEOPLE.search(call.path) else _things(call.response_json))


def _things(answer: Any) -> int:  # noqa: ANN401 - JSON
    if isinstance(answer, list):
        return len(answer)
    if not isinstance(answer, dict):
        return 0
    return next((len(answer[name]) for name in _LISTS if isinstance(answer.get(name), list)), 1)
