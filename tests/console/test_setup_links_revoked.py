"""Setup links on the pages that they are made on: listed, and revoked; no browser is needed."""

from __future__ import annotations

import re

import pytest
import requests

from connector_core.store import Act, AuditFilter
from tests.support.own_desk import ANSWERS, two_drafts
from tests.support.pages import shown
from tests.support.served import ADMIN, GUEST, VIEWER, Visitor

STEP = "/integrations/helpdesk/setup/step/site"
REVOKE = "/integrations/helpdesk/setup/hand-over/revoke"


@pytest.fixture
def served(tmp_path):
    """Serve drafts of two organizations."""
    with two_drafts(tmp_path) as opened:
        yield opened


def enter(served, name="ada", password=ADMIN):
    """Log in."""
    visitor = Visitor(served.url)
    visitor.log_in(name, password)
    return visitor


def ids(page):
    """Return the ids of the links that a page lists."""
    return re.findall(r'name="link" value="([0-9a-f]+)"', page)


def test_a_link_is_listed_and_revoked_where_it_was_made(served, capsys):
    """Who opens it then is told so, and what is sent by it changes nothing; the audit log has it."""
    ada, path = enter(served), served.app.setup_links.make("helpdesk", "site", "ada")
    opened = requests.get(served.url + path, timeout=20)
    listed = ada.get(STEP).text

    answer = ada.post(REVOKE, seen_on=STEP, step="site", link=ids(listed)[0])
    sent = requests.post(served.url + path, data=ANSWERS, timeout=20)

    assert opened.status_code == 200
    assert "Setup links that can still be used" in listed
    assert path.rpartition("/")[2] not in listed
    assert answer.headers["location"] == f"{STEP}?said=setup_link_revoked"
    assert (sent.status_code, served.app.setup.answered("helpdesk").answers) == (410, {})
    assert "This link was revoked." in shown(sent.text)
    assert path not in capsys.readouterr().out  # the log
    after = ada.get(answer.headers["location"]).text
    assert "The setup link was revoked." in shown(after)
    assert ids(after) == []
    (said,) = (one for one in served.app.store.audit.find(AuditFilter(), 10) if one.act is Act.REVOKED)
    assert (said.by.name, said.about.name) == ("ada", "helpdesk")
    assert "Revoked a setup link of" in shown(ada.get("/audit").text)


def test_who_went_to_authorize_by_it_comes_back_in_vain(served):
    """The consent that was on its way is not taken."""
    served.app.setup.answer("helpdesk", ANSWERS)
    path = served.app.setup_links.make("helpdesk", "authorize", "ada")
    visitor = Visitor(served.url)
    visitor.get(path)
    (one,) = served.app.setup_links.in_force("helpdesk")
    served.app.setup_links.revoke("helpdesk", one.id)

    assert visitor.session.post(served.url + path, timeout=20).status_code == 410
    assert served.app.store.grants.get("helpdesk") is None


def test_a_stale_page_revokes_nothing_twice(served):
    """What was used or revoked meanwhile is said."""
    ada, path = enter(served), served.app.setup_links.make("helpdesk", "site", "ada")
    (link,) = ids(ada.get(STEP).text)
    assert requests.post(served.url + path, data=ANSWERS, timeout=20).status_code == 200

    answer = ada.post(REVOKE, seen_on=STEP, step="site", link=link)

    assert answer.status_code == 422
    assert "was used, revoked or has expired" in shown(answer.text)


def test_only_admins_of_its_organization_see_and_revoke_it(served):
    """A viewer and an admin of another organization do not, by whichever address."""
    served.app.setup_links.make("helpdesk", "site", "ada")
    (link,) = ids(enter(served).get(STEP).text)
    vic, gus = enter(served, "vic", VIEWER), enter(served, "gus", GUEST)

    looked = [vic.get(STEP).text, gus.get(STEP).text, gus.get("/integrations/other/setup/step/site").text]
    tried = [
        vic.post(REVOKE, seen_on="/", step="site", link=link),
        gus.post(REVOKE, seen_on="/integrations/other/setup/step/site", step="site", link=link),
        gus.post(
            "/integrations/other/setup/hand-over/revoke",
            seen_on="/integrations/other/setup/step/site",
            step="site",
            link=link,
        ),
    ]

    assert not any(ids(page) for page in looked)
    assert [answer.status_code for answer in tried] == [403, 404, 422]
    assert len(served.app.setup_links.in_force("helpdesk")) == 1


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_form_that_another_page_sends_revokes_nothing(served, headers):
    """Its origin is looked at as for every change."""
    served.app.setup_links.make("helpdesk", "site", "ada")
    ada = enter(served)
    (link,) = ids(ada.get(STEP).text)

    answer = ada.post(REVOKE, seen_on=STEP, headers=headers, step="site", link=link)

    assert (answer.status_code, len(served.app.setup_links.in_force("helpdesk"))) == (403, 1)
