"""Xyte's records as ours: both spellings that were seen of everything, and no trust in any text. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from connector_core import Device, Incident, IncidentStatus, Location, Priority

ACTIVE = "active"
CLOSED = "closed"

MAX_ID_CHARS = 255
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
_PRIORITIES = frozenset(Priority)


@dataclass(frozen=True, slots=True)
class Seen:
    """An incident as a list showed it; times are seconds since the epoch, `status` and `priority` as Xyte says them.

    `digest` stands for what is kept in sync, see `differs`.
    """

    id: str
    status: str
    priority: str
    digest: str
    created: float | None
    updated: float | None
    raw: Mapping[str, Any]

    @property
    def untold(self) -> frozenset[str]:
        """The names of what is kept in sync and was not told: absent is not empty."""
        return frozenset(name for name in _KEPT if not _is_told(self.raw, name))

    @property
    def is_active(self) -> bool:
        """Whatever is not closed is open: closing by mistake is worse than the opposite."""
        return self.status != CLOSED

    @property
    def device_id(self) -> str | None:
        """The id of its device."""
        return identifier(self.raw.get("device_id")) or identifier(_part(self.raw, "device").get("id"))

    @property
    def space_id(self) -> str | None:
        """The id of its space."""
        return identifier(self.raw.get("space_id")) or identifier(_part(self.raw, "space").get("id"))

    @property
    def space_path(self) -> str | None:
        """The names of its space and those above it."""
        return text(self.raw.get("space_tree_path_name")) or text(_part(self.raw, "space").get("full_path"))


def read_incident(item: object, listed_as: str) -> Seen | None:
    """Read an item of a list; None when it has no id, so that nothing can be said about it."""
    if not isinstance(item, dict):
        return None
    name = identifier(item.get("uuid")) or identifier(item.get("id"))
    if name is None:
        return None
    status = item.get("status")
    priority = item.get("priority")
    return Seen(
        id=name,
        status=status.strip().lower() if isinstance(status, str) and status.strip() else listed_as,
        priority=priority.strip().lower() if isinstance(priority, str) else "",
        digest=_digest(item),
        created=moment(item.get("created_at")),
        updated=moment(item.get("closed_at")) or moment(item.get("updated_at")),
        raw=item,
    )


def incident_of(seen: Seen, unknown_priority: Priority | None, device: Device | None, location: Location) -> Incident:
    """Return an incident in our words."""
    raw = seen.raw
    issue = text(raw.get("issue"))
    return Incident(
        id=seen.id,
        title=text(raw.get("title")) or issue or f"Incident {seen.id}",
        description=text(raw.get("description")),
        priority=priority_of(seen, unknown_priority),
        status=IncidentStatus.ACTIVE if seen.is_active else IncidentStatus.CLOSED,
        issue=issue,
        opened_at=as_datetime(seen.created),
        updated_at=as_datetime(seen.updated),
        device=device or own_device(seen),
        location=location,
    )


def priority_of(seen: Seen, unknown: Priority | None) -> Priority | None:
    """Return the priority in our words, or what an unknown one counts as."""
    return Priority(seen.priority) if seen.priority in _PRIORITIES else unknown


def knows_priority(seen: Seen) -> bool:
    """Return whether a priority is one of those that Xyte documents."""
    return seen.priority in _PRIORITIES


def own_device(seen: Seen) -> Device | None:
    """Return what an incident itself tells of its device."""
    raw, device = seen.raw, _part(seen.raw, "device")
    found = Device(
        id=seen.device_id,
        name=text(raw.get("device_name")) or text(device.get("name")),
        model=_model(text(raw.get("device_model")), text(raw.get("device_sub_model"))),
        vendor=text(raw.get("partner_name")),
    )
    return found if found != Device() else None


def read_device(answer: Mapping[str, Any], seen: Seen) -> Device:
    """Return what Xyte tells of a device; never what may hold the secrets of a site."""
    own = own_device(seen) or Device()
    model = _part(answer, "model")
    return Device(
        id=identifier(answer.get("id")) or own.id,
        name=text(answer.get("name")) or own.name,
        model=_model(text(model.get("name")), text(model.get("sub_model"))) or own.model,
        serial_number=text(answer.get("sn")) or text(answer.get("serial_number")),
        mac=text(answer.get("mac")),
        firmware=text(_part(answer, "firmware").get("version")) or text(answer.get("firmware_version")),
        vendor=own.vendor,
    )


def chosen_fields(answer: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """Return those values of a device's own fields that settings name."""
    found: dict[str, str] = {}
    for name in names:
        for part in ("custom_parameters", "details", "state"):
            value = _part(answer, part).get(name)
            if isinstance(value, str | int | float) and (shown := text(str(value))):
                found.setdefault(name, shown)
    return found


def identifier(value: object) -> str | None:
    """Return an id as text; Xyte's are numbers or texts."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    name = str(value).strip()
    return name if 0 < len(name) <= MAX_ID_CHARS and not _UNSENDABLE.search(name) else None


def text(value: object) -> str | None:
    """Return a text without what cannot be stored or sent, None when nothing is left of it."""
    if not isinstance(value, str):
        return None
    return _UNSENDABLE.sub("", value).strip() or None


def moment(value: object) -> float | None:
    """Read a time, ISO 8601 or seconds since the epoch; None for anything else, or beyond the calendar."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            seconds = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and as_datetime(seconds) is not None else None


def as_datetime(seconds: float | None) -> datetime | None:
    """Return a time for people and records; None where the calendar ends."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _model(name: str | None, sub_model: str | None) -> str | None:
    return " ".join(filter(None, (name, sub_model))) or None


_KEPT = ("title", "description", "priority", "issue")
_UNTOLD = "-"
_ENCODER = json.JSONEncoder(sort_keys=True)  # one for all: `json.dumps` makes one for each value


def differs(before: str, seen: Seen) -> bool:
    """Return whether something that is kept in sync is another than before; what is not told, or was not, is no change.

    What an earlier version remembered is one digest of all.
    """
    if "." not in before:
        return before != _whole_digest(seen.raw)
    return any(_UNTOLD not in (old, new) and old != new for old, new in _pairs(before, seen.digest))


def remembered(before: str, seen: Seen) -> str:
    """Return the digest to remember: of what was not told, what was known."""
    if "." not in before:
        return seen.digest
    return ".".join(old if new == _UNTOLD else new for old, new in _pairs(before, seen.digest))


def with_known(incident: Incident, seen: Seen, known: Incident) -> Incident:
    """Return an incident with what its list did not tell as it was known before."""
    kept: dict[str, Any] = {name: getattr(known, name) for name in seen.untold}
    kept |= {name: getattr(incident, name) or getattr(known, name) for name in ("opened_at", "device")}
    return incident.model_copy(update=kept)


def _pairs(before: str, now: str) -> list[tuple[str, str]]:
    return list(zip(before.split("."), now.split("."), strict=False))


def _is_told(item: Mapping[str, Any], name: str) -> bool:
    """Return whether an item says something; a title and a priority cannot be empty."""
    return name in item and (item[name] is not None or name not in {"title", "priority"})


def _digest(item: Mapping[str, Any]) -> str:
    """Return short names for what is kept in sync, the same as long as each is the same."""
    return ".".join(_digest_of(item[name], 3) if _is_told(item, name) else _UNTOLD for name in _KEPT)


def _whole_digest(item: Mapping[str, Any]) -> str:
    return _digest_of([item.get(name) for name in _KEPT], 9)


def _digest_of(value: object, size: int) -> str:
    try:
        written = _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        written = b"unwritable"
    return blake2b(written, digest_size=size).hexdigest()
