"""`connector run`: the daemon."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from functools import partial
from pathlib import Path

import click
from structlog.typing import FilteringBoundLogger

from connector_core.allocator import give_large_blocks_back
from connector_core.app import build_app
from connector_core.cli.beside.door import Door, make_door
from connector_core.cli.beside.place import socket_beside
from connector_core.cli.opening import config_option, read
from connector_core.config import Config
from connector_core.config.values import DATABASE_PREFIX
from connector_core.health.outbound_findings import unused_variables
from connector_core.logs import configure_logging
from connector_core.loops import busy_threads
from connector_core.secrets import SecretBox
from connector_core.store.daemon_lock import take_daemon_lock
from connector_core.store.opening import open_store
from connector_core.store.private import open_to_others
from connector_core.store.rolling import added_later

LATER = "A later version has added to the database what this one leaves alone; update it, or end the rolling update."


@click.command()
@config_option
def run(config_path: str | None) -> None:
    """Run the daemon until it is told to stop (SIGTERM or Ctrl-C)."""
    gc.disable()  # until all is loaded, see `serve`
    from connector_core.web.server import serve  # noqa: PLC0415 - the web layer is needed by the daemon only

    give_large_blocks_back()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end the process before the server listens to it
    config, plugins, log, masker = read(config_path)
    configure_logging(config.logging.level, config.logging.format, masker)
    for warning in config.warnings:
        log.warning("config_warning", place=warning.key_path, line=warning.line, reason=warning.message)
    for finding in unused_variables(config.calls(), os.environ):
        log.warning(finding.code, reason=finding.title, fix=finding.fix)
    door = _door(config)
    lock = take_daemon_lock(config.database)
    try:
        store = open_store(config.database, SecretBox(config.secret_keys), with_any_key=True, is_alone=True)
        if added := added_later(config.database):
            log.warning("database_of_a_later_version", added=added, reason=LATER)
        for path in open_to_others(config.database_path) if config.database_path else ():
            log.warning("file_open_to_others", path=str(path), fix=f"Run as its owner: chmod 600 {path}")
        app = build_app(config, plugins, log=log, store=store)
        app.applying.mask = masker.add
        serve(
            app,
            ready=partial(_ready, config, door, log),
            leave=partial(_leave, log, "stop_deadline"),
        )
    finally:
        if door is not None:
            door.close()
        lock.release()
    _leave(log)


def _door(config: Config) -> Door | None:
    """Return where commands come in; None with PostgreSQL, unless the file names a place."""
    database = f"{DATABASE_PREFIX}{config.database}" if isinstance(config.database, Path) else str(config.database)
    path = socket_beside(str(config.path), database, config.command_socket)
    if path is None:
        return None
    return make_door(path, config.path.absolute())


def _ready(config: Config, door: Door | None, log: FilteringBoundLogger, address: str) -> None:
    if door is not None:
        door.open()
    log.info("serving", address=address, public_url=config.server.public_url)


def _leave(log: FilteringBoundLogger, why: str = "") -> None:
    """End the process although a call to a vendor, or the database, hangs: Python itself would wait for its thread.

    Nothing is lost: what that call was about is done again by the next start.
    """
    hanging = [
        thread.name for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()
    ] + busy_threads()
    if hanging or why:
        log.warning("calls_abandoned", threads=hanging, **({"why": why} if why else {}))
        logging.shutdown()
        os._exit(0)
