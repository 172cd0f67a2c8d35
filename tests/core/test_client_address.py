"""Whom a request is from: what proxies that are trusted say, and what others make up."""

from __future__ import annotations

from contextlib import suppress

import pytest

from connector_core.config import load_config
from connector_core.contract.errors import ConfigError
from connector_core.plugins import load_plugins
from connector_core.web.client_address import ClientAddress, neighbourhood

PROXY, STRANGER = "10.0.0.7", "192.0.2.9"
TRUSTED = ("10.0.0.0/24", "fd00::/8")


def seen(peer, *headers):
    """Return the client and the scheme that an application sees."""
    told = []

    async def app(scope, receive, send):
        told.extend((scope["client"][0], scope["scheme"]))

    lines = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "scheme": "http", "client": (peer, 1234), "headers": lines}
    with suppress(StopIteration):  # nothing in it waits, so it needs no loop
        ClientAddress(app, trusted=TRUSTED)(scope, None, None).send(None)
    return told


@pytest.mark.parametrize(
    ("peer", "sent_for", "client"),
    [
        (STRANGER, ["203.0.113.5"], STRANGER),
        (PROXY, [], PROXY),
        (PROXY, ["203.0.113.5"], "203.0.113.5"),
        (PROXY, ["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
        (PROXY, ["1.1.1.1", "203.0.113.5"], "203.0.113.5"),
        (PROXY, ["203.0.113.5, 10.0.0.8"], "203.0.113.5"),
        (PROXY, ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        (PROXY, ["203.0.113.5:4711"], "203.0.113.5"),
        (PROXY, ['"[2001:db8::5]:4711"'], "2001:db8::5"),
        (PROXY, ["2001:DB8::5"], "2001:db8::5"),
        (PROXY, ["::ffff:203.0.113.5"], "203.0.113.5"),
        (PROXY, ["203.0.113.5, rubbish"], PROXY),
        (PROXY, ["203.0.113.5, rubbish, 10.0.0.8"], "10.0.0.8"),
        (PROXY, ["unknown"], PROXY),
        (PROXY, [" , "], PROXY),
        ("::ffff:10.0.0.7", ["203.0.113.5"], "203.0.113.5"),
        ("::ffff:192.0.2.9", ["203.0.113.5"], STRANGER),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
    ],
)
def test_the_last_sender_that_is_no_proxy_of_ours(peer, sent_for, client):
    """Each proxy writes behind what it was sent; nothing that stands further left is believed."""
    assert seen(peer, *(("X-Forwarded-For", one) for one in sent_for))[0] == client


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [(PROXY, "https", "https"), (PROXY, "ftp", "http"), (PROXY, "http, https", "https"), (STRANGER, "https", "http")],
)
def test_the_scheme_as_a_proxy_of_ours_says(peer, said, scheme):
    """Nobody else says through what a request came."""
    assert seen(peer, ("X-Forwarded-Proto", said))[1] == scheme


def test_what_counts_as_one_sender():
    """An address of IPv4, a /64 of IPv6, and what is no address as it is."""
    assert neighbourhood("192.0.2.1") == neighbourhood("::ffff:192.0.2.1") == "192.0.2.1"
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1") == "2001:db8::/64"
    assert neighbourhood("2001:db8:0:1::1") != neighbourhood("2001:db8::1")
    assert neighbourhood("testclient") == "testclient"


def test_a_proxy_that_is_no_address_is_a_mistake_of_the_file(tmp_path):
    """The message says what is expected."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase of many letters\nserver: {trusted_proxies: [proxy.internal]}\n")

    with pytest.raises(ConfigError, match="an address like"):
        load_config(path, load_plugins())
