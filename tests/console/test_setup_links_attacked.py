"""Set-up links in the hands of somebody who means ill: whatever is sent to one, it does its own step, once."""

from __future__ import annotations

import re
from unittest.mock import Mock

import pytest
import requests

from connector_core import ConfigError, Grant, RetryLater
from connector_core.setup.setup_links import GOOD_FOR
from connector_core.store import Actor, Via
from connector_core.store.acting import acting
from tests.support.own_desk import ANSWERS, two_drafts
from tests.support.pages import shown
from tests.support.served import Visitor

CLOSED = "it was used or has expired"


@pytest.fixture
def served(tmp_path):
    """Serve drafts of two organizations, whose access is authorized with answers."""
    with two_drafts(tmp_path) as opened:
        yield opened


def link(served, name="helpdesk", step="site"):
    """Make a set-up link; return its path."""
    return served.app.setup_links.make(name, step, "ada")


def send(served, path, form=ANSWERS):
    """Send a form to a link, from a browser that has nothing else."""
    return requests.post(served.url + path, data=form, timeout=20, allow_redirects=False)


def answers(served, name="helpdesk"):
    """Return what was answered, secrets too."""
    record = served.app.setup.answered(name)
    return dict(record.answers) | {key: one.get_secret_value() for key, one in record.secret_answers.items()}


def tampered(path):
    """Return tokens that are nearly that of a link."""
    before, token = path.rsplit("/", 1)
    flipped = ("A" if token[0] != "A" else "B") + token[1:]
    changed = (
        flipped,
        token[:-1],
        f"{token}A",
        token.swapcase(),
        f"{token}%00",
        f"%00{token}",
        f"{token}%20",
        "%25",
        "_",
    )
    return [
        f"{before}/{one}" for one in (*changed, "x" * 8000, "%ff%fe", "%E2%80%AE", "' OR 1=1 --", f"{token}%0d%0aX: y")
    ]


def test_no_token_but_the_one_that_was_made_opens_anything(served):
    """Forged, cut, lengthened, in other letters, with NUL, oversized or no text at all: all look like a used one."""
    path = link(served)

    answered = [
        answer
        for wrong in tampered(path)
        for answer in (send(served, wrong), requests.get(served.url + wrong, timeout=20))
    ]

    assert {answer.status_code for answer in answered} == {410}
    assert all(CLOSED in answer.text for answer in answered)
    assert answers(served) == {}
    assert CLOSED not in Visitor(served.url).get(path).text


def test_a_link_is_over_by_its_time_by_its_use_and_with_what_it_was_for(served):
    """What is sent after that changes nothing."""
    used, late, orphan = link(served), link(served), link(served, "other")
    assert "Done, thank you" in send(served, used).text
    before = answers(served)
    other = {"address": "https://evil.example.test", "token": "another"}

    replayed = send(served, used, other)
    served.app.setup.remove("other")
    gone = send(served, orphan, other)
    served.clock.forward(GOOD_FOR.total_seconds())
    expired = send(served, late, other)

    assert [one.status_code for one in (replayed, gone, expired)] == [410] * 3
    assert answers(served) == before == ANSWERS


def test_of_two_at_the_same_time_one_is_heard(served, monkeypatch):
    """While the first is being done, another browser sends its own: it changes nothing and is told so."""
    path, flow, seconds = link(served), type(served.app.setup), []
    answer = flow.answer

    def answered_meanwhile(setup, name, given):
        monkeypatch.setattr(flow, "answer", answer)
        seconds.append(send(served, path, {"address": "https://evil.example.test", "token": "another"}))
        answer(setup, name, given)

    monkeypatch.setattr(flow, "answer", answered_meanwhile)

    first = send(served, path)

    assert [first.status_code, *(one.status_code for one in seconds)] == [200, 410]
    assert answers(served) == ANSWERS


