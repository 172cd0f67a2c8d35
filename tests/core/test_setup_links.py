"""Setup links that are listed and revoked: in the store, and by the commands."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

import pytest
import structlog
from click.testing import CliRunner

from connector_core.app import build_app
from connector_core.cli.exit_codes import code_of
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.errors import ConfigError
from connector_core.store import Act, Actor, AuditFilter, SetupLink, Via
from connector_core.store.acting import acting
from tests.support.activation import activate

LATER = timedelta(days=3)


def share(store, clock, token, name="desk", **kwargs):
    """Store a link."""
    now = clock.now()
    store.setup_links.add(token, SetupLink(name, "webhook", "ada", now, now + LATER, **kwargs))


def in_force(store, clock, name="desk"):
    """Return the links of an integration that can be used."""
    return store.setup_links.in_force(name, clock.now(), of_source=False)


def test_those_that_can_be_used_are_listed_without_their_tokens(store, clock):
    """Not what was used, has expired, or is another's."""
    share(store, clock, "early")
    clock.forward(60)
    for token in ("used", "late"):
        share(store, clock, token)
    store.setup_links.use("used", clock.now())

    found = in_force(store, clock)

    assert [one.created_at for one in found] == sorted((one.created_at for one in found), reverse=True)
    assert [one.id for one in found] == [store.setup_links.get(token).id for token in ("late", "early")]
    assert in_force(store, clock, "other") == []
    assert not any(token in repr(one) for one in found for token in ("early", "late"))
    clock.forward(LATER.total_seconds() - 60)
    assert [one.id for one in in_force(store, clock)] == [store.setup_links.get("late").id]


def test_one_that_is_revoked_is_over_for_good_and_said_once(store, clock):
    """Also when it is being used at that moment and that fails; only its own integration can end it."""
    share(store, clock, "token")
    id_ = store.setup_links.get("token").id
    with acting(Actor("bob", Via.CONSOLE, clock.now())):
        assert store.setup_links.revoke("other", id_, clock.now(), of_source=False) is None
        assert store.setup_links.revoke("desk", id_, clock.now(), of_source=True) is None
        assert in_force(store, clock)
        assert store.setup_links.revoke("desk", id_, clock.now(), of_source=False).used_at is None
        assert store.setup_links.revoke("desk", id_, clock.now(), of_source=False) is None

    store.setup_links.give_back("token")

    assert in_force(store, clock) == []
    assert store.setup_links.use("token", clock.now()) is False
    assert store.setup_links.get("token").revoked_at == clock.now()
    (said,) = store.audit.find(AuditFilter(), 10)
    assert (said.by.name, said.act, said.about.name, said.changes) == (
        "bob",
        Act.REVOKED,
        "desk",
        {"step": ("webhook", None)},
    )


def test_one_that_is_used_meanwhile_does_not_come_back(store, clock):
    """Whoever revokes it is told by its use; if that fails, it stays revoked."""
    share(store, clock, "token")
    id_ = store.setup_links.get("token").id
    store.setup_links.use("token", clock.now())

    before = store.setup_links.revoke("desk", id_, clock.now(), of_source=False)
    store.setup_links.give_back("token")

    assert before.used_at is not None
    assert in_force(store, clock) == []


@pytest.mark.parametrize("wrong", ["", "%", "x" * 5000, "'; --", "\N{SNOWMAN}"])
def test_what_is_no_id_revokes_nothing(store, clock, wrong):
    """Malformed, oversized and foreign ones."""
    share(store, clock, "token")

    assert store.setup_links.revoke("desk", wrong, clock.now(), of_source=False) is None
    assert len(in_force(store, clock)) == 1


@pytest.mark.sqlite_only("commands open a file")
def test_commands_list_and_revoke_them(tmp_path, clock):
    """Also of an integration whose plugin is not at hand; what is not there ends with exit code 2."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase of many letters\norganizations:\n  acme: {}\n")
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    with closing(app.store):
        activate(app, "desk", "acme")
        now = app.clock.now()
        app.store.setup_links.add("a token", SetupLink("desk", "webhook", "ada", now, now + LATER))

    def run(*arguments):
        done = CliRunner().invoke(cli, ["--config", str(path), "integrations", *arguments], catch_exceptions=False)
        return done.exit_code, done.stdout

    def refused(*arguments):
        with pytest.raises(ConfigError) as error:
            run(*arguments)
        return code_of(error.value)

    code, listed = run("setup-links", "desk", "--json")
    (row,) = json.loads(listed)
    assert (code, row["step"], row["made_by"]) == (0, "webhook", "ada")
    assert "a token" not in listed
    assert refused("setup-links", "nope") == 2
    assert refused("revoke-setup-link", "nope", row["id"]) == 2
    assert run("revoke-setup-link", "desk", row["id"]) == (0, "The setup link was revoked.\n")
    assert refused("revoke-setup-link", "desk", row["id"]) == 2
    assert "No setup link can be used." in run("setup-links", "desk")[1]
