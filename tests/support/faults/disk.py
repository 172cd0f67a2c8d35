"""What `preload_sources/disk_recorder.c` recorded, and the disk as a power cut may leave it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEADER = struct.Struct("=c31sqqq")
SECTOR = 512


@dataclass(frozen=True)
class Operation:
    """A write (w), truncation (t), sync (s) or removal (u) of the file `name`; `at_s` is monotonic."""

    kind: str
    name: str
    offset: int
    data: bytes
    at_s: float


def recorded(log: Path) -> Iterator[Operation]:
    """Read a log in the order in which things were done."""
    with log.open("rb") as file:
        while header := file.read(_HEADER.size):
            kind, name, offset, length, nanoseconds = _HEADER.unpack(header)
            data = file.read(length)
            yield Operation(kind.decode(), name.rstrip(b"\0").decode(), offset, data, nanoseconds / 1e9)


@dataclass
class Disk:
    """Files as they are for certain, and what was done to each since its last sync."""

    certain: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Operation]] = field(default_factory=dict)

    def do(self, operation: Operation) -> None:
        """Take one more operation."""
        waiting = self.pending.setdefault(operation.name, [])
        if operation.kind == "s":
            content = self.certain.setdefault(operation.name, bytearray())
            for one in waiting:
                _apply(content, one)
            waiting.clear()
        elif operation.kind == "u":  # only what is in another file by then is ever removed
            waiting.clear()
            self.certain.pop(operation.name, None)
        else:
            waiting.append(operation)

    def cut(self, chance) -> dict[str, bytes]:
        """Return the files after a power cut: of what was not synced nothing, a beginning, some, or some in part."""
        files = {}
        for name in self.certain.keys() | self.pending.keys():
            content = bytearray(self.certain.get(name, b""))
            for one in _survivors(self.pending.get(name, []), chance):
                _apply(content, one)
            files[name] = bytes(content)
        return files


def _survivors(waiting: list[Operation], chance) -> list[Operation]:
    how = chance.choice(["nothing", "beginning", "some", "torn"])
    if how == "nothing":
        return []
    if how == "beginning":
        return waiting[: chance.randint(0, len(waiting))]
    chosen = [one for one in waiting if chance.random() < 0.5]
    return chosen if how == "some" else [_torn(one, chance) for one in chosen]


def _torn(one: Operation, chance) -> Operation:
    """Keep whole sectors of a write, from its beginning."""
    sectors = chance.randint(0, -(-len(one.data) // SECTOR))
    return Operation(one.kind, one.name, one.offset, one.data[: sectors * SECTOR], one.at_s)


def _apply(content: bytearray, one: Operation) -> None:
    if one.kind == "t":
        del content[one.offset :]
        content.extend(bytes(one.offset - len(content)))
    else:
        content.extend(bytes(max(0, one.offset - len(content))))
        content[one.offset : one.offset + len(one.data)] = one.data
