"""Loading and calling plugins: one bad plugin for each way to fail."""

from __future__ import annotations

import inspect
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from connector_core import (
    Absence,
    AbsenceKind,
    AuthorizationRenewal,
    Comment,
    ConfigError,
    ConnectorError,
    CreateTicket,
    Delivery,
    Finding,
    Grant,
    HookRegistration,
    InboundRequest,
    Incident,
    NotCreated,
    PluginError,
    PluginInfo,
    Redirect,
    RetryLater,
    Severity,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
    WriteComment,
    hookimpl,
)
from connector_core.contract import hookspecs
from connector_core.contract.hook_results import hook_of
from connector_core.plugins import PluginStatus, find_plugins, load_plugins
from connector_core.relay import Relay
from connector_core.testing import make_integration
from tests.support.fake_plugins import (
    DeskSettings,
    FakeEntryPoint,
    broken_entry_point,
    desk_entry_point,
    fake_plugins,
    module_of,
    on_incident_event,
    platform_entry_point,
)

INFO = PluginInfo(name="desk", title="Desk", settings=DeskSettings)
HANDLE = make_integration(INFO, {"desk": "1"})
NOW = datetime(2026, 3, 2, tzinfo=UTC)
REQUEST = InboundRequest(headers={}, body=b"", received_at=NOW)
CREATE = CreateTicket(incident=Incident(id="1", title="Fan failed"), marker="m-1")
RENEWAL = AuthorizationRenewal(grant=Grant(headers={}, account_id="1", account_name="Agent"))
COMMENT = WriteComment(
    ticket=TicketSnapshot(id="1"),
    comment=Comment(id="1", author="Ada", text="Still dark", created_at=NOW),
    platform="Platform",
    marker="m-2",
)


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


def test_a_plugin_is_loaded_when_it_is_asked_for():
    """One that is asked for brings no other along, broken or not; what needs all of them loads the rest."""
    points = [platform_entry_point(), broken_entry_point(), desk_entry_point()]
    plugins = find_plugins({"platform"}, entry_points=points)

    assert plugins.loaded == ()
    assert plugins.get("desk").name == "desk"
    assert plugins.is_ready("desk")
    assert [record.name for record in plugins.loaded] == ["desk"]
    assert [(record.name, record.status.value) for record in plugins.records] == [
        (record.name, record.status.value) for record in load_plugins({"platform"}, entry_points=points).records
    ]
    assert len(plugins.records) == 3


def test_of_an_unknown_name_all_others_are_told():
    """Also where none was loaded before."""
    plugins = find_plugins(entry_points=[desk_entry_point(), platform_entry_point()])

    with pytest.raises(ConfigError) as refused:
        plugins.get("desks")

    assert refused.value.fix.startswith("Did you mean desk? Installed are: desk, ")


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
    """The nearest installed name is suggested, and how one is installed: never by a name that anybody may take."""
    plugins = fake_plugins()

    with pytest.raises(ConfigError) as near:
        plugins.get("desc")
    with pytest.raises(ConfigError) as far:
        plugins.get("zen_hub")

    assert near.value.code == far.value.code == "plugin_unknown"
    install = "Installed are: desk, platform. Install another from its folder or wheel: pip install ./path/to/plugin"
    assert (near.value.fix, far.value.fix) == (f"Did you mean desk? {install}", install)


def test_call_passes_arguments_and_result():
    """A hook gets what it names and gives back what it wants."""

    @hookimpl
    def check_integration(integration):
        """Give back the argument."""
        return [Finding(code="seen", severity=Severity.OK, title=integration.id)]

    (finding,) = plugin_with(check_integration).check_integration(HANDLE)

    assert finding.title == HANDLE.id


def test_call_lets_our_errors_through():
    """What a plugin raises from our tree arrives unchanged."""
    error = RetryLater("later", after_s=5)

    @hookimpl
    def check_integration(integration):
        """Ask for patience."""
        raise error

    with pytest.raises(ConnectorError) as caught:
        plugin_with(check_integration).check_integration(HANDLE)

    assert caught.value is error


def test_call_wraps_everything_else():
    """Any other exception is the plugin's fault; the sentence leaves out its text, the cause and the detail keep it."""

    @hookimpl
    def check_integration(integration):
        """Fail with a secret in the text."""
        raise ZeroDivisionError("hunter2")

    with pytest.raises(PluginError) as caught:
        plugin_with(check_integration).check_integration(HANDLE)

    assert caught.value.message == "The plugin desk failed in check_integration (ZeroDivisionError)."
    assert caught.value.detail == "ZeroDivisionError: hunter2"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_call_refuses_nothing_as_a_result():
    """Only a hook whose specification says so may say that it has nothing to say."""

    @hookimpl
    def on_inbound_webhook(integration, request):
        """Be silent."""

    assert plugin_with(on_inbound_webhook).on_inbound_webhook(HANDLE, REQUEST) is None
    with pytest.raises(PluginError, match="gave back nothing from on_incident_event"):
        plugin_with(on_incident_event).on_incident_event(HANDLE, CREATE)


def test_call_of_a_hook_that_is_not_implemented():
    """The ability is named, so that the core's own mistake is found."""
    with pytest.raises(PluginError, match="does not implement find_site"):
        plugin_with(on_incident_event).find_site(HANDLE)


