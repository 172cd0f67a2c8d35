"""Reading what the Scrip sends that people paste into Request Tracker; the Scrip itself is `scrip.pl`.

It runs once for each request that changed a ticket, whatever it changed; it never keeps the person waiting for long,
and nothing of it fails the change. What it cannot deliver nobody sends again, and what one request changes after the
owner Request Tracker tells no Scrip: both is seen when tickets are read.
"""

from __future__ import annotations

import connector_core as core
from connector_core.kit.signing import SignatureScheme, delivery_id, name_of
from connector_core.kit.values import Json, as_objects
from connector_request_tracker.api import is_number

SCHEME = SignatureScheme("x-hub-signature", prefix="sha256=")
_FIELDS = {"Subject": core.FieldName.TITLE, "Priority": core.FieldName.PRIORITY, "Status": core.FieldName.STATUS}
_COMMENTS = frozenset({"Comment", "Correspond"})


def _read(request: core.InboundRequest, event: Json) -> core.Delivery:
    """Read a delivery: which tickets to read, what is said to have happened, and who did it."""
    ticket, changes = name_of(event.get("ticket")), as_objects(event.get("changes")) or [event]
    if not is_number(ticket):
        raise core.WebhookRejected("It is signed and names no ticket.", status=422, reply="not a delivery of the Scrip")
    # Whoever follows a ticket that went into this one has to look at it.
    told = event.get("merged")
    merged = [name_of(one) for one in told[:100]] if isinstance(told, list) else []
    comments = {name_of(one.get("transaction")) for one in changes if name_of(one.get("type")) in _COMMENTS} - {""}
    by_field = {_FIELDS.get(name_of(one.get("field"))): name_of(one.get("by")) for one in changes}
    kinds = filter(None, (name_of(one.get("type")) for one in changes))
    return core.Delivery(
        id=delivery_id(request),
        event=" ".join(dict.fromkeys(kinds))[:100] or "changed",
        hints=frozenset({ticket, *filter(is_number, merged)}),
        commented={ticket: frozenset(comments)} if comments else {},
        changed_by={field: name for field, name in by_field.items() if field is not None},
    )


receive = SCHEME.receiver(_read)
