"""Admins of one organization: what they may have the connector call, and what they learn of the others."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connector_core import ConfigError, Settings, hookimpl
from connector_core.config import peek, read_applied, read_config, read_leniently
from connector_core.http.outbound import Places
from connector_core.store import Origin
from connector_core.testing import MemoryDesk
from tests.support.private_ca import Target
from tests.support.served import GUEST, Served, Visitor, entry_points

NEW = "/integrations/new"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve two organizations with an integration each; `globex` has an admin of its own."""
    opened = Served(tmp_path_factory.mktemp("limited"))
    opened.add("acme-desk", "acme")
    opened.add("globex-desk", "globex")
    yield opened
    opened.stop()


@pytest.fixture
def guest(served):
    """Log in the admin of `globex`."""
    visitor = Visitor(served.url)
    assert visitor.log_in("gus", GUEST).status_code == 303
    return visitor


@pytest.fixture
def target():
    """Listen on loopback."""
    opened = Target()
    yield opened
    opened.stop()


def _made(visitor, name):
    return visitor.post(NEW, organization="globex", plugin="desk", name=name)


@pytest.mark.parametrize("name", ["acme-desk", "globex-desk", "nobodys-desk", "x" * 63])
def test_a_name_is_answered_alike_whether_another_has_it_or_not(served, guest, name):
    """The name gets an ending in any case, so that neither a refusal nor the ending tells anything."""
    answer = _made(guest, name)

    assert answer.status_code == 303
    made = re.fullmatch(r"/integrations/([^/]+)/setup/\w+\?said=created", answer.headers["location"])[1]
    assert re.fullmatch(rf"{name[:56]}-[2-9a-z]{{6}}", made)
    assert served.app.registry.entry(made).record.organization == "globex"


def test_a_form_that_is_sent_twice_makes_one_integration(served, guest):
    """The second goes on with what the first made."""
    first, second = (_made(guest, "sent-twice").headers["location"] for _ in range(2))

    made = [one.record.id for one in served.app.registry.entries() if one.record.id.startswith("sent-twice")]
    assert len(made) == 1
    assert made[0] in first
    assert second == f"/integrations/{made[0]}/setup?said=exists"


def test_who_sees_all_is_told_that_a_name_is_taken(served, admin):
    """There is nothing to hide from them, and the name stays as it is."""
    taken = admin.post(NEW, organization="globex", plugin="desk", name="acme-desk")
    free = admin.post(NEW, organization="globex", plugin="desk", name="just-so")

    assert (taken.status_code, "already" in taken.text) == (422, True)
    assert free.headers["location"].startswith("/integrations/just-so/setup/")


@pytest.mark.parametrize("page", ["", "/setup", "/setup/enable", "/setup/step/desk", "/rules", "/remove"])
def test_pages_of_anothers_integration_are_those_of_none(guest, page):
    """Word by word the same but for the name."""
    there = guest.get(f"/integrations/acme-desk{page}")
    nowhere = guest.get(f"/integrations/none-desk{page}")

    assert there.status_code == nowhere.status_code == 404
    assert there.text.replace("acme-desk", "none-desk") == nowhere.text


@pytest.mark.parametrize("path", ["/integrations/{}/disable", "/integrations/{}/setup/hand-over"])
def test_changes_of_anothers_integration_are_answered_like_those_of_none(guest, path):
    """Setup links among them."""
    there = guest.post(path.format("acme-desk"), seen_on="/", step="desk")
    nowhere = guest.post(path.format("none-desk"), seen_on="/", step="desk")

    assert there.status_code == nowhere.status_code
    assert there.text.replace("acme-desk", "none-desk") == nowhere.text


def test_what_they_enter_leads_to_public_addresses_only(served, target):
    """An integration and a source of their organization cannot call loopback; those of others can."""
    url = f"http://127.0.0.1:{target.port}/"
    theirs, ours = (served.app.registry.entry(name).handle for name in ("globex-desk", "acme-desk"))

    with pytest.raises(ConfigError) as refused:
        theirs.session.get(url)
    answered = ours.session.get(url)

    assert refused.value.code == "address_not_allowed"
    assert answered.status_code == 200
    assert target.paths == ["/"]


