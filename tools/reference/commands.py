"""The page about the commands, made from what they say with --help."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from textwrap import dedent, indent

import click

from connector_core.cli.exit_codes import ExitCode
from connector_core.cli.main import cli
from tools.reference.markdown import code, plain, table

INTRO = """\
# Commands

What each command says with `--help`. `--config FILE` comes before the command, or set `CONNECTOR_CONFIG`. Beside a
service see [commands beside a service](../service.md#commands-beside-the-service). Commands that list things take
`--json` for scripts.
"""
_EXITS = {
    ExitCode.DONE: "Done.",
    ExitCode.FAILED: "Failed: the other side refused, `doctor` found a problem, or `config diff` a difference.",
    ExitCode.USAGE: "The command line is not understood, names what is not there, or lacks an option such as `--yes`.",
    ExitCode.SETTINGS: "Settings need editing, the database has to be made or migrated, or a file cannot be used.",
    ExitCode.AUTHORIZATION: "Access has to be authorized.",
    ExitCode.TRY_AGAIN: "Something is unreachable or busy; try again later.",
}


def page() -> str:
    """Return the whole page."""
    exits = table(("Exit code", "Meaning"), [(str(int(one)), _EXITS[one]) for one in ExitCode])
    return "\n".join([INTRO, f"## Exit codes\n\n{exits}", *_sections(cli, "connector", None)])


def _sections(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    """Return a section for a command and for each below it."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    level = 2 if path.count(" ") <= 1 else 3
    rows = [(code(", ".join(names)), plain(about)) for names, about in map(_option, command.params) if names]
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    about = (command.help or "").strip()
    yield f"{'#' * level} {path}\n\n{_paragraphs(about)}\n\n    {usage}\n" + (
        f"\n{table(('Option', 'Meaning'), rows)}" if rows else ""
    )
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _sections(inner, f"{path} {name}", context)


def _paragraphs(text: str) -> str:
    return "\n\n".join(
        indent(dedent(part.replace("\b", "").strip(" \n")), "    ") if "\b" in part else plain(part)
        for part in cleandoc(text).split("\n\n")
    )


def _option(parameter: click.Parameter) -> tuple[list[str], str]:
    if not isinstance(parameter, click.Option) or parameter.hidden:
        return [], ""
    names = [*parameter.opts, *parameter.secondary_opts]
    kind = "" if parameter.is_flag or parameter.count else f" {parameter.metavar or parameter.type.name.upper()}"
    if isinstance(parameter.type, click.Choice):
        kind = f" {'|'.join(map(str, parameter.type.choices))}"
    names[-1] += kind
    default = parameter.default if parameter.show_default and isinstance(parameter.default, str | int) else None
    about = parameter.help or ""
    return names, f"{about} Default: {default}" if default not in (None, "", False) else about
