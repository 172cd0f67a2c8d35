"""Why deliveries are turned away, in words: what the console, the doctor and the log say for each code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector_core.documentation import SEE_FLOODS

SIGNATURE_MISMATCH = "signature_mismatch"
SIGNATURE_MISSING = "signature_missing"
INTEGRATION_DISABLED = "integration_disabled"
SEARCH_LIMIT = "search_limit"
ADDRESS_UNKNOWN = "address_unknown"
NOT_PUSHED = "source_not_pushed"
RECENT = timedelta(days=7)  # what was turned away longer ago is told no more
NO_ROUTE = ""  # where refusals are counted that came to an address which no plugin has

PASTE = "Copy the secret again, verbatim, from the ticketing system and paste it into the step Webhook."
_LOST = "If it is lost, change it there: generate a new one and paste that; the former one ends."
SECRET_FIX = f"{PASTE} {_LOST}"
_TOO_MUCH = "The sender tries them again. If this goes on, raise server.limits.body_mib."
_CROWD = f"The log names an address of them. {SEE_FLOODS}"
_SHORT = "If this goes on, give the connector more memory."
_ON_THE_WAY_HERE = "Look what stands between the platform and this server: a proxy or relay changes what passes."
_ON_THE_WAY = "Look what stands between the ticketing system and this server: a proxy or relay changes what passes."


@dataclass(frozen=True)
class Reason:
    """One reason: what is so, and what to do about it."""

    title: str
    fix: str


@dataclass(frozen=True)
class Refused:
    """Deliveries that were turned away for one reason, since the last one that was taken."""

    code: str
    count: int
    last_at: datetime

    @property
    def reason(self) -> Reason:
        """The reason in words."""
        return REASONS.get(self.code) or Reason(
            f"Deliveries are refused ({self.code})", "The log has each of them with its reason."
        )


@dataclass(frozen=True)
class RefusedEvents(Refused):
    """Events that a platform pushed and that were turned away for one reason."""

    @property
    def reason(self) -> Reason:
        """The reason in words."""
        return EVENT_REASONS.get(self.code) or Reason(
            f"Events are refused ({self.code})", "The log has each of them with its reason."
        )


def events_route(organization: str) -> str:
    """Return where pushed events of an organization are counted; routes of plugins are plain names."""
    return f"/v1/sources/{organization}/events"


EVENT_REASONS: Mapping[str, Reason] = {
    "signature_not_accepted": Reason(
        "Events are refused with 401: no secret here made their signature, or their time is too far off",
        "Give the platform the secret of the source again, and look at both clocks.",
    ),
    "event_unreadable": Reason(
        "Events cannot be read: something in them is missing or is not what it should be",
        "The answer to the platform and the log name the field. Once it is fixed, have the platform send them again.",
    ),
    NOT_PUSHED: Reason(
        "Events are pushed to a source that asks by itself", "Take the address out of the platform's settings."
    ),
    "encoding_unknown": Reason(
        "Events are compressed in a way that is not read here", "Send them as they are or as gzip."
    ),
    "encoding_broken": Reason("Events are compressed and cannot be unpacked", _ON_THE_WAY_HERE),
    "too_large": Reason("Events are too large", "Have the platform send fewer at once."),
    "too_slow": Reason("Events come in too slowly to be taken", _ON_THE_WAY_HERE),
    "body_in_pieces": Reason(
        "Events come in tiny pieces, hundreds of them", "Have the platform send each body as a whole."
    ),
    "too_busy": Reason("More large events came at once than are read at a time", _TOO_MUCH),
    "cut_off": Reason("Events are cut off before their end", _ON_THE_WAY_HERE),
    "made_room": Reason("Events were cut off here: there were too many connections", _CROWD),
    "out_of_memory": Reason("Events were refused: the connector had no memory left", _SHORT),
}

REASONS: Mapping[str, Reason] = {
    "secrets_unreadable": Reason(
        "Deliveries are refused with 503: stored webhook secrets cannot be opened with secret_key",
        "Put the former key back into secret_key and start the connector again, or enter the secret again in the step "
        "Webhook.",
    ),
    SEARCH_LIMIT: Reason(
        "Deliveries are refused with 429: nobody known signed them, and too many came to try every secret",
        "The log has their senders. Those of integrations whose site and secret are known are taken meanwhile.",
    ),
    SIGNATURE_MISMATCH: Reason("Deliveries are refused with 403: no secret here made their signature", SECRET_FIX),
    INTEGRATION_DISABLED: Reason(
        "Deliveries are refused with 403: the integration whose secret signs them is disabled",
        "Enable it again, or take the webhook out of the ticketing system. What changes meanwhile is caught up.",
    ),
    "signature_missing": Reason(
        "Deliveries come without a signature",
        "Give the webhook in the ticketing system a secret, and paste the same one into the step Webhook.",
    ),
    "secret_shared": Reason(
        "Deliveries could be for several organizations, which share one secret",
        "Give each organization a secret of its own, or use the address that ends in the integration's id.",
    ),
    "integration_unknown": Reason(
        "Deliveries name an integration that is not there or not active",
        "Copy the webhook's address again.",
    ),
    ADDRESS_UNKNOWN: Reason("Deliveries come to an address that nobody has", "Copy the webhook's address again."),
    "body_empty": Reason(
        "Deliveries come without a body",
        "Clear the box Exclude body, or its like, in the webhook in the ticketing system.",
    ),
    "body_not_utf8": Reason("The body of deliveries is not UTF-8", _ON_THE_WAY),
    "body_not_json": Reason("The body of deliveries is no JSON", _ON_THE_WAY),
    "body_not_object": Reason("The body of deliveries is not what the ticketing system sends", _ON_THE_WAY),
    "encoding_unknown": Reason("Deliveries are compressed in a way that is not read here", _ON_THE_WAY),
    "encoding_broken": Reason("Deliveries are compressed and cannot be unpacked", _ON_THE_WAY),
    "too_large": Reason("Deliveries are too large", "Have the webhook send fewer fields, or exclude attachments."),
    "too_slow": Reason("Deliveries come in too slowly to be taken", _ON_THE_WAY),
    "body_in_pieces": Reason("Deliveries come in tiny pieces, hundreds of them", _ON_THE_WAY),
    "too_busy": Reason("More large deliveries came at once than are read at a time", _TOO_MUCH),
    "cut_off": Reason("Deliveries are cut off before their end", _ON_THE_WAY),
    "made_room": Reason("Deliveries were cut off here: there were too many connections", _CROWD),
    "out_of_memory": Reason("Deliveries were refused: the connector had no memory left", _SHORT),
}