def test_what_is_written_in_the_file_is_not_limited(served, target):
    """Who runs the connector wrote it; as soon as the record is one of set-up it is."""
    registry, store = served.app.registry, served.app.store
    record = registry.entry("globex-desk").record
    url = f"http://127.0.0.1:{target.port}/"

    store.integrations.put(replace(record, origin=Origin.YAML))
    assert registry.entry("globex-desk").handle.session.get(url).status_code == 200
    store.integrations.put(record)
    with pytest.raises(ConfigError):
        registry.entry("globex-desk").handle.session.get(url)


class _GatewaySettings(Settings):
    gateway: str = "https://gateway.example.com"


class _GatewayDesk(MemoryDesk):
    """A desk that all integrations reach through one gateway."""

    @hookimpl
    def describe_plugin(self):
        """Say who this is, with the settings that all share."""
        return replace(super().describe_plugin(), plugin_settings=_GatewaySettings)


def test_shared_addresses_of_the_file_may_be_called_and_nothing_else_there(tmp_path, target, monkeypatch):
    """What `plugins:` says is the operator's; another port, scheme or way to write that machine is not."""
    other = Target()
    monkeypatch.setattr("tests.support.served.MemoryDesk", _GatewayDesk)
    opened = Served(tmp_path)
    try:
        shared = f"{{desk: {{gateway: 'http://127.0.0.1:{target.port}/gate'}}}}"
        opened.path.write_text(f"{opened.path.read_text()}\nplugins: {shared}\n")
        opened.restart()
        opened.add("globex-desk", "globex")
        session = opened.app.registry.entry("globex-desk").handle.session

        assert session.get(f"http://127.0.0.1:{target.port}/else").status_code == 200
        for origin in (
            f"http://127.0.0.1:{other.port}",
            f"https://127.0.0.1:{target.port}",
            f"http://127.1:{target.port}",
        ):
            with pytest.raises(ConfigError) as refused:
                session.get(origin)
            assert refused.value.code == "address_not_allowed"
    finally:
        opened.stop()
        other.stop()


def test_only_what_the_file_says_is_the_operators_and_for_its_plugin_only(tmp_path, monkeypatch):
    """A plugin's default is nobody's word, and another plugin's addresses are not its own."""
    monkeypatch.setattr("tests.support.served.MemoryDesk", _GatewayDesk)
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase of many letters\noutbound: {allow: [10.0.0.0/8]}\n")
    unsaid, _ = read_config(path, entry_points())
    path.write_text(f"{path.read_text()}plugins: {{desk: {{gateway: 'https://GATE.corp.test'}}}}\n")
    said, _ = read_config(path, entry_points())

    assert unsaid.calls_of_setup("globex", "desk").endpoints == frozenset()
    assert said.calls_of_setup("globex", "desk").endpoints == {("https", "gate.corp.test", 443)}
    assert said.calls_of_setup("globex", "platform").endpoints == frozenset()


def test_what_is_allowed_may_be_called(tmp_path, target):
    """`outbound.allow` names what is wanted beside the public."""
    opened = Served(tmp_path)
    try:
        opened.path.write_text(f"{opened.path.read_text()}\noutbound: {{allow: [public, 127.0.0.0/8]}}\n")
        opened.restart()
        opened.add("globex-desk", "globex")
        session = opened.app.registry.entry("globex-desk").handle.session

        assert session.get(f"http://127.0.0.1:{target.port}/").status_code == 200
        with pytest.raises(ConfigError):
            session.get("http://169.254.169.254/")
    finally:
        opened.stop()


def test_commands_know_the_same_limits(served):
    """Of what the daemon took over they see no users; they read in the file who is limited."""
    found = peek(served.path)
    config, _ = read_applied(found, read_leniently(found)[0].snapshot)

    assert config.console.users == {}
    assert config.calls_of_setup("globex", "desk").allowed == Places.of(["public"])
    assert config.calls_of_setup("acme", "desk").allowed is None
