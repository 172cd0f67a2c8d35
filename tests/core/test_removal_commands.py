"""`connector organizations remove` and `connector incidents forget`: what is refused, shown, and done."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager

import pytest
import structlog
from click.testing import CliRunner

from connector_core import EventType, Incident, IncidentEvent
from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.errors import ConfigError
from tests.support.activation import activate
from tests.support.lanes_at_hand import open_links

FILE = """
secret_key: a passphrase of many letters
organizations:
  acme: {}
"""


@pytest.fixture
def path(tmp_path):
    """Write a configuration of one organization, beside a database that has links of two."""
    place = tmp_path / "connector.yaml"
    place.write_text(FILE)
    with at_hand(place) as app:
        for name in ("acme", "globex"):
            activate(app, f"desk-{name}", name)
            open_links(app.store, app.clock, 2, f"desk-{name}", name)
    return place


@contextmanager
def at_hand(path):
    """Open what a daemon has, to look into it."""
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    with closing(app.store):
        yield app


def run(path, *arguments):
    """Run a command; return its exit code and what it printed."""
    done = CliRunner().invoke(cli, ["--config", str(path), *arguments], catch_exceptions=False)
    return done.exit_code, done.stdout


def test_what_would_be_removed_is_shown_and_nothing_is_changed(path):
    """With --dry-run as an answer, without --yes as a refusal."""
    code, shown = run(path, "organizations", "remove", "globex", "--dry-run", "--json")
    found = json.loads(shown)

    assert code == 0
    assert found["rows"]["link"] == 2
    assert [one["integration"] for one in found["elsewhere"]] == ["desk-globex"]
    assert run(path, "organizations", "remove", "globex")[0] == 2
    with at_hand(path) as app:
        assert len(app.store.links.find(organization="globex")) == 2


def test_an_organization_is_removed_with_all_that_it_has(path):
    """Another one stays; the audit log says who did it; a second time there is nothing."""
    code, shown = run(path, "organizations", "remove", "globex", "--yes", "--json")

    assert code == 0
    assert json.loads(shown)["rows"]["incident"] == 2
    with at_hand(path) as app:
        assert [link.organization for link in app.store.links.find()] == ["acme", "acme"]
    (told,) = json.loads(run(path, "audit", "--about", "organization", "--json")[1])
    assert (told["name"], told["via"], told["changes"]["link"]) == ("globex", "terminal", ["2", "0"])
    with pytest.raises(ConfigError, match="Nothing is stored"):
        run(path, "organizations", "remove", "globex", "--yes")


def test_one_that_stands_in_the_file_is_refused(path):
    """Or in the file that the daemon has taken over: it would begin anew."""
    with pytest.raises(ConfigError, match="stands in"):
        run(path, "organizations", "remove", "acme", "--yes")
    with pytest.raises(ConfigError, match="stands in"):
        run(path, "organizations", "remove", "acme", "--dry-run")
    with at_hand(path) as app:
        app.store.configuration.save(app.config.snapshot.dump())
    path.write_text(FILE.replace("acme: {}", "other: {}"))

    with pytest.raises(ConfigError, match="has not applied"):
        run(path, "organizations", "remove", "acme", "--yes")


def test_an_incident_is_forgotten(path):
    """When it is known in one organization; its own is named where several have one of that id."""
    assert run(path, "incidents", "forget", "desk-acme-0")[0] == 2
    assert run(path, "incidents", "forget", "desk-acme-0", "--yes")[0] == 0
    with at_hand(path) as app:
        assert [link.incident_id for link in app.store.links.find(organization="acme")] == ["desk-acme-1"]
        event = IncidentEvent(
            id="1", type=EventType.OPENED, occurred_at=app.clock.now(), incident=Incident(id="desk-globex-0", title="x")
        )
        app.store.inbox.accept_events("initech", [event], [], app.clock.now()).result()

    with pytest.raises(ConfigError, match="several organizations"):
        run(path, "incidents", "forget", "desk-globex-0", "--yes")
    with pytest.raises(ConfigError, match="Nothing is known"):
        run(path, "incidents", "forget", "desk-acme-0", "--yes")


def test_everything_of_an_organization_is_exported_and_nothing_of_another(path, tmp_path):
    """Or of one incident; no secret is in it, and no file is written over."""
    target, one = tmp_path / "all.jsonl", tmp_path / "one.jsonl"
    assert run(path, "export", "globex", "--to", str(target))[0] == 0
    assert run(path, "export", "globex", "--incident", "desk-globex-1", "--to", str(one))[0] == 0

    lines = [json.loads(line) for line in target.read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "export": 1,
        "integration": 1,
        "incident": 2,
        "event": 2,
        "link": 2,
    }
    assert lines[-1]["timeline"][0]["text"]
    assert "s3cret" not in target.read_text()
    assert "acme" not in target.read_text()
    assert "desk-globex-0" not in one.read_text()
    with pytest.raises(ConfigError, match="there already"):
        run(path, "export", "globex", "--to", str(target))
    with pytest.raises(ConfigError, match="Nothing is stored"):
        run(path, "export", "acme", "--incident", "desk-globex-1", "--to", str(tmp_path / "no.jsonl"))


def test_unlinking_asks_first(path):
    """Without --yes it is said what would be unlinked, and nothing is changed."""
    with at_hand(path) as app:
        link = app.store.links.find(organization="acme")[0]

    code, said = run(path, "unlink", str(link.id))
    assert code == 2
    assert said.startswith(f"Would be unlinked: link {link.id} ({link.incident_id} and no ticket)\nNothing was changed")
    with at_hand(path) as app:
        assert app.store.links.get(link.id).status == link.status
    assert "Unlinked: link" in run(path, "unlink", str(link.id), "--yes")[1]
