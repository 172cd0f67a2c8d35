"""The stand-in as a person clicks on it, and its habits that are Xyte's."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

API = "/core/v1/organization"


def get(sandbox, path, **query):
    """Ask the API as a client does."""
    return requests.get(f"{sandbox.url}{API}{path}", params=query, headers={"Authorization": sandbox.key}, timeout=10)


def test_incidents_are_opened_changed_and_closed_on_its_page(sandbox):
    """By plain forms."""
    requests.post(f"{sandbox.url}/incidents", data={"title": "Display <off>", "priority": "high"}, timeout=10)
    (name,) = sandbox.organization.incidents
    page = requests.get(sandbox.url, timeout=10).text
    requests.post(f"{sandbox.url}/incidents/{name}", data={"title": "Display on", "priority": "low"}, timeout=10)
    changed = dict(sandbox.incident(name))
    requests.post(f"{sandbox.url}/incidents/{name}", data={"status": "closed"}, timeout=10)

    assert "Display &lt;off&gt;" in page
    assert (changed["title"], changed["priority"], changed["status"]) == ("Display on", "low", "active")
    assert sandbox.incident(name)["status"] == "closed"


def test_without_bounds_only_the_last_week_is_listed(sandbox, clock):
    """As the documentation says."""
    sandbox.open("Old", created_at=(clock.now() - timedelta(days=8)).isoformat())
    sandbox.open("New")

    assert [one["title"] for one in get(sandbox, "/incidents").json()["items"]] == ["New"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/incidents", {"per_page": 1001}),
        ("/incidents", {"per_page": 0}),
        ("/incidents", {"page": "x"}),
        ("/incidents", {"from": "yesterday"}),
        ("/incidents", {"status": "open"}),
        ("/incidents", {"from": 2, "to": 1}),
        ("/devices", {"per_page": 101}),
    ],
)
def test_wrong_parameters_are_422(sandbox, path, query):
    """With an error in words."""
    answer = get(sandbox, path, **query)

    assert answer.status_code == 422
    assert answer.json()["error"]


@pytest.mark.parametrize("key", ["", "wrong", "Bearer {key}"])
def test_only_the_bare_key_opens(sandbox, key):
    """Without any scheme in front of it."""
    headers = {"Authorization": key.format(key=sandbox.key)}

    assert requests.get(f"{sandbox.url}{API}/info", headers=headers, timeout=10).status_code == 401


def test_a_change_through_the_gateway_has_to_be_signed(sandbox):
    """Nobody else changes anything."""
    name = sandbox.open("Display offline")

    answer = requests.patch(f"{sandbox.url}/gateway/incidents/{name}", json={"title": "x"}, timeout=10)

    assert answer.status_code == 401
    assert sandbox.incident(name)["title"] == "Display offline"
