"""Answers with gaps: what a site says, without some of its keys, or with nothing in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests

from connector_core import Integration

GONE, EMPTY = "missing", "null"
Gap = tuple[str, str]  # a path of keys with dots, and what became of it


def without(shown: Any, gaps: Sequence[Gap]) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without some keys; a path holds wherever its first key is met."""
    if isinstance(shown, list):
        return [without(one, gaps) for one in shown]
    if not isinstance(shown, dict):
        return shown
    left = dict(shown)
    for path, how in gaps:
        _open(left, path.split("."), how)
    return {name: without(value, gaps) for name, value in left.items()}


def _open(shown: dict[str, Any], path: list[str], how: str) -> None:
    first, *rest = path
    if first not in shown:
        return
    if rest:
        if isinstance(shown[first], dict):
            shown[first] = dict(shown[first])
            _open(shown[first], rest, how)
    elif how == GONE:
        del shown[first]
    else:
        shown[first] = None


@contextmanager
def gaps_in_answers(integration: Integration, gaps: Sequence[Gap]) -> Iterator[None]:
    """Let an integration see every good answer with these gaps."""

    def spoil(response: requests.Response, **_: object) -> None:
        if response.ok and response.content:
            response._content = json.dumps(without(response.json(), gaps)).encode()

    integration.session.hooks["response"].append(spoil)
    try:
        yield
    finally:
        integration.session.hooks["response"].remove(spoil)
