"""Times of Xyte that lie in the future: the incident is told, and what follows is stored as later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core.secrets import SecretBox
from connector_core.store import Target
from connector_core.store.opening import open_store
from tests.support.activation import active_record
from tests.support.xyte.handles import make_reader

NEVER = "2999-01-01T00:00:00.000Z"


@pytest.fixture
def store(tmp_path, clock):
    """Open a store on a file of its own, with one active integration."""
    opened = open_store(tmp_path / "connector.db", SecretBox([SecretStr("a passphrase that is long enough")]))
    opened.integrations.put(active_record("desk", "acme", clock.now()))
    yield opened
    opened.close()


def take(store, reader, clock):
    """Look, and store what happened; return how the one incident is known then."""
    clock.forward(5)
    reader.look()
    target = Target("desk", {}, reader.active_since)
    store.inbox.accept_poll(
        "acme", store.sources.reading("acme", "xyte"), reader.events, [target], reader.cursor, clock.now()
    )
    (link,) = store.links.find()
    return link.incident


def test_what_follows_a_time_from_the_future_is_no_late_news(sandbox, clock, store):
    """An update and the end are stored as such, though the first time told was 2999."""
    reader = make_reader(sandbox, clock)
    name = sandbox.open("Fan", updated_at=NEVER)

    assert take(store, reader, clock).updated_at is None
    sandbox.change(name, title="Fan 2")
    assert take(store, reader, clock).title == "Fan 2"
    sandbox.resolve(name)
    assert take(store, reader, clock).status == "closed"

    entries = store.timelines.read(1)
    assert [entry.kind for entry in entries] == ["incident_opened", "incident_updated", "incident_resolved"]
    assert "2999" in entries[0].values["ignored_times"]


def test_one_that_opens_ahead_of_its_hub_waits_no_longer_than_others(sandbox, clock):
    """`open_after` counts from when it was seen, where the hub says that it is not open yet."""
    reader = make_reader(sandbox, clock, open_after="30s")
    ahead = clock.now() + timedelta(seconds=50)
    name = sandbox.open("Fan", created_at=ahead.isoformat())

    assert reader.look() == []
    clock.forward(31)
    assert reader.look() == [("opened", name)]
