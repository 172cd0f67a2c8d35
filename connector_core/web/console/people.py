"""Who may use the console, as the configuration says, and what each may see."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from connector_core.config import Config
from connector_core.passwords import is_hash, matches

# Checked when a name is not there, so that this takes as long; nobody knows what it was made of.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$/UpHkLUGMJE9hiyKtUZlNg$NuOYRzuF5pd+xDmU1thGKQR0EmzYge1RjEIdfXH7jgo"

SINGLE = "admin"  # the name of the one administrator when the configuration has only a password


@dataclass(frozen=True)
class User:
    """A person who may log in. `organizations` is None when they see all; `proof` changes with the password."""

    name: str
    is_admin: bool
    organizations: frozenset[str] | None
    proof: str

    def sees(self, organization: str) -> bool:
        """Return whether anything of an organization may be shown to this person."""
        return self.organizations is None or organization in self.organizations


class People:
    """The users of the configuration, with their passwords' hashes or the one password that it holds itself."""

    def __init__(self, config: Config) -> None:
        self._users: dict[str, tuple[User, str]] = {}
        key = config.secret_keys[0].get_secret_value().encode()
        for name, entry in config.console.users.items():
            organizations = None if entry.organizations is None else frozenset(entry.organizations)
            hashed = entry.password_hash.get_secret_value()
            self._users[name] = (User(name, entry.role == "admin", organizations, _proof(key, name, hashed)), hashed)
        if config.console.password is not None:
            given = config.console.password.get_secret_value()
            self._users.setdefault(SINGLE, (User(SINGLE, True, None, _proof(key, SINGLE, given)), given))

    @property
    def is_empty(self) -> bool:
        """Return whether nobody can log in."""
        return not self._users

    @property
    def is_single(self) -> bool:
        """Return whether there is only the administrator without a name of their own."""
        return list(self._users) == [SINGLE]

    def find(self, name: str) -> User | None:
        """Return the user of a name."""
        return self._users[name][0] if name in self._users else None

    def check(self, name: str, password: str) -> User | None:
        """Return the user if the password is theirs; takes as long for a name that is not there.

        Takes a tenth of a second and tens of megabytes: to be called through `PasswordChecks` only.
        """
        user, expected = self._users.get(name, (None, _NOBODY))
        if not is_hash(expected):
            right = hmac.compare_digest(password.encode(), expected.encode())
        else:
            right = matches(password, expected)
        return user if right else None


def _proof(key: bytes, name: str, secret: str) -> str:
    """Tie a login to the password of its day, so that changing the password ends it."""
    return hmac.new(key, f"{name}\n{secret}".encode(), sha256).hexdigest()
