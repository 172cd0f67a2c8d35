"""Secrets at rest and in sight: the box that seals them for the database, and the mask that keeps them out of logs."""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache
from urllib.parse import quote, quote_plus

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

from connector_core.contract import secret_addresses
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError

MIN_PASSPHRASE_LENGTH = 16
MIN_MASKED_LENGTH = 6
MASK = secret_addresses.MASK

_FERNET_KEY_BYTES = 32
# The salt is the same everywhere, because the passphrase alone must open a backup on another machine, and before
# anything was read from the database. What a salt of its own would add, one guess not counting for two installations,
# matters little for a passphrase that only the operator's secret store knows; scrypt makes each guess cost 32 MiB.
_SALT = b"connector_core.secrets.v1"
_SCRYPT_COST = 2**15


#: What to do about stored secrets that none of the keys opens.
LOST_KEY_FIX = (
    "Put the former key into secret_key behind the present one, and start the connector again. If it is lost, enter"
    " each of them again, or give up what nobody needs any more."
)


class WrongKey(ConfigError):
    """None of the keys opens what is sealed."""

    default_code = "wrong_secret_key"

    def __init__(self) -> None:
        super().__init__(
            "The stored secrets were sealed with another secret key, or they are damaged.",
            fix="Set secret_key as the daemon has it. If the former key is lost, start the connector with the new one, "
            "or give up what was sealed. Links stay, and what was sealed is asked for again.",
            advice=Advice(Remedy.FORGET_SECRETS),
        )


class SecretBox:
    """Seals texts with the first key and opens what any of the keys has sealed.

    A key is either a Fernet key (as `generate_key` makes it) or a passphrase of at least 16 characters, from which the
    Fernet key is derived with scrypt. To change keys, put the new one first; the next start of the daemon has
    everything that is stored sealed again, and then the old one can be dropped.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        if not keys:
            raise ConfigError("There is no secret key.", code="secret_key_missing", fix=_KEY_FIX)
        for key in keys:
            check_key(key.get_secret_value())
        self._keys = tuple(keys)
        self._deriving: threading.Thread | None = None

    def derive_beside(self) -> None:
        """Derive the keys by a thread of their own, beside what else is to be done before the first is needed."""
        keys = [key.get_secret_value() for key in self._keys]
        self._deriving = threading.Thread(target=lambda: [_fernet_key(key) for key in keys], daemon=True)
        self._deriving.start()

    @cached_property
    def _fernets(self) -> list[Fernet]:
        """Derive the keys when the first secret is sealed or opened: it takes a while, and many commands need none."""
        if self._deriving is not None:
            self._deriving.join()
        return [Fernet(_fernet_key(key.get_secret_value())) for key in self._keys]

    @cached_property
    def _fernet(self) -> MultiFernet:
        return MultiFernet(self._fernets)

    @property
    def has_key(self) -> bool:
        """Return whether anything can be sealed or opened."""
        return True

    def seal(self, text: str) -> bytes:
        """Encrypt a text; sealing it again gives other bytes."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt what `seal` made; raise `ConfigError` when none of the keys fits."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as exc:
            raise WrongKey from exc

    def try_open(self, sealed: bytes) -> str | None:
        """Decrypt what `seal` made; None when none of the keys fits, or there is none."""
        if not self.has_key:
            return None
        try:
            return self.open(sealed)
        except WrongKey:
            return None

    def rotate(self, sealed: bytes) -> bytes:
        """Seal the same text again with the first key."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken as exc:
            raise WrongKey from exc

    def is_first(self, sealed: bytes) -> bool:
        """Return whether something was sealed with the first key."""
        return _fits(self._fernets[0], sealed)

    def sealing_like(self, sealed: bytes) -> SecretBox:
        """Return a box with the same keys that seals with the one that sealed this.

        Raises:
            WrongKey: it is none of them.
        """
        for position, fernet in enumerate(self._fernets):
            if _fits(fernet, sealed):
                before, after = self._keys[:position], self._keys[position + 1 :]
                return SecretBox((self._keys[position], *before, *after)) if position else self
        raise WrongKey


class NoKey(SecretBox):
    """A box whose key is not at hand: whoever needs what is inside is told so, and nobody else is."""

    #: The key is not missing, but another one than that of the database.
    is_other: bool

    def __init__(self, *, is_other: bool = False) -> None:
        self._keys = ()
        self._deriving = None
        self.is_other = is_other

    @property
    def has_key(self) -> bool:
        """Return whether anything can be sealed or opened."""
        return False

    @cached_property
    def _fernets(self) -> list[Fernet]:
        raise self.refusal()

    def refusal(self) -> ConfigError:
        """Return the error for whoever needs what is sealed."""
        if self.is_other:
            return WrongKey()
        return ConfigError(
            "This needs what the daemon keeps sealed, and the secret key is not set here.",
            code="secret_key_missing",
            fix="Set the environment variable, or the file, that secret_key names, as the daemon has it.",
        )


def generate_key() -> str:
    """Return a new random key for `SecretBox`."""
    return Fernet.generate_key().decode()


def check_key(key: str) -> None:
    """Raise `ConfigError` when a text is too short to be a key; cheap, nothing is derived."""
    if len(key) < MIN_PASSPHRASE_LENGTH:
        raise ConfigError(
            f"The secret key is shorter than {MIN_PASSPHRASE_LENGTH} characters.", code="secret_key_short", fix=_KEY_FIX
        )


class Masker:
    """Replaces known secret values in texts by `***`, and what is a secret in any address (`secret_addresses`).

    May be used and added to from several threads.

    Values shorter than 6 characters are not masked: they would blot out ordinary words.
    """

    def __init__(self, *values: str) -> None:
        self._lock = threading.Lock()
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.add(*values)

    def add(self, *values: str) -> None:
        """Mask these values from now on, also as they look elsewhere (`spellings`)."""
        forms = {form for value in values if len(value) >= MIN_MASKED_LENGTH for form in spellings(value)}
        with self._lock:
            if forms <= self._values:
                return
            self._values |= forms
            # Longest first, so that a secret that contains another one goes as a whole.
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._values, key=len, reverse=True))))

    def mask(self, text: str) -> str:
        """Return the text without the known values, and without secrets in its addresses."""
        pattern = self._pattern
        return secret_addresses.hidden(pattern.sub(MASK, text) if pattern else text)


_KEY_FIX = "Set secret_key to a key or to a passphrase of 16 characters or more."


@lru_cache(maxsize=8)  # deriving is slow on purpose
def _fernet_key(key: str) -> bytes:
    try:
        if len(base64.b64decode(key, altchars=b"-_", validate=True)) == _FERNET_KEY_BYTES:
            return key.encode()
    except (binascii.Error, ValueError):
        pass  # not base64, so it is a passphrase
    derived = Scrypt(salt=_SALT, length=_FERNET_KEY_BYTES, n=_SCRYPT_COST, r=8, p=1).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


def _fits(fernet: Fernet, sealed: bytes) -> bool:
    try:
        fernet.decrypt(sealed)
    except InvalidToken:
        return False
    return True


def spellings(value: str) -> set[str]:
    """Return a value as it is, in an address and in a form, inside JSON, as Python shows it, and in base64."""
    return {
        value,
        base64.b64encode(value.encode("utf-8", "surrogatepass")).decode().rstrip("="),
        base64.urlsafe_b64encode(value.encode("utf-8", "surrogatepass")).decode().rstrip("="),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }
