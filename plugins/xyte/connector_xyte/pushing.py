"""Events that a gateway pushes, where there is one: signed as those of any platform."""

from __future__ import annotations

from connector_core import InboundRequest, Push, WebhookRejected, hookspecs, implements, read_signed_events
from connector_xyte.settings import XyteSource


@implements(hookspecs.on_source_push)
def receive(source: XyteSource, request: InboundRequest) -> Push:
    """Take signed events of a gateway, if there is one."""
    if source.settings.push_secret is None:
        raise WebhookRejected("No push_secret is set for this source.", status=404, reply="not found")
    return read_signed_events(source.settings.push_secret, request)
