"""Two people at one set-up: what one did while a list of the other was fetched is neither lost nor undone."""

from __future__ import annotations

import pytest
import structlog

from connector_core import ConfigError
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.store import IntegrationState
from connector_core.testing import MemoryDesk
from tests.support.activation import activate

CONFIG = "secret_key: a passphrase of many letters\norganizations: {acme: {}}\n"


class Meanwhile(MemoryDesk):
    """A desk with something that happens while its list is fetched."""

    def __init__(self):
        super().__init__()
        self.happens = lambda: None

    def _choices(self):
        happens, self.happens = self.happens, lambda: None
        happens()
        return super()._choices()


@pytest.fixture
def meanwhile():
    """Let nothing happen at first."""
    return Meanwhile()


@pytest.fixture
def flow(tmp_path, meanwhile):
    """Return the set-up of an active integration with the first desk."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG)
    app = build_app(*read_config(path, [meanwhile.entry_point()]), log=structlog.get_logger("test"))
    activate(app, "helpdesk", "acme", secret="")
    yield app.setup
    app.store.close()


def test_an_integration_that_was_disabled_meanwhile_stays_so(flow, meanwhile):
    """The answer is saved; that it rests is not undone."""
    meanwhile.happens = lambda: flow.disable("helpdesk")

    flow.answer("helpdesk", {"desk": "2"})

    record = flow.answered("helpdesk")
    assert (record.state, record.answers["desk"]) == (IntegrationState.DISABLED, "2")


def test_an_answer_that_somebody_else_gave_meanwhile_is_not_overwritten(flow, meanwhile):
    """The later one is told, and succeeds at the next try."""
    meanwhile.happens = lambda: flow.answer("helpdesk", {"desk": "2"})

    with pytest.raises(ConfigError) as caught:
        flow.answer("helpdesk", {"desk": "1"})

    assert caught.value.code == "changed_meanwhile"
    assert flow.answered("helpdesk").answers["desk"] == "2"
    flow.answer("helpdesk", {"desk": "1"})
    assert flow.answered("helpdesk").answers["desk"] == "1"


def test_an_integration_that_was_removed_meanwhile_does_not_come_back(flow, meanwhile):
    """The answer has nowhere to go."""
    meanwhile.happens = lambda: flow.remove("helpdesk")

    with pytest.raises(ConfigError):
        flow.answer("helpdesk", {"desk": "2"})

    assert flow.store.integrations.every() == []
