"""Writes `last_release.sql`: the database of the last release, made by its own code at its own stand-ins.

    python -m tests.operate.make_last_release

Made anew with each release. It has an incident in step, one with a history of both sides, one that is over, one whose
ticket was deleted, and a change that was not delivered yet.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from io import BytesIO
from pathlib import Path

from tests.operate.service import ROOT, packed_sources

TARGET = Path(__file__).with_name("last_release.sql")
KEY = "the key of a release that was, for tests"
#: Run by the code of the last release; what it calls is what that release has.
_LIFE = """
import sys
from pathlib import Path
from connector_core.demo.stage import Stage, sandbox_plugin, source_plugin, until
from connector_core.plugins import load_plugins

plugins = load_plugins()
stage = Stage(sandbox_plugin(plugins, "jira_jsm"), Path(sys.argv[1]), source=source_plugin(plugins, "xyte"))
stage.environ["DEMO_SECRET_KEY"] = sys.argv[2]
stage.daemon._environ["DEMO_SECRET_KEY"] = sys.argv[2]
stage.open()
def opened(title):
    incident = stage.platform.open(title)
    until(lambda: stage.ticket_of(incident))
    return incident, stage.ticket_of(incident)["id"]
opened("In step")
both, ticket = opened("With a history")
stage.sandbox.edit_ticket(ticket, title="Renamed by an agent")
until(lambda: stage.platform.incident(both)["title"] == "Renamed by an agent")
stage.platform.change(both, title="Renamed on the platform")
until(lambda: stage.sandbox.ticket(ticket)["title"] == "Renamed on the platform")
over, ticket = opened("Over")
stage.sandbox.finish_ticket(ticket)
until(lambda: stage.platform.incident(over)["status"] == "closed")
gone, ticket = opened("Without its ticket")
stage.sandbox.delete_ticket(ticket)
stage.daemon.command("reconcile", "acme-helpdesk", "--full")
late, ticket = opened("Changed at the end")
stage.sandbox.stop()
stage.platform.change(late, title="Not delivered yet")
until(lambda: "Not delivered yet" in stage.daemon.command("links", "--json").stdout)
stage.daemon.stop()
stage.platform.stop()
"""


def main() -> None:
    """Have the last release work for a moment; keep what it stored, as statements."""
    packed = packed_sources()
    if packed is None:
        raise SystemExit("The sources of the last release are not at hand: fetch the history.")
    with tempfile.TemporaryDirectory() as name:
        sources, life = Path(name) / "sources", Path(name) / "life"
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(sources, filter="data")
        life.mkdir()
        places = (sources, *sources.glob("plugins/*"))
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
        subprocess.run(
            [sys.executable, "-c", _LIFE, life, KEY],
            env=environ,
            cwd=life,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        with closing(sqlite3.connect(life / "connector.db")) as db:
            lines = list(db.iterdump())
    text = "\n".join(lines) + "\n"
    if any(word in text for word in (name, str(ROOT))):
        raise SystemExit("It names a folder of this machine.")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
