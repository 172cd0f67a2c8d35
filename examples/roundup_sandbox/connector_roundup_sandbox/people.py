"""Somebody who works with a tracker over its REST interface, as everybody does; what they do is not counted."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import requests

TIMEOUT_S = 60
#: With it a call is not counted.
AS_A_PERSON = {"X-Sandbox-Person": "yes"}


class RoundupError(Exception):
    """A tracker did not do what it was told; the text has its own words."""


class Person:
    """A user of a tracker."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._rest = f"{url}/rest/data"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (name, password)
        # A change without the first two is refused: it could come from another site's page.
        self._session.headers.update({"X-Requested-With": "rest", "Origin": url} | AS_A_PERSON)
        self._session.headers["Content-Type"] = "application/json"

    def list(self, name: str, fields: str) -> list[dict[str, Any]]:
        """Return all items of a class; links have names, and no item has been retired."""
        query = {"@fields": fields, "@verbose": "2", "@sort": "id"}
        found: list[dict[str, Any]] = self._told("GET", name, params=query)["collection"]
        return found

    def get(self, item: str, fields: str) -> dict[str, Any]:
        """Return the attributes of an item such as `issue/1`, a retired one, too; KeyError when there is none."""
        attributes: dict[str, Any] = self._item(item, fields)["attributes"]
        return attributes

    def _item(self, item: str, fields: str) -> dict[str, Any]:
        found: dict[str, Any] = self._told("GET", item, params={"@fields": fields, "@verbose": "3"})
        return found

    def add(self, name: str, **fields: Any) -> str:  # noqa: ANN401 - JSON
        """Make an item; return its id."""
        return str(self._told("POST", name, json=fields)["id"])

    def change(self, item: str, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Change fields of an item as it is now."""
        self._told("PATCH", item, json=fields, headers={"If-Match": self._item(item, "id")["@etag"]})

    def retire(self, item: str) -> None:
        """Have an item no longer listed: there is no other deletion."""
        self._told("DELETE", item, headers={"If-Match": self._item(item, "id")["@etag"]})

    def restore(self, item: str) -> None:
        """Take a retired item back."""
        self.change(item, **{"@op": "action", "@action_name": "restore"})

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def _told(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
        answer = self._session.request(method, f"{self._rest}/{path}", timeout=TIMEOUT_S, **more)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise KeyError(path)
        if not answer.ok:
            raise RoundupError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()["data"]
