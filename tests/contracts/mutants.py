"""Recorded calls with one thing wrong, to see whether a judge of calls finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from connector_jira_jsm_sandbox import RecordedCall

_OTHER_KINDS: dict[type, tuple[Any, ...]] = {
    dict: ([],),
    list: ({},),
    str: (7, None),
    bool: ("true",),
    int: ("7", 7.5),
    float: ("7",),
    type(None): ({"never": "described"},),
}


def mutants(call: RecordedCall) -> Iterator[tuple[str, RecordedCall]]:
    """Yield copies of a call, each with what is wrong with it."""
    yield "a status", replace(call, status=299)
    yield "a query parameter", replace(call, query_string="never=described")
    yield "no query", replace(call, query_string="")
    yield "a request body", replace(call, request_body=b'{"never":"described"}')
    yield "a request that is not JSON", replace(call, request_body=b"{")
    yield "an answer that is not JSON", replace(call, response_body=b"{")
    for name in call.query:
        yield f"a number as {name}", replace(call, query_string=f"{name}=seven")
    for name in ("request_body", "response_body"):
        body = getattr(call, name)
        for what, changed in _changed(json.loads(body), "$") if body else ():
            yield f"{name}: {what}", replace(call, **{name: json.dumps(changed).encode()})


def _changed(value: Any, place: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield copies of a value with one place of another kind, missing or too many; of a list the first entry."""
    for other in _OTHER_KINDS[type(value)]:
        yield f"{other!r} at {place}", other
    if isinstance(value, dict):
        yield f"one more key at {place}", {**value, "never": "described"}
        for key, one in value.items():
            yield f"no {place}.{key}", {name: kept for name, kept in value.items() if name != key}
            for what, changed in _changed(one, f"{place}.{key}"):
                yield what, {**value, key: changed}
    if isinstance(value, list) and value:
        yield f"twice the same at {place}", [value[0], *value]
        for what, changed in _changed(value[0], f"{place}[0]"):
            yield what, [changed, *value[1:]]
