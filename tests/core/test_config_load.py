"""From a file to a configuration: values, references, defaults, warnings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from connector_core import PluginInfo, Settings
from connector_core.config import ConfigInvalid, load_config, peek_disabled, read_config
from connector_core.plugins import load_plugins
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

EXAMPLE = Path(__file__).parents[2] / "config" / "connector.example.yaml"
ENVIRON = {"KEY": "a-key-that-is-long-enough", "OLD_KEY": "the-former-key-of-ours", "SECRET": "events-secret"}


@pytest.fixture
def load(tmp_path):
    """Return a function that loads YAML text with the made-up plugins."""
    path = tmp_path / "connector.yaml"

    def load_text(text, plugins=None, environ=ENVIRON):
        path.write_text(text)
        return load_config(path, plugins or fake_plugins(), environ)

    return load_text


def test_smallest_file_has_defaults(load, tmp_path):
    """Only the secret key has to be given."""
    config = load("secret_key: ${env:KEY}\n")

    assert config.database_path == tmp_path / "var" / "connector.db"
    assert config.secret_keys == (SecretStr(ENVIRON["KEY"]),)
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8080)
    assert config.server.public_url == "http://127.0.0.1:8080"
    assert config.console.password is None
    assert (config.engine.workers, config.engine.stop_deadline_s) == (512, 20.0)
    assert config.reconcile_every_s == 60.0
    assert (config.logging.level, config.logging.format) == ("info", "auto")
    assert config.organizations == {}
    assert config.warnings == ()


def test_empty_sections_are_defaults(load):
    """A key with nothing behind it is read as if it were not there."""
    config = load(
        "secret_key: ${env:KEY}\nserver:\nconsole:\nengine:\nreconcile:\nlogging:\nplugins:\norganizations:\n  acme:\n"
    )

    assert config.engine.workers == 512
    assert config.organizations["acme"].name == "acme"


def test_organization_with_source_and_integration(load):
    """Settings are the plugin's own models, and the integration knows where it stands."""
    config = load("""\
secret_key: ${env:KEY}
plugins:
  desk: {region: us}
organizations:
  acme:
    name: Acme Inc.
    source: {plugin: platform, secret: ${env:SECRET}}
    integrations:
      helpdesk:
        plugin: desk
        desk: "10"
        token: ${env:OLD_KEY}
        webhook_secret: ${env:SECRET}
      other: {plugin: desk, desk: "11", enabled: false, webhook_secret: ["${env:SECRET}", "${env:OLD_KEY}"]}
""")

    acme = config.organizations["acme"]
    helpdesk, other = acme.integrations["helpdesk"], acme.integrations["other"]
    assert (acme.id, acme.name) == ("acme", "Acme Inc.")
    assert acme.source.plugin == "platform"
    assert acme.source.settings.secret.get_secret_value() == "events-secret"
    assert (helpdesk.id, helpdesk.organization, helpdesk.plugin, helpdesk.line) == ("helpdesk", "acme", "desk", 9)
    assert helpdesk.enabled
    assert helpdesk.settings.desk == "10"
    assert helpdesk.answers == {"desk": "10", "token": SecretStr(ENVIRON["OLD_KEY"])}
    assert helpdesk.webhook_secrets == (SecretStr("events-secret"),)
    assert not other.enabled
    assert len(other.webhook_secrets) == 2
    assert config.plugin_settings["desk"].region == "us"


def test_without_plugins_only_the_core_is_checked(tmp_path):
    """A file can be looked at before any plugin is loaded."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: ${env:KEY}\norganizations: {a: {integrations: {b: {plugin: any, thing: 1}}}}\n")

    config = load_config(path, None, ENVIRON)

    assert config.organizations["a"].integrations["b"].settings is None
    assert config.plugin_settings == {}


def test_several_secret_keys_keep_their_order(load):
    """The first key of a list seals."""
    config = load("secret_key: ['${env:KEY}', '${env:OLD_KEY}']\n")

    assert [key.get_secret_value() for key in config.secret_keys] == [ENVIRON["KEY"], ENVIRON["OLD_KEY"]]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sqlite:////srv/data/c.db", Path("/srv/data/c.db")),
        ("sqlite:///c.db", Path("c.db")),
        ("sqlite:///../c.db", Path("../c.db")),
    ],
)
def test_database_path_starts_at_the_file(load, tmp_path, written, expected):
    """A relative path does not depend on where the connector is started."""
    config = load(f"secret_key: ${{env:KEY}}\ndatabase: {written}\n")

    assert config.database_path == tmp_path / expected


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("{port: 9000}", "http://127.0.0.1:9000"),
        ("{host: 0.0.0.0}", "http://localhost:8080"),
        ('{host: "::1"}', "http://[::1]:8080"),
        ("{public_url: https://connector.example.com/}", "https://connector.example.com"),
    ],
)
def test_public_url(load, server, url):
    """Others are given the public address, or else the one that the server listens on."""
    assert load(f"secret_key: ${{env:KEY}}\nserver: {server}\n").server.public_url == url


@pytest.mark.parametrize(
    ("written", "seconds"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172800)]
)
def test_durations(load, written, seconds):
    """Every unit is understood."""
    assert load(f"secret_key: ${{env:KEY}}\nreconcile: {{every: {written}}}\n").reconcile_every_s == seconds


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:SECRET}", "events-secret"),
        ("x-${env:SECRET}-y", "x-events-secret-y"),
        ("'${env:SECRET}${env:SECRET}'", "events-secretevents-secret"),
        ("$${env:SECRET}", "${env:SECRET}"),
        ("cost $5", "cost $5"),
        ("${file:secret.txt}", "from a file"),
        ("${file:crlf.txt}", "two lines\r\nhere"),
    ],
)
@pytest.mark.parametrize("style", ["name: {}", "{{name: {}}}"], ids=["block", "flow"])
def test_references(load, tmp_path, written, value, style):
    """A reference may be the whole value or a part of it, in either style of YAML, quoted or not."""
    (tmp_path / "secret.txt").write_bytes(b"from a file\n")
    (tmp_path / "crlf.txt").write_bytes(b"two lines\r\nhere\r\n")

    config = load(f"secret_key: ${{env:KEY}}\norganizations:\n  acme:\n    {style.format(written)}\n")

    assert config.organizations["acme"].name == value


def test_absolute_file_reference(load, tmp_path):
    """A file may be anywhere."""
    (tmp_path / "key").write_text("a key from a file that is long\n")

    config = load(f"secret_key: ${{file:{tmp_path}/key}}\n")

    assert config.secret_keys[0].get_secret_value() == "a key from a file that is long"


def test_referenced_text_is_not_read_again(load):
    """What a variable holds is a text, even when it looks like a reference, a number or YAML."""
    config = load(
        "secret_key: ${env:KEY}\norganizations: {a: {name: ${env:ODD}}}\n",
        environ={
            **ENVIRON,
            "ODD": "${env:KEY}: [1",
        },
    )

    assert config.organizations["a"].name == "${env:KEY}: [1"


def test_referenced_number_fits_a_number(load):
    """A port may come from the environment."""
    assert load("secret_key: ${env:KEY}\nserver: {port: ${env:P}}\n", environ={**ENVIRON, "P": "99"}).server.port == 99


def test_scalars_keep_their_type(load):
    """Only plain numbers are numbers; dates, hexadecimal and words such as yes stay text."""
    config = load(
        "secret_key: ${env:KEY}\norganizations: {a: {name: 2024-01-01}, b: {name: 0x1F}, c: {name: yes}, 5: {}}\n"
    )

    assert [organization.name for organization in config.organizations.values()] == ["2024-01-01", "0x1F", "yes", "5"]


def test_plain_secrets_are_warned_of(load, tmp_path):
    """A secret that is written into the file works, and is pointed at; its value is not repeated."""
    config = load("""\
secret_key: [a-key-that-is-written-here, "${env:KEY}"]
console: {password: open-sesame}
plugins:
  desk: {client_secret: shared-plain-text}
organizations:
  acme:
    source: {plugin: platform, secret: ${env:SECRET}}
    integrations:
      helpdesk: {plugin: desk, desk: "10", token: plain-token, webhook_secret: plain-secret}
""")

    assert [(warning.line, warning.key_path) for warning in config.warnings] == [
        (1, "secret_key.0"),
        (2, "console.password"),
        (4, "plugins.desk.client_secret"),
        (9, "organizations.acme.integrations.helpdesk.token"),
        (9, "organizations.acme.integrations.helpdesk.webhook_secret"),
    ]
    assert str(config.warnings[1]) == (
        f"{tmp_path}/connector.yaml:2:11 console.password: this secret is written in plain text"
        " — use ${env:NAME} or ${file:/path}"
    )


def test_all_secrets_are_listed_for_the_mask(load):
    """Whatever is secret in the file, core's or plugin's, is known to the log's mask."""
    config = load("""\
secret_key: ${env:KEY}
console: {password: open-sesame}
organizations:
  acme: {source: {plugin: platform, secret: ${env:SECRET}}}
""")

    assert {secret.get_secret_value() for secret in config.secrets} == {ENVIRON["KEY"], "open-sesame", "events-secret"}


def test_settings_of_a_disabled_plugin_are_left_alone(load):
    """A plugin can be switched off without deleting its settings."""
    plugins = load_plugins({"desk"}, [desk_entry_point()])

    config = load("secret_key: ${env:KEY}\ndisabled_plugins: [desk]\nplugins: {desk: {any: thing}}\n", plugins)

    assert config.disabled_plugins == ("desk",)
    assert "desk" not in config.plugin_settings


def test_settings_of_a_broken_plugin_are_a_warning(load):
    """A plugin that nobody uses does not keep the connector from starting."""
    config = load("secret_key: ${env:KEY}\nplugins: {broken: {any: thing}}\n")

    assert [warning.key_path for warning in config.warnings] == ["plugins.broken"]
    assert "left_pad" in config.warnings[0].message


