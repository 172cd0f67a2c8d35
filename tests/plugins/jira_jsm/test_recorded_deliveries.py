"""Deliveries that other projects recorded, collected only where they are at hand; ours have the same shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from connector_core import FieldName, Integration, Priority
from tests.contracts.published import PAYLOADS
from tests.plugins.jira_jsm.test_incoming_webhook import SECRET, delivered
from tests.support.jira.deliveries import DELIVERIES
from tests.support.jira.handles import SETTINGS, build, oauth_grant

# What each shows, who changed what, and the delivery of ours that has its shape.
RECORDED: dict[str, tuple[dict[str, object], set[FieldName], str]] = {
    "mm-cloud-summary.json": ({"id": "10040", "done": False}, {FieldName.TITLE}, "summary"),
    "mm-cloud-description.json": ({"id": "10040"}, {FieldName.DESCRIPTION}, "description"),
    "mm-cloud-priority-raised.json": ({"priority": Priority.HIGH}, {FieldName.PRIORITY}, "priority"),
    "mm-cloud-status-inprogress.json": (
        {"status": "In Progress", "done": False},
        {FieldName.STATUS},
        "in progress",
    ),
    "mm-cloud-status-reopened.json": ({"status": "To Do", "done": False}, {FieldName.STATUS}, "reopened"),
    "jt-issue_updated_fields_updated.json": (
        {"id": "10010", "key": "TEST-11"},
        {FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY},
        "server",
    ),
    "j2m-move-issue.json": ({"id": "12490", "key": "INDEV-130"}, {FieldName.STATUS}, "moved"),
}
OURS = {**{name: ours for name, (_, _, ours) in RECORDED.items()}, "mm-cloud-issue-deleted.json": "deleted"}
HERE = sorted(path.name for path in PAYLOADS.glob("*.json"))


@pytest.fixture
def listening() -> Integration:
    """Return an integration with a secret."""
    return build(settings=SETTINGS, grant=oauth_grant(), secrets=(SECRET,))[0]


@pytest.mark.parametrize("name", [name for name in HERE if name in RECORDED])
def test_recorded_delivery_is_read(listening: Integration, name: str):
    """A real delivery shows its ticket as it holds it, and who changed what, without an address of anybody."""
    expected, fields, _ = RECORDED[name]
    raw = (PAYLOADS / name).read_bytes()
    held = json.loads(raw)

    found = delivered(listening, raw)

    (ticket,) = found.tickets
    assert {key: getattr(ticket, key) for key in expected} == expected
    assert (ticket.title, ticket.description) == tuple(
        held["issue"]["fields"][key] for key in ("summary", "description")
    )
    assert ticket.updated is not None
    assert found.changed_by == dict.fromkeys(fields, held["user"]["displayName"])
    assert "@" not in "".join(found.changed_by.values())


@pytest.mark.parametrize("name", HERE)
def test_our_deliveries_have_the_shapes_of_recorded_ones(name: str):
    """Every key and every kind of value, whatever the numbers of custom fields are."""
    recorded = json.loads((PAYLOADS / name).read_bytes())

    assert set(_shape(DELIVERIES[OURS[name]], "$")) == set(_shape(recorded, "$"))


def _shape(value: Any, place: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _shape(one, f"{place}.{re.sub(r'^customfield_[0-9]+$', 'customfield', key)}")
    elif isinstance(value, list) and value:
        for one in value:
            yield from _shape(one, f"{place}[]")
    else:
        yield f"{place}: {type(value).__name__}"
