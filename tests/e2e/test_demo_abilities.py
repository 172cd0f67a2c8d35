"""The demo's story with a stand-in that is not like the first one: a token, and a description that never changes."""

from __future__ import annotations

from contextlib import closing

import pytest
from pydantic import SecretStr

from connector_core.cli.demo import _play
from connector_core.demo.sandboxes import open_sandbox
from connector_core.demo.stage import Stage
from connector_core.plugins import load_plugins


class TokenSandbox:
    """The stand-in as one that has no consent page, no webhooks and no description that people change."""

    abilities = frozenset({"comments", "deletes"})

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        if name in {"approve", "register_webhook"}:
            raise AssertionError(f"{name} is no ability of this one")
        return getattr(self._real, name)

    def integration_settings(self):
        """Return settings that prove themselves, with the secret as one."""
        login = {"site": self._real.url, "email": self._real.email, "api_token": SecretStr(self._real.api_token)}
        return {**self._real.integration_settings(), **login}

    def edit_ticket(self, ticket_id, **fields):
        """Change what can be changed."""
        assert "description" not in fields
        self._real.edit_ticket(ticket_id, **fields)


@pytest.fixture
def stage(tmp_path):
    """Put a daemon between the sample platform and such a stand-in."""
    plugin = load_plugins().get("jira_jsm")
    made = Stage(plugin, tmp_path, sandbox=TokenSandbox(open_sandbox(plugin)))
    with closing(made):
        yield made


@pytest.mark.extended
def test_the_story_is_told_by_what_the_stand_in_can(stage, capsys):
    """Neither consent nor webhook is asked for, the step that cannot be is left out, and the token is in no file."""
    _play(stage)

    told = capsys.readouterr().out
    assert told.count("→") == 7
    assert " 5. Left out: nobody can change the description of a ticket there." in told
    assert "consent page" not in told
    assert "access was authorized with the settings" in told
    assert "Every other step was seen on both sides" in told

    written = stage.config_path.read_text()
    assert stage.sandbox._real.api_token not in written
    assert "${env:DEMO_API_TOKEN}" in written
