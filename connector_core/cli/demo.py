"""`connector demo`: the whole story on this machine, then everything stays up to be clicked on."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

import click

from connector_core.contract.errors import RemoteError
from connector_core.demo.stage import Stage, sandbox_plugin, source_plugin
from connector_core.demo.story import tell
from connector_core.logs import configure_logging
from connector_core.plugins import load_plugins


@click.command()
@click.option(
    "--once", is_flag=True, help="End after the story; exit code 0 only if every step was seen on both sides."
)
@click.option("--plugin", "plugin_name", help="The ticketing plugin to show; default: the first that has a sandbox.")
@click.option("--source", "source_name", help="The incident source to show, http for a sample platform that pushes.")
@click.option("--port", default=0, help="Port of the daemon; default: any free one.")
@click.option("--database", default="sqlite:///connector.db", help="Another database, empty: postgresql://…")
def demo(plugin_name: str | None, source_name: str | None, port: int, *, once: bool, database: str) -> None:
    """Run the whole story against a sandbox on this machine; needs no account and no network."""
    configure_logging("error")
    plugins = load_plugins()
    plugin, source = sandbox_plugin(plugins, plugin_name), source_plugin(plugins, source_name)
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as folder:
        stage = Stage(plugin, Path(folder), source=source, port=port, database=database)
        try:
            _play(stage)
            if not once:
                _stay(stage)
        finally:
            stage.close()


def _play(stage: Stage) -> None:
    click.secho(f"{stage.platform.title}, {stage.sandbox.title} and the connector, on this machine.\n", bold=True)
    click.echo(f"The daemon was ready after {stage.open():.2f} s; access was authorized through the consent page.\n")
    try:
        for step in tell(stage):
            click.echo(f" {step.number}. {step.happened:<52} → {step.seen:<48} {step.took_s * 1000:6.0f} ms")
    except TimeoutError as exc:
        log = stage.daemon.log_path.read_text()[-2000:]
        raise RemoteError(f"The next step was {exc}.", code="demo_failed", fix=f"End of the log:\n{log}") from exc
    click.secho(f"\nEvery step was seen on both sides, with {stage.sandbox.call_count()} calls.", fg="green")


def _stay(stage: Stage) -> None:
    click.echo("\nIt stays up until Ctrl-C. Try it by hand:")
    click.echo(
        f"  wizard      {stage.daemon.url}/integrations/new   (password: {stage.environ['DEMO_CONSOLE_PASSWORD']})"
    )
    click.echo(f"  console     {stage.daemon.url}/")
    click.echo(f"  consent     {stage.consent_page()}")
    click.echo(f"  incidents   {stage.platform.url}")
    click.echo(f"  helpdesk    {stage.sandbox.url}")
    click.echo(f"  metrics     {stage.daemon.url}/metrics")
    click.echo(f"  file        {stage.config_path}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    click.echo("\nStopping.")
