"""A process that takes events into a store as fast as it can, and writes each acknowledged id to a file.

Arguments: the database, the file for the ids, how many events, and what `PRAGMA synchronous` is to be, if not ours.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from connector_core import EventType, Incident, IncidentEvent
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store

SENDERS = 8


def main(database: str, acknowledged: str, count: str, synchronous: str) -> None:
    """Take events on several threads."""
    store = open_store(Path(database), SecretBox((SecretStr("a key only for tests, of good length"),)))
    if synchronous:
        vars(store.database)["_writer"]._db.execute(f"PRAGMA synchronous = {synchronous}")
    ids = os.open(acknowledged, os.O_WRONLY | os.O_CREAT, 0o600)
    done = threading.Lock()
    written = [0]

    def send(first: int) -> None:
        for number in range(first, int(count), SENDERS):
            now = datetime.now(UTC)
            incident = Incident(id=f"inc-{number}", title="x" * 200)
            event = IncidentEvent(id=f"evt-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)
            store.inbox.accept_events("acme", [event], [], now).result()
            with done:
                os.pwrite(ids, f"{number:8}".encode(), written[0])
                written[0] += 8

    threads = [threading.Thread(target=send, args=[first]) for first in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
