"""Values that are not for the command line, where lists of processes and the shell's history show them.

`KEY=@FILE` stands for the text of a file, `KEY=-` for the standard input to its end, `KEY=@@home` for what begins with
an @.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

OPTION = "--set"


def value_of(text: str) -> str:
    """Return what a value on the command line stands for.

    Raises:
        OSError: the file cannot be read.
    """
    if text == "-":
        return sys.stdin.read().rstrip("\r\n")
    if text.startswith("@@"):
        return text[1:]
    if not text.startswith("@"):
        return text
    with open(text[1:], encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes long to load
        return file.read().rstrip("\r\n")


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
    if not value.startswith("@") and value != "-":
        return pair
    read = value_of(value)
    return f"{key}{equals}{'@' if read.startswith('@') else ''}{read}"
