"""A secret that could be guessed is refused wherever it is given; one that is stored already goes on, and is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from pydantic import SecretStr

from connector_core import ConfigError, Grant, Severity, http_source
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.store import SourceRecord
from connector_core.testing import FrozenClock
from tests.support.activation import activate
from tests.support.fake_plugins import FakeEntryPoint
from tests.support.served import Served, entry_points


@pytest.fixture
def served(tmp_path):
    """Serve a console with an active integration whose plugin asks for a webhook's secret."""
    opened = Served(tmp_path)
    opened.add("helpdesk", "acme")
    yield opened
    opened.stop()


@pytest.mark.parametrize("given", ["x", "1234567", "  1234567\r\n", "\ufeff1234567"])
def test_a_short_secret_of_a_webhook_is_refused_in_set_up(served, given):
    """Nothing is saved, and the message says how long one has to be and how to make one."""
    with pytest.raises(ConfigError) as caught:
        served.app.setup.answer("helpdesk", {"webhook_secret": given})

    assert caught.value.code == "secret_too_short"
    assert "at least 8 characters" in caught.value.message
    assert "openssl" in caught.value.fix
    assert served.app.setup.answered("helpdesk").webhook_secrets == ()


def test_what_surrounds_a_pasted_secret_is_left_out(served):
    """A line end or blank that came along with a paste is no part of it."""
    served.app.setup.answer("helpdesk", {"webhook_secret": "\ufeff 12345678\r\n"})

    (secret,) = served.app.setup.answered("helpdesk").webhook_secrets
    assert secret.get_secret_value() == "12345678"


def test_a_stored_short_secret_of_a_webhook_works_on_and_is_a_finding(served):
    """It still signs deliveries; a person is told to replace it."""
    record = served.app.registry.entry("helpdesk").record
    served.app.store.integrations.put(replace(record, webhook_secrets=(SecretStr("x"),)))

    found = {finding.code: finding for finding in served.app.setup.check("helpdesk")}

    assert [one.get_secret_value() for one in served.app.registry.entry("helpdesk").handle.webhook_secrets] == ["x"]
    assert found["webhook_secret_short"].severity is Severity.WARNING


def test_a_stored_short_secret_of_a_source_works_on_and_a_new_one_is_refused(tmp_path):
    """The source stays usable with it, which is a finding; set-up takes no other short one."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase of many letters\norganizations: {acme: {}}\n")
    points = [*entry_points(), FakeEntryPoint("http", lambda: http_source)]
    app = build_app(*read_config(path, points), log=structlog.get_logger("test"), clock=FrozenClock())
    activate(app, "helpdesk", "acme", secret="")
    app.store.grants.save("helpdesk", Grant(headers={}, account_id="1", account_name="Desk Agent"))
    stored = SourceRecord("acme", "http", {}, {"secret": SecretStr("x")}, created_at=app.clock.now())
    assert app.store.sources.put(stored, None)
    app.registry.reload()

    found = {finding.code: finding for finding in app.setup.check("helpdesk")}

    assert app.registry.sources.usable() == ["acme"]
    assert found["source_secret_short"].severity is Severity.WARNING
    with pytest.raises(ConfigError, match="at least 8 characters"):
        app.source_setup.answer("acme", {"secret": "y"})
    app.store.close()
