"""What keeps us out of a PostgreSQL database, or has to: it is said with what to do, and nothing is made."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from connector_core.cli.main import cli
from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL
from connector_core.demo.stage import free_port
from connector_core.secrets import SecretBox
from connector_core.store.moving import require_empty
from connector_core.store.opening import open_store
from tests.core.conftest import PASSPHRASE
from tests.support.postgres import connected, own_server
from tests.support.private_ca import PrivateCA

BOX = SecretBox([PASSPHRASE])
HOST = "localhost"
#: Whoever is asked for a password, and by which way.
BY_PASSWORD = "local all connector scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Have an authority of our own."""
    return PrivateCA(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority):
    """Start a server that speaks TLS as localhost, and asks for a password at its socket."""
    with own_server() as started:
        started.speak_tls(authority.server_file(HOST), free_port())
        (started.folder / "data" / "pg_hba.conf").write_text(BY_PASSWORD)
        with connected(started.server.admin) as connection:
            connection.execute("ALTER ROLE connector PASSWORD 'right'")
            connection.execute("SELECT pg_reload_conf()")
        yield started


def over_tls(server, *, host=HOST, ca_file):
    """Return the URL of a database whose server has to prove who it is."""
    return f"postgresql://connector@{host}:{server.port}/connector?sslmode=verify-full&sslrootcert={ca_file}"


def refused(url, *, named_in="database"):
    """Return how it is refused."""
    with pytest.raises(ConfigError) as caught:
        open_store(PostgreSQL(url, named_in=named_in), BOX).close()
    return caught.value


def test_a_server_that_proves_who_it_is_is_used(server, authority):
    """With TLS, also for the connections that are opened later."""
    place = PostgreSQL(over_tls(server, ca_file=authority.ca_file))
    with closing(open_store(place, BOX)) as store, connected(server.server.admin) as connection:
        store.links.find()
        used = connection.execute(
            "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'connector'"
        ).fetchall()

    assert used == [(True,)]


def test_a_server_that_cannot_prove_it_is_refused(server, authority, tmp_path):
    """Another host's certificate, one of somebody else's authority, and one that nobody can check."""
    strangers = PrivateCA(tmp_path)
    told = [
        refused(over_tls(server, host="127.0.0.1", ca_file=authority.ca_file)),
        refused(over_tls(server, ca_file=strangers.ca_file)),
        refused(over_tls(server, ca_file=tmp_path / "missing.pem")),
    ]

    assert [one.code for one in told] == ["database_certificate"] * 3
    assert all("sslrootcert" in one.fix and "in database " in one.fix for one in told)
    assert "does not match host name" in told[0].message
    assert "certificate verify failed" in told[1].message


@pytest.mark.parametrize("named_in", ["database", "--to"])
@pytest.mark.parametrize(
    ("change", "code", "shows"),
    [
        (
            {"user": "connector:right", "database": "nowhere"},
            "database_not_made",
            'CREATE DATABASE "nowhere" OWNER "connector"',
        ),
        ({"user": "nobody"}, "database_user_not_made", 'CREATE ROLE "nobody" LOGIN'),
        ({}, "database_password", "PGPASSWORD"),
        ({"user": "connector:wrong"}, "database_password", "PGPASSWORD"),
        ({"port": "1"}, "database_unreachable", "address, user and password in {named_in}"),
    ],
)
def test_what_is_missing_is_said_with_how_to_make_it(server, change, code, shows, named_in):
    """And where the address stands that does not work."""
    if "port" in change:
        url = f"postgresql://connector@127.0.0.1:{change['port']}/connector"
    else:
        parts = urlsplit(server.server.admin)
        url = f"postgresql://{change.get('user', 'connector')}@/{change.get('database', 'connector')}?{parts.query}"

    told = refused(url, named_in=named_in)

    assert told.code == code
    assert shows.format(named_in=named_in) in told.fix
    assert not {"wrong", "right"} & set(told.message.replace(":", " ").replace("@", " ").split())


def test_where_a_move_cannot_go_is_named(server):
    """It is the option, not a key of the file."""
    with pytest.raises(ConfigError) as caught:
        require_empty(PostgreSQL("postgresql://connector@127.0.0.1:1/connector", named_in="--database"))

    assert "in --database" in caught.value.fix


def test_a_database_of_somebody_else_is_not_taken(bare_postgresql_url):
    """Whatever is in it; nothing is made beside."""
    with connected(bare_postgresql_url) as connection:
        connection.execute("CREATE TABLE invoice (id int)")

    told = refused(bare_postgresql_url)

    assert (told.code, "invoice" in told.message) == ("database_foreign", True)
    with connected(bare_postgresql_url) as connection:
        assert connection.execute("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (1,)


def finish(tmp_path, database):
    """Remove what only earlier versions need; return the exit code and what was printed."""
    path = tmp_path / "connector.yaml"
    path.write_text(f"secret_key: a passphrase that is long enough\ndatabase: {database}\n")
    done = CliRunner().invoke(cli, ["--config", str(path), "db", "migrate", "--finish"])
    return done.exit_code, getattr(done.exception, "code", None)


def test_nothing_is_finished_where_nothing_is(tmp_path, bare_postgresql_url):
    """A name that was mistyped makes no database."""
    assert finish(tmp_path, bare_postgresql_url)[1] == "database_missing"
    assert finish(tmp_path, "sqlite:///other.db")[1] == "database_missing"
    (tmp_path / "empty.db").touch()
    assert finish(tmp_path, "sqlite:///empty.db")[1] == "database_missing"

    with connected(bare_postgresql_url) as connection:
        assert connection.execute("SELECT COUNT(*) FROM pg_class WHERE relname = 'migration'").fetchone() == (0,)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["connector.yaml", "empty.db"]
    assert (tmp_path / "empty.db").stat().st_size == 0
