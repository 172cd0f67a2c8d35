"""`--json`: one JSON value on standard output, whatever happens, and nothing beside it; for all that have it."""

from __future__ import annotations

import json
import sys

import click
import pytest
from click.testing import CliRunner

from connector_core.cli.main import cli
from connector_core.cli.output import print_json
from connector_core.config import read_config
from connector_core.plugins import load_plugins
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store

KEY = "a passphrase of many letters"
CONFIG = """
database: sqlite:///state/connector.db
secret_key: ${env:OUR_KEY}
organizations:
  acme:
    source: {plugin: http, secret: "${env:OUR_EVENTS}"}
"""
ENVIRON = {"OUR_KEY": KEY, "OUR_EVENTS": "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"}
#: What a command is given for what it has to be given; names of things that are not there.
GIVEN = {"organization": "acme", "incident": "inc-1", "ticket": "SUP-1"}


def commands_with_json(command, words=(), ctx=None):
    """Yield the words of every command that prints JSON, with what it has to be given."""
    ctx = click.Context(command, info_name=command.name, parent=ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            yield from commands_with_json(command.get_command(ctx, name), (*words, name), ctx)
        if not command.invoke_without_command:
            return
    if any("--json" in one.opts for one in command.params):
        given = [
            GIVEN.get(one.name, "1" if isinstance(one.type, click.types.IntParamType) else "nope")
            for one in command.params
            if isinstance(one, click.Argument) and (one.required or one.name in GIVEN)
        ]
        yield (*words, *given)


COMMANDS = list(commands_with_json(cli))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Write a configuration with a database that a daemon could have made."""
    path = tmp_path_factory.mktemp("good") / "connector.yaml"
    path.write_text(CONFIG)
    config, _ = read_config(path, environ=ENVIRON)
    open_store(config.database, SecretBox(config.secret_keys)).close()
    return path


def folder_of(kind, good, tmp_path):
    """Return a configuration file with which something is wrong."""
    path = tmp_path / "connector.yaml"
    text = {
        "no database": CONFIG,
        "not yaml": "database: [",
        "mistakes": CONFIG + "no_such_key: 1\n",
        "other key": CONFIG.replace("sqlite:///state", f"sqlite:///{good.parent}/state"),
        "no server": "database: postgresql://nobody@127.0.0.1:1/none\nsecret_key: a passphrase of many letters\n",
        "no folder": CONFIG.replace("sqlite:///state", "sqlite:////proc/nowhere"),
        "no database of ours": CONFIG.replace("state/connector.db", "connector.yaml"),
    }.get(kind)
    if text is not None:
        path.write_text(text)
    return path


def run(path, words, **environ):
    """Run a command."""
    unset = {name: None for name in ENVIRON if name not in environ}
    return CliRunner().invoke(cli, ["--config", str(path), *words], env={**unset, **environ})


def test_there_are_such_commands():
    """The list is found by itself; an empty one would test nothing."""
    assert {("status",), ("links",), ("doctor",), ("integrations", "show", "nope")} <= {*COMMANDS}


@pytest.mark.cases_in_test(10)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_prints_json_in_every_situation(good, tmp_path, words):
    """What is printed of an error has its code and what to do, and the exit code."""
    situations = {
        "well": run(good, [*words, "--json"], **ENVIRON),
        "no secrets": run(good, [*words, "--json"]),
        "no such option": run(good, [*words, "--json", "--no-such-option"], **ENVIRON),
        "other key": run(
            folder_of("other key", good, tmp_path), [*words, "--json"], **{**ENVIRON, "OUR_KEY": "another passphrase!"}
        ),
        **{
            kind: run(folder_of(kind, good, tmp_path), [*words, "--json"], **ENVIRON)
            for kind in ("no database", "not yaml", "mistakes", "no folder", "no database of ours", "no file")
        },
    }

    for kind, result in situations.items():
        printed = json.loads(result.stdout)
        failed = result.exception is not None and (
            not isinstance(result.exception, SystemExit) or kind == "no such option"
        )
        assert failed == (isinstance(printed, dict) and "error" in printed), (kind, result.output)
        if failed:
            assert printed["error"].keys() == {"code", "message", "fix", "exit_code"}
            assert printed["error"]["exit_code"] in {1, 2, 3, 4, 5}
            assert printed["error"]["code"] != "unexpected", (kind, result.exception)
    assert json.loads(situations["no such option"].stdout)["error"]["exit_code"] == 2


def test_what_a_plugin_prints_is_not_on_standard_output(monkeypatch, capsys):
    """Neither when it is loaded nor when it is asked."""

    class Talking:
        name, dist = "talking", None

        def load(self):
            """Print, as some libraries do when they are imported."""
            sys.stdout.write("hello\n")
            raise SystemExit(3)

    (record,) = load_plugins(entry_points=[Talking()]).records

    assert "SystemExit: 3" in record.reason
    assert "hello" not in capsys.readouterr().out

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def talk(*, as_json):
        """Print something beside the JSON."""
        sys.stdout.write("hello\n")
        click.echo("hello again")
        print_json([as_json])

    monkeypatch.setattr(type(cli), "get_command", lambda *_: talk)
    result = CliRunner().invoke(cli, ["talk", "--json"])

    assert json.loads(result.stdout) == [True]
    assert result.stderr.split("\n")[:2] == ["hello", "hello again"]
