"""What may become of a message beside what every call may end in."""

from __future__ import annotations

from connector_core.contract.errors import RemoteError


class PartlyTaken(RemoteError):
    """The message was taken, but not for all recipients: it is not sent again, and someone has to correct them."""

    default_code = "notifier_partly_taken"
