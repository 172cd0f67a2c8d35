"""What need not be kept is forgotten at a time of the test's choosing, as the daemon does by the hour."""

from __future__ import annotations

from connector_core.store.forgetting import KEPT

AT_ONCE = 100


def forget(store, now):
    """Forget everything that is too old by then; return how many rows of which tables, those that had some."""
    gone = {}
    for kept in KEPT:
        while found := store.forgetting.forget(kept, now, AT_ONCE):
            gone[kept.table] = gone.get(kept.table, 0) + found
    return gone
