"""An authorization ends where it began: nobody else finishes it, whoever is lured to bring it back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connector_core import Grant, Site
from connector_core.contract.errors import ConfigError
from connector_core.setup.authorizing import TERMINAL, Initiator
from connector_core.store import Begun
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

STEP = "/integrations/desk/setup/authorize"
HERE, THERE = (Site(id=name, name=name, url=f"https://{name}.example.test") for name in ("here", "there"))


@pytest.fixture
def served(tmp_path):
    """Serve a draft."""
    opened = Served(tmp_path)
    opened.app.setup.create("desk", "acme", "desk")
    yield opened
    opened.stop()


def somebody(served, name=None, password=None):
    """Open another browser, perhaps logged in."""
    visitor = Visitor(served.url)
    if name is not None:
        assert visitor.log_in(name, password).status_code == 303
    return visitor


def begin(visitor, path=STEP):
    """Click *Authorize access*; return the address that the browser will be sent back to."""
    state = re.search(r"consent\?state=([\w-]+)", visitor.post(path).text)[1]
    return f"/oauth/callback?state={state}&code=x"


def link(served):
    """Make a set-up link for the step; return its path."""
    return served.app.setup_links.make("desk", "authorize", "ada")


def account(served):
    """Return who the integration acts as."""
    grant = served.app.store.grants.get("desk")
    return None if grant is None else grant.account_name


def back(visitor, address):
    """Come back; return the status."""
    return visitor.get(address, allow_redirects=False).status_code


def test_what_was_begun_in_the_console_ends_in_the_same_login(served, admin):
    """Not in another login of the same person, of another admin, of a viewer, nor in a browser without any."""
    address = begin(admin)
    others = [somebody(served), *(somebody(served, *who) for who in (("ada", ADMIN), ("gus", GUEST), ("vic", VIEWER)))]

    assert [back(other, address) for other in others] == [403] * 4
    assert account(served) is None
    assert back(admin, address) == 303
    assert account(served) == "Desk Agent"
    assert back(admin, address) == 400


def test_a_login_that_has_ended_finishes_nothing(served, admin):
    """Logging in anew is another login."""
    address = begin(admin)
    admin.post("/logout", seen_on="/")

    assert back(admin, address) == 403
    admin.log_in("ada", ADMIN)
    assert back(admin, address) == 403
    assert account(served) is None


def test_who_is_no_admin_any_more_finishes_nothing(served):
    """What was begun by a login that may only look now is not finished by it."""
    viewer = somebody(served, "vic", VIEWER)
    initiator = Initiator(Begun.CONSOLE, viewer.session.cookies["connector_session"])
    state = served.app.authorizing.start("desk", initiator).state

    assert back(viewer, f"/oauth/callback?state={state}&code=x") == 403
    assert account(served) is None


def test_a_state_is_good_for_half_an_hour_and_not_readable_in_the_database(served, admin):
    """A copy of the database finishes nothing."""
    address = begin(admin)
    state = re.search(r"state=([\w-]+)", address)[1]
    served.clock.forward(timedelta(minutes=31).total_seconds())

    assert back(admin, address) == 400
    assert account(served) is None
    files = served.app.store.database.path.parent.glob("*.db*")
    assert not any(state.encode() in file.read_bytes() for file in files if file.is_file())


def test_a_state_is_redeemed_once_also_by_two_at_the_same_time(served):
    """The second of two that come back together, both of whom were seen to be right, gets nothing."""
    state, authorizations = served.app.authorizing.start("desk", TERMINAL).state, served.app.store.authorizations

    redeemed = [authorizations.redeem(state, TERMINAL.mark, served.clock.now()) for _ in range(2)]

    assert redeemed == [True, False]


def test_what_was_begun_with_a_set_up_link_ends_in_the_same_browser(served, admin):
    """Not in that of somebody else with the same link, with another one, with a login or with nothing."""
    path = link(served)
    holder, other_holder, other_link, nobody = (Visitor(served.url) for _ in range(4))
    address = begin(holder, path)
    begin(other_holder, path)
    begin(other_link, link(served))

    assert [back(one, address) for one in (other_holder, other_link, admin, nobody)] == [403] * 4
    assert account(served) is None
    assert back(holder, address) == 200
    assert account(served) == "Desk Agent"
    assert holder.get(path).status_code == 410
    assert back(other_holder, begin_again(served, other_holder, path)) == 403


def begin_again(served, visitor, path):
    """Return an address to come back to that was begun while a link was good, with the mark that the browser has."""
    initiator = Initiator(Begun.SETUP_LINK, visitor.session.cookies["connector_handover"])
    state = served.app.authorizing.start("desk", initiator).state
    return f"/oauth/callback?state={state}&code=x"


def test_the_way_back_of_a_set_up_link_is_kept_to_this_host(tmp_path):
    """Behind TLS no neighbour of the same domain can give a browser the mark of its own way."""
    served = Served(tmp_path, public_url="https://c.example.com")
    served.app.setup.create("desk", "acme", "desk")
    answer = Visitor(served.url).post(link(served))
    served.stop()

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-connector-handover=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "Path=/;" in cookie


def test_a_set_up_link_changes_neither_account_nor_site(served):
    """Its holder renews what is there; another account, or another of its sites, is for an admin to choose."""
    before = Grant(headers={}, account_id="2", account_name="Former Agent", site=HERE, sites=(HERE, THERE))
    served.app.store.grants.save("desk", before)
    holder, path = Visitor(served.url), link(served)

    chosen = holder.post(path, site="there")
    refused = holder.get(begin(holder, path))

    assert chosen.status_code == 410
    assert "already been selected" in chosen.text
    assert refused.status_code == 400
    assert "the present one for Former Agent" in refused.text
    assert served.app.store.grants.get("desk") == before


def test_what_was_begun_in_a_terminal_waits_there_until_it_was_seen(served, admin):
    """Whoever brings it back, in whatever browser, has changed nothing by that."""
    authorizing = served.app.authorizing
    state = authorizing.start("desk", TERMINAL).state

    page = somebody(served).get(f"/oauth/callback?state={state}&code=x")

    assert page.status_code == 200
    assert "Go back to the terminal and confirm it there." in page.text
    assert account(served) is None
    assert "Desk Agent" not in admin.get(STEP).text
    held = authorizing.held("desk", TERMINAL)
    assert (held.grant.account_name, authorizing.replaces(held)) == ("Desk Agent", None)
    authorizing.take(held)
    assert account(served) == "Desk Agent"
    assert authorizing.held("desk", TERMINAL) is None


def test_what_was_not_seen_in_time_or_is_not_wanted_is_dropped(served):
    """It is held for half an hour."""
    authorizing = served.app.authorizing
    for wait_s, drops in ((31 * 60, False), (0, True)):
        state = authorizing.start("desk", TERMINAL).state
        somebody(served).get(f"/oauth/callback?state={state}&code=x")
        held = authorizing.held("desk", TERMINAL)
        assert held is not None
        served.clock.forward(wait_s)
        if drops:
            authorizing.drop(held)
        assert authorizing.held("desk", TERMINAL) is None
    assert account(served) is None


def test_another_account_is_seen_before_it_is_taken_over(served, admin):
    """Only what the page showed, only in the same login, and only by a form of ours."""
    served.app.store.grants.save("desk", Grant(headers={}, account_id="2", account_name="Former Agent"))
    admin.get(begin(admin))
    page = admin.get(STEP).text
    key = re.search(r'name="held" value="(\w+)"', page)[1]

    assert "You approved access as Desk Agent. This integration uses Former Agent." in page
    other = somebody(served, "ada", ADMIN)
    assert "Former Agent" in other.get(STEP).text
    assert "You approved" not in other.get(STEP).text
    assert other.post(f"{STEP}/take", seen_on=STEP, held=key).status_code == 400
    assert admin.post(f"{STEP}/take", seen_on=STEP, held="f" * 64).status_code == 400
    assert account(served) == "Former Agent"
    assert admin.post(f"{STEP}/take", seen_on=STEP, held=key).headers["location"].endswith("said=authorized")
    assert account(served) == "Desk Agent"


def test_a_state_of_one_place_is_no_good_at_another(served, admin):
    """What was begun in the console cannot be pasted into a terminal, nor the other way round."""
    state = re.search(r"state=([\w-]+)", begin(admin))[1]
    with pytest.raises(ConfigError) as caught:
        served.app.authorizing.finish({"state": state, "code": "x"}, TERMINAL)
    assert caught.value.code == "begun_elsewhere"

    of_terminal = served.app.authorizing.start("desk", TERMINAL).state
    with pytest.raises(ConfigError):
        served.app.authorizing.finish({"state": of_terminal, "code": "x"}, Initiator(Begun.CONSOLE, "a login"))
    assert account(served) is None
