"""A machine on which daemons live one after the other, and how a life gets lost to the next one."""

from __future__ import annotations

import shutil
from datetime import timedelta

from connector_core import EventType, FieldChange, FieldName, RetryLater, hookimpl
from connector_core.store.opening import open_store
from connector_core.testing import FrozenClock, MemoryDesk
from tests.support.activation import active_record
from tests.support.faults.simulated_store import BOX
from tests.support.sync_lab import LONGEST_TITLE, happen, make_lab, run

SETTLE_S = 120.0


class LaggingDesk(MemoryDesk):
    """A desk whose search may not know yet what was made within two minutes, and which can tell histories."""

    def __init__(self, clock):
        super().__init__(clock, longest_title=LONGEST_TITLE)
        self.changed = {}

    @hookimpl
    def when_changed(self, integration, ticket):
        """Tell what agents changed."""
        return self.changed

    def edit(self, ticket_id, **fields):
        """Change fields as an agent, and remember when."""
        names = {FieldName(name) for name in fields if name in {"title", "description", "priority"}}
        self.changed |= {name: FieldChange(at=self.clock.now()) for name in names}
        return super().edit(ticket_id, **fields)

    def _search(self, marker):
        found = super()._search(marker)
        is_known = found is not None and self.clock.now() - found.made.updated >= timedelta(seconds=30)
        return found if is_known else None

    def _found(self, change):
        if self._search(change.marker) is None and change.attempt_age_s < SETTLE_S:
            raise RetryLater("It is being looked for.", after_s=15, code="looking")
        return super()._found(change)


class Machine:
    """A machine with a database on which daemons live one after the other, at one desk."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = FrozenClock()
        self.desk = LaggingDesk(self.clock)
        self.path = folder / "connector.db"
        self.store = None
        self.number = 0
        self.start()

    def start(self, path=None):
        """Start a daemon."""
        self.path = path or self.path
        self.store = open_store(self.path, BOX)
        if not self.store.integrations.every():
            self.store.integrations.put(active_record("desk", "acme", self.clock.now() - timedelta(days=9)))
        self.why = self.store.life.begin(self.clock.now())
        self.lab = make_lab(self.store, self.clock, desk=self.desk)
        self.lab.number = self.number

    def stop(self, *, beats=True):
        """End the daemon, by a kill if it does not beat."""
        if beats:
            self.store.life.beat(self.clock.now())
        self.number = self.lab.number
        self.store.close()

    def files(self):
        """Return the files of the database."""
        return [one for one in self.folder.glob("connector.db*") if not one.name.endswith((".life", ".lock"))]

    def keep_copy(self):
        """Copy the files of a daemon that is stopped."""
        self.stop()
        kept = {one.name: one.read_bytes() for one in self.files()}
        self.start()
        return kept

    def put_back(self, kept):
        """Put a copy of the files in their place, as an operator does."""
        for one in self.files():
            one.unlink()
        for name, content in kept.items():
            (self.folder / name).write_bytes(content)

    def happen(self, kind=EventType.OPENED, *, opened=None, **fields):
        """Let the platform tell of an incident, and work until nothing is due."""
        happen(self.lab, kind, opened_at=opened or self.clock.now(), **fields)
        return self.settle()

    def settle(self):
        """Let three minutes pass."""
        for _ in range(36):
            self.clock.forward(5)
            run(self.lab)
        return self.lab.store.links.find(text="inc-1")[0]


def restored(machine, way):
    """Lose the life that follows in one of many ways; return a function that brings the database back."""
    if way == "backup":
        machine.store.database.backup(machine.folder / "backup")
        return lambda: (machine.put_back({}), shutil.copy(machine.folder / "backup", machine.path))
    if way == "files":
        kept = machine.keep_copy()
        return lambda: machine.put_back(kept)
    if way == "machine":  # all that there is, the file beside the database too
        kept = machine.keep_copy()
        beside = (machine.folder / "connector.db.life").read_text()
        return lambda: (machine.put_back(kept), (machine.folder / "connector.db.life").write_text(beside))
    if way == "elsewhere":
        machine.store.database.backup(machine.folder / "moved")
        return lambda: setattr(machine, "path", machine.folder / "moved")
    return lambda: machine.put_back({})


WAYS = ["backup", "files", "machine", "elsewhere", "lost"]
