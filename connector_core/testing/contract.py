"""What every plugin must keep to, as tests: inherit, name the module and working settings, run pytest."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from importlib import metadata
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, get_args

from pydantic import SecretStr

from connector_core.clock import Clock
from connector_core.config.models import IntegrationEntry, SourceEntry
from connector_core.contract import hookspecs
from connector_core.contract.errors import WebhookRejected
from connector_core.contract.lazy_hooks import implementation_of
from connector_core.contract.models import InboundRequest
from connector_core.plugins import Plugin, load_plugins
from connector_core.testing.clock import FrozenClock
from connector_core.testing.handle import make_integration, make_source

HOSTILE_BODIES = (b"", b"{", b"[]", b"\xff\xfe", b"[" * 10_000, b'{"a": "\\ud800"}', b"null", b"0" * 1000)
HOSTILE_VALUES = ("", "sha256=", "sha256=zz", "v1,x", "ü" * 80, "sha256=" + "0" * 64, "AAAA", "=", "-1", "9" * 400)
WELL_FORMED = "1"


_SECRET_NAME = re.compile(r"(^|_)(tokens?|secrets?|passwords?|(api_|private_|access_)keys?)$|^key$")


class PluginContract:
    """Loads the plugin as the daemon would and tries what can be tried without its vendor."""

    module: ModuleType
    settings: Mapping[str, Any]
    plugin_settings: Mapping[str, Any] = MappingProxyType({})
    #: Whether the README is written already, which then has to name every setting.
    has_readme: bool = True

    @property
    def clock(self) -> Clock:
        """The clock that hooks see."""
        return FrozenClock()

    def plugin(self) -> Plugin:
        """Return the plugin of the module, loaded by the entry point that it is installed with."""
        return self._loaded

    @cached_property
    def _loaded(self) -> Plugin:
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
        steps = plugin.configure_source(source)
        asked = {field.key for step in steps for field in step.fields}
        model = plugin.info.settings.model_fields
        assert asked <= set(model)
        assert {name for name, field in model.items() if field.is_required()} <= asked

    def test_it_says_which_headers_sign(self) -> None:
        """What proves a sender is named as requests have it, so that the other tests can spoil it."""
        plugin = self.plugin()
        if plugin.implements("on_inbound_webhook"):
            assert plugin.info.signature_headers, "PluginInfo.signature_headers names no header"
            assert all(name == name.lower() for name in plugin.info.signature_headers)

    def test_it_takes_no_webhook_without_a_secret(self) -> None:
        """Neither an empty secret nor none at all authenticates anybody."""
        if not self.plugin().implements("on_inbound_webhook"):
            return
        for secrets in ((), ("",)):
            for body in HOSTILE_BODIES:
                try:
                    delivery = self._receive(secrets, body, {})
                except WebhookRejected as exc:
                    raise AssertionError(
                        f"without a secret nobody is known: give back None before reading ({exc})"
                    ) from exc
                assert delivery is None, "without a secret nobody is known, and a delivery is believed"

    def test_strangers_are_rejected_and_nothing_else(self) -> None:
        """Whatever a stranger sends ends in None or `WebhookRejected`."""
        if not self.plugin().implements("on_inbound_webhook"):
            return
        for body in HOSTILE_BODIES:
            for headers in self._strange_headers():
                self._expect_refusal(body, headers)

    def test_no_stranger_is_taken_for_a_sender(self) -> None:
        """Of whatever comes it is said, before it is read, that no secret made its signature."""
        if not self.plugin().implements("find_signature"):
            return
        for body in HOSTILE_BODIES:
            for headers in self._strange_headers():
                request = InboundRequest(headers=headers, body=body, received_at=self.clock.now())
                signature = self.plugin().find_signature(request)
                assert not any(signature.is_by(SecretStr(secret)) for secret in ("a secret", ""))

    def test_no_secret_shows_in_its_settings(self) -> None:
        """A settings object can be printed without giving a secret away."""
        settings = self.plugin().info.settings.model_validate(dict(self.settings))
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                assert value.get_secret_value() not in repr(settings)

    def test_no_secret_is_plain_text(self) -> None:
        """What is called a token, secret, password or key is a `SecretStr`: all else is shown, and stored readable."""
        info = self.plugin().info
        plain = [
            name
            for model in (info.settings, info.plugin_settings)
            for name, field in model.model_fields.items()
            if _SECRET_NAME.search(name) and _is_text(field.annotation)
        ]
        assert not plain, f"plain text: {plain}"

    def test_every_hook_is_marked(self) -> None:
        """A function with the name of a hook is one; without `@hookimpl` nobody would ever call it."""
        specified = {name for name, made in vars(hookspecs).items() if hasattr(made, f"{hookspecs.PROJECT_NAME}_spec")}
        functions = {name: getattr(self._hooks, name, None) for name in specified}
        named = {name for name, one in functions.items() if inspect.isfunction(one) and not _is_unwritten(one)}
        unmarked = sorted(named - self.plugin().hooks)
        assert not unmarked, f"without @hookimpl: {unmarked}"

    def test_its_hooks_take_what_they_are_given(self) -> None:
        """All arguments of the specification, by their names: one that is left out is one that is not thought of."""
        for name in sorted(self.plugin().hooks):
            given = list(inspect.signature(getattr(hookspecs, name)).parameters)
            hook = getattr(self._hooks, name, None)
            if hook is None:
                continue  # a plugin that was put together in a test
            parameters = inspect.signature(implementation_of(hook)).parameters.values()
            taken = [one.name for one in parameters if one.default is one.empty]
            assert taken == given, f"{name} takes {taken}, and is given {given}"

    def test_its_readme_names_every_setting(self) -> None:
        """The page that comes with the distribution says how to install it, and names what can be set."""
        if not self.has_readme:
            return
        record = load_plugins().record(self.plugin().name)
        if record is None or record.distribution in {"unknown", "connector-core"}:
            return  # it comes with no distribution of its own
        about = metadata.metadata(record.distribution)
        page = str(about.get("Description") or about.get_payload() or "")  # type: ignore[attr-defined]  # it is a message
        info = self.plugin().info
        wanted = {*info.settings.model_fields, *info.plugin_settings.model_fields, "pip install"}
        missing = sorted(name for name in wanted if name not in page)
        assert not missing, f"the README does not have: {missing}"

    @property
    def _hooks(self) -> ModuleType | None:
        return getattr(self, "module", None)

    def _strange_headers(self) -> Iterator[Mapping[str, str]]:
        """Give what strangers may put into the headers that prove a sender: nothing, into all of them, into each."""
        names = sorted(self.plugin().info.signature_headers)
        yield {}
        for value in HOSTILE_VALUES:
            yield dict.fromkeys([*names, "authorization"], value)
            for name in names:
                yield {**dict.fromkeys(names, WELL_FORMED), name: value}

    def _expect_refusal(self, body: bytes, headers: Mapping[str, str]) -> None:
        delivery, status = None, HTTPStatus.FORBIDDEN.value
        try:
            delivery = self._receive(("a secret",), body, headers)
        except WebhookRejected as exc:
            status = exc.status
        assert status in range(400, 500), f"a stranger is answered {status}, which is called our fault"
        assert delivery is None, f"a delivery that nobody signed is believed: {body[:60]!r} with {dict(headers)}"

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
        return plugin.on_inbound_webhook(handle, request)


def _is_text(annotation: object) -> bool:
    """Return whether a setting is kept as text that everybody can read, perhaps one of several kinds."""
    return annotation is str or any(map(_is_text, get_args(annotation)))


def _is_unwritten(function: FunctionType) -> bool:
    """Return whether a function only says that it is still to be written."""
    return "NotImplementedError" in function.__code__.co_names
