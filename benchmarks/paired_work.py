"""What `paired.py` has each of two commits do: it runs with the code of either, and asks of it only what both have."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

from pydantic import SecretStr

import connector_core
from connector_core import EventType, Incident, IncidentEvent
from connector_core.contract.comment_rules import CommentRules
from connector_core.secrets import SecretBox, generate_key
from connector_core.store import IntegrationRecord, IntegrationState, Origin, Progress, Rest, Target
from connector_core.store.opening import open_store

CALLERS = 16
EVENTS, ALONE, LANES = 4000, 400, 2000


def main(folder: str) -> None:
    """Print how much of each was done in a second."""
    assert Path(connector_core.__file__).is_relative_to(folder), f"{connector_core.__file__} is not of {folder}"
    store = open_store(Path("connector.db").absolute(), SecretBox([SecretStr(generate_key())]))
    now = datetime.now(UTC)
    store.integrations.put(
        IntegrationRecord(
            id="desk",
            organization="acme",
            plugin="bench",
            rules={},
            comments=CommentRules(),
            origin=Origin.SETUP,
            state=IntegrationState.ACTIVE,
            answers={},
            secret_answers={},
            webhook_secrets=(),
            created_at=now,
            activated_at=now,
        )
    )

    def take(number: int) -> None:
        name = f"inc-{number}"
        event = IncidentEvent(
            id=name, type=EventType.OPENED, occurred_at=now, incident=Incident(id=name, title="Display offline")
        )
        store.inbox.accept_events("acme", [event], [Target("desk", {}, now)], now).result()

    def lane(_: int) -> None:
        for claim in store.lanes.claim("boot", datetime.now(UTC), 1, 7200.0):
            store.links.get(claim.link_id)
            store.links.record(claim, Progress(), datetime.now(UTC))
            store.lanes.release(claim, Rest(), datetime.now(UTC))

    figures: dict[str, float] = {}
    for name, deed, numbers, callers in (
        ("events, 1 caller", take, range(ALONE), 1),
        (f"events, {CALLERS} callers", take, range(ALONE, ALONE + EVENTS), CALLERS),
        ("lanes, 1 worker", lane, range(ALONE), 1),
        ("lanes, 8 workers", lane, range(LANES), 8),
        ("links read", lambda number: store.links.get(number + 1), range(EVENTS), 1),
    ):
        took_s, cpu_s = _took(deed, numbers, callers)
        figures[name] = len(numbers) / took_s
        figures[f"… a second of CPU, {name}"] = len(numbers) / cpu_s
    store.close()
    print(json.dumps(figures))


def _took(deed: Callable[[int], object], numbers: range, callers: int) -> tuple[float, float]:
    """Return the seconds that passed, and those that this process worked, which say less of the rest of the machine."""
    started, cpu = perf_counter(), process_time()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(deed, numbers))
    return perf_counter() - started, process_time() - cpu


if __name__ == "__main__":
    main(sys.argv[1])
