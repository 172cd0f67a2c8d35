"""The store for commands that only read: beside a running daemon nothing changes by looking.

The database is neither made nor brought up to date. What plugins learn while they look is kept here, for this command
alone. One thing is written: a grant that had to be renewed, and that it is being renewed, for the other side takes the
former one only once.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import Any

from connector_core.contract.models import Grant
from connector_core.databases import DatabasePlace
from connector_core.secrets import SecretBox
from connector_core.store import breakers, configuration, grants, integrations
from connector_core.store.breakers import Breakers
from connector_core.store.checkups import Checkups
from connector_core.store.configuration import Configuration
from connector_core.store.grants import Grants
from connector_core.store.integrations import Integrations
from connector_core.store.knowledge import Knowledge
from connector_core.store.notifiers import Notifiers
from connector_core.store.nouns import EVERYBODY, Scope
from connector_core.store.reading import Reading, open_reading
from connector_core.store.records import (
    Breaker,
    Changes,
    Checkup,
    IntegrationRecord,
    NotifierRecord,
    SourceRecord,
    SourceState,
)
from connector_core.store.sealing import sealing_box
from connector_core.store.sources import Sources
from connector_core.store.store import Store


class ReadOnlyStore(Store):
    """The nouns of a database that is read; `open_read_only` makes it."""

    def __init__(self, database: Reading, *, ends_pauses: bool, with_secrets: bool) -> None:
        super().__init__(database)
        self.integrations = _Integrations(database) if with_secrets else _WithoutSecrets(database)
        self.grants = _Grants(database)
        self.sources = _Sources(database)
        self.notifiers = _Notifiers(database)
        self.configuration = _Configuration(database)
        self.knowledge = _Knowledge(database)
        self.checkups = _Checkups(database)
        self.breakers = _EndingPauses(database) if ends_pauses else _Breakers(database)


class _Integrations(Integrations):
    @property
    def _box(self) -> SecretBox | None:
        return self._database.box if self._database.box.has_key else None

    def every(self) -> list[IntegrationRecord]:
        """Return all integrations; without the key, as if they had no secrets."""
        return self._database.read(lambda db: integrations.every(db, self._box))

    def since(self, known: int) -> Changes:
        """Return those that changed after a version, in the same way."""
        return self._database.read(lambda db: integrations.since(db, self._box, known))

    def note_problem(self, integration_id: str, code: str, problem: str) -> None:
        """Keep nothing: the daemon will meet it, too."""

    def remember_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep nothing: it is asked for again."""


class _WithoutSecrets(_Integrations):
    @property
    def _box(self) -> None:
        return None


class _Grants(Grants):
    def __init__(self, database: Reading) -> None:
        super().__init__(database)
        self._looking = database

    def get(self, integration_id: str) -> Grant | None:
        """Return the grant of an integration, none without the key."""
        return super().get(integration_id) if self._looking.box.has_key else None

    def save(self, integration_id: str, grant: Grant | None) -> None:
        """Store a renewed grant: without it the daemon would be left with one that is used up."""
        self._looking.write_now(
            Scope("integration_id", integration_id),
            lambda db: grants.save(db, sealing_box(db, self._looking.box), integration_id, grant),
        )

    def begin_renewal(self, integration_id: str, at: datetime) -> datetime | None:
        """Store that a renewal begins: the daemon asks again if its answer is lost."""
        return self._looking.write_now(
            Scope("integration_id", integration_id), lambda db: grants.begin_renewal(db, integration_id, at)
        )

    def end_renewal(self, integration_id: str) -> None:
        """Store that a renewal was refused."""
        self._looking.write_now(
            Scope("integration_id", integration_id), lambda db: grants.end_renewal(db, integration_id)
        )


class _Sources(Sources):
    def every(self) -> list[SourceRecord]:
        """Return the sources that were made in set-up, none without the key."""
        return super().every() if self._database.box.has_key else []

    def note(self, state: SourceState, made: str) -> bool:  # noqa: ARG002 - as the store's
        """Keep nothing: what a daemon finds is what counts."""
        return True

    def remember_label(self, organization: str, key: str, value: str, label: str) -> None:
        """Keep nothing: it is asked for again."""


class _Notifiers(Notifiers):
    def every(self) -> list[NotifierRecord]:
        """Return the notifiers that were added in set-up, none without the key."""
        return super().every() if self._database.box.has_key else []


class _Configuration(Configuration):
    def __init__(self, database: Reading) -> None:
        super().__init__(database)
        self._looking = database

    def snapshot(self) -> str | None:
        """Return what the daemon took over from the file, nothing without the key."""
        return super().snapshot() if self._looking.box.has_key else None

    def wish(self, place: str = "") -> int:
        """Ask the daemon to apply the file: the wish itself changes nothing."""
        return self._looking.write_now(None, partial(configuration.wish, place=place))


class _Knowledge(Knowledge):
    def __init__(self, database: Reading) -> None:
        super().__init__(database)
        self._learnt: dict[tuple[str, str], Any] = {}

    def recall(self, integration_id: str, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what was remembered under a key, here first."""
        if (integration_id, key) in self._learnt:
            return self._learnt[integration_id, key]
        return super().recall(integration_id, key)

    def remember(self, integration_id: str, key: str, value: str, at: datetime) -> None:  # noqa: ARG002 - as the store's
        """Keep a value for this command alone."""
        self._learnt[integration_id, key] = json.loads(value)


class _Checkups(Checkups):
    def record(self, checkup: Checkup) -> None:
        """Keep nothing: what a daemon finds is what counts."""


class _Breakers(Breakers):
    def trip(self, breaker: Breaker) -> None:
        """Keep nothing."""

    def reset(self, key: str, now: datetime) -> int:  # noqa: ARG002 - as the store's
        """Wake nothing."""
        return 0

    def begin_try(self, *_: Any) -> None:  # noqa: ANN401 - as the store's
        """Try beside the daemon: that is what the command is for."""

    def end_try(self, *_: Any) -> None:  # noqa: ANN401 - as the store's
        """Keep nothing."""


class _EndingPauses(_Breakers):
    def __init__(self, database: Reading) -> None:
        super().__init__(database)
        self._looking = database

    def reset(self, key: str, now: datetime) -> int:
        """End a pause: that is what the command is for."""
        return self._looking.write_now(EVERYBODY, lambda db: breakers.reset(db, key, now))


def open_read_only(
    database: DatabasePlace,
    box: SecretBox,
    *,
    ends_pauses: bool = False,
    with_any_key: bool = False,
    with_secrets: bool = True,
) -> ReadOnlyStore:
    """Open a database for reading; with `ends_pauses`, what was found to work is tried again by the daemon.

    Without secrets, integrations are read as if they had none, but where they are asked for: it takes long to open
    those of thousands.
    A key that is not that of the database counts as none, unless `with_any_key`: whatever needs no secret works.

    Raises:
        ConfigError: there is none yet, it was made by an older or a newer version, or it is no database of ours.
    """
    opened = open_reading(database, box, with_any_key=with_any_key)
    return ReadOnlyStore(opened, ends_pauses=ends_pauses, with_secrets=with_secrets)
