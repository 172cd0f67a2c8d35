"""A pair that somebody unlinked: it is called that wherever it is shown, and *Link again* links it again."""

from __future__ import annotations

import re

import pytest

from tests.console.test_link_list_page import with_ticket
from tests.support.pages import shown
from tests.support.served import VIEWER, Served, Visitor


@pytest.fixture
def served(tmp_path):
    """Serve a console with a pair, an incident without a ticket, and a pair that a guard has paused."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme", "Pair", "Alone", "Busy")
    yield opened
    opened.stop()


@pytest.fixture
def links(served):
    """Return them: the first two unlinked and discarded."""
    made = {link.incident.title: link for link in served.app.store.links.find()}
    with_ticket(served, made["Pair"], "SUP-1")
    with_ticket(served, made["Busy"], "SUP-2", state="paused", code="too_many_changes")
    served.app.operations.unlink(served.app.store.links.get(made["Pair"].id))
    served.app.operations.discard(served.app.store.links.get(made["Alone"].id))
    return made


def state_of(page):
    """Return the badge of each state on a page."""
    return re.findall(r'<span class="badge (?:good|fair|bad|)">((?:un|pa|in |wa)[^<]*)</span>', page)


def test_an_unlinked_pair_is_not_called_paused(admin, links):
    """Its own page and the list say what it is; where states are counted or chosen, both are meant, and said to be."""
    own = admin.get(f"/links/{links['Pair'].id}").text
    alone = admin.get(f"/links/{links['Alone'].id}").text
    listed = admin.get("/links?state=paused").text
    counted = admin.get("/integrations/acme-desk").text

    assert (state_of(own), state_of(alone)) == (["unlinked"], ["unlinked"])
    assert "Unlinked from SUP-1: nothing is synced." in shown(own)
    assert sorted(state_of(listed)) == ["paused", "unlinked", "unlinked"]
    assert '<option value="paused" selected>paused or unlinked</option>' in listed
    assert 'state=paused">paused or unlinked</a>' in counted
    assert '<dd>3 <span class="soft">(2 unlinked)</span></dd>' in counted
    assert [text for text in ("none yet", "no ticket yet") if text in alone + listed] == []


def test_link_again_says_what_it_does_and_does_it(served, admin, links):
    """The button, what is said afterwards, and the timeline speak of linking; others are retried."""
    pair, alone, busy = (f"/links/{links[name].id}" for name in ("Pair", "Alone", "Busy"))
    buttons = [re.search(r'value="retry">([^<]+)<', admin.get(path).text)[1] for path in (pair, alone, busy)]

    again = admin.post(pair, action="retry")
    others = [admin.post(path, action="retry").headers["location"] for path in (alone, busy)]

    assert buttons == ["Link again", "Retry", "Retry"]
    assert again.headers["location"] == f"{pair}?said=linked_again"
    assert "Linked again. Both sides are being compared." in shown(admin.get(again.headers["location"]).text)
    assert "Linked again by ada." in shown(admin.get(pair).text)
    assert others == [f"{alone}?said=retried", f"{busy}?said=retried"]
    assert "Retried by ada." in shown(admin.get(busy).text)
    link = served.app.store.links.get(links["Pair"].id)
    assert (link.status.state, link.status.code) == ("waiting", "retrying")


def test_a_viewer_has_no_such_button(served, links):
    """Linking again is for those who may."""
    vic = Visitor(served.url)
    vic.log_in("vic", VIEWER)

    assert "Link again" not in vic.get(f"/links/{links['Pair'].id}").text
    assert vic.post(f"/links/{links['Pair'].id}", seen_on="/", action="retry").status_code == 403
