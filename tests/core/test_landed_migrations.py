"""A migration that has landed is never edited and never moved: databases exist that had it as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from connector_core.store import postgres_steps
from connector_core.store.steps import migrations
from connector_core.store.version import LATEST
from tools.migrations import landed

ROOT = Path(__file__).parents[2]

HOW = "add a migration in place of editing one; for a new one run: python -m tools.migrations"


def digests():
    """Return the digests as a process of its own makes them: other tests here play with later versions."""
    code = "import json; from tools.migrations import digests; print(json.dumps(digests()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_no_landed_migration_was_edited():
    """Each does what it did; what is new is noted, behind all others of its database."""
    now, then = digests(), landed()

    assert {name: now.get(name) for name in then} == then, HOW
    assert [name for name in now if name not in then] == [], HOW
    for kind in ("sqlite", "postgresql"):
        assert [name for name in now if name.startswith(kind)] == [name for name in then if name.startswith(kind)]


def test_migrations_are_in_order_on_both_databases():
    """By their numbers, which nobody uses twice; and the last one is what says of which version a database is."""
    of_sqlite = [step.name for step in migrations._migrations]
    of_postgresql = list(postgres_steps.MIGRATIONS)

    for names in (of_sqlite, of_postgresql):
        assert names == sorted(names)
        assert len({name[:4] for name in names}) == len(names)
        assert names[-1] == LATEST
    assert of_sqlite[-len(of_postgresql) + 1 :] != []
    assert {*of_postgresql[1:]} <= {*of_sqlite}
