"""Who changed the ticket, on the page of a link."""

from __future__ import annotations

import pytest

from connector_core import Delivery, FieldName, TicketSnapshot
from connector_core.store import Progress
from tests.support.served import ServedLink


@pytest.fixture
def served(tmp_path):
    """Serve a link with a ticket."""
    opened = ServedLink(tmp_path)
    store, now = opened.app.store, opened.clock.now()
    (claim,) = store.lanes.claim("boot", now, 1, 7200)
    ticket = TicketSnapshot(id="1", key="T-1", title="Display is dark", updated=now)
    store.links.record(claim, Progress(ticket=ticket, base={}), now)
    yield opened
    opened.stop()


def test_a_name_is_only_text(served, admin):
    """It is a stranger's."""
    served.clock.forward(1)
    known = served.app.store.links.get(served.number).ticket
    changed = known.model_copy(update={"title": "Bright", "updated": served.clock.now()})
    by = {FieldName.TITLE: "<i>Hana</i>"}
    delivery = Delivery(id="d", event="edited", tickets=(changed,), changed_by=by)
    served.app.store.inbox.accept_delivery("acme-desk", delivery, served.clock.now()).result()

    page = admin.get(f"/links/{served.number}").text

    assert "&lt;i&gt;Hana&lt;/i&gt; (title)" in page
    assert "<i>Hana</i>" not in page


def test_asking_where_there_is_no_history_says_so(served, admin):
    """The button is there for whoever has a ticket; this plugin cannot tell."""
    path = f"/links/{served.number}"
    assert "Show ticket history" in admin.get(path).text

    answer = admin.post(path, action="who")

    assert "There is no history of a ticket that could be read." in answer.text