SNAPSHOT = TicketSnapshot(id="1")
RIGHT = [
    ("fetch_tickets", [SNAPSHOT, UnreadableTicket()]),
    ("fetch_tickets", ()),
    ("explain_absence", {"1": Absence(kind=AbsenceKind.GONE, reason="gone")}),
    ("when_changed", {}),
    ("on_inbound_webhook", Delivery(id="1", event="e")),
    ("drop_webhook", False),
]
WRONG = [
    ("fetch_tickets", [SNAPSHOT, "x"], "list of TicketSnapshot, str"),
    ("fetch_tickets", "xyz", "str"),
    ("fetch_tickets", iter([SNAPSHOT]), "list_iterator"),
    ("explain_absence", {"1": "gone"}, "dict of str to str"),
    ("explain_absence", {1: Absence(kind=AbsenceKind.GONE, reason="gone")}, "dict of int to Absence"),
    ("on_inbound_webhook", {}, "dict"),
    ("find_signature", None, "nothing"),
    ("drop_webhook", 1, "int"),
]
GIVEN = {
    "fetch_tickets": (HANDLE, TicketQuery(ids=frozenset())),
    "explain_absence": (HANDLE, ()),
    "when_changed": (HANDLE, SNAPSHOT),
    "on_inbound_webhook": (HANDLE, REQUEST),
    "find_signature": (REQUEST,),
    "drop_webhook": (HANDLE, HookRegistration(ids=("1",), site="s")),
}


def giving(hook, result):
    """Return a plugin whose hook gives back something."""
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    made = {}
    exec(f"def {hook}({arguments}): return result", {"result": result}, made)  # noqa: S102 - a hook has names of its own
    return plugin_with(hookimpl(made[hook]))


@pytest.mark.parametrize(("hook", "result"), RIGHT)
def test_what_a_specification_allows_is_given_back(hook, result):
    """As it is."""
    assert getattr(giving(hook, result), hook)(*GIVEN[hook]) is result


@pytest.mark.parametrize(("hook", "result", "kind"), WRONG)
def test_what_a_specification_does_not_allow_is_the_plugins_fault(hook, result, kind):
    """Hook, what it gave and what was expected are named, also of one among many."""
    expected = inspect.get_annotations(getattr(hookspecs, hook))["return"]

    with pytest.raises(PluginError) as caught:
        getattr(giving(hook, result), hook)(*GIVEN[hook])

    assert caught.value.message == f"The plugin desk gave back {kind} from {hook}, not {expected}."


@pytest.mark.parametrize(
    ("hook", "result", "request_", "words"),
    [
        (
            "on_incident_event",
            NotCreated(),
            CREATE,
            "not Receipt, to a CreateTicket",
        ),
        ("authorize", Redirect(url="https://example.test"), RENEWAL, "not Grant, to an AuthorizationRenewal"),
        ("write_comment", NotCreated(), COMMENT, "not WrittenComment, to a WriteComment"),
    ],
)
def test_an_answer_to_something_else_is_the_plugins_fault(hook, result, request_, words):
    """Only a look may find that there is nothing, and only a start may lead elsewhere."""
    with pytest.raises(PluginError, match=words):
        getattr(giving(hook, result), hook)(HANDLE, request_)


def test_a_result_that_fails_when_it_is_looked_at_is_the_plugins_fault():
    """A list that is made as it is read runs the plugin's code."""

    class Lazy(list):
        """A list that cannot be read."""

        def __iter__(self):
            raise ZeroDivisionError

    with pytest.raises(PluginError, match=r"failed in fetch_tickets \(ZeroDivisionError\)"):
        giving("fetch_tickets", Lazy()).fetch_tickets(*GIVEN["fetch_tickets"])


def test_a_hook_that_needs_settings_is_not_called_before_there_are_any():
    """A plugin may rely on them; those that begin with nothing are called all the same."""
    unfinished = replace(HANDLE, settings=None)

    with pytest.raises(ConfigError) as caught:
        giving("fetch_tickets", []).fetch_tickets(unfinished, GIVEN["fetch_tickets"][1])

    assert caught.value.code == "setup_unfinished"
    assert giving("configure_steps", []).configure_steps(unfinished) == []


HOOKS = sorted(name for name, one in inspect.getmembers(hookspecs) if hasattr(one, f"{hookspecs.PROJECT_NAME}_spec"))


@pytest.mark.parametrize("hook", [name for name in HOOKS if name != "describe_plugin"])
def test_each_hook_has_a_method_with_its_arguments(hook):
    """So a hook is called by a name that is checked, and its result is known to be of a kind that can be."""
    spec = getattr(hookspecs, hook)

    assert list(inspect.signature(getattr(Relay, hook)).parameters)[1:] == list(inspect.signature(spec).parameters)
    assert not hook_of(spec).fits(object())


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
        plugin_with(check_integration).check_integration(HANDLE)
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
        plugin_with(check_integration).check_integration(HANDLE)


def test_what_a_hook_asked_for_is_counted_until_it_ends():
    """However it ends, the session of its handle is told that the answers are worked off."""
    told = []

    session = SimpleNamespace(let_go=lambda: told.append("let go"))

    @hookimpl
    def check_integration(integration):
        told.append("at work")
        raise RetryLater("Not now.")

    with pytest.raises(RetryLater):
        plugin_with(check_integration).check_integration(replace(HANDLE, session=session))

    assert told == ["at work", "let go"]


def test_a_plugin_that_hangs_when_it_is_loaded_is_a_row(monkeypatch):
    """It waits for a server, say; nothing is interrupted afterwards."""
    monkeypatch.setattr("connector_core.plugins.LOADED_WITHIN_S", 0.05)

    def load():
        threading.Event().wait(30)

    (bad,) = load_plugins(entry_points=[FakeEntryPoint("bad", load)]).records

    assert (bad.status, bad.reason) == (PluginStatus.LOAD_FAILED, "it was not loaded within 0 s")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
