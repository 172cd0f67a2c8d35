"""Loading and calling plugins: one bad plugin for each way to fail."""

from __future__ import annotations

import pytest

from connector_core import ConfigError, ConnectorError, PluginError, PluginInfo, RetryLater, hookimpl
from connector_core.plugins import PluginStatus, load_plugins
from tests.support.fake_plugins import (
    DeskSettings,
    FakeEntryPoint,
    broken_entry_point,
    desk_entry_point,
    fake_plugins,
    module_of,
    on_incident_event,
)

INFO = PluginInfo(name="desk", title="Desk", settings=DeskSettings)


def load_one(module, name="desk"):
    """Load one plugin module and return its record."""
    return load_plugins(entry_points=[FakeEntryPoint(name, lambda: module)]).records[0]


def plugin_with(function):
    """Return a loaded plugin that implements one more hook."""
    return load_plugins(entry_points=[FakeEntryPoint("desk", lambda: module_of(function, info=INFO))]).get("desk")


def test_good_plugin_is_ready_with_its_abilities():
    """The record tells name, distribution, version and hooks, and the plugin can be got."""
    plugins = load_plugins(entry_points=[desk_entry_point()])

    record = plugins.records[0]
    plugin = plugins.get("desk")

    assert (record.name, record.distribution, record.version) == ("desk", "connector-fake", "1.2.3")
    assert record.status is PluginStatus.READY
    assert record.hooks == plugin.hooks == {"describe_plugin", "on_incident_event"}
    assert plugin.implements("on_incident_event")
    assert not plugin.implements("authorize")
    assert plugins.ready == (plugin,)


def test_installed_plugins_include_the_built_in_source():
    """With no entry points given, those of the installed distributions are loaded."""
    plugins = load_plugins()

    assert plugins.get("http").implements("on_source_push")
    assert plugins.record("http").distribution == "connector-core"


def test_disabled_plugin_is_not_imported():
    """A disabled plugin is listed, and its code never runs."""
    plugins = load_plugins(disabled=["broken"], entry_points=[broken_entry_point()])

    assert plugins.records[0].status is PluginStatus.DISABLED
    with pytest.raises(ConfigError) as caught:
        plugins.get("broken")
    assert "disabled_plugins" in caught.value.fix


def test_import_error_is_a_row_and_the_others_run():
    """A plugin that cannot be imported is recorded with its reason."""
    plugins = load_plugins(entry_points=[broken_entry_point(), desk_entry_point()])

    assert [(record.name, record.status.value) for record in plugins.records] == [
        ("broken", "load_failed"),
        ("desk", "ready"),
    ]
    assert plugins.records[0].reason == "ImportError: No module named 'left_pad'"


def test_misspelt_hook_names_the_right_one():
    """An implementation of a hook that does not exist fails at loading, not at midnight."""

    @hookimpl
    def on_incident_events(integration, change):
        """Misspell the hook."""

    record = load_one(module_of(on_incident_events, info=INFO))

    assert record.status is PluginStatus.LOAD_FAILED
    assert record.reason == "there is no hook named on_incident_events; did you mean on_incident_event?"


def test_unheard_of_hook_is_named():
    """A hook that resembles none is reported without a guess."""

    @hookimpl
    def zzz():
        """Be no hook at all."""

    assert load_one(module_of(zzz, info=INFO)).reason == "there is no hook named zzz"


def test_wrong_argument_names_the_right_ones():
    """A hook with an argument that is never passed fails at loading."""

    @hookimpl
    def on_incident_event(integration, changes):
        """Misspell the argument."""

    record = load_one(module_of(on_incident_event, info=INFO))

    assert record.reason == "the hook on_incident_event takes (integration, change), not changes"


def test_method_hooks_do_not_count_self():
    """A plugin may be an object: its methods are checked as they are called."""

    class Desk:
        """A plugin that is an object."""

        @hookimpl
        def describe_plugin(self):
            """Say who it is."""
            return INFO

    assert load_one(Desk()).status is PluginStatus.READY


def test_missing_describe_plugin():
    """A plugin that does not say who it is cannot be used."""
    assert load_one(module_of(on_incident_event)).reason == "it does not implement describe_plugin"


def test_describe_plugin_gives_back_something_else():
    """The wrong type is named."""

    @hookimpl
    def describe_plugin():
        """Give back no info."""
        return {"name": "desk"}

    assert load_one(module_of(describe_plugin)).reason == "describe_plugin gave back dict, not PluginInfo"


def test_describe_plugin_raises():
    """Whatever a plugin raises when it is asked who it is, the loading goes on."""

    @hookimpl
    def describe_plugin():
        """Fail."""
        raise KeyError("who")

    assert load_one(module_of(describe_plugin)).reason == "KeyError: 'who'"


