"""Values that are not for the command line, where lists of processes and the shell's history show them.

`KEY=@FILE` stands for the text of a file, `KEY=-` for the standard input to its end, `KEY=@@home` for what begins with
an @.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

OPTION = "--set"
#: Stands before what was read in place already; nobody can type it, for no command line holds it.
_WAS_READ = "\0"


def value_of(text: str) -> str:
    """Return what a value on the command line stands for.

    Raises:
        OSError: the file cannot be read.
    """
    if text.startswith(_WAS_READ):
        return text[1:]
    if text == "-":
        return sys.stdin.read().rstrip("\r\n")
    if text.startswith("@@"):
        return text[1:]
    if not text.startswith("@"):
        return text
    with open(text[1:], encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes long to load
        return file.read().rstrip("\r\n")


def is_plain(text: str) -> bool:
    """Return whether a value stands on the command line itself."""
    return text != "-" and not text.startswith(_WAS_READ) and (not text.startswith("@") or text.startswith("@@"))


def in_place(words: Sequence[str]) -> list[str]:
    """Return a command line with what its values stand for, for whoever cannot read our files.

    Raises:
        OSError: a file cannot be read.
    """
    said = list(words)
    for number, word in enumerate(said):
        if word.startswith(f"{OPTION}="):
            said[number] = f"{OPTION}={_read(word.removeprefix(f'{OPTION}='))}"
        elif number and said[number - 1] == OPTION:
            said[number] = _read(word)
    return said


def _read(pair: str) -> str:
    key, equals, value = pair.partition("=")
    return f"{key}{equals}{value if is_plain(value) else _WAS_READ + value_of(value)}"
