"""Who has to wait after wrong passwords, who does not, and what waits for a check of its password."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta

import pytest
import requests

from connector_core.testing import FrozenClock
from connector_core.web.console import password_checks, people
from connector_core.web.console.throttle import PER_ADDRESS, PER_NAME, PER_NAME_THERE, Throttle
from tests.support.served import ADMIN, VIEWER, Served, Visitor, hashes


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve a console that compares the password of a name that nobody has as cheaply as those of others."""
    monkeypatch.setattr(people, "_NOBODY", hashes()["guest"])
    opened = Served(tmp_path)
    yield opened
    opened.stop()


def log_in(served, name, password, address, cookies=None):
    """Log in through a proxy on this machine, which says from where."""
    return requests.post(
        f"{served.url}/login",
        data={"name": name, "password": password},
        headers={"X-Forwarded-For": address},
        cookies=cookies,
        timeout=30,
        allow_redirects=False,
    )


def test_guesses_of_a_name_from_everywhere_slow_down_strangers_only(served):
    """A name is braked as a whole, unknown ones too; the person's own browser is not, and a forged mark is none."""
    known = log_in(served, "ada", ADMIN, "192.0.2.1")
    for name in ("ada", "nobody"):
        tries = [log_in(served, name, "wrong", f"198.51.100.{number}").status_code for number in range(51)]
        assert tries == [*[401] * 50, 429]
    mark = known.cookies["connector_device"]
    forged = {"connector_device": ".".join([mark.split(".")[0], "99999999999", mark.split(".")[2]])}

    stranger = log_in(served, "ada", ADMIN, "203.0.113.1")
    other_name = log_in(served, "vic", VIEWER, "203.0.113.1")

    assert stranger.status_code == 429
    assert 0 < int(stranger.headers["retry-after"]) <= 60
    assert other_name.status_code == 303
    assert log_in(served, "ada", ADMIN, "203.0.113.2", forged).status_code == 429
    assert log_in(served, "ada", ADMIN, "203.0.113.2", {"connector_device": "a.b.c.d"}).status_code == 429
    assert log_in(served, "ada", ADMIN, "203.0.113.2", known.cookies).status_code == 303
    served.clock.forward(60)
    assert log_in(served, "ada", ADMIN, "203.0.113.3").status_code == 303


def test_a_known_browser_is_known_for_half_a_year_and_for_one_name(served):
    """Later, and for another name, it is a stranger's."""
    known = log_in(served, "ada", ADMIN, "192.0.2.1").cookies
    for _number in range(6):
        log_in(served, "vic", "wrong", "192.0.2.1")
        log_in(served, "ada", "wrong", "192.0.2.1")

    assert log_in(served, "vic", VIEWER, "192.0.2.1", known).status_code == 429
    assert log_in(served, "ada", ADMIN, "192.0.2.1", known).status_code == 303
    served.clock.forward(timedelta(days=181).total_seconds())
    for _number in range(5):
        log_in(served, "ada", "wrong", "192.0.2.1")
    assert log_in(served, "ada", ADMIN, "192.0.2.1", known).status_code == 429


def test_a_known_browser_has_five_tries_too(served):
    """A stolen mark opens nothing."""
    known = log_in(served, "ada", ADMIN, "192.0.2.1").cookies

    tries = [log_in(served, "ada", "wrong", f"198.51.100.{number}", known).status_code for number in range(6)]

    assert tries == [*[401] * 5, 429]


def test_one_address_guesses_many_names_rarely(served):
    """Whoever goes through names has twenty tries; a login of their own in between gives none back."""
    tries = []
    for number in range(22):
        if number % 4 == 0 and number < 20:
            log_in(served, "gus", "guest's password", "192.0.2.1")
        tries.append(log_in(served, f"name-{number}", "wrong", "192.0.2.1").status_code)

    assert tries == [*[401] * 20, 429, 429]
    assert log_in(served, "ada", ADMIN, "192.0.2.2").status_code == 303


def test_a_crowd_of_strangers_holds_nobody_else_up(served, monkeypatch):
    """A few wait for the check of their password, the rest is sent away; known browsers and health go on."""
    known = log_in(served, "ada", ADMIN, "192.0.2.1").cookies
    gate, check = threading.Event(), password_checks.PasswordQueue.run

    async def slow_for_strangers(line, call):
        def held():
            if call.args[1] == "held":
                gate.wait(30)
            return call()

        return await check(line, held)

    monkeypatch.setattr(password_checks.PasswordQueue, "run", slow_for_strangers)
    crowd, checked = 30, 1 + password_checks.MOST_WAITING
    with ThreadPoolExecutor(crowd) as pool:
        tries = [pool.submit(log_in, served, "vic", "held", f"198.51.100.{number}") for number in range(crowd)]
        done = as_completed(tries, timeout=30)
        turned_away = [next(done).result() for _ in range(crowd - checked)]
        person = log_in(served, "ada", ADMIN, "192.0.2.1", known)
        healthy = Visitor(served.url).get("/healthz")
        gate.set()
        others = [one.result() for one in done]

    assert {answer.status_code for answer in turned_away} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in turned_away)
    assert (person.status_code, healthy.status_code) == (303, 200)
    assert [answer.status_code for answer in others] == [401] * checked


def test_tries_that_were_not_carried_out_or_were_right_are_given_back():
    """What is under way counts; the right password ends what a name has at one place, and takes back one elsewhere."""
    throttle = Throttle(FrozenClock())
    keys = [(PER_NAME_THERE, "here ada"), (PER_ADDRESS, "here"), (PER_NAME, "ada")]
    assert [throttle.begin(keys) for _ in range(6)] == [*[0.0] * 5, 30.0]

    throttle.take_back(keys)
    assert [throttle.begin(keys) for _ in range(2)] == [0.0, 30.0]
    throttle.succeeded(keys)
    assert [throttle.begin(keys) for _ in range(6)] == [*[0.0] * 5, 30.0]
    others = [[(PER_NAME_THERE, f"here {number}"), (PER_ADDRESS, "here")] for number in range(12)]
    assert [throttle.begin(keys) for keys in others] == [*[0.0] * 11, 30.0]


def test_the_wait_begins_when_the_check_has_ended():
    """A check that takes long is no way around it."""
    clock = FrozenClock()
    throttle = Throttle(clock)
    keys = [(PER_NAME_THERE, "here ada")]
    for _ in range(5):
        throttle.begin(keys)
    clock.forward(29)
    throttle.failed(keys)
    clock.forward(29)

    assert throttle.begin(keys) == 1.0


def test_what_is_remembered_of_tries_is_bounded(monkeypatch):
    """A flood of names drops those that were not tried for longest."""
    monkeypatch.setattr("connector_core.web.console.throttle.MOST_REMEMBERED", 100)
    clock = FrozenClock()
    throttle = Throttle(clock)
    for _ in range(5):
        throttle.begin([(PER_NAME_THERE, "first")])
    for number in range(90):
        throttle.begin([(PER_NAME_THERE, str(number))])
    assert throttle.begin([(PER_NAME_THERE, "first")]) == 30.0
    for number in range(90, 120):
        throttle.begin([(PER_NAME_THERE, str(number))])

    assert throttle.begin([(PER_NAME_THERE, "first")]) == 0.0
