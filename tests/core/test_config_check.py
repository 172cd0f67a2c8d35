"""`connector config check` says what `connector run` would: one function decides for both."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from connector_core.cli.main import cli
from connector_core.config.starting import refuse_start
from connector_core.contract.errors import ConfigError
from connector_core.web import server

KEY = "secret_key: a passphrase of many letters\n"
OIDC = """
console:
  oidc: {issuer: "https://id.example.test", client_id: us, roles: {ops: {role: admin}}}
"""
SHARED = """
organizations:
  acme: {integrations: {it: {plugin: jira_jsm, DESK, webhook_secret: "${env:ONE}"}}}
  globex: {integrations: {theirs: {plugin: jira_jsm, DESK, webhook_secret: [another long secret, "${env:ONE}"]}}}
plugins:
  jira_jsm: {oauth: {client_id: app, client_secret: a long enough secret}}
""".replace("DESK", "service_desk: '10', request_type: '25', close_status: '10002'")


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """Return a function that checks a file with this text."""
    monkeypatch.setenv("ONE", "one long enough secret")

    def check(text):
        (tmp_path / "connector.yaml").write_text(text if "secret_key" in text else KEY + text)
        return CliRunner().invoke(cli, ["--config", str(tmp_path / "connector.yaml"), "config", "check"])

    return check


def test_what_the_daemon_would_not_start_with_is_not_fine(checked):
    """An open console is refused here, and not only at the start."""
    done = checked("server: {host: 0.0.0.0}\n")

    assert isinstance(done.exception, ConfigError)
    assert done.exception.code == "console_unprotected"
    assert "fine" not in done.output


def test_single_sign_on_without_its_library_is_not_fine(checked, monkeypatch):
    """As at the start."""
    monkeypatch.setitem(sys.modules, "joserfc", None)

    assert checked(OIDC).exception.code == "sign_on_library_missing"


def test_the_server_asks_the_same(checked):
    """There is no second opinion."""
    assert vars(server)["refuse_start"] is refuse_start
    assert checked("").exit_code == 0


def test_a_webhook_secret_of_two_organizations_is_a_warning(checked):
    """Whose delivery one is could not be told; the secret itself is not said."""
    done = checked(SHARED)

    assert done.exit_code == 0, done.output
    assert "globex.integrations.theirs.webhook_secret: it of acme has the same secret" in done.output
    assert "one long enough" not in done.output


def test_warnings_are_said_beside_mistakes(checked):
    """What is not there, and what is misspelled once only, whatever else is wrong."""
    text = SHARED.replace("globex: {", "globex: {routing: [{to: nosuch}], ").replace("service_desk", "servce_desk")
    done = checked(f"server: {{port: x}}\n{text}")

    said = [one.key_path for one in done.exception.mistakes]
    assert said == [
        "server.port",
        "organizations.acme.integrations.it.servce_desk",
        "organizations.globex.integrations.theirs.servce_desk",
    ]
    assert "warning: " in done.output
    assert "the file has no integration nosuch" in done.output


def test_a_short_key_has_one_rule(checked):
    """However short it is."""
    for key in ("short", "ten letters"):
        (said,) = checked(f"secret_key: {key}\n").exception.mistakes
        assert "shorter than 16 characters" in said.message


def test_integrations_of_one_organization_may_share_one(checked):
    """One site signs for all of them."""
    done = checked(SHARED.replace("}}\n  globex: {integrations: {", ", "))

    assert done.exit_code == 0, done.output
    assert "same secret" not in done.output
