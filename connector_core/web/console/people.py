"""Who may use the console, as the configuration and single sign-on say, and what each may see."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from connector_core.config import Config
from connector_core.passwords import is_hash, matches
from connector_core.sign_on.roles import Identity
from connector_core.store import SessionRecord, Via

# Checked when a name is not there, so that this takes as long; nobody knows what it was made of.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$/UpHkLUGMJE9hiyKtUZlNg$NuOYRzuF5pd+xDmU1thGKQR0EmzYge1RjEIdfXH7jgo"

SINGLE = "admin"  # the name of the one administrator when the configuration has only a password


@dataclass(frozen=True)
class User:
    """A person who may sign in. `organizations` is None when they see all.

    `proof` changes with the password, or with what the configuration says of single sign-on. `person` names them for
    good: nobody with a password has the one of somebody whom a provider named.
    """

    name: str
    is_admin: bool
    organizations: frozenset[str] | None
    proof: str
    person: str
    via: Via = Via.CONSOLE

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
            user = User(name, entry.role == "admin", organizations, _proof(key, name, hashed), name)
            self._users[name] = (user, hashed)
        if config.console.password is not None:
            given = config.console.password.get_secret_value()
            self._users.setdefault(SINGLE, (User(SINGLE, True, None, _proof(key, SINGLE, given), SINGLE), given))
        oidc = config.console.oidc
        self._issuer = "" if oidc is None else oidc.issuer.rstrip("/")
        # Whoever changes what a claim gives has everybody sign in again, and with that the claims read again.
        rules = "" if oidc is None else oidc.model_dump_json(exclude={"client_secret", "label"})
        self._sign_on_proof = _proof(key, "", rules) if oidc is not None else None

    @property
    def is_empty(self) -> bool:
        """Return whether nobody can sign in with a password."""
        return not self._users

    @property
    def is_single(self) -> bool:
        """Return whether there is only the administrator without a name of their own."""
        return list(self._users) == [SINGLE]

    def find(self, name: str) -> User | None:
        """Return the user of a name."""
        return self._users[name][0] if name in self._users else None

    def named(self, identity: Identity) -> User | None:
        """Return the user whom the provider named; None without single sign-on."""
        person = f"oidc|{self._issuer}|{identity.subject}"  # no name of a password has such a sign in it
        return self._signed_on(identity.name, identity.is_admin, identity.organizations, person)

    def of_session(self, session: SessionRecord) -> User | None:
        """Return whose a session is; None when there is no such user any more."""
        said = session.signed_on
        if said is None:
            return self.find(session.user)
        allowed = None if said.organizations is None else frozenset(said.organizations)
        return self._signed_on(session.user, said.is_admin, allowed, session.person)

    def _signed_on(self, name: str, is_admin: bool, allowed: frozenset[str] | None, person: str) -> User | None:  # noqa: FBT001 - as User has it
        if self._sign_on_proof is None:
            return None
        return User(name, is_admin, allowed, self._sign_on_proof, person, Via.SIGN_ON)

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
