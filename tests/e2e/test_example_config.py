"""The example configuration, pointed at the sandbox, does the whole story."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from connector_core.demo.stage import Stage, sandbox_plugin
from connector_core.demo.story import tell
from connector_core.plugins import load_plugins

EXAMPLE = Path(__file__).parents[2] / "config" / "connector.example.yaml"


class ExampleStage(Stage):
    """A stage whose configuration is the example; only addresses and the listening port are changed."""

    def _write_config(self, port, url, **_):
        yaml = YAML()
        tree = yaml.load(EXAMPLE)
        tree["server"].update(port=port, public_url=url)
        app = self.sandbox.plugin_settings()
        tree["plugins"]["jira_jsm"].update(auth_url=app["auth_url"], api_url=app["api_url"])
        tree["organizations"]["acme"]["source"]["callback_url"] = f"{self.platform.url}/api/incidents"
        yaml.dump(tree, self.config_path)
        self.environ |= {
            "CONNECTOR_SECRET_KEY": self.environ["DEMO_SECRET_KEY"],
            "CONNECTOR_CONSOLE_PASSWORD": "not used yet",
            "ATLASSIAN_CLIENT_ID": app["oauth"]["client_id"],
            "ATLASSIAN_CLIENT_SECRET": app["oauth"]["client_secret"],
            "ACME_EVENTS_SECRET": self.environ["DEMO_EVENTS_SECRET"],
            "ACME_CALLBACK_SECRET": self.environ["DEMO_EVENTS_SECRET"],
            "ACME_JIRA_WEBHOOK_SECRET": self.environ["DEMO_WEBHOOK_SECRET"],
            "ACME_SMTP_PASSWORD": "a password that nobody asks for",
            "BETA_XYTE_KEY": "a-key-that-nobody-asks-with",
        }


def test_the_example_works_as_it_stands(tmp_path):
    """Every step of the story is seen on both sides, and no secret is in the log."""
    stage = ExampleStage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path)
    try:
        stage.open()
        steps = list(tell(stage))
    finally:
        stage.close()

    log = stage.daemon.log_path.read_text()
    assert len(steps) == 8
    assert [name for name, value in stage.environ.items() if name != "ATLASSIAN_CLIENT_ID" and value in log] == []
