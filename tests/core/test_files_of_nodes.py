"""Several nodes, each with a file of its own: whose is in force, and that no two undo each other in turn."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from connector_core.setup.applying import ADOPT
from tests.support.hosts_at_hand import Host

ON_SERVER = pytest.mark.postgresql_only("there can be several nodes there only")


@pytest.fixture
def hosts(store, database_place, tmp_path):
    """Return two hosts; what runs on them is stopped afterwards."""
    store.integrations.remove("desk")
    made = [Host(tmp_path / name, database_place) for name in ("first", "second")]
    yield made
    for host in made:
        host.stop()


@ON_SERVER
def test_a_rolling_change_is_taken_over_once_and_stays(hosts):
    """The file that was changed last is in force; a host whose file is older may be started again meanwhile."""
    first, second = (host.has("1").start() for host in hosts)
    assert first.in_force() == "1"

    first.has("2").start_again()
    assert second.in_force() == "2"
    with capture_logs() as said:
        second.start_again()
    assert second.in_force() == "2"
    assert [line["path"] for line in said if line["event"] == "config_of_another_node"] == [str(second.path)]

    second.has("2")
    with capture_logs() as said:
        second.start_again()
        first.start_again()
    assert [line for line in said if line["event"] in {"config_of_another_node", "config_taken_over"}] == []
    assert first.in_force() == "2"


@ON_SERVER
def test_where_each_host_listens_is_no_change_of_the_file(hosts):
    """Each has a port of its own, and logs as it likes: nothing was taken over, whoever starts again."""
    for number, host in enumerate(hosts):
        host.has("1")
        host.path.write_text(
            f"{host.path.read_text()}server: {{port: {9000 + number}}}\nengine: {{workers: {9 + number}}}\n"
        )
        host.start()
    with capture_logs() as said:
        for host in hosts * 2:
            host.start_again()
    assert [line for line in said if line["event"] in {"config_of_another_node", "config_taken_over"}] == []

    with capture_logs() as said:
        hosts[0].has("2").start_again()
    (line,) = [line for line in said if line["event"] == "config_taken_over"]
    assert [change.partition(":")[0] for change in line["changes"]] == ["organizations.acme.integrations.desk.desk"]


@ON_SERVER
def test_a_change_is_taken_back_on_the_host_where_it_was_made(hosts):
    """The file is another one than was read there before, also if that was in force earlier."""
    first, second = (host.has("1").start() for host in hosts)
    first.has("2").start_again()

    first.has("1").start_again()

    assert second.in_force() == "1"


@ON_SERVER
def test_a_new_host_brings_its_file(hosts):
    """Nobody has read it before."""
    first, second = hosts
    first.has("1").start()

    second.has("2").start()

    assert first.in_force() == "2"
    first.start_again()
    assert first.in_force() == "2"


@ON_SERVER
def test_who_starts_while_another_applies_its_file_waits_for_it(hosts):
    """And does it as soon as that has ended."""
    first, second = hosts
    first.has("1").start()
    with first.app.duties.turn(ADOPT, every_s=0.0) as turn:
        assert turn.is_ours
        second.has("2").start()
        assert first.in_force() == "1"
        second.app.applying.fulfil_wishes()
        assert first.in_force() == "1"

    second.app.applying.fulfil_wishes()

    assert first.in_force() == "2"


@ON_SERVER
def test_an_apply_is_for_the_host_where_it_was_asked_for(hosts):
    """Its file is in force then, whichever daemon looks first; the other follows if its file says the same."""
    first, second = (host.has("1").start() for host in hosts)
    place = first.app.config.place
    first.has("2")
    wish = second.app.store.configuration.wish(place)

    second.app.applying.fulfil_wishes()
    assert second.app.store.configuration.answered().wish < wish
    assert second.in_force() == "1"
    first.app.applying.fulfil_wishes()
    answered = first.app.store.configuration.answered()
    assert (answered.wish, len(answered.changes)) == (wish, 1)
    with capture_logs() as said:
        second.app.applying.fulfil_wishes()

    assert [line["event"] for line in said if line["event"].startswith("config")] == ["config_of_another_node"]
    assert second.in_force() == "2"


@ON_SERVER
def test_who_follows_has_what_another_applied(hosts):
    """Its own file says the same by then: its next start finds nothing to do."""
    first, second = (host.has("1").start() for host in hosts)
    for host in hosts:
        host.has("2")
    first.app.store.configuration.wish(first.app.config.place)
    first.app.applying.fulfil_wishes()

    second.app.applying.fulfil_wishes()

    assert second.app.config.digest == first.app.config.digest
    with capture_logs() as said:
        second.start_again()
    assert [line for line in said if line["event"].startswith("config_")] == []


@pytest.mark.sqlite_only("one that is alone is on a file")
def test_a_node_that_is_alone_applies_its_file_at_each_start(store, database_place, tmp_path):
    """Whoever names another file means that one, also if it was in force before."""
    store.integrations.remove("desk")
    store.close()
    first, second = (Host(tmp_path / name, database_place).has(name[0]) for name in ("1st", "2nd"))

    for host in (first, second, first):
        host.start()
        assert host.in_force() == host.path.parent.name[0]
        host.stop()
