"""Sealing and masking."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from connector_core.contract.errors import ConfigError
from connector_core.secrets import MASK, Masker, SecretBox, generate_key

PASSPHRASE = SecretStr("correct horse battery")


@pytest.mark.parametrize("key", [PASSPHRASE, SecretStr(generate_key())], ids=["passphrase", "generated"])
def test_sealed_text_is_opened_with_the_same_key(key):
    """What was sealed comes back, also in another process that has only the key, and cannot be read in between."""
    sealed = SecretBox([key]).seal("töken")

    assert SecretBox([key]).open(sealed) == "töken"
    assert b"ken" not in sealed


def test_sealing_twice_gives_different_bytes():
    """Equal secrets cannot be recognized in the database."""
    box = SecretBox([PASSPHRASE])

    assert box.seal("same") != box.seal("same")


def test_wrong_key_is_a_config_error_without_the_text():
    """Another key raises a sentence that says what to do."""
    sealed = SecretBox([PASSPHRASE]).seal("token")

    with pytest.raises(ConfigError) as caught:
        SecretBox([SecretStr("another long passphrase")]).open(sealed)

    assert caught.value.code == "wrong_secret_key"
    assert "secret key" in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize("sealed", [b"", b"garbage", b"gAAAA" + b"\xff" * 40])
def test_damaged_bytes_are_a_config_error(sealed):
    """Whatever is in the database, opening and rotating raise only from our tree."""
    box = SecretBox([PASSPHRASE])

    for attempt in (box.open, box.rotate):
        with pytest.raises(ConfigError, match="damaged"):
            attempt(sealed)


def test_rotation_moves_to_the_first_key():
    """After rotating, the former key can be dropped."""
    new = SecretStr(generate_key())
    sealed = SecretBox([PASSPHRASE]).seal("token")

    rotated = SecretBox([new, PASSPHRASE]).rotate(sealed)

    assert SecretBox([new]).open(rotated) == "token"


@pytest.mark.parametrize("key", ["", "short", "x" * 15])
def test_short_key_is_refused(key):
    """A passphrase that can be guessed is none."""
    with pytest.raises(ConfigError) as caught:
        SecretBox([SecretStr(key)])

    assert caught.value.code == "secret_key_short"


def test_no_key_is_refused():
    """A box without keys would seal nothing."""
    with pytest.raises(ConfigError) as caught:
        SecretBox([])

    assert caught.value.code == "secret_key_missing"


def test_masker_hides_every_spelling():
    """A secret is hidden as it is, inside JSON, and in an address."""
    masker = Masker('pass"word ü')

    masked = masker.mask('a pass"word ü b pass\\"word ü c pass\\"word \\u00fc d pass%22word%20%C3%BC')

    assert masked == "a *** b *** c *** d ***"


def test_masker_hides_what_nobody_told_it_in_addresses():
    """Passwords in addresses, and addresses of chats whose path is the secret, are hidden wherever they stand."""
    said = "https://me:s3cr3t@desk.example/a, and https://hooks.chat.example/services/T1/B2/Zk9secretvalue1 too"

    assert Masker().mask(said) == "https://me:***@desk.example/a, and https://hooks.chat.example/services/*** too"


@pytest.mark.parametrize("user", ["me", "${env:USER}"])
def test_masker_leaves_where_a_file_says_that_a_secret_is_kept(user):
    """What `config show` prints can be put back into the file."""
    address = f"postgresql://{user}:${{env:PASSWORD}}@db.example/connector"

    assert Masker().mask(address) == address
    assert Masker().mask(address.replace("${env:PASSWORD}", "s3cr3t")) == address.replace("${env:PASSWORD}", "***")


def test_masker_takes_the_longest_first():
    """A secret that contains another one leaves no rest."""
    masker = Masker("secret", "secret-and-more")

    assert masker.mask("secret-and-more, secret") == f"{MASK}, {MASK}"


def test_masker_leaves_short_values_alone():
    """Values of less than six characters would blot out ordinary words; an empty one would blot out everything."""
    masker = Masker("", "abcde")

    assert masker.mask("abcde") == "abcde"


@pytest.mark.extended
def test_masker_learns_while_it_is_used():
    """Threads may add while others mask; nothing added is missed afterwards."""
    masker = Masker()
    values = [f"secret-value-{number:03}" for number in range(200)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(masker.add, values))
        list(pool.map(masker.mask, values))

    assert {masker.mask(value) for value in values} == {MASK}
