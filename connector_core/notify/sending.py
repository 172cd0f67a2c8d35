"""Handing a message to the channel of a notifier."""

from __future__ import annotations

from connector_core.http.outbound import Outbound
from connector_core.notify.messages import Message
from connector_core.notify.settings import AnyNotifier, EmailNotifier


def send(settings: AnyNotifier, message: Message, outbound: Outbound) -> None:
    """Send a message; when this returns the other side has taken it.

    Raises:
        ConnectorError: it was not taken, or nobody knows; the message says why, and what to do.
    """
    if isinstance(settings, EmailNotifier):
        from connector_core.notify.mailing import mail  # noqa: PLC0415 - slow to load

        mail(settings, message, outbound)
    else:
        from connector_core.notify.posting import post  # noqa: PLC0415 - as above

        post(settings, message, outbound)
