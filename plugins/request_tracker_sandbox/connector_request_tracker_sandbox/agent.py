"""A person at the desk, who works over the same REST interface as everybody; what they do is not counted."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import requests

from connector_request_tracker_sandbox.installed import RequestTrackerError
from connector_request_tracker_sandbox.process import AS_A_PERSON

TIMEOUT_S = 120
_PAGE = 100


class Agent:
    """Asks and tells a server as the user of a token."""

    def __init__(self, url: str, token: str) -> None:
        self._rest = f"{url}/REST/2.0"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Authorization": f"token {token}"} | AS_A_PERSON)

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """Return what is there; KeyError when nothing is."""
        answer = self._session.get(f"{self._rest}{path}", params=query, timeout=TIMEOUT_S)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise KeyError(path)
        return _told(answer)

    def pages(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        """Return all items of a list, up to a page that is not full: not every list tells how many pages it has."""
        found: list[dict[str, Any]] = []
        page = 0
        while len(found) == page * _PAGE:
            page += 1
            items = self.get(path, page=page, per_page=_PAGE, **query)["items"]
            if not items:
                break
            found += items
        return found

    def put(self, path: str, **fields: Any) -> list[str]:  # noqa: ANN401 - any field
        """Change fields; return the sentences about it."""
        sentences: list[str] = _told(self._session.put(f"{self._rest}{path}", json=fields, timeout=TIMEOUT_S))
        return sentences

    def post(self, path: str, **fields: Any) -> Any:  # noqa: ANN401 - JSON
        """Add something."""
        return _told(self._session.post(f"{self._rest}{path}", json=fields, timeout=TIMEOUT_S))

    def add(self, path: str, **fields: Any) -> str:  # noqa: ANN401 - as above
        """Add something; return its id."""
        answer = self._session.post(f"{self._rest}{path}", json=fields, timeout=TIMEOUT_S)
        _told(answer)
        return answer.headers["Location"].rpartition("/")[2]

    def close(self) -> None:
        """Hang up."""
        self._session.close()


def _told(answer: requests.Response) -> Any:  # noqa: ANN401 - JSON
    if not answer.ok:
        raise RequestTrackerError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}")
    return answer.json()
