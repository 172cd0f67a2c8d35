"""Numbers on the command line."""

from __future__ import annotations

import click

#: What a database can hold.
LARGEST = 2**63 - 1


class WholeNumber(click.IntRange):
    """A whole number within bounds; whoever gives a word reads that one is expected."""

    name = "whole number"

    def __init__(self, least: int, most: int = LARGEST) -> None:
        super().__init__(least, most)
