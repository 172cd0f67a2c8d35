"""Who may have sent a delivery: the signature over its bytes, and the site and project that it names, unproven."""

from __future__ import annotations

import re

from connector_core import InboundRequest, Signature, hookspecs, implements
from connector_core.kit.signing import SignatureScheme

SCHEME = SignatureScheme("x-hub-signature", prefix="sha256=")

#: A delivery names its site and issue near its beginning; whoever hides them further back waits a little longer.
_LOOKED_AT = 16 * 1024
_SELF = re.compile(
    rb'"self"\s*:\s*"(https?:(?:\\?/){2}[^"/\\?#\s]+(?:\\?/[^"?#\s]*?)?)\\?/rest\\?/(?:api|servicedeskapi)'
)
_KEY = re.compile(rb'"key"\s*:\s*"([A-Z][A-Z0-9_]{1,30})-\d')


@implements(hookspecs.find_signature)
def find(request: InboundRequest) -> Signature:
    """Return who may have sent a delivery, before it is read."""
    begin = request.body[:_LOOKED_AT]
    site, project = _SELF.search(begin), _KEY.search(begin)
    return SCHEME.find(
        request,
        site=site[1].replace(b"\\", b"").decode("ascii", "ignore") if site else "",
        part=project[1].decode("ascii") if project else "",
    )
