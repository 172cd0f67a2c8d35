"""Questions that nobody answers: a script has to be told which option says what a person would be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from connector_core.contract.errors import ConfigError


def nobody_to_ask(otherwise: str) -> ConfigError:
    """Return the error of a question that nobody answers; `otherwise` says which option does."""
    return ConfigError("Nobody is there to be asked, and nothing has changed.", code="no_terminal", fix=otherwise)


@contextmanager
def answer_needed(otherwise: str) -> Iterator[None]:
    """Ask inside this; Ctrl-C stays what it is.

    Raises:
        ConfigError: there is no terminal, and the standard input says nothing.
    """
    try:
        yield
    except click.Abort as exc:
        if isinstance(exc.__context__, EOFError):
            click.echo()  # below the question
            raise nobody_to_ask(otherwise) from exc
        raise
