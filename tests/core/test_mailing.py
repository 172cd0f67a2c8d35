"""Messages by e-mail, to a real mail server."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.http.outbound import Outbound, Places
from connector_core.notify import mailing
from connector_core.notify.errors import PartlyTaken
from connector_core.notify.mailing import mail
from connector_core.notify.settings import read_notifier
from tests.support.mail_server import mail_server
from tests.support.messages_at_hand import message, notice
from tests.support.private_ca import PrivateCA

ANYWHERE = Outbound()


def notifier(port, **settings):
    """Return the settings of one."""
    base = {
        "channel": "email",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "connector@example.com",
    }
    return read_notifier({**base, "recipients": ["ops@example.com"], **settings})


def test_a_message_arrives_as_a_letter():
    """With its subject, text, and what keeps absent people's programs from answering."""
    with mail_server() as box:
        mail(notifier(box.port, recipients=["ops@example.com", "lee@example.com"]), message(), ANYWHERE)

    (letter,) = box.letters
    assert letter["Subject"] == "Acme Inc.: action needed"
    assert letter["From"] == "connector@example.com"
    assert letter["Message-ID"] == "<msg_1@example.com>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Date"].datetime == message().at
    assert letter.get_content().replace("\r\n", "\n").strip() == message().text
    assert box.envelopes == [("ops@example.com", "lee@example.com")]


HEADERS = {
    "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("Evil\r\nBcc: all@example.com", "a\nb", "Ünïcödé \U0001f525 " * 30, "x\x00y", "=?utf-8?q?a?="),
        *("=?utf-8?q?Evil=0d=0aBcc=3A_x@e.example?=", "=?utf-8?b?DQpCY2M6IHg=?= x", "=?x?q??=", "==??utf-8?q?=0a?="),
    ],
)
def test_no_name_adds_a_header(name):
    """Whatever an organization or a reason is called, there is one subject, and only our recipients."""
    hostile = notice(reason=f"{name}\r\n.\r\nMAIL FROM:<x@example.com>")
    with mail_server() as box:
        mail(notifier(box.port), message(hostile, name=name), ANYWHERE)

    (letter,) = box.letters
    assert len(letter.keys()) == len(HEADERS)
    assert set(letter.keys()) == HEADERS
    assert "\n" not in letter["Subject"]
    assert letter["Subject"].endswith(": action needed")
    assert box.envelopes == [("ops@example.com",)]


ADDRESSES = st.builds(
    "{}@example.com".format,
    st.one_of(
        st.text(st.characters(max_codepoint=127), min_size=1, max_size=12),
        st.sampled_from(["=?utf-8?b?DQpCY2M6IHg=?=", "=?x?q??=", "=?utf-8?b?%%%%?=", "a\x01", "..", "a.", "'"]),
    ),
)


@given(sender=ADDRESSES, recipient=ADDRESSES)
def test_every_address_that_is_taken_can_be_written_to(sender, recipient):
    """It is the one in the letter, as it is, and nothing of it is read as anything else."""
    try:
        settings = notifier(25, sender=sender, recipients=["ops@example.com", recipient])
    except ValidationError:
        return

    lines = re.sub(rb"\r\n[ \t]+", b" ", mailing._letter(settings, message()).as_bytes()).split(b"\r\n\r\n")[0]

    said = dict(line.split(b": ", 1) for line in lines.split(b"\r\n"))
    assert set(said) == {name.encode() for name in HEADERS}
    assert said[b"From"] == sender.encode()
    assert said[b"To"] == f"ops@example.com, {recipient}".encode()


def test_encryption_and_sign_in_work_with_a_private_authority(tmp_path):
    """STARTTLS and TLS from the start; the password goes over an encrypted connection only."""
    ca = PrivateCA(tmp_path)
    trusting = Outbound(ca_file=ca.ca_file)
    secret = {"user": "connector", "password": "letmein-123"}
    for security, from_start in (("starttls", False), ("tls", True)):
        context = ca.server_context("127.0.0.1")
        with mail_server(context=context, tls_from_start=from_start, user="connector", password="letmein-123") as box:
            mail(notifier(box.port, security=security, **secret), message(), trusting)
            with pytest.raises(RemoteError) as wrong:
                mail(notifier(box.port, security=security, user="connector", password="wrong"), message(), trusting)
            with pytest.raises(RetryLater) as strange:
                mail(notifier(box.port, security=security, **secret), message(), ANYWHERE)

        assert len(box.letters) == 1
        assert wrong.value.code == "mail_sign_in_refused"
        assert strange.value.code == "tls_failed"


def test_a_server_without_the_encryption_that_is_set_gets_nothing():
    """Nobody in between can talk us out of it."""
    with mail_server() as box, pytest.raises(ConfigError) as refused:
        mail(notifier(box.port, security="starttls"), message(), ANYWHERE)

    assert refused.value.code == "mail_not_supported"
    assert box.letters == []


