"""The nodes of a database on the front page: for who administers all of it, where there may be several."""

from __future__ import annotations

import pytest

from connector_core.store import Node, NodeEnd
from tests.support.pages import shown
from tests.support.served import GUEST, Served, Visitor


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console whose database has two nodes beside this one."""
    opened = Served(tmp_path_factory.mktemp("nodes"))
    now = opened.app.clock.now()
    for name in ("host in berlin", "host in tokyo"):
        opened.app.store.nodes.register(Node(f"id of {name}", name, "9.9.9", "digest", now), beats=True)
    opened.app.store.nodes.bury("id of host in tokyo", now, NodeEnd.SILENT, now)
    yield opened
    opened.stop()


@pytest.fixture
def among_others(served, monkeypatch):
    """Have this daemon be one of several."""
    monkeypatch.setattr(served.app.engine.node, "is_alone", False)


@pytest.mark.usefixtures("among_others")
def test_nodes_are_shown_with_what_is_wrong(admin):
    """Each with its host, its state and its version."""
    text = shown(admin.get("/").text)

    assert "Nodes" in text
    assert all(word in text for word in ("host in berlin", "running", "host in tokyo", "lost", "9.9.9"))


@pytest.mark.usefixtures("among_others")
def test_of_different_files_that_in_force_is_named(served, admin):
    """Whoever sees two files has to know which of them counts."""
    app, ours = served.app, served.app.config.digest
    app.store.configuration.save(app.config.snapshot.dump())
    for name, digest in (("host in rome", ours), ("host in oslo", "other")):
        app.store.nodes.register(Node(name, name, "8.8.8", digest, app.clock.now()), beats=True)

    text = shown(admin.get("/").text)

    assert "Not all nodes have the same configuration file" in text
    assert text.count("(in force)") == text.count(f"file {ours} (in force)") > 0
    assert "file other (in force)" not in text


@pytest.mark.usefixtures("among_others")
def test_nodes_are_no_business_of_an_organizations_admin(served):
    """They belong to whoever runs all of it."""
    guest = Visitor(served.url)
    assert guest.log_in("gus", GUEST).status_code == 303

    assert "host in berlin" not in guest.get("/").text


def test_a_daemon_that_is_alone_shows_none(admin):
    """There is nothing to choose or to watch there."""
    assert "host in berlin" not in admin.get("/").text
