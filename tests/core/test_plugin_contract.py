"""The contract that plugins are held against is able to fail: broken ones are caught."""

from __future__ import annotations

import base64
import hmac
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
from pydantic import Field

from connector_core import Delivery, PluginError, PluginInfo, Settings, Signature, hookimpl
from connector_core.kit.signing import json_event
from connector_core.plugins import load_plugins
from connector_core.testing import MemoryDesk, PluginContract

HEADERS = frozenset({"x-zd-signature", "x-zd-timestamp"})


class OwnScheme(MemoryDesk):
    """A desk that signs time and body, in base64, under names of its own; `headers` is what the plugin says of them."""

    headers = HEADERS

    @hookimpl
    def describe_plugin(self):
        """Name the headers."""
        return replace(super().describe_plugin(), signature_headers=self.headers)

    @hookimpl
    def find_signature(self, request):
        """Say who signed."""
        return Signature(
            is_by=lambda secret: self._is_by(secret, request), is_given="x-zd-signature" in request.headers
        )

    @hookimpl
    def on_inbound_webhook(self, integration, request):
        """Take nothing, for no test here signs."""
        if any(self._is_by(secret, request) for secret in integration.webhook_secrets):
            raise AssertionError("a stranger was believed")

    def _is_by(self, secret, request):
        given = self._read(request.headers.get("x-zd-signature", ""), request.headers.get("x-zd-timestamp", ""))
        key = secret.get_secret_value().encode()
        return bool(key) and hmac.compare_digest(hmac.digest(key, request.body, "sha256"), given)

    def _read(self, signature, timestamp):
        try:
            int(timestamp)
            return base64.b64decode(signature, validate=True)
        except ValueError:
            return b""


class CrashesOnSignature(OwnScheme):
    """It takes for granted that the signature is base64."""

    def _read(self, signature, timestamp):
        return base64.b64decode(signature, validate=True)


class CrashesOnTime(OwnScheme):
    """It takes for granted that the time is a number."""

    def _read(self, signature, timestamp):
        int(timestamp or 0)
        return b""


class NamesNothing(OwnScheme):
    """It does not say what its signature is in."""

    headers = frozenset()


class NamesAsSent(OwnScheme):
    """It names a header as it is written, not as requests have it."""

    headers = frozenset({"X-ZD-Signature"})


def contract_of(desk):
    """Return the checks of a plugin."""

    class Contract(PluginContract):
        settings = {"desk": "1"}  # noqa: RUF012 - as documented

        def plugin(self):
            return load_plugins(entry_points=[desk.entry_point()]).get("desk")

    return Contract()


def tried(desk):
    """Hold a plugin against what strangers send."""
    contract = contract_of(desk)
    contract.test_it_says_which_headers_sign()
    contract.test_strangers_are_rejected_and_nothing_else()
    contract.test_no_stranger_is_taken_for_a_sender()


@pytest.mark.extended
def test_a_scheme_of_its_own_passes():
    """Header, encoding and what is signed are the plugin's."""
    tried(OwnScheme())


@pytest.mark.parametrize("broken", [CrashesOnSignature, CrashesOnTime, NamesNothing, NamesAsSent])
def test_a_broken_one_is_caught(broken):
    """Whatever is sent in its own headers has to end in a refusal."""
    with pytest.raises((AssertionError, PluginError)):
        tried(broken())


class BelievesUnsigned(OwnScheme):
    """It checks a signature where there is one."""

    @hookimpl
    def on_inbound_webhook(self, integration, request):
        """Take what has none."""
        if "x-zd-signature" not in request.headers:
            return Delivery(id="1", event="updated")
        return super().on_inbound_webhook(integration, request)


class ReadsFirst(OwnScheme):
    """It reads before it knows who sent what it reads."""

    @hookimpl
    def on_inbound_webhook(self, integration, request):
        """Refuse what is no JSON, whoever sent it."""
        json_event(request)
        return super().on_inbound_webhook(integration, request)


@pytest.mark.parametrize(
    ("check", "broken", "said"),
    [
        (
            "test_strangers_are_rejected_and_nothing_else",
            BelievesUnsigned,
            "a delivery that nobody signed is believed: ",
        ),
        ("test_it_takes_no_webhook_without_a_secret", BelievesUnsigned, "nobody is known, and a delivery is believed"),
        ("test_it_takes_no_webhook_without_a_secret", ReadsFirst, "give back None before reading"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_said(check, broken, said):
    """In words that lead to the place."""
    with pytest.raises(AssertionError, match=said):
        getattr(contract_of(broken()), check)()


class CarelessSettings(Settings):
    """A token that everybody can read, and a key that is none of the kind."""

    api_token: str | None = Field(None, description="It lets everybody in.")
    project_key: str = Field("SUP", description="What people call the project.")


def _unmarked(integration, change):
    """Would never be called."""


def _unwritten(integration, ticket):
    raise NotImplementedError("when did it change?")


@hookimpl
def _forgetful(integration):
    """Leave the query out."""


def careless():
    """Return a module as an author may write it: a hook without its mark, one that leaves an argument out."""
    module = ModuleType("careless")
    vars(module).update(on_incident_event=_unmarked, fetch_tickets=_forgetful, when_changed=_unwritten)
    return module


class CarelessContract(PluginContract):
    """Tries it, though it would not even be loaded."""

    module = careless()

    def plugin(self):
        """Put together what the loader would refuse."""
        info = PluginInfo(name="careless", title="Careless", settings=CarelessSettings)
        return SimpleNamespace(info=info, hooks=frozenset({"fetch_tickets"}))


@pytest.mark.parametrize(
    ("check", "named"),
    [
        ("test_every_hook_is_marked", r"\['on_incident_event'\]"),
        ("test_its_hooks_take_what_they_are_given", "fetch_tickets"),
        ("test_no_secret_is_plain_text", r"\['api_token'\]"),
    ],
)
def test_careless_ones_are_caught(check, named):
    """What nobody would call, what takes too little, and what would be shown are each named."""
    with pytest.raises(AssertionError, match=named):
        getattr(CarelessContract(), check)()