@pytest.mark.parametrize(("answer", "error", "code"), [
    ("550 No", RemoteError, "mail_refused"),
    ("451 Later", RetryLater, "mail_busy"),
])  # fmt: skip
def test_a_refusal_is_told_from_a_pause(answer, error, code):
    """Of the message, and of every recipient."""
    with mail_server() as box:
        box.answer = answer
        with pytest.raises(error) as of_message:
            mail(notifier(box.port), message(), ANYWHERE)
        box.answer, box.refused_recipients = "250 OK", {"ops@example.com": answer}
        with pytest.raises(error) as of_recipients:
            mail(notifier(box.port), message(), ANYWHERE)

    assert {of_message.value.code, of_recipients.value.code} == {code}
    assert box.letters == []


def test_a_refused_recipient_costs_the_others_nothing():
    """They have the message, and it is known that one has not."""
    with mail_server() as box:
        box.refused_recipients = {"gone@example.com": "550 No such user"}
        with pytest.raises(PartlyTaken) as said:
            mail(notifier(box.port, recipients=["ops@example.com", "gone@example.com"]), message(), ANYWHERE)

    assert said.value.message == "The mail server refused 1 of 2 recipients."
    assert box.envelopes == [("ops@example.com",)]


def test_only_addresses_that_may_be_called_are():
    """A mail server on loopback is none of the public ones."""
    with mail_server() as box, pytest.raises(ConfigError) as refused:
        mail(notifier(box.port), message(), Outbound(allowed=Places.of(["public"])))

    assert refused.value.code == "address_not_allowed"
    assert box.letters == []


def test_a_server_that_is_not_there_is_tried_again():
    """Nothing was sent, for sure."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with pytest.raises(RetryLater) as said:
            mail(notifier(taken.getsockname()[1]), message(), ANYWHERE)

    assert (said.value.code, said.value.outcome_unknown) == ("mail_unreachable", False)


@contextmanager
def speaking(talk):
    """Run a server that has this talk with whoever comes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        done = threading.Event()

        def serve():
            peer, _ = server.accept()
            with closing(peer):
                talk(peer, done)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(10)


def test_a_server_that_drips_is_left(monkeypatch):
    """All its answers together have a deadline, however often a byte of them comes."""
    monkeypatch.setattr(mailing, "DEADLINE_S", 0.3)

    def drip(peer, done):
        while not done.wait(0.01):
            try:
                peer.sendall(b"2")
            except OSError:
                return

    with speaking(drip) as port, pytest.raises(RetryLater) as said:
        mail(notifier(port), message(), ANYWHERE)

    assert said.value.code == "mail_unreachable"


@pytest.mark.parametrize("hello", [b"", b"220 here\r\n"], ids=["greeting", "answer"])
def test_a_server_that_answers_without_end_is_left(hello):
    """Long before its deadline, and before its answer takes memory to speak of."""
    told = []

    def pour(peer, done):
        peer.sendall(hello)
        try:
            while not done.is_set():
                told.append(peer.send(b"250-" + b"x" * 1000 + b"\r\n"))
        except OSError:
            return

    with speaking(pour) as port, pytest.raises(RetryLater) as said:
        mail(notifier(port), message(), ANYWHERE)

    assert said.value.code == "mail_unreachable"
    assert sum(told) < 32 * 1024**2  # what was on its way; without a limit it is hundreds


def test_a_server_that_is_silent_is_left(monkeypatch):
    """It took the connection, and says nothing."""
    monkeypatch.setattr(mailing, "_STEP_S", 0.1)

    with speaking(lambda _, done: done.wait(30)) as port, pytest.raises(RetryLater):
        mail(notifier(port), message(), ANYWHERE)


def speak(peer, *, at_end):
    """Speak SMTP with a client up to the end of its message, and what then comes is `at_end`."""
    peer.sendall(b"220 here\r\n")
    is_text = False
    for line in peer.makefile("rb"):
        if line == b".\r\n" and not at_end(peer):
            return
        if is_text or line == b".\r\n":
            continue
        is_text = line.upper().startswith(b"DATA")
        peer.sendall(b"354 go on\r\n" if is_text else b"250 ok\r\n")


def test_nobody_knows_what_became_of_a_message_without_an_answer():
    """The server has all of it, and hangs up."""
    with (
        speaking(lambda peer, _: speak(peer, at_end=lambda _: False)) as port,
        pytest.raises(RetryLater) as said,
    ):
        mail(notifier(port), message(), ANYWHERE)

    assert (said.value.code, said.value.outcome_unknown) == ("mail_answer_lost", True)


def test_a_message_that_was_taken_is_taken_however_the_server_parts():
    """What goes wrong after the answer must not have it sent again."""

    def take_and_hang_up(peer):
        peer.sendall(b"250 taken\r\n")
        return False

    with speaking(lambda peer, _: speak(peer, at_end=take_and_hang_up)) as port:
        mail(notifier(port), message(), ANYWHERE)
