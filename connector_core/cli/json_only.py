"""Commands that print JSON: one value on standard output, whatever happens, and nothing beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import click

from connector_core.cli.exit_codes import code_of, in_words, is_of_files
from connector_core.contract.errors import ConnectorError

AS_JSON = "connector_core.as_json"
_STDOUT = "connector_core.stdout"


@contextmanager
def json_only(ctx: click.Context) -> Iterator[None]:
    """Send whatever is printed to standard error, but for `print_whole`; an error is printed as JSON, too."""
    ctx.meta[_STDOUT] = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (click.exceptions.Exit, click.Abort):
        raise
    except Exception as exc:
        if _STDOUT in ctx.meta:  # nothing was printed yet
            print_whole(ctx, json.dumps({"error": _told(exc)}, indent=2, ensure_ascii=False))
        raise


def print_whole(ctx: click.Context, text: str) -> None:
    """Print the one value of a command."""
    click.echo(text, file=ctx.meta.pop(_STDOUT, None))


def _told(error: Exception) -> dict[str, object]:
    if isinstance(error, OSError) and is_of_files(error):
        error, code = in_words(error), code_of(error)
    else:
        code = code_of(error)
    match error:
        case ConnectorError():
            from connector_core.words.advice import fix_in_terminal  # noqa: PLC0415 - few commands fail

            what, said, fix = error.code, error.message, fix_in_terminal(error)
        case click.ClickException():
            what, said, fix = "command_line", error.format_message(), ""
        case _:
            what, said, fix = "unexpected", type(error).__name__, ""
    return {"code": what, "message": said, "fix": fix, "exit_code": int(code)}
