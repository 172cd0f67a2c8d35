"""What is known of an incident's device and place: read once, kept for a while, and not worth a long delay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connector_core import ConnectorError, Device, Finding, RetryLater, Severity
from connector_xyte.client import XyteClient
from connector_xyte.mapping import Seen, chosen_fields, identifier, own_device, read_device
from connector_xyte.settings import XyteSource
from connector_xyte.spaces import SpaceTree, read_tree

# With more unknown devices than this, reading the whole list takes fewer calls.
SINGLE_READS = 10
MOST_KEPT = 20_000
# How many looks an incident waits for details that cannot be read at the moment; a request is made with them once.
LOOKS_WAITED = 3

_DEVICES = "devices"
_WAITED = "waited"
_TREE = "tree"


@dataclass
class Surroundings:
    """Devices and spaces of one look; what is kept from one to the next is in the source's cache."""

    source: XyteSource
    client: XyteClient
    findings: list[Finding] = field(default_factory=list)

    def tree(self) -> SpaceTree:
        """Return the spaces.

        Raises:
            ConnectorError: they cannot be read.
        """
        kept = self.source.cache.get(_TREE)
        if kept is not None and kept[0] > self._now():
            tree: SpaceTree = kept[1]
            return tree
        tree = read_tree(self.client.spaces().items)
        self.source.cache[_TREE] = (self._now() + self._kept_s(), tree)
        if rings := tree.rings():
            self._find("space_ring", f"{rings} spaces lie in a ring; their address is not looked for further up.")
        return tree

    def tree_or_nothing(self) -> SpaceTree:
        """Return the spaces, or none when they cannot be read.

        Raises:
            RetryLater: they may be read soon.
        """
        try:
            return self.tree()
        except ConnectorError as exc:
            self._wait_for(exc)
            self._find("spaces_unreadable", "Spaces cannot be read; incidents go without address.", exc)
            return SpaceTree()

    def devices(self, incidents: Iterable[Seen]) -> dict[str, Device]:
        """Return the devices of incidents by the incident's id, as well as they are known.

        Raises:
            RetryLater: they may be known soon.
        """
        wanted = {seen.device_id: seen for seen in incidents if seen.device_id is not None}
        records = self.source.cache.setdefault(_DEVICES, {})
        unknown = [name for name in wanted if name not in records or records[name][0] <= self._now()]
        try:
            self._read(unknown, records)
        except ConnectorError as exc:
            self._wait_for(exc)
            self._find("devices_unreadable", "Devices cannot be read; incidents go with what they tell.", exc)
        if not self.findings:
            self.source.cache.pop(_WAITED, None)
        found = {}
        for seen in incidents:
            record = records.get(seen.device_id, (0.0, None))[1] if seen.device_id is not None else None
            device = own_device(seen) if record is None else self._device(record, seen)
            if device is not None:
                found[seen.id] = device
        return found

    def _device(self, record: dict[str, Any], seen: Seen) -> Device:
        settings = self.source.settings
        chosen = chosen_fields(record, settings.device_fields)
        return read_device(record, seen).model_copy(update={"other": chosen or None})

    def _read(self, unknown: list[str], records: dict[str, tuple[float, dict[str, Any] | None]]) -> None:
        if len(records) > MOST_KEPT:
            records.clear()
        until = self._now() + self._kept_s()
        if len(unknown) > SINGLE_READS:
            for item in self.client.devices().items:
                if isinstance(item, dict) and (name := identifier(item.get("id"))) is not None:
                    records[name] = (until, item)
            records.update({name: (until, None) for name in unknown if name not in records})
            return
        for name in unknown:
            records[name] = (until, self.client.device(name))

    def _wait_for(self, error: ConnectorError) -> None:
        """Raise an error again for a few looks, if waiting may mend it."""
        waited = self.source.cache.get(_WAITED, 0)
        if isinstance(error, RetryLater) and waited < LOOKS_WAITED:
            self.source.cache[_WAITED] = waited + 1
            raise error

    def _find(self, code: str, sentence: str, error: ConnectorError | None = None) -> None:
        detail, fix = (error.message, error.fix) if error is not None else ("", "")
        self.findings.append(Finding(code=code, severity=Severity.WARNING, title=sentence, detail=detail, fix=fix))

    def _now(self) -> float:
        return self.source.clock.monotonic()

    def _kept_s(self) -> float:
        settings = self.source.settings
        return settings.details_for.total_seconds()
