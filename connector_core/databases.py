"""Where a database is: a file of SQLite, which is its path, or a database on a PostgreSQL server.

PostgreSQL("postgresql://connector:s3cret@db.example.com/connector")   # printed with *** for the password
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

_MASK = "***"
# Either scheme is libpq's. A part that holds what only another part may is refused: a password with a / or a @ in it
# would be cut there, and its rest be taken for a host or a port, which libpq shows in its errors.
_HOST = r"(?:\[[^\]\s]*\]|[^\s:@/?,\[\]]*)(?::\d*)?"
_URL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:[^\s:@/?]*(?::[^\s@/?]*)?@)?"
    rf"{_HOST}(?:,{_HOST})*"
    r"(?:/[^\s@/?]*)?"
    r"(?:\?[a-zA-Z_]+=[^\s&=@]*(?:&[a-zA-Z_]+=[^\s&=@]*)*)?"
)
_LONE_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
# Behind a user, up to the @; or a parameter, up to the next one.
_PASSWORDS = re.compile(
    r"(?P<before>://[^:@/?]*:(?=[^@/?]+@)|[?&](?:ssl)?password=)(?P<password>(?<=:)[^@/?]+|(?<==)[^&]+)"
)


@dataclass(frozen=True)
class PostgreSQL:
    """A database on a PostgreSQL server; as a text it is the URL without a password."""

    #: The URL for libpq, whole.
    url: str = field(repr=False)
    #: Where it is named, for whoever is told that something is wrong with it: a key of the file, or an option.
    named_in: str = field(default="database", compare=False)

    def __str__(self) -> str:
        return _PASSWORDS.sub(rf"\g<before>{_MASK}", self.url)

    @property
    def secrets(self) -> frozenset[str]:
        """Return what nobody may see: passwords as they stand in the URL and as they are meant."""
        return frozenset(form for password in passwords_in(self.url) for form in (password, unquote(password)))


#: A path is a file of SQLite.
DatabasePlace: TypeAlias = Path | PostgreSQL


def is_postgresql(url: str) -> bool:
    """Return whether a URL is meant to be one of PostgreSQL."""
    return url.startswith(("postgresql://", "postgres://"))


def is_whole(url: str) -> bool:
    """Return whether the parts of a URL of PostgreSQL can be told apart."""
    return _URL.fullmatch(url) is not None and not _LONE_PERCENT.search(url)


def passwords_in(url: str) -> list[str]:
    """Return the passwords that stand in a URL."""
    return [found["password"] for found in _PASSWORDS.finditer(url)]
