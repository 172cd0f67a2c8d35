"""What was read once and holds for a while: in the process, and on wish across restarts.

    states = kept(integration, "states", lambda: read_states(rest), for_s=600)

Keys are the plugin's; what is particular to an answer belongs into the key, such as the queue's id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from connector_core.contract.errors import RetryLater
from connector_core.contract.handles import AnyIntegration

T = TypeVar("T")


@dataclass(frozen=True)
class _Kept(Generic[T]):
    value: T
    #: By the clock that never goes back.
    read_at: float


def kept(
    integration: AnyIntegration,
    key: str,
    load: Callable[[], T],
    *,
    for_s: float,
    remembered_as: TypeAdapter[T] | None = None,
) -> T:
    """Return what was last loaded under a key, at most `for_s` seconds old; else load it now.

    With `remembered_as`, which says what it looks like in JSON, it is also there after a restart, and for other nodes.
    What `load` raises is raised, and what was there stays.

    priorities = kept(integration, "priorities", read, for_s=3600, remembered_as=TypeAdapter(dict[str, str]))
    """
    now = integration.clock.monotonic()
    present = integration.cache.get(key)
    if isinstance(present, _Kept) and now - present.read_at < for_s:
        return present.value  # type: ignore[no-any-return] # of the same key
    if remembered_as is not None and (found := _recalled(integration, key, remembered_as)) is not None:
        age_s = (integration.clock.now() - found[1]).total_seconds()
        if 0 <= age_s < for_s:
            integration.cache[key] = _Kept(found[0], now - age_s)
            return found[0]
    return keep(integration, key, load(), remembered_as=remembered_as)


def keep(integration: AnyIntegration, key: str, value: T, *, remembered_as: TypeAdapter[T] | None = None) -> T:
    """Keep what was just read in passing, as if it had been loaded; return it.

    keep(integration, "states", states_of(answer))
    """
    integration.cache[key] = _Kept(value, integration.clock.monotonic())
    if remembered_as is not None:
        shown = {"at": integration.clock.now().isoformat(), "value": remembered_as.dump_python(value, mode="json")}
        try:
            integration.memory.remember(key, shown)
        except RetryLater as exc:  # the database is busy; nobody has to wait for what can be asked again
            integration.log.info("not_remembered", what=key, code=exc.code)
    return value


def known(integration: AnyIntegration, key: str, *, remembered_as: TypeAdapter[T] | None = None) -> T | None:
    """Return what was last loaded, however old, without asking: nothing may be asked while a webhook waits.

    states = known(integration, "states", remembered_as=STATES) or {}
    """
    present = integration.cache.get(key)
    if isinstance(present, _Kept):
        return present.value  # type: ignore[no-any-return] # of the same key
    found = _recalled(integration, key, remembered_as) if remembered_as is not None else None
    return None if found is None else found[0]


def forget(integration: AnyIntegration, key: str) -> None:
    """Load anew next time: the other side refused what the one we know asks for.

    forget(integration, "states")
    """
    integration.cache.pop(key, None)
    try:
        if integration.memory.recall(key) is not None:
            integration.memory.remember(key, None)
    except RetryLater as exc:
        integration.log.info("not_forgotten", what=key, code=exc.code)


def _recalled(integration: AnyIntegration, key: str, form: TypeAdapter[T]) -> tuple[T, datetime] | None:
    """Read what was remembered, and when; what is not of this form was written by another version."""
    try:
        shown = integration.memory.recall(key)
    except RetryLater as exc:
        integration.log.info("not_recalled", what=key, code=exc.code)
        return None
    if not isinstance(shown, dict):
        return None
    try:
        at = datetime.fromisoformat(str(shown.get("at")))
        if at.tzinfo is None:
            return None
        return form.validate_python(shown.get("value")), at
    except (ValueError, ValidationError):
        return None
