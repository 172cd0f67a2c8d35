"""What most commands begin with: logging, plugins, configuration, and the app itself.

A command that changes something opens the app with the file, as the daemon would. One that only reads looks at what
the daemon has, so that neither an unfinished edit of the file nor another environment makes a difference.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from connector_core.config import (
    Config,
    Peek,
    Snapshot,
    peek,
    read_applied,
    read_config,
    read_leniently,
)
from connector_core.databases import PostgreSQL
from connector_core.logs import forget_later, later
from connector_core.plugins import PluginSet
from connector_core.secrets import Masker, NoKey, SecretBox, WrongKey

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from connector_core.app import App
    from connector_core.reading import Reader
    from connector_core.store.read_only import ReadOnlyStore

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Let every command take `--config` too, after its name, where people write it."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False),
        help="The configuration file.  [default: $CONNECTOR_CONFIG, then connector.yaml]",
    )(command)


def json_option(command: F) -> F:
    """Let a listing be printed for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def chosen_path(config_path: str | None) -> Path:
    """Return the configuration file that was named on the command line, in the environment, or by default."""
    named: str = config_path or click.get_current_context().find_root().obj
    return Path(named)


def read(config_path: str | None) -> tuple[Config, PluginSet, FilteringBoundLogger, Masker]:
    """Read the whole configuration, with every value that it refers to; warnings are logged, secrets masked."""
    masker, log = command_logging()
    config, plugins = read_config(chosen_path(config_path))
    masker.add(*(secret.get_secret_value() for secret in config.secrets))
    if ca_file := config.calls().ca_file:
        from connector_core.http.authorities import trusting  # noqa: PLC0415 - few have such a file

        trusting(ca_file)
    return config, plugins, log, masker


@contextmanager
def opened(config_path: str | None) -> Iterator[App]:
    """Build the app for one command that changes something, and close its store afterwards; nothing is started."""
    from connector_core.app import build_app  # noqa: PLC0415 - slow to load, and not for those that only look
    from connector_core.store import Actor, Via  # noqa: PLC0415 - as above
    from connector_core.store.acting import acting  # noqa: PLC0415 - as above
    from connector_core.store.opening import open_store  # noqa: PLC0415 - as above

    config, plugins, log, _ = read(config_path)
    store = open_store(config.database, SecretBox(config.secret_keys), migrates=False)
    app = build_app(config, plugins, log=log, store=store)
    try:
        with acting(Actor(whoami(), Via.TERMINAL, app.clock.now())):
            yield app
    finally:
        app.store.close()


def whoami() -> str:
    """Name who types commands, as the system knows them; of root, who became it."""
    if os.geteuid() == 0 and (person := os.environ.get("SUDO_USER")):
        return person
    try:
        return str(getuser())
    except (OSError, KeyError):  # containers may run as somebody whom nobody named
        return f"user {os.getuid()}"


@dataclass(frozen=True)
class View:
    """What a command that only reads has before it: the file as far as it could be read, and what the daemon has."""

    found: Peek
    store: ReadOnlyStore
    log: FilteringBoundLogger

    @property
    def applied(self) -> Snapshot | None:
        """What the daemon took over; None when none has run yet, or the key is not set here."""
        text = self.store.configuration.snapshot()
        return None if text is None else Snapshot.load(text)

    def file(self) -> Config:
        """Read the file as it is now, without what is not set here.

        Raises:
            ConfigInvalid: it has mistakes.
        """
        return read_leniently(self.found)[0]

    def require_key(self) -> None:
        """Refuse to go on without the secret key, for a command that needs what is sealed.

        Raises:
            ConfigError: it is not set here, or is another one than that of the database.
        """
        if not self.store.can_open_secrets:
            box = self.store.database.box
            raise box.refusal() if isinstance(box, NoKey) else WrongKey

    def app(self) -> App:
        """Build the app as the daemon has it; as the file has it when that cannot be known."""
        from connector_core.app import build_app  # noqa: PLC0415 - as above

        config, plugins = self._in_effect()
        return build_app(config, plugins, log=self.log, store=self.store)

    def reader(self) -> Reader:
        """Build what reads of it."""
        from connector_core.reading import build_reader  # noqa: PLC0415 - while the key is derived

        config, plugins = self._in_effect()
        return build_reader(config, plugins, log=self.log, store=self.store)

    def _in_effect(self) -> tuple[Config, PluginSet]:
        taken = self.applied
        return read_leniently(self.found) if taken is None else read_applied(self.found, taken)


@contextmanager
def viewed(config_path: str | None, *, ends_pauses: bool = False, with_secrets: bool = True) -> Iterator[View]:
    """Open the database of a configuration to look into it; nothing is made, changed or brought up to date.

    With `ends_pauses` the daemon tries again what was found to work. Without secrets, integrations are read as if they
    had none.
    """
    masker, log = command_logging()
    found = peek(chosen_path(config_path))
    masker.add(*(key.get_secret_value() for key in found.secret_keys))
    box = SecretBox(found.secret_keys) if found.secret_keys else NoKey()
    box.derive_beside()
    # To load the rest takes as long as to derive a key from a passphrase: both at once.
    from connector_core.store.read_only import open_read_only  # noqa: PLC0415

    if isinstance(found.database, PostgreSQL):
        masker.add(*found.database.secrets)
    store = open_read_only(found.database, box, ends_pauses=ends_pauses, with_secrets=with_secrets)
    try:
        yield View(found, store, log)
    finally:
        store.close()


@contextmanager
def read_only(config_path: str | None, *, needs_secrets: bool = False, ends_pauses: bool = False) -> Iterator[App]:
    """Build the app for one command that only reads, as the daemon has it.

    With `ends_pauses` it lets the daemon try again what was found to work.
    """
    with viewed(config_path, ends_pauses=ends_pauses) as view:
        if needs_secrets:
            view.require_key()
        yield view.app()


@contextmanager
def looking(config_path: str | None) -> Iterator[Reader]:
    """Build what reads, for one command that only looks at what the daemon has and calls nobody; see `looked_at`."""
    with looked_at(config_path) as view:
        yield view.reader()


@contextmanager
def looked_at(config_path: str | None) -> Iterator[View]:
    """Open the database for one command that only looks at what the daemon has and calls nobody.

    Integrations are without their secrets there: of those nothing is shown but whether there are any. No garbage is
    looked for any more: a listing leaves none, to look among all that is loaded for it takes its time, and the process
    ends with the command.
    """
    gc.disable()
    with viewed(config_path, with_secrets=False) as view:
        yield view


def command_logging() -> tuple[Masker, FilteringBoundLogger]:
    """Return the logger of one command, set up when it logs something, and what masks secrets in it."""
    masker = Masker()
    click.get_current_context().call_on_close(forget_later)
    return masker, later(masker)
