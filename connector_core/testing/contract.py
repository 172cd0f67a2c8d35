"""What every plugin must keep to, as tests: inherit, name the module and working settings, run pytest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import Any

from pydantic import SecretStr

from connector_core.clock import Clock
from connector_core.config.models import IntegrationEntry, SourceEntry
from connector_core.contract.errors import WebhookRejected
from connector_core.contract.models import InboundRequest
from connector_core.plugins import Plugin, load_plugins
from connector_core.testing.clock import FrozenClock
from connector_core.testing.handle import make_integration, make_source

HOSTILE_BODIES = (b"", b"{", b"[]", b"\xff\xfe", b"[" * 10_000, b'{"a": "\\ud800"}', b"null", b"0" * 1000)


class PluginContract:
    """Loads the plugin as the daemon would and tries what can be tried without its vendor."""

    module: ModuleType
    settings: Mapping[str, Any]
    plugin_settings: Mapping[str, Any] = MappingProxyType({})

    @property
    def clock(self) -> Clock:
        """The clock that hooks see."""
        return FrozenClock()

    def plugin(self) -> Plugin:
        """Load the plugin from its module, by the entry point that it is installed with."""
        return load_plugins().get(self.module.describe_plugin().name)

    def test_it_is_found_and_ready(self) -> None:
        """The installed entry point leads to this module, and everything it implements is a hook."""
        assert self.plugin().hooks

    def test_it_takes_part_in_one_direction_at_least(self) -> None:
        """It is a ticketing plugin, an incident source, or both."""
        plugin = self.plugin()
        assert plugin.implements("on_incident_event") or plugin.implements("apply_change")

    def test_its_settings_work_and_explain_themselves(self) -> None:
        """The given settings are valid, every field has a description, and none has a name of the core's."""
        info = self.plugin().info
        assert info.settings.model_validate(dict(self.settings))
        for model in (info.settings, info.plugin_settings):
            undescribed = [name for name, field in model.model_fields.items() if not field.description]
            assert not undescribed, f"without description: {undescribed}"
        reserved = set(IntegrationEntry.model_fields) | set(SourceEntry.model_fields)
        assert not reserved & set(info.settings.model_fields)
        assert info.link_settings | info.place_settings <= set(info.settings.model_fields)

    def test_set_up_of_its_source_asks_for_its_settings(self) -> None:
        """Every question is a setting, all that is required is asked for, and unfinished answers are no obstacle."""
        plugin = self.plugin()
        if not plugin.implements("configure_source"):
            return
        source = replace(make_source(plugin.info, self.settings, clock=self.clock), settings=None)
        steps = plugin.call("configure_source", source=source)
        asked = {field.key for step in steps for field in step.fields}
        model = plugin.info.settings.model_fields
        assert asked <= set(model)
        assert {name for name, field in model.items() if field.is_required()} <= asked

    def test_it_takes_no_webhook_without_a_secret(self) -> None:
        """Neither an empty secret nor none at all authenticates anybody."""
        if not self.plugin().implements("on_inbound_webhook"):
            return
        for secrets in ((), ("",)):
            for body in HOSTILE_BODIES:
                assert self._receive(secrets, body, {}) is None

    def test_strangers_are_rejected_and_nothing_else(self) -> None:
        """Whatever a stranger sends ends in None or `WebhookRejected`."""
        if not self.plugin().implements("on_inbound_webhook"):
            return
        for body in HOSTILE_BODIES:
            for value in ("", "sha256=", "sha256=zz", "v1,x", "ü" * 80, "sha256=" + "0" * 64):
                self._expect_refusal(body, {"x-hub-signature": value, "authorization": value})

    def test_no_stranger_is_taken_for_a_sender(self) -> None:
        """Of whatever comes it is said, before it is read, that no secret made its signature."""
        if not self.plugin().implements("find_signature"):
            return
        for body in HOSTILE_BODIES:
            for value in ("", "sha256=", "v1,x", "ü" * 80, "sha256=" + "0" * 64):
                headers = {"x-hub-signature": value, "authorization": value}
                request = InboundRequest(headers=headers, body=body, received_at=self.clock.now())
                signature = self.plugin().call("find_signature", request=request)
                assert not any(signature.is_by(SecretStr(secret)) for secret in ("a secret", ""))

    def test_no_secret_shows_in_its_settings(self) -> None:
        """A settings object can be printed without giving a secret away."""
        settings = self.plugin().info.settings.model_validate(dict(self.settings))
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                assert value.get_secret_value() not in repr(settings)

    def _expect_refusal(self, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            delivery = self._receive(("a secret",), body, headers)
        except WebhookRejected as exc:
            delivery = None if exc.status in range(400, 500) else exc
        assert delivery is None

    def _receive(self, secrets: tuple[str, ...], body: bytes, headers: Mapping[str, str]) -> object:
        plugin = self.plugin()
        handle = make_integration(
            plugin.info,
            self.settings,
            plugin_settings=self.plugin_settings,
            webhook_secrets=secrets,
            clock=self.clock,
        )
        request = InboundRequest(headers=headers, body=body, received_at=self.clock.now())
        return plugin.call("on_inbound_webhook", integration=handle, request=request)
