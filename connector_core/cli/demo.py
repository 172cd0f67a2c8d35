"""`connector demo`: the whole story on this machine, then everything stays up to be clicked on."""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import click

from connector_core.cli.numbers import WholeNumber
from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.databases import PostgreSQL, is_postgresql
from connector_core.demo.cluster import Cluster
from connector_core.demo.lost_node import lose_a_node
from connector_core.demo.signals import end_by_signals, put_up
from connector_core.demo.stage import Stage, sandbox_plugin, source_plugin
from connector_core.demo.story import LeftOut, tell
from connector_core.logs import configure_logging
from connector_core.plugins import Plugin, load_plugins
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
    type=WholeNumber(1, MOST_NODES),
    help="So many daemons over one PostgreSQL, of which one is killed in the middle of the story.",
)
def demo(  # noqa: PLR0913 - as people say it
    plugin_name: str | None, source_name: str | None, port: int, *, once: bool, database: str, nodes: int
) -> None:
    """Run the whole story against a sandbox on this machine; needs no account and no network."""
    configure_logging("error")
    end_by_signals()
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
    with put_up(_Folder) as folder:
        if nodes > 1:
            with put_up(
                lambda: Cluster(plugin, folder.path, nodes=nodes, source=source, port=port, database=database)
            ) as cluster:
                _play(cluster.stage, source, cluster)
                _stay(cluster.stage, once=once)
            return
        with put_up(lambda: Stage(plugin, folder.path, source=source, port=port, database=database)) as stage:
            _play(stage, source)
            _stay(stage, once=once)


class _Folder:
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="connector-demo-")
        self.path = Path(self._folder.name)

    def close(self) -> None:
        """Remove it."""
        self._folder.cleanup()


def _require_empty(url: str) -> None:
    require_driver()
    from connector_core.store.moving import require_empty  # noqa: PLC0415 - the driver is an extra

    require_empty(PostgreSQL(url, named_in="--database"))


def _play(stage: Stage, source: Plugin | None = None, cluster: Cluster | None = None) -> None:
    click.secho(f"{stage.platform.title}, {stage.sandbox.title} and the connector, on this machine.\n", bold=True)
    if cluster is None:
        ready = f"The daemon was ready after {stage.open():.2f} s"
    else:
        ready = f"{len(cluster.nodes)} daemons behind {stage.public_url} were ready after {cluster.open():.2f} s"
    by = "through the consent page" if stage.has_consent else "with the settings"
    click.echo(f"{ready}; access was authorized {by}.\n")
    accepted_with = source.info.accepted_with if source is not None else {}
    left_out, settings = 0, set[str]()
    try:
        for step in tell(stage):
            if isinstance(step, LeftOut):
                left_out += 1
                click.echo(f" {step.number}. Left out: {step.why}.")
            else:
                needed = {accepted_with[name] for name in step.asked_for if name in accepted_with}
                settings |= needed
                seen = f"{step.seen} *" if needed else step.seen
                click.echo(f" {step.number}. {step.happened:<52} → {seen:<48} {step.took_s * 1000:6.0f} ms")
            if cluster is not None and step.number == KILLED_AFTER:
                _kill(cluster)
    except TimeoutError as exc:
        log = stage.daemon.log_path.read_text()[-2000:]
        raise RemoteError(f"The next step was {exc}.", code="demo_failed", fix=f"End of the log:\n{log}") from exc
    if source is not None and settings:
        click.echo(
            f"\n * {source.info.title} itself does not take this change: here a made-up gateway does"
            f" ({', '.join(sorted(settings))}). Without one such a change stays on the ticket, and the product says so."
        )
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
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    click.echo("\nStopping.")
