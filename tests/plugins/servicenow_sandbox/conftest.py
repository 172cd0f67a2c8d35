"""An instance with a clock that stands still, and clients of its Table API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from connector_core.testing import FrozenClock
from connector_servicenow_sandbox import DIFFICULT, ServiceNowSandbox

FREE_TIME = 10


class Table:
    """A client of the Table API, for one account."""

    def __init__(self, sandbox: ServiceNowSandbox, name: str = "incident", version: str = "") -> None:
        self.url = f"{sandbox.url}/api/now{version}/table/{name}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = sandbox.account

    def send(self, method: str, sys_id: str = "", **more: object) -> requests.Response:
        """Send one request."""
        return self.session.request(method, self.url + (f"/{sys_id}" if sys_id else ""), timeout=FREE_TIME, **more)

    def find(self, query: str = "", **params: str) -> list[dict[str, Any]]:
        """Return the rows of a list."""
        answer = self.send("GET", params={"sysparm_query": query, **params})
        assert answer.status_code == 200, answer.text
        result: list[dict[str, Any]] = answer.json()["result"]
        return result

    def titles(self, query: str) -> list[str]:
        """Return the titles of the incidents that a query finds."""
        return [row["short_description"] for row in self.find(query)]

    def create(self, title: str = "Display off", **values: object) -> dict[str, Any]:
        """Make an incident and return it as answered."""
        answer = self.send("POST", json={"short_description": title, **values})
        assert answer.status_code == 201, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result

    def patch(self, sys_id: str, **values: object) -> requests.Response:
        """Change an incident."""
        return self.send("PATCH", sys_id, json=values)


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def sandbox(clock: FrozenClock) -> Iterator[ServiceNowSandbox]:
    """Serve a fresh simple instance."""
    with ServiceNowSandbox(clock=clock.now) as running:
        yield running


@pytest.fixture
def difficult(clock: FrozenClock) -> Iterator[ServiceNowSandbox]:
    """Serve a fresh difficult instance."""
    with ServiceNowSandbox(DIFFICULT, clock=clock.now) as running:
        yield running


@pytest.fixture
def open_table(sandbox: ServiceNowSandbox) -> Iterator[Callable[..., Table]]:
    """Return a function that gives a client of a table."""
    made: list[Table] = []

    def run(name: str = "incident", version: str = "", *, of: ServiceNowSandbox = sandbox) -> Table:
        made.append(Table(of, name, version))
        return made[-1]

    yield run
    for table in made:
        table.session.close()


@pytest.fixture
def incidents(open_table: Callable[..., Table]) -> Table:
    """Return a client of the incident table."""
    return open_table()
