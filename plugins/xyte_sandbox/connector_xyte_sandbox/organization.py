"""The organization behind the stand-in: incidents, devices and spaces in memory, and what people and devices do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from connector_xyte_sandbox.quirks import Quirks

OFFLINE_DEVICE = "6f7c2f0e-8a52-4c3d-9d56-0c6a4d0f1a02"
LOBBY_DEVICE = "0b9f7a54-31c4-4a55-9a1e-3f2f6f9e7d01"
LOBBY = 3220
PRIORITIES = ("critical", "high", "moderate", "low", "planning")

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class Organization:
    """All state, behind one lock."""

    def __init__(self, quirks: Quirks, now: Now = utc_now) -> None:
        self.lock = threading.RLock()
        self.begin(quirks, now)

    def begin(self, quirks: Quirks, now: Now) -> None:
        """Become an organization in which nothing has happened yet."""
        self.quirks = quirks
        self.now = now
        self.id = str(uuid4())
        self.name = "Acme"
        self.incidents: dict[str, dict[str, Any]] = {}
        self.devices = deepcopy(_DEVICES)
        self.spaces = deepcopy(_SPACES)
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.changes: list[dict[str, Any]] = []
        self._answers: dict[str, dict[str, Any]] = {}
        self._sorted: dict[str, list[dict[str, Any]]] = {}
        self._began = now()

    # What people and devices do

    def open(self, title: str, **fields: Any) -> str:  # noqa: ANN401 - any field of an incident
        """Open an incident on the lobby's display, or wherever the fields say; return its id."""
        with self.lock:
            name = str(fields.pop("id", None) or UUID(int=uuid4().int))
            device = self.devices.get(fields.get("device_id", LOBBY_DEVICE), {})
            space = self.spaces.get(fields.get("space_id", LOBBY), {})
            now = self.now_text()
            self.incidents[name] = {
                "id": name,
                "title": title,
                "description": None,
                "priority": "moderate",
                "status": "active",
                "issue": "user",
                "device_id": device.get("id"),
                "device_name": device.get("name"),
                "device_model": device.get("model", {}).get("name"),
                "device_sub_model": None,
                "partner_name": "Acme Displays",
                "space_id": space.get("id"),
                "space_name": space.get("name"),
                "space_tree_path_name": self.path(space.get("id")),
                "created_at": now,
                "updated_at": now,
                **fields,
            }
            self._sorted.clear()
            return name

    def change(self, incident_id: str, **fields: Any) -> None:  # noqa: ANN401 - any field of an incident
        """Change fields of an incident."""
        with self.lock:
            self.incidents[incident_id].update(fields, updated_at=self.now_text())
            self._sorted.clear()

    def resolve(self, incident_id: str) -> bool:
        """Close an incident; False when there is none that is open. A closed one is never opened again."""
        with self.lock:
            incident = self.incidents.get(incident_id)
            if incident is None or incident["status"] == "closed":
                return False
            self.change(incident_id, status="closed")
            if not self.quirks.keeps_closed:
                del self.incidents[incident_id]
            return True

    def incident(self, incident_id: str) -> dict[str, Any]:
        """Show an incident."""
        with self.lock:
            return dict(self.incidents[incident_id])

    def delete_device(self, device_id: str) -> None:
        """Remove a device with its incidents, closed or not."""
        with self.lock:
            self.devices.pop(device_id, None)
            for name in [name for name, one in self.incidents.items() if one["device_id"] == device_id]:
                del self.incidents[name]
            self._sorted.clear()

    # What the API shows

    def listed(self, status: str | None, start: float, end: float) -> list[dict[str, Any]]:
        """List incidents that were opened within a time."""
        with self.lock:
            self._flap()
            key = status or ""
            if key not in self._sorted:
                found = [one for one in self.incidents.values() if status is None or one["status"] == status]
                found.sort(key=lambda one: one["created_at"], reverse=self.quirks.newest_first)
                self._sorted[key] = found
            found = [one for one in self._sorted[key] if start <= _seconds(one["created_at"]) <= end]
            left_out = self.quirks.leaves_out
            return [_without(one, left_out) for one in found] if left_out else found

    def apply(self, incident_id: str, key: str, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take a change through the gateway, once for each key; None when there is no such incident."""
        with self.lock:
            if incident_id not in self.incidents:
                return None
            if key not in self._answers:
                self.changes.append({"incident": incident_id, **fields})
                self.change(incident_id, **fields)
                self._answers[key] = dict(self.incidents[incident_id])
            return self._answers[key]

    def path(self, space_id: int | None) -> str | None:
        """Return the names from the top down to a space."""
        names: list[str] = []
        while space_id is not None and space_id in self.spaces and len(names) < len(self.spaces):
            names.insert(0, self.spaces[space_id]["name"])
            space_id = self.spaces[space_id]["parent_id"]
        return "/".join(names) or None

    def count(self, status: str) -> int:
        """Count the incidents of a status."""
        with self.lock:
            return sum(one["status"] == status for one in self.incidents.values())

    def now_text(self) -> str:
        """Return the time as the API writes it."""
        return self.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _flap(self) -> None:
        """Open or close the incident of the device that comes and goes."""
        if not self.quirks.flap_s:
            return
        turn = int((self.now() - self._began).total_seconds() // self.quirks.flap_s)
        name = f"flap-{turn // 2}"
        for other in [other for other in self.incidents if other.startswith("flap-") and other != name]:
            self.resolve(other)
        if turn % 2:
            self.resolve(name)
        elif name not in self.incidents:
            device = {"device_id": OFFLINE_DEVICE, "issue": "offline"}
            self.open("Device offline", id=name, description="Offline for 30 seconds", priority="high", **device)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _space(name: str, parent: int | None, kind: str, **location: str) -> dict[str, Any]:
    return {
        "name": name,
        "parent_id": parent,
        "space_type": kind,
        "created_at": "2025-01-07T09:00:00.000Z",
        "config": {"general": {"location": location, "priority_factor": 0}} if location else {},
    }


_NEW_YORK = {"description": "New York, NY, USA", "region_name": "America/New_York"}
_SPACES: dict[int, dict[str, Any]] = {
    number: {"id": number, **space}
    for number, space in {
        3200: _space("Acme", None, "root"),
        3210: _space("New York", 3200, "site", **_NEW_YORK),
        LOBBY: _space("Lobby", 3210, "room"),
        3230: _space("Berlin", 3200, "site", description="Berlin, Germany", region_name="Europe/Berlin"),
        3231: _space("Test lab", 3230, "room"),
    }.items()
}
_DEVICES: dict[str, dict[str, Any]] = {
    LOBBY_DEVICE: {
        "id": LOBBY_DEVICE,
        "name": "Lobby display",
        "sn": "SN1",
        "mac": "00:1B:44:11:3A:B7",
        "status": "online",
        "details": {"contact": "+1 555 0100"},
        "state": {"status": "online", "temperature": 41},
        "custom_parameters": {"SNMP community": "s1te-secret", "Asset tag": "A-17"},
        "model": {"id": "m-1", "name": "X-200", "sub_model": None},
        "firmware": {"version": "1.4.2"},
        "space": {"id": LOBBY, "full_path": "Acme/New York/Lobby"},
    },
    OFFLINE_DEVICE: {
        "id": OFFLINE_DEVICE,
        "name": "Room sensor",
        "sn": None,
        "mac": None,
        "status": "offline",
        "details": None,
        "state": {},
        "custom_parameters": {},
        "model": {"id": "m-2", "name": "S-10", "sub_model": None},
        "firmware": {"version": "0.9"},
        "space": {"id": 3231, "full_path": "Acme/Berlin/Test lab"},
    },
}


def _without(item: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}