def test_entry_point_and_info_disagree():
    """Entry point, plugin and configuration key share one name."""
    record = load_one(module_of(info=INFO), name="helpdesk")

    assert record.reason == "its entry point is named helpdesk, but it calls itself desk"


@pytest.mark.parametrize("field", ["settings", "plugin_settings"])
def test_settings_model_of_another_kind(field):
    """Settings that do not refuse unknown keys are not accepted."""
    info = PluginInfo(**{"name": "desk", "title": "Desk", "settings": DeskSettings, field: dict})

    assert load_one(module_of(info=info)).reason == "its settings models are not subclasses of Settings"


def test_second_plugin_of_a_name_fails():
    """The first of a name stays, the second is a row that says so."""
    plugins = load_plugins(entry_points=[desk_entry_point(), desk_entry_point()])

    assert [record.status.value for record in plugins.records] == ["ready", "load_failed"]
    assert plugins.records[1].reason == "another installed plugin has the same name"
    assert plugins.get("desk")


def test_entry_point_without_distribution():
    """A plugin from nowhere is still listed."""
    plugins = load_plugins(entry_points=[FakeEntryPoint("desk", lambda: module_of(info=INFO), dist=None)])

    assert plugins.records[0].distribution == "unknown"


def test_failed_load_is_logged_with_its_traceback(caplog, capsys):
    """The row has the reason, the log has the traceback."""
    load_plugins(entry_points=[broken_entry_point()])

    text = caplog.text + capsys.readouterr().out
    assert "plugin_load_failed" in text
    assert "Traceback" in text


def test_unknown_plugin_says_how_to_get_it():
    """The nearest installed name is suggested, and the command that installs one."""
    plugins = fake_plugins()

    with pytest.raises(ConfigError) as near:
        plugins.get("desc")
    with pytest.raises(ConfigError) as far:
        plugins.get("zen_hub")

    assert near.value.code == far.value.code == "plugin_unknown"
    assert near.value.fix == "Did you mean desk? Otherwise install it: pip install connector-desc"
    assert far.value.fix == "Install it: pip install connector-zen-hub"


def test_call_passes_arguments_and_result():
    """A hook gets what it names and gives back what it wants."""

    @hookimpl
    def check_integration(integration):
        """Give back the argument."""
        return [f"checked {integration}"]

    assert plugin_with(check_integration).call("check_integration", integration=5) == ["checked 5"]


def test_call_lets_our_errors_through():
    """What a plugin raises from our tree arrives unchanged."""
    error = RetryLater("later", after_s=5)

    @hookimpl
    def check_integration(integration):
        """Ask for patience."""
        raise error

    with pytest.raises(ConnectorError) as caught:
        plugin_with(check_integration).call("check_integration", integration=5)

    assert caught.value is error


def test_call_wraps_everything_else():
    """Any other exception is the plugin's fault; the sentence leaves out its text, the cause and the detail keep it."""

    @hookimpl
    def check_integration(integration):
        """Fail with a secret in the text."""
        raise ZeroDivisionError("hunter2")

    with pytest.raises(PluginError) as caught:
        plugin_with(check_integration).call("check_integration", integration=5)

    assert caught.value.message == "The plugin desk failed in check_integration (ZeroDivisionError)."
    assert caught.value.detail == "ZeroDivisionError: hunter2"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_call_refuses_nothing_as_a_result():
    """Only the webhook hook may say that it has nothing to say."""

    @hookimpl
    def on_inbound_webhook(integration, request):
        """Be silent."""

    assert plugin_with(on_inbound_webhook).call("on_inbound_webhook", integration=1, request=2) is None
    with pytest.raises(PluginError, match="gave back nothing"):
        plugin_with(on_incident_event).call("on_incident_event", integration=1, change=2)


def test_call_of_a_hook_that_is_not_implemented():
    """The ability is named, so that the core's own mistake is found."""
    with pytest.raises(PluginError, match="does not implement authorize"):
        plugin_with(on_incident_event).call("authorize", integration=1, request=2)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit()], ids=repr)
def test_a_plugin_that_would_end_the_process_does_not(error):
    """Neither by a hook nor by its import: it is a fault of the plugin like any other."""

    @hookimpl
    def check_integration(integration):
        """Try to end the process."""
        raise error

    def load():
        raise error

    with pytest.raises(PluginError):
        plugin_with(check_integration).call("check_integration", integration=5)
    (bad,) = load_plugins(entry_points=[FakeEntryPoint("bad", load)]).records
    assert bad.status is PluginStatus.LOAD_FAILED


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_is_no_fault_of_a_plugin_passes_through(error):
    """A lack of memory passes, and whoever called tries again; who types Ctrl-C means the command."""

    @hookimpl
    def check_integration(integration):
        """Have bad luck."""
        raise error

    with pytest.raises(error):
        plugin_with(check_integration).call("check_integration", integration=5)
