"""One call to a peer that misbehaves below HTTP, or just within it: it ends in time, in an error of our own tree."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from time import monotonic

import pytest

from connector_core import RetryLater
from connector_core.http.session import MAX_ANSWER_BYTES, HTTPSession
from connector_core.kit.answers import Subject
from connector_jira_jsm.api.responses import RULES

SHORT_S = 1.0  # of a call whose answer never ends, which is given up at the deadline
LONG_S = 60.0  # of a call whose answer is all there
LONGEST_S = 30.0
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GAP_S = 0.05


@contextmanager
def peer(answer):
    """Serve connections on loopback: each is read up to the end of its headers, then given to a function."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                served.append(connection.recv(65536))
                with suppress(OSError):  # the caller had enough
                    answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", served
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(LONGEST_S)


def sent(whole):
    """Send an answer at once and close."""
    return lambda connection: connection.sendall(whole)


def dripping(begin, piece):
    """Send the beginning, then pieces so slowly that no read ever times out."""

    def answer(connection):
        pause = threading.Event()
        connection.sendall(begin)
        while not pause.wait(GAP_S):
            connection.sendall(piece)

    return answer


def hanging(connection):
    """Say nothing until the caller goes."""
    connection.recv(1)


def reset(connection):
    """Hang up hard."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def body(content, *headers, status=b"200 OK"):
    """Put a whole answer together."""
    lines = [b"HTTP/1.1 " + status, *headers, b"Content-Length: " + str(len(content)).encode()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


BOMB = gzip.compress(bytes(MAX_ANSWER_BYTES + 1))
ENDLESS = [
    ("hangs", hanging, "answer_lost"),
    ("body drips", dripping(JSON + b"Content-Length: 65536\r\n\r\n", b"x"), "answer_lost"),
    ("chunks drip", dripping(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "answer_lost"),
    ("headers drip", dripping(JSON + b"X-Slow: ", b"x"), "answer_lost"),
    ("continues for ever", dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "answer_lost"),
]
ENDED = [
    ("resets", reset, "answer_lost"),
    ("body cut", sent(JSON + b"Content-Length: 100\r\n\r\n{"), "answer_lost"),
    ("chunks cut", sent(JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\nx"), "answer_lost"),
    ("no HTTP", sent(b"SSH-2.0-OpenSSH_9.2\r\n"), "answer_lost"),
    ("endless header", sent(JSON + b"X: " + b"x" * 100_000), "answer_lost"),
    ("not gzip", sent(body(b"plain", b"Content-Encoding: gzip")), "answer_lost"),
    ("bomb", sent(body(BOMB, b"Content-Encoding: gzip")), "answer_too_large"),
    ("html", sent(body(b"<html>Please stand by</html>", b"Content-Type: text/html")), "answer_unreadable"),
    ("deep", sent(body(b"[" * 100_000)), "answer_unreadable"),
    ("half JSON", sent(body(b'{"issueId": "100')), "answer_unreadable"),
    ("502", sent(body(b"<html>Bad gateway</html>", status=b"502 Bad Gateway")), "unavailable"),
]


def call(url, *, deadline_s=LONG_S):
    """Make a call as the plugin does, with a deadline of its own."""
    session = HTTPSession("test", deadline_s=deadline_s)
    return RULES.read(session.post(url, json={}, timeout=(deadline_s, deadline_s)), Subject.SETUP, NOW)


LATER = [*((*row, SHORT_S) for row in ENDLESS), *((*row, LONG_S) for row in ENDED)]


@pytest.mark.cases_in_test(5)
@pytest.mark.parametrize(("answer", "code", "deadline_s"), [row[1:] for row in LATER], ids=[row[0] for row in LATER])
def test_a_write_answered_badly_ends_in_time_with_its_outcome_unknown(answer, code, deadline_s):
    """Whatever comes back, the call ends soon, may be made again later, and may have been carried out."""
    with peer(answer) as (url, served):
        began = monotonic()
        with pytest.raises(RetryLater) as failure:
            call(url, deadline_s=deadline_s)
        took_s = monotonic() - began

    assert failure.value.code == code
    assert failure.value.outcome_unknown
    assert took_s < LONGEST_S
    assert len(served) == 1


@pytest.mark.parametrize("header", [b"99999999999", b"-5", b"soon", b"nan", b"1e400", b"Wed, 21 Oct 9999 07:28:00 GMT"])
def test_an_absurd_wait_is_bounded(header):
    """However long the other side asks us to wait, it is at most an hour, and nothing was done."""
    answer = sent(body(b"{}", b"Retry-After: " + header, status=b"429 Too Many Requests"))
    with peer(answer) as (url, _), pytest.raises(RetryLater) as failure:
        call(url)

    assert failure.value.after_s is None or 0 <= failure.value.after_s <= 3600
    assert not failure.value.outcome_unknown


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary Redirect", b"308 Permanent Redirect"])
def test_a_redirect_is_never_followed(status):
    """A redirect, to this machine's own addresses above all, is waited out: what answers is not the site."""
    with peer(sent(body(b"{}"))) as (inside, reached):
        answer = sent(body(b"", b"Location: " + inside.encode(), status=status))
        with peer(answer) as (url, _), pytest.raises(RetryLater) as failure:
            call(url)

    assert failure.value.code == "site_unavailable"
    assert reached == []
