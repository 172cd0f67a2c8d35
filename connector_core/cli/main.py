"""The commands, loaded when they are called so that `--help` is quick, and the exit codes."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from connector_core.cli.colours import in_colours
from connector_core.cli.exit_codes import ExitCode, code_of, in_words, is_of_files
from connector_core.cli.json_only import AS_JSON, json_only
from connector_core.contract.errors import ConnectorError
from connector_core.version import VERSION

_COMMANDS = {
    "audit": ("connector_core.cli.audit", "audit", "List who changed what, and from where."),
    "config": ("connector_core.cli.config", "config", "Begin, check, compare, apply or show the configuration file."),
    "completion": ("connector_core.cli.completion", "completion", "Print what completes commands in a shell."),
    "console": (
        "connector_core.cli.console",
        "console",
        "Make password hashes and end logins of the web console.",
    ),
    "db": ("connector_core.cli.database", "db", "Check, back up, migrate or move the database; give up lost secrets."),
    "deliveries": ("connector_core.cli.deliveries", "deliveries", "Show deliveries and calls; replay deliveries."),
    "demo": ("connector_core.cli.demo", "demo", "Run the whole story against a sandbox on this machine."),
    "discard": ("connector_core.cli.links", "discard", "Give up what could not be synced."),
    "doctor": ("connector_core.cli.doctor", "doctor", "Try everything that integrations need; say what to do."),
    "explain": ("connector_core.cli.links", "explain", "Tell the story of one incident, ticket or link."),
    "export": ("connector_core.cli.export", "export", "Write everything that is stored of an organization to a file."),
    "incidents": ("connector_core.cli.organizations", "incidents", "Forget one incident."),
    "integrations": ("connector_core.cli.integrations", "integrations", "Set up and manage integrations."),
    "link": ("connector_core.cli.linking", "link", "Link tickets that are there already with incidents."),
    "links": ("connector_core.cli.link_listing", "links", "List incidents and their tickets."),
    "nodes": ("connector_core.cli.nodes", "nodes", "List the daemons that work on this database."),
    "notifications": (
        "connector_core.cli.notifications",
        "notifications",
        "Tell people when something needs attention.",
    ),
    "organizations": ("connector_core.cli.organizations", "organizations", "List organizations, name or remove one."),
    "plugins": ("connector_core.cli.plugins", "plugins", "Show the installed plugins."),
    "reconcile": ("connector_core.cli.reconcile", "reconcile", "Read linked tickets afresh; show what differs."),
    "recreate": ("connector_core.cli.links", "recreate", "Create a new ticket in place of one that is gone."),
    "resolve": ("connector_core.cli.links", "resolve", "Say whose value is right where both sides changed."),
    "retry": ("connector_core.cli.links", "retry", "Try a link again at once."),
    "routing": ("connector_core.cli.routing", "routing", "Send incidents to several integrations by rules; try them."),
    "run": ("connector_core.cli.run", "run", "Run the daemon until it is told to stop."),
    "sources": ("connector_core.cli.sources", "sources", "Connect the incident platforms, show and try them."),
    "support-bundle": (
        "connector_core.cli.support_bundle",
        "support_bundle",
        "Write a file for those who help, without secrets.",
    ),
    "unlink": ("connector_core.cli.links", "unlink", "Sync nothing more between an incident and its ticket."),
    "status": ("connector_core.cli.status", "status", "Show at a glance whether everything works."),
}

_EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 settings need editing, 4 authorization is needed,"
    " 5 try again later."
)


class LazyGroup(click.Group):
    """A group that imports a command when it is called; its list of commands is text."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # noqa: ANN401 - as click has it
        """Find a command; of one that there is not, say which may be meant."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

            meant = get_close_matches(args[0], _COMMANDS, n=1)
            if meant:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {meant[0]}?")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether JSON is asked for: then it is printed even if the rest of the line cannot be understood."""
        ctx.meta[AS_JSON] = "--json" in args
        ctx.color = in_colours()  # all commands below have it from here
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run a command; one that prints JSON prints nothing else on standard output, whatever happens."""
        if not ctx.meta[AS_JSON]:
            return super().invoke(ctx)
        with json_only(ctx):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in sorted(_COMMANDS)])


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="connector")
@click.option(
    "--config",
    "config_path",
    envvar="CONNECTOR_CONFIG",
    default="connector.yaml",
    show_default=True,
    show_envvar=True,
    type=click.Path(dir_okay=False),
    help="The configuration file.",
)
@click.pass_context
def cli(ctx: click.Context, config_path: str) -> None:
    """Sync incidents of a platform with tickets of a helpdesk, both ways.

    Start with "connector demo", then write a connector.yaml and "connector config check".
    """
    ctx.obj = config_path
    if not gc.isenabled():  # see `__main__`; the command is loaded by now
        gc.freeze()
        gc.enable()


def run() -> NoReturn:
    """Run the command line and end the process with a documented code; what it writes is for its user only."""
    os.umask(0o077)
    try:
        # By our name: click would say which module runs, that of the daemon where it does a command in our place.
        # What comes back is the code of click.exceptions.Exit, which click answers for; None otherwise.
        code = cli(prog_name="connector", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(ExitCode.FAILED)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except ConnectorError as exc:
        _show(exc)
        sys.exit(code_of(exc))
    except BrokenPipeError:  # whoever read what we print has enough
        _print_no_more()
        sys.exit(ExitCode.FAILED)
    except OSError as exc:
        if not is_of_files(exc):
            raise
        _show(in_words(exc))
        _print_no_more()
        sys.exit(code_of(exc))
    sys.exit(code or ExitCode.DONE)


def _print_no_more() -> None:
    """Drop what is still to be printed: Python would try to, and say so, when the process ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(error: ConnectorError) -> None:
    click.secho(f"Error: {error.message}", fg="red", err=True, color=in_colours())
    from connector_core.words.advice import fix_in_terminal  # noqa: PLC0415 - few commands fail

    if fix := fix_in_terminal(error):
        click.echo(f"  {fix}", err=True)
