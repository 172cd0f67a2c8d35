r"""U+0000 in texts: JSON can say it as \u0000, and neither PostgreSQL nor a vendor can hold it; it is left out."""

from __future__ import annotations

import json

import pytest
from pydantic import Field, ValidationError

from connector_core import EventType, Incident
from connector_core.contract.models.record import Record
from connector_core.http_source import on_source_push
from tests.core.test_http_source import changed, request, source
from tests.support.sync_lab import happen, make_lab, see


class Holder(Record):
    """A record of all that can hold texts."""

    text: str = ""
    texts: tuple[str, ...] = ()
    by_name: dict[str, list[str]] = Field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    inner: Incident | None = None


def test_a_record_has_no_nul_in_it_however_deep_and_however_it_is_made():
    """Read or made, in texts, in what holds texts, and in records within."""
    values = {
        "text": "a\0b",
        "texts": ["\0a", "b"],
        "by_name": {"a\0": ["\0", "b\0"]},
        "kinds": ["a\0"],
        "inner": {"id": "inc\0-1", "title": "\0Fan"},
    }
    for made in (Holder.model_validate_json(json.dumps(values)), Holder.model_validate(values), Holder(**values)):
        assert made == Holder(
            text="ab",
            texts=("a", "b"),
            by_name={"a": ["", "b"]},
            kinds=frozenset({"a"}),
            inner=Incident(id="inc-1", title="Fan"),
        )
        assert "\\u0000" not in made.model_dump_json()


def test_what_is_nothing_else_is_no_name():
    """A text that has to be there is not, once it is left out."""
    with pytest.raises(ValidationError):
        Incident(id="\0", title="Fan failed")


def test_an_event_with_nul_is_taken_and_synced(store, clock):
    """On either database alike: the ticket shows the text without it, and nothing is sent again for ever."""
    lab = make_lab(store, clock)
    (event,) = on_source_push(source(), request(changed(["incident", "title"], "Fan\0 failed")))

    link = happen(lab, EventType.OPENED, id=event.incident.id, title=event.incident.title)

    assert link.ticket.title == "Fan failed"
    assert link.incident.title == "Fan failed"


def test_a_ticket_with_nul_is_read_and_synced(store, clock):
    """What the other side shows is as good as what it is without it; comparing the two is no change."""
    lab = make_lab(store, clock)
    happen(lab, title="Fan failed")

    link = see(lab, title="Fan\0 2 failed")

    assert link.incident.title == "Fan 2 failed"