def test_shared_settings_are_needed_only_by_those_who_use_the_plugin(load):
    """An installed plugin that nobody uses asks for nothing; one that is used says what it misses."""

    class Needy(Settings):
        """Shared settings that cannot do without a value."""

        client_id: str = Field(description="ID of the app.")

    info = PluginInfo(name="desk", title="Desk", settings=DeskSettings, plugin_settings=Needy)
    plugins = load_plugins(entry_points=[FakeEntryPoint("desk", lambda: module_of(on_incident_event, info=info))])
    unused = "secret_key: ${env:KEY}\n"
    used = unused + 'organizations: {a: {integrations: {b: {plugin: desk, desk: "1"}}}}\n'

    assert "desk" not in load(unused, plugins).plugin_settings
    with pytest.raises(ConfigInvalid) as caught:
        load(used, plugins)
    assert [mistake.key_path for mistake in caught.value.mistakes] == ["plugins.desk.client_id"]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(b"x" * 65537, "larger than 64 KiB"), (b"\xc3" * 65537, "larger than 64 KiB"), (b"\xff", "not UTF-8 text")],
)
def test_unusable_referenced_file(load, tmp_path, contents, reason):
    """A file that cannot be a value is refused."""
    (tmp_path / "secret").write_bytes(contents)

    with pytest.raises(ConfigInvalid, match=reason):
        load("secret_key: ${file:secret}\n")


def test_read_config_loads_plugins_first(tmp_path):
    """Plugins are loaded without the disabled ones, then the file is checked with them."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: ${env:KEY}\ndisabled_plugins: [broken]\norganizations: {a: {}}\n")

    config, plugins = read_config(path, [broken_entry_point(), platform_entry_point()], ENVIRON)

    assert config.organizations.keys() == {"a"}
    assert [record.status.value for record in plugins.records] == ["disabled", "ready"]


@pytest.mark.parametrize("text", ["", "disabled_plugins: broken\n", "disabled_plugins: [1]\n"])
def test_peeking_is_lenient(tmp_path, text):
    """What is wrong with the list is reported when the file is checked, not before."""
    path = tmp_path / "connector.yaml"
    path.write_text(text)

    assert peek_disabled(path) == frozenset()


def test_environment_of_the_process_is_the_default(tmp_path, monkeypatch):
    """Without an environment given, that of the process is used."""
    monkeypatch.setenv("CONNECTOR_TEST_KEY", "a-key-from-the-process")
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: ${env:CONNECTOR_TEST_KEY}\n")

    config = load_config(path, None)

    assert config.secret_keys[0].get_secret_value() == "a-key-from-the-process"


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "\ufeff{}", "  {}\t", "\ufeff {} \r\n\n", "\n{}"])
def test_what_surrounds_a_value_is_left_out_and_check_says_so(tmp_path, around):
    """A line end, CR, byte order mark or blanks around a value are never part of it; a file's own line end is usual."""
    text = around.format("the-signing-secret")
    (tmp_path / "secret").write_text(text, newline="")
    path = tmp_path / "connector.yaml"
    path.write_text(
        "secret_key: ${env:KEY}\norganizations: {acme: {integrations: {helpdesk:"
        " {plugin: desk, desk: '1', webhook_secret: ['${env:SECRET}', '${file:secret}']}}}}\n"
    )

    config, _ = read_config(path, [desk_entry_point()], {**ENVIRON, "SECRET": text})

    helpdesk = config.organizations["acme"].integrations["helpdesk"]
    assert [secret.get_secret_value() for secret in helpdesk.webhook_secrets] == ["the-signing-secret"] * 2
    said = [warning.message for warning in config.warnings]
    assert any("environment variable SECRET has blanks, line ends" in one for one in said)
    assert any("the file secret has blanks" in one for one in said) == (around != "{}\n")


def test_value_of_nothing_but_blanks_is_empty(tmp_path):
    """What is left of it is nothing, which is said as for an empty one."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: ${env:KEY}\n")

    with pytest.raises(ConfigInvalid, match="the environment variable KEY is empty"):
        read_config(path, [], {"KEY": " \r\n\ufeff"})


_WITH_TEST = """
secret_key: ${{env:KEY}}
organizations: {{acme: {{integrations: {{desk: {{plugin: desk, desk: "10", test: {test}}}}}}}}}
"""


@pytest.mark.parametrize(
    ("written", "at"), [("nightly", "03:00"), ("03:30", "03:30"), ('"23:59"', "23:59"), ("off", "")]
)
def test_when_a_test_incident_is_sent_each_day(load, written, at):
    """A word or a time of the day, in UTC."""
    config = load(_WITH_TEST.format(test=written))

    assert config.organizations["acme"].integrations["desk"].test_at == at


@pytest.mark.parametrize("written", ["24:00", "noon", "3:30"])
def test_a_time_of_the_day_that_is_none_is_a_mistake(load, written):
    """With what may be written."""
    with pytest.raises(ConfigInvalid, match="nightly, a time like 03:30, or off"):
        load(_WITH_TEST.format(test=written))