def test_what_is_refused_uses_no_link_up(served):
    """Nothing given, too much, or a secret that is left out for another address: the right answer works after it."""
    path = link(served)
    wrong = [
        {"address": "", "token": ""},
        {"address": "https://acme.example.test"},
        {"address": "x" * 3_000_000, "token": "large"},
    ]

    refused = [send(served, path, form).status_code for form in wrong]

    assert all(400 <= status < 500 for status in refused), refused
    assert answers(served) == {}
    assert "Done, thank you" in send(served, path, {key: f"\0{value}\0" for key, value in ANSWERS.items()}).text
    assert answers(served) == ANSWERS  # NUL is dropped


def test_whoever_comes_second_is_told_what_is_there_already(served):
    """What is answered is not called empty, the link stays good, and the secret is asked for again after a conflict."""
    path = link(served)
    version = re.search(r'name="form_version" value="(\d+)"', requests.get(served.url + path, timeout=20).text)[1]
    served.app.setup.answer("helpdesk", ANSWERS)

    same = send(served, path, {"address": ANSWERS["address"], "token": ""})
    with acting(Actor("bob", Via.CONSOLE, served.clock.now())):
        served.app.setup.answer("helpdesk", {"token": "bob's own token"})
    other = send(served, path, {"address": ANSWERS["address"], "token": "a third token", "form_version": version})

    assert (same.status_code, other.status_code) == (422, 422)
    assert "Nothing is different from what is saved." in shown(same.text)
    assert "Nothing was entered" not in shown(same.text)
    assert "enter secrets again" in shown(other.text)
    assert "a third token" not in other.text
    assert answers(served)["token"] == "bob's own token"
    assert "Done, thank you" in send(served, path).text
    assert "Nothing to do here" in send(served, path).text


def test_a_link_to_authorize_says_that_access_is_there(served):
    """Whoever opens it after somebody else did it authorizes again only if that is wanted."""
    served.app.setup.answer("helpdesk", ANSWERS)
    path = link(served, step="authorize")
    said = "Access is authorized already."

    before = requests.get(served.url + path, timeout=20).text
    served.app.store.grants.save("helpdesk", Grant(headers={}, account_id="1", account_name="Desk Agent"))
    after = requests.get(served.url + path, timeout=20).text

    assert (said in before, said in after) == (False, True)
    assert "Desk Agent" not in after


def test_what_a_form_names_besides_is_not_heard(served):
    """Other integrations, organizations, steps, and answers to other questions: only those of the link's step count."""
    names = {
        "integration": "other",
        "organization": "globex",
        "step": "desk",
        "name": "other",
        "desk": "2",
        "site": "x",
    }

    done = send(served, link(served), ANSWERS | names)

    assert "Done, thank you" in done.text
    assert answers(served) == ANSWERS
    assert answers(served, "other") == {}


def test_a_link_that_ends_while_its_form_is_open_stores_nothing(served):
    """Its time is looked at when the form is sent, to the second."""
    path = link(served)
    served.clock.forward(GOOD_FOR.total_seconds() - 1)
    assert CLOSED not in Visitor(served.url).get(path).text
    served.clock.forward(1)

    assert (send(served, path).status_code, answers(served)) == (410, {})


@pytest.mark.parametrize("error", [ConfigError("Refused."), RetryLater("Nobody answers."), KeyError("a bug")])
def test_a_link_whose_answer_could_not_be_stored_is_good_again(served, monkeypatch, error):
    """Whatever went wrong, a mistake of ours too."""
    path = link(served)
    with monkeypatch.context() as patched:
        patched.setattr(type(served.app.setup), "answer", Mock(side_effect=error))
        assert send(served, path).status_code >= 400

    assert (send(served, path).status_code, answers(served)) == (200, ANSWERS)


def test_a_link_leads_to_no_other_integration_of_the_same_name(served):
    """Made again by another organization after it was removed: nothing of before opens it."""
    path = link(served)
    served.app.setup.remove("helpdesk")
    served.app.setup.create("helpdesk", "globex", "desk")

    assert (send(served, path).status_code, answers(served)) == (410, {})


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_that_another_page_sends_is_not_taken(served, headers):
    """Also from whoever knows the address; the link is as good as before."""
    path = link(served)

    answer = requests.post(served.url + path, data=ANSWERS, headers=headers, timeout=20)

    assert (answer.status_code, answers(served)) == (403, {})
    assert send(served, path).status_code == 200
