"""Numbers on the command line."""

from __future__ import annotations

import click


class WholeNumber(click.IntRange):
    """A whole number within bounds; whoever gives a word reads that one is expected."""

    name = "whole number"
