"""A webhook that the daemon registers by itself, from activation to the end."""

from __future__ import annotations

from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from tests.support.jira.at_stage import sandbox_of
from tests.support.jira.openapi_check import assert_calls_match_openapi
from tests.support.linking import open_incident


def test_changes_are_synced_without_anybody_setting_up_a_webhook(tmp_path):
    """It is registered at activation, its deliveries have tickets read, and disabling removes it."""
    stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path, with_webhook=False, reconcile="1h")
    tree = YAML().load(stage.config_path)
    tree["organizations"][ORGANIZATION]["integrations"][INTEGRATION]["managed_webhook"] = True
    YAML().dump(tree, stage.config_path)
    try:
        stage.open()
        registered = sandbox_of(stage).site.dynamic_webhooks
        until(lambda: registered)
        (made,) = registered.values()
        incident, ticket = open_incident(stage)

        stage.sandbox.edit_ticket(ticket, title="Told")
        until(lambda: stage.platform.incident(incident)["title"] == "Told")
        stage.sandbox.finish_ticket(ticket)
        until(lambda: stage.platform.incident(incident)["status"] == "closed")

        token = made.url.partition("?token=")[2]
        assert token
        assert token not in (tmp_path / "daemon.log").read_text()
        shown = stage.daemon.command("integrations", "show", INTEGRATION)
        assert token not in shown.stdout
        assert "address: " in shown.stdout
        stage.daemon.command("integrations", "disable", INTEGRATION)
        assert not registered
    finally:
        stage.close()
    assert_calls_match_openapi(sandbox_of(stage).calls)
