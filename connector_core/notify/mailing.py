"""Messages by e-mail: the standard library's SMTP, on a connection that goes where calls may go and ends in time.

Mail servers are called directly, also where a proxy is set: HTTP proxies pass no mail. Whose certificates are trusted,
and which addresses may be called, is as for every other call.
"""

from __future__ import annotations

import io
import re
import smtplib
import socket
import ssl
from collections.abc import Collection
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from time import monotonic

from connector_core.contract.errors import ConfigError, ConnectorError, RemoteError, RetryLater
from connector_core.http.authorities import trusting
from connector_core.http.outbound import Outbound
from connector_core.notify.errors import PartlyTaken
from connector_core.notify.messages import Message
from connector_core.notify.settings import EmailNotifier

DEADLINE_S = 30.0
_STEP_S = 10.0
#: Of all answers before and after encryption each: a long one has a few kB.
_MOST_ANSWERED = 256 * 1024
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_OUR_NAME = "connector.invalid"  # of the host that says hello, where it has none: no name of ours is given away
_CHECK = "Check host and port, and whether a firewall lets the connection pass."
_PASSING = range(400, 500)  # RFC 5321, 4.2.1: the same may work later


def mail(settings: EmailNotifier, message: Message, outbound: Outbound) -> None:
    """Send a message.

    Raises:
        RetryLater: the mail server could not be reached, or asks to come later.
        RemoteError: it refused the message, the sender or a recipient.
        ConfigError: it may not be called, or does not do what is set.
    """
    letter = _letter(settings, message)
    try:
        client = _Client(settings, outbound)
        try:
            _greet(client, settings, outbound)
            refused = _hand_over(client, settings, letter)
            with suppress(smtplib.SMTPException, OSError):
                client.quit()  # the message was taken: how they part does not matter
        finally:
            client.close()
    except ConnectorError:
        raise
    except (smtplib.SMTPException, OSError, ValueError) as exc:
        raise _translated(exc) from exc
    if refused:
        raise PartlyTaken(
            f"The mail server refused {len(refused)} of {len(settings.recipients)} recipients.",
            fix="Correct the recipients: the others have the message.",
        )


def _hand_over(client: _Client, settings: EmailNotifier, letter: EmailMessage) -> Collection[str]:
    """Send a letter; return the recipients that were refused while others were not."""
    try:
        return client.send_message(letter, settings.sender, list(settings.recipients))
    except smtplib.SMTPServerDisconnected as exc:
        raise _lost(exc) from exc
    except smtplib.SMTPException:
        raise
    except OSError as exc:
        raise _lost(exc) from exc


class _Client(smtplib.SMTP):
    """A connection to an address that may be called; all answers together are bounded in time and size."""

    def __init__(self, settings: EmailNotifier, outbound: Outbound) -> None:
        self._settings = settings
        self._outbound = outbound
        self._until = monotonic() + DEADLINE_S
        super().__init__(settings.host, settings.port or _PORTS[settings.security], _OUR_NAME, timeout=_STEP_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect to one of the addresses that the name meant when it was looked at."""
        found = self._outbound.callable_addresses("smtp", host, port)
        for address in found[:-1]:
            try:
                return self._secured(socket.create_connection((address, port), timeout), host)
            except OSError:
                continue
        return self._secured(socket.create_connection((found[-1], port), timeout), host)

    def _secured(self, raw: socket.socket, host: str) -> socket.socket:
        if self._settings.security != "tls":
            return raw
        return certified(self._outbound).wrap_socket(raw, server_hostname=host)

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer, in what is left of the time: a server that sends a byte now and then is left."""
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Until(self.sock, self._until))
        return super().getreply()


class _Until(io.RawIOBase):
    """Reads from a socket until a time, and `_MOST_ANSWERED` at most: the library would keep lines without end."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__()
        self._sock = sock
        self._until = until
        self._left = _MOST_ANSWERED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # of the library's own readers
        if monotonic() > self._until:
            raise TimeoutError("all answers took too long")
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError("the answers are too large")
        return count


def certified(outbound: Outbound) -> ssl.SSLContext:
    """Return what checks the certificate of a mail server."""
    return ssl.create_default_context() if outbound.ca_file is None else trusting(outbound.ca_file)


def _greet(client: _Client, settings: EmailNotifier, outbound: Outbound) -> None:
    """Say hello, encrypt the connection, and sign in."""
    client.ehlo_or_helo_if_needed()
    if settings.security == "starttls":
        client.starttls(context=certified(outbound))
        client.ehlo_or_helo_if_needed()
    if settings.user and settings.password is not None:
        client.login(settings.user, settings.password.get_secret_value())


def _letter(settings: EmailNotifier, message: Message) -> EmailMessage:
    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = _without_code(message.subject)
    letter["From"] = settings.sender
    letter["To"] = ", ".join(settings.recipients)
    letter["Date"] = format_datetime(message.at)
    letter["Message-ID"] = f"<{message.id}@{settings.sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of an absent person comes back
    letter.set_content(message.text + "\n", cte="quoted-printable")
    return letter


def _without_code(text: str) -> str:
    """Return a text in which the library decodes no word (RFC 2047): one may have a line end and a further header."""
    return re.sub(r"=+\?", lambda found: found[0].replace("=", "= "), text)


def _translated(error: Exception) -> ConnectorError:
    """Return what an error of the library means."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refused(*next(iter(error.recipients.values())), what="every recipient")
    if isinstance(error, smtplib.SMTPResponseException) and not isinstance(error, smtplib.SMTPAuthenticationError):
        what = "the sender" if isinstance(error, smtplib.SMTPSenderRefused) else "the message"
        return _refused(error.smtp_code, error.smtp_error, what=what)
    match error:
        case smtplib.SMTPAuthenticationError():
            return RemoteError(
                "The mail server does not accept this user and password.",
                code="mail_sign_in_refused",
                fix="Enter both again.",
            )
        case smtplib.SMTPNotSupportedError():
            return ConfigError(
                "The mail server does not offer what is set: encryption (STARTTLS), or signing in.",
                code="mail_not_supported",
                fix="Set security to tls with its port, or leave out user and password.",
            )
        case ssl.SSLError():
            return RetryLater(
                "The mail server's certificate was not accepted, or it does not speak TLS on this port.",
                code="tls_failed",
                detail=str(error),
                fix="Check host, port and security. A private authority is trusted with outbound.ca_file.",
            )
        case _:
            return RetryLater(
                "The mail server cannot be reached.", code="mail_unreachable", detail=str(error), fix=_CHECK
            )


def _refused(code: int, _: bytes | str, *, what: str) -> ConnectorError:
    """Return what a refusal means; what the server says beside the number is others' text."""
    if code in _PASSING:
        return RetryLater(f"The mail server does not take {what} at the moment (SMTP {code}).", code="mail_busy")
    return RemoteError(
        f"The mail server refused {what} (SMTP {code}).",
        code="mail_refused",
        fix="Check sender and recipients, and whether the mail server asks for a sign-in.",
    )


def _lost(error: Exception) -> RetryLater:
    """Say that nobody knows whether the server took a message."""
    return RetryLater(
        "The mail server did not answer in time or hung up.",
        outcome_unknown=True,
        code="mail_answer_lost",
        detail=str(error),
        fix=_CHECK,
    )
