"""`connector demo`: the whole story on this machine, then everything stays up to be clicked on."""

from __future__ import annotations

import signal
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import click

from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.databases import PostgreSQL, is_postgresql
from connector_core.demo.cluster import Cluster
from connector_core.demo.lost_node import lose_a_node
from connector_core.demo.stage import Stage, sandbox_plugin, source_plugin
from connector_core.demo.story import LeftOut, tell
from connector_core.logs import configure_logging
from connector_core.plugins import load_plugins
from connector_core.store.driver import require_driver

MOST_NODES = 9
#: The step of the story after which a daemon is killed.
KILLED_AFTER = 5


@click.command()
@click.option(
    "--once", is_flag=True, help="End after the story; exit code 0 only if every step was seen on both sides."
)
@click.option(
    "--helpdesk",
    "--plugin",
    "plugin_name",
    help="The ticketing system to show, by its plugin's name or the beginning of that; default: the first that has a "
    "sandbox.",
)
@click.option("--source", "source_name", help="The incident source to show, http for a sample platform that pushes.")
@click.option("--port", default=0, help="Port of the daemon; default: any free one.")
@click.option("--database", default="sqlite:///connector.db", help="Another database, empty: postgresql://…")
@click.option(
    "--nodes",
    default=1,
    type=click.IntRange(1, MOST_NODES),
    help="So many daemons over one PostgreSQL, of which one is killed in the middle of the story.",
)
def demo(  # noqa: PLR0913 - as people say it
    plugin_name: str | None, source_name: str | None, port: int, *, once: bool, database: str, nodes: int
) -> None:
    """Run the whole story against a sandbox on this machine; needs no account and no network."""
    configure_logging("error")
    if nodes > 1 and not is_postgresql(database):
        raise ConfigError(
            "Several daemons need a database on a server: SQLite has one.",
            code="nodes_need_postgresql",
            fix=f"Name an empty one: connector demo --nodes {nodes} --database postgresql://…",
        )
    if is_postgresql(database):
        _require_empty(database)
    plugins = load_plugins()
    plugin, source = sandbox_plugin(plugins, plugin_name), source_plugin(plugins, source_name)
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as folder:
        if nodes > 1:
            cluster = Cluster(plugin, Path(folder), nodes=nodes, source=source, port=port, database=database)
            with closing(cluster):
                _play(cluster.stage, cluster)
                _stay(cluster.stage, once=once)
            return
        stage = Stage(plugin, Path(folder), source=source, port=port, database=database)
        with closing(stage):
            _play(stage)
            _stay(stage, once=once)


def _require_empty(url: str) -> None:
    require_driver()
    from connector_core.store.moving import require_empty  # noqa: PLC0415 - the driver is an extra

    require_empty(PostgreSQL(url, named_in="--database"))


def _play(stage: Stage, cluster: Cluster | None = None) -> None:
    click.secho(f"{stage.platform.title}, {stage.sandbox.title} and the connector, on this machine.\n", bold=True)
    if cluster is None:
        ready = f"The daemon was ready after {stage.open():.2f} s"
    else:
        ready = f"{len(cluster.nodes)} daemons behind {stage.public_url} were ready after {cluster.open():.2f} s"
    by = "through the consent page" if stage.has_consent else "with the settings"
    click.echo(f"{ready}; access was authorized {by}.\n")
    left_out = 0
    try:
        for step in tell(stage):
            if isinstance(step, LeftOut):
                left_out += 1
                click.echo(f" {step.number}. Left out: {step.why}.")
            else:
                click.echo(f" {step.number}. {step.happened:<52} → {step.seen:<48} {step.took_s * 1000:6.0f} ms")
            if cluster is not None and step.number == KILLED_AFTER:
                _kill(cluster)
    except TimeoutError as exc:
        log = stage.daemon.log_path.read_text()[-2000:]
        raise RemoteError(f"The next step was {exc}.", code="demo_failed", fix=f"End of the log:\n{log}") from exc
    every = "Every other step" if left_out else "Every step"
    click.secho(f"\n{every} was seen on both sides, with {stage.sandbox.call_count()} calls.", fg="green")


def _kill(cluster: Cluster) -> None:
    lost = lose_a_node(cluster)
    what = f"Daemon {lost.number} was killed (kill -9) while it worked on {lost.ticket}"
    click.secho(
        f"    {what}; another went on with it after {lost.took_s:.1f} s, and {lost.left} are left.", fg="yellow"
    )


def _stay(stage: Stage, *, once: bool) -> None:
    if once:
        return
    click.echo("\nIt stays up until Ctrl-C. Try it by hand:")
    click.echo(
        f"  wizard      {stage.public_url}/integrations/new   (password: {stage.environ['DEMO_CONSOLE_PASSWORD']})"
    )
    click.echo(f"  console     {stage.public_url}/")
    if stage.has_consent:
        click.echo(f"  consent     {stage.consent_page()}")
    click.echo(f"  incidents   {stage.platform.url}")
    click.echo(f"  helpdesk    {stage.sandbox.url}")
    click.echo(f"  metrics     {stage.public_url}/metrics")
    click.echo(f"  file        {stage.config_path}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    click.echo("\nStopping.")
