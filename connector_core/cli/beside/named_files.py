"""Files that a command names: they are the caller's, so that the caller opens them, and passes them on.

What is read becomes the standard input of the command. What is written is made by the caller and given to the daemon as
a fourth stream (`files.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

#: By command: the option that names the file, or which of the arguments does.
Places: TypeAlias = Mapping[tuple[str, ...], str | int]

READ_HERE: Places = {("link",): "--csv", ("routing", "set"): 1, ("routing", "try"): 1}
MADE_HERE: Places = {("link",): "--report", ("export",): "--to"}
#: Options of these commands whose value is another word.
_WITH_VALUE = frozenset({"--days"})


def with_source(said: list[str]) -> tuple[list[str], int | None]:
    """Return a command with the file that it reads as its standard input, opened here.

    Raises:
        OSError: it cannot be read.
    """
    number, option, name = file_of(said, READ_HERE)
    if name in {"", "-"}:
        return said, None
    source = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    return [*said[:number], f"{option}-", *said[number + 1 :]], source


def make(said: Sequence[str]) -> int | None:
    """Make the file that a command writes; what is there stays.

    Raises:
        OSError: it cannot be made.
    """
    _, _, name = file_of(said, MADE_HERE)
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600) if name else None


def drop_unwritten(said: Sequence[str], made: int) -> None:
    """Remove a file that was made and that nothing was written to."""
    with suppress(OSError):  # somebody else may have removed it
        if not os.fstat(made).st_size:
            os.unlink(file_of(said, MADE_HERE)[2])  # noqa: PTH108 - pathlib is slow to load


def file_of(said: Sequence[str], where: Places) -> tuple[int, str, str]:
    """Return which word of a command names a file, what stands before the name, and the name; empty where none does."""
    for length in (1, 2):
        sought = where.get(tuple(said[:length]))
        words = list(enumerate(said))[length:]
        if isinstance(sought, int):
            arguments = [
                (number, "", word)
                for number, word in words
                if (word == "-" or not word.startswith("-")) and said[number - 1] not in _WITH_VALUE
            ]
            return arguments[sought] if len(arguments) > sought else (0, "", "")
        if sought is not None:
            found = [
                (number, f"{sought}=", word[len(sought) + 1 :])
                for number, word in words
                if word.startswith(f"{sought}=")
            ]
            found += [(number, "", word) for number, word in words if said[number - 1] == sought]
            return max(found, default=(0, "", ""))
    return 0, "", ""
