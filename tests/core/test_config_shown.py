"""`connector config show` can be put into a file, and `connector config init` writes one to begin with."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, TypeAdapter
from ruamel.yaml import YAML

from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.config.example import beginning, example

ROOT = Path(__file__).parents[2]
SECRETS = dict.fromkeys(
    re.findall(r"\$\{env:(\w+)\}", (ROOT / "config" / "connector.example.yaml").read_text()), f"whsec_{'c2VjcmV0' * 6}"
)
PLAIN = """
database: postgresql://connector:s3cret-of-database@db.example.com/connector
secret_key: a passphrase of many letters
console:
  password: s3cret of console
  users: {ada: {password_hash: "$argon2id$v=19$m=65536,t=3,p=4$czNjcmV0c2FsdA$czNjcmV0aGFzaA"}}
disabled_plugins: ["https://me:s3cret-of-address@desk.example.com"]
organizations:
  acme:
    source: {plugin: http, secret: [whsec_czNjcmV0LW9mLWV2ZW50cy1vZi1hY21l, "${env:ACME_EVENTS_SECRET}"]}
"""


def show(path, *options, **environ):
    """Run `config show`."""
    unset = {name: None for name in SECRETS if name not in environ}
    result = CliRunner().invoke(cli, ["--config", str(path), "config", "show", *options], env={**unset, **environ})
    assert result.exception is None, result.output
    return result


def in_full(*values):
    """Return values with all that models hold, whether it was written or is a default, which nobody reads again."""
    build(values)
    return repr(TypeAdapter(Any).dump_python(values)).replace("/32'", "'").replace("/128'", "'")


def build(value):
    """Have models made ready that are so at their first use only: pydantic 2.12 cannot show one as part of others."""
    if isinstance(value, BaseModel):
        type(value).model_rebuild()
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ():
        build(one)


def meant(path):
    """Return what a file means."""
    config, _ = read_config(path, environ=SECRETS)
    return in_full(
        *(config.database.name, config.secret_keys, config.server, config.console, config.outbound, config.engine),
        *(config.history, config.reconcile_every_s, config.logging, config.plugin_settings, config.disabled_plugins),
        {
            name: (
                one.name,
                one.source and one.source.settings,
                one.routing,
                {key: hook.settings for key, hook in one.notifications.items()},
                {
                    key: (each.plugin, each.enabled, each.settings, each.rules, each.comments, each.webhook_secrets)
                    for key, each in one.integrations.items()
                },
            )
            for name, one in config.organizations.items()
        },
    )


def test_what_is_shown_means_the_same(tmp_path):
    """Every default is in it, every reference as it was written, and nothing of what stands behind one."""
    path = tmp_path / "connector.yaml"
    path.write_text(example())

    shown = show(path, **SECRETS)

    assert shown.stderr == ""
    assert "c2VjcmV0" not in shown.stdout
    again = tmp_path / "again.yaml"
    again.write_text(shown.stdout)
    assert meant(again) == meant(path)
    tree = YAML(typ="safe").load(shown.stdout)
    assert tree["engine"] == {"workers": 512, "per_integration": 8, "changes_per_minute": 30, "stop_deadline": "20s"}
    assert tree["organizations"]["beta"]["source"]["base_url"].startswith("https://")
    assert json.loads(show(path, "--json", **SECRETS).stdout) == tree
    assert show(path).stdout == shown.stdout  # without what it refers to


def test_secrets_in_plain_text_are_not_shown(tmp_path):
    """It is said which: they have to be written again."""
    path = tmp_path / "connector.yaml"
    path.write_text(PLAIN)

    shown = show(path, **SECRETS)

    for secret in ("s3cret", "a passphrase", "czNjcmV0"):
        assert secret not in shown.stdout
    assert "${env:ACME_EVENTS_SECRET}" in shown.stdout
    named = shown.stderr.partition(": ")[2]
    for key in (
        "secret_key",
        "console.password",
        "console.users.ada.password_hash",
        "organizations.acme.source.secret",
    ):
        assert key in named


def test_a_file_to_begin_with(tmp_path):
    """It is right as soon as the two secrets that it names are set, and never written over another one."""
    path = tmp_path / "connector.yaml"

    made = CliRunner().invoke(cli, ["config", "init", str(path)])
    again = CliRunner().invoke(cli, ["config", "init", str(path)])

    assert made.exit_code == 0
    assert again.exception.code == "file_exists"
    environ = {name: SECRETS[name] for name in ("CONNECTOR_SECRET_KEY", "CONNECTOR_CONSOLE_PASSWORD")}
    config, _ = read_config(path, environ=environ)
    assert list(config.organizations) == ["acme"]


def test_what_is_commented_out_is_the_example():
    """Uncommented, it is what the example shows of plugins and tenants."""
    rest = beginning().partition("# # What all integrations of a plugin share")
    text = "".join(re.sub(r"^# ", "", line) for line in f"{rest[1]}{rest[2]}".splitlines(keepends=True))

    assert example().endswith(text)
    assert {*YAML(typ="safe").load(io.StringIO(text))} == {"plugins", "organizations"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell):
    """For each shell; it calls back the command that is installed."""
    result = CliRunner().invoke(cli, ["completion", shell])

    assert result.exit_code == 0
    assert "_CONNECTOR_COMPLETE" in result.output
    found = CliRunner().invoke(
        cli,
        [],
        env={
            "_CONNECTOR_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": "connector integr",
            "COMP_CWORD": "integr" if shell == "fish" else "1",
        },
        prog_name="connector",
    )
    assert "integrations" in found.output
