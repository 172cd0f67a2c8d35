"""`connector completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print what completes commands and options in SHELL.

    \b
    bash: connector completion bash > ~/.local/share/bash-completion/completions/connector
    zsh:  connector completion zsh > "${fpath[1]}/_connector"
    fish: connector completion fish > ~/.config/fish/completions/connector.fish
    """  # noqa: D301 - click's mark for lines that are kept
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"Commands cannot be completed in {shell}.")
    click.echo(kind(click.get_current_context().find_root().command, {}, "connector", "_CONNECTOR_COMPLETE").source())
