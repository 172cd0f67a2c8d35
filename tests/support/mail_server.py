"""A real SMTP server on loopback: keeps what it is sent, and can be told to refuse."""

from __future__ import annotations

import email
from contextlib import contextmanager
from email import policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Mailbox:
    """The server's handler, which is told what to answer; `letters` are the messages it took, `envelopes` to whom."""

    def __init__(self):
        self.letters, self.envelopes = [], []
        self.port = 0
        self.refused_recipients = {}
        self.answer = "250 OK"
        #: Called when a message was read, before it is answered.
        self.at_message = None

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the library's name
        """Take a recipient, or answer as told."""
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - as above
        """Keep a message, or answer as told."""
        if self.at_message is not None:
            self.at_message()
        if self.answer.startswith("2"):
            self.letters.append(email.message_from_bytes(envelope.original_content, policy=policy.default))
            self.envelopes.append(tuple(envelope.rcpt_tos))
        return self.answer


class _Free(Controller):
    """A controller on a port that is free; the library's own cannot say which it got."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(*, context=None, tls_from_start=False, user="", password=""):
    """Run a server; yield its handler, with `port`. With a user it wants to be signed in, over TLS."""
    mailbox = Mailbox()

    def authenticator(_server, _session, _envelope, _mechanism, data):
        is_right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=is_right, handled=False)

    options = {"hostname": "127.0.0.1", "port": 0}
    if tls_from_start:
        options["ssl_context"] = context
    elif context is not None:
        options |= {"tls_context": context, "require_starttls": True}
    if user:
        # The library knows of STARTTLS only: it would take a connection that is encrypted anyway for one in clear.
        must = not tls_from_start
        options |= {"authenticator": authenticator, "auth_required": must, "auth_require_tls": must}
    controller = _Free(mailbox, **options)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()
