"""Logins under attack, at the daemon as a process: guesses that are sent together, forged addresses, other places."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from argon2 import PasswordHasher

from connector_core.demo.stage import Stage, free_port, until

PASSWORD = "the person's own password"
GUESSES = 44


def clients(lines):
    """Return who asked for the login, as the log names them."""
    return {line["client"] for line in lines("http_request") if line["path"] == "/login"}


@pytest.fixture
def console(tmp_path):
    """Return a function that starts a daemon with a console; gives back a function that logs in, and its log."""
    started = []

    def start(server="", **environ):
        port = free_port()
        hashed = PasswordHasher().hash(PASSWORD)
        path = tmp_path / "connector.yaml"
        path.write_text(
            "secret_key: a passphrase of many letters\n"
            f"server: {{port: {port}, {server}}}\n"
            "logging: {format: json}\n"
            f'console: {{users: {{ada: {{password_hash: "{hashed}", role: admin}}}}}}\n'
        )
        daemon = Stage.daemon_class(path, f"http://127.0.0.1:{port}", tmp_path / "daemon.log", environ)
        started.append(daemon)
        daemon.start()

        def log_in(password, sent_for=None, cookies=None):
            headers = {} if sent_for is None else {"X-Forwarded-For": sent_for}
            form = {"name": "ada", "password": password}
            return requests.post(
                f"{daemon.url}/login", data=form, headers=headers, cookies=cookies, timeout=60, allow_redirects=False
            )

        def lines(event):
            read = [json.loads(line) for line in daemon.log_path.read_text().splitlines() if line.startswith("{")]
            return [line for line in read if line["event"] == event]

        return log_in, lines

    yield start
    for daemon in started:
        daemon.stop()


def together(log_in, senders):
    """Send a wrong guess for each sender at the same time; return the answers."""
    with ThreadPoolExecutor(len(senders)) as pool:
        return list(pool.map(lambda sender: log_in("a guess", sender), senders))


@pytest.mark.extended
def test_guesses_that_are_sent_together_are_counted_before_they_are_checked(console):
    """Five of 44 are checked, the others have to wait; the person gets in from another place all the same."""
    log_in, lines = console()
    guesses = together(log_in, ["203.0.113.66"] * GUESSES)

    assert Counter(answer.status_code for answer in guesses) == {401: 5, 429: GUESSES - 5}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in guesses if answer.status_code == 429)
    assert log_in(PASSWORD, "203.0.113.66").status_code == 429
    assert log_in(PASSWORD, "198.51.100.7").status_code == 303
    assert {line["address"] for line in lines("login_refused")} == {"203.0.113.66"}
    # The line of a request is written when it is answered already.
    until(lambda: clients(lines) == {"203.0.113.66", "198.51.100.7"})


@pytest.mark.extended
def test_one_network_of_ipv6_is_one_sender(console):
    """Another address of the same /64 is the same visitor; another network is not."""
    log_in, _ = console()
    guesses = together(log_in, [f"2001:db8:0:1::{number:x}" for number in range(1, GUESSES + 1)])

    assert Counter(answer.status_code for answer in guesses) == {401: 5, 429: GUESSES - 5}
    assert log_in(PASSWORD, "2001:db8:0:2::1").status_code == 303


@pytest.mark.extended
def test_addresses_that_a_sender_makes_up_are_not_believed(console):
    """With no proxy trusted each guess counts for its connection, whatever it says and the environment allows."""
    log_in, lines = console("trusted_proxies: []", FORWARDED_ALLOW_IPS="*")
    guesses = together(log_in, [f"203.0.113.{number}" for number in range(GUESSES)])

    assert Counter(answer.status_code for answer in guesses) == {401: 5, 429: GUESSES - 5}
    until(lambda: clients(lines) == {"127.0.0.1"})


@pytest.mark.extended
def test_what_stood_in_the_header_before_the_proxy_wrote_is_not_believed(console):
    """The proxy writes the sender behind what the sender wrote there."""
    log_in, _ = console()
    guesses = together(log_in, [f"203.0.113.{number}, 192.0.2.1" for number in range(GUESSES)])

    assert Counter(answer.status_code for answer in guesses) == {401: 5, 429: GUESSES - 5}


@pytest.mark.extended
def test_the_person_gets_in_where_they_were_before(console):
    """Guesses from the same office keep a new browser out, not the one that the person has logged in with."""
    log_in, _ = console()
    known = log_in(PASSWORD, "203.0.113.66")
    together(log_in, ["203.0.113.66"] * 6)

    assert log_in(PASSWORD, "203.0.113.66").status_code == 429
    assert log_in(PASSWORD, "203.0.113.66", cookies=known.cookies).status_code == 303
