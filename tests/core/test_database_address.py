"""Where the database is: a file of SQLite or a URL of PostgreSQL, whose password nobody sees."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from connector_core.cli.main import cli
from connector_core.config import ConfigInvalid, differences, load_config, peek
from connector_core.contract.errors import ConfigError
from connector_core.databases import PostgreSQL, is_whole
from connector_core.secrets import SecretBox
from connector_core.store.daemon_lock import daemon_lock
from connector_core.store.opening import open_store
from connector_core.store.read_only import open_read_only
from tests.support.fake_plugins import fake_plugins

ENVIRON = {
    "KEY": "a-key-that-is-long-enough",
    "PASSWORD": "hunter2%40home",
    "USER": "ada",
    "URL": "postgresql://ada:hunter22@db.example.com/connector",
}
BOX = SecretBox([SecretStr(ENVIRON["KEY"])])
URL = "postgresql://connector:hunter22@db.example.com/connector"


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a file with this database."""
    path = tmp_path / "connector.yaml"

    def load_database(database, environ=ENVIRON):
        path.write_text(f"secret_key: ${{env:KEY}}\ndatabase: {database}\n")
        return load_config(path, fake_plugins(), environ)

    return load_database


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Return a file whose database is PostgreSQL."""
    monkeypatch.setenv("KEY", ENVIRON["KEY"])
    monkeypatch.setenv("PASSWORD", ENVIRON["PASSWORD"])
    written = tmp_path / "connector.yaml"
    written.write_text(
        "secret_key: ${env:KEY}\ndatabase: postgresql://connector:${env:PASSWORD}@127.0.0.1:9/connector\n"
    )
    return written


@pytest.mark.parametrize(
    ("written", "url"),
    [
        (URL, URL),
        ("postgres:///connector", "postgres:///connector"),
        ("postgresql://connector:${env:PASSWORD}@db/c", "postgresql://connector:hunter2%40home@db/c"),
        ("${env:URL}", ENVIRON["URL"]),
    ],
)
def test_a_url_of_postgresql_is_taken_as_it_is(load, written, url):
    """References are replaced, as everywhere, and there is no file."""
    config = load(written)

    assert config.database == PostgreSQL(url)
    assert config.database_path is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "postgresql://connector:***@db.example.com/connector"),
        ("postgres://ada@db/c?password=hunter22&x=1", "postgres://ada@db/c?password=***&x=1"),
        ("postgresql://a:b%40c@h1:1,h2:2/d?sslpassword=k", "postgresql://a:***@h1:1,h2:2/d?sslpassword=***"),
        ("postgres://ada@db/c?x=1&password=a/b?c", "postgres://ada@db/c?x=1&password=***"),
        ("postgresql://db:5432/connector", "postgresql://db:5432/connector"),
        ("postgresql:///c?host=%2Ftmp%2Fpg", "postgresql:///c?host=%2Ftmp%2Fpg"),
    ],
)
def test_its_text_has_no_password(url, shown):
    """Everything else is there, so that people can tell which database it is."""
    assert str(PostgreSQL(url)) == shown
    assert "hunter22" not in repr(PostgreSQL(url))


def test_its_passwords_are_known_to_the_mask(load):
    """As they stand in the URL and as they are meant."""
    config = load("postgresql://connector:${env:PASSWORD}@db/c?sslpassword=of-the-key")

    assert {"hunter2%40home", "hunter2@home", "of-the-key"} <= {one.get_secret_value() for one in config.secrets}


@pytest.mark.parametrize(
    ("written", "is_warned_of"),
    [
        (URL, True),
        ("postgresql://${env:USER}:hunter22@db/c", True),
        ("postgresql://ada@db/c?password=hunter22", True),
        ("postgresql://${env:USER}:${env:PASSWORD}@db/c?password=hunter22", True),
        ("postgresql://connector:${env:PASSWORD}@db/c", False),
        ("postgresql://ada:${env:PASSWORD}@db:5432/c", False),
        ("postgresql://ada@db/c?password=${env:PASSWORD}", False),
        ("postgresql://ada@db:5432/c", False),
        ("postgresql://db:5432/c", False),
        ("${env:URL}", False),
        ("sqlite:///c.db", False),
    ],
)
def test_a_password_in_the_file_is_warned_of(load, written, is_warned_of):
    """It works, and is pointed at like other secrets."""
    warnings = [str(warning).partition(": ")[2] for warning in load(written).warnings]

    assert warnings == (
        ["the password in it is written in plain text — use ${env:NAME} or ${file:/path}"] if is_warned_of else []
    )


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (URL, "postgresql://connector:another1@db.example.com/connector", "database: changed"),
        ("sqlite:///c.db", URL, "database: changed"),
        ("postgres://db/c", "postgres://db/d", 'database: "postgres://db/c" → "postgres://db/d"'),
    ],
)
def test_what_differs_is_shown_without_passwords(load, before, after, shown):
    """That it changed can be seen, and what nobody hides."""
    assert [str(one) for one in differences(load(before).snapshot, load(after).snapshot)] == [shown]


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://connector:a%40b%2Fc@db.example.com:5433/connector?sslmode=verify-full",
        "postgres://ada:with:colons@[::1]:5432/c",
        "postgresql://h1:1,h2:2/c?target_session_attrs=read-write",
        "postgresql://ada@/c?host=%2Ftmp%2Fpg&password=p%26q",
        "postgresql://:hunter22@db/c",
        "postgresql://ada:a=b&c@db/c",
        "postgresql://db/c?password=a/b?c:d",
        "postgresql://",
    ],
)
def test_we_understand_what_libpq_understands(url):
    """The password that it reads is one that we hide."""
    password = conninfo_to_dict(url).get("password")

    assert is_whole(url)
    assert {password} - {None} <= PostgreSQL(url).secrets


@pytest.mark.parametrize(
    "rest",
    [
        "u:p@ss@db/c",
        "u:p/ss@db/c",
        "u:p?ss@db/c",
        "u:p%ss@db/c",
        "u:p ss@db/c",
        "db:port/c",
        "db/c?x",
        "u:p#s/s@db/c",
        "u:1?x=ss@db/c",
        "db/c?password=p=x",
    ],
)
def test_what_libpq_would_cut_elsewhere_is_refused(load, rest):
    """A special character in a password has to be written as %40 and the like; the password is not repeated."""
    with pytest.raises(ConfigInvalid, match="write %40 for @") as caught:
        load(f'"postgresql://{rest}"')

    assert "ss@" not in str(caught.value)


def test_a_password_that_is_not_set_here_is_not_made_up(path, monkeypatch):
    """A command that only reads would ask the server with a wrong one; other settings may be unfinished."""
    monkeypatch.delenv("PASSWORD")

    with pytest.raises(ConfigInvalid) as caught:
        peek(path)

    assert [(one.key_path, one.message) for one in caught.value.mistakes] == [
        ("database", "the environment variable PASSWORD is not set")
    ]


def test_it_is_shown_without_its_password(path):
    """`config show` says which database it is."""
    shown = CliRunner().invoke(cli, ["config", "show", "--json", "--config", str(path)])

    assert '"database": "postgresql://connector:${env:PASSWORD}@127.0.0.1:9/connector"' in shown.output
    assert "hunter2" not in shown.output


def test_a_backup_is_made_by_postgresql(path):
    """There is no file to copy; the command that copies it is named."""
    done = CliRunner().invoke(cli, ["db", "backup", "/backups/c.dump", "--config", str(path)])

    assert done.exception.code == "database_no_file"
    assert done.exception.fix == (
        "Have PostgreSQL copy it: pg_dump --format=custom --file=/backups/c.dump and the address in database"
    )


@pytest.mark.parametrize("module", ["psycopg", "psycopg_pool"])
@pytest.mark.parametrize(
    "use",
    [lambda database: open_store(database, BOX), lambda database: open_read_only(database, BOX), daemon_lock],
    ids=["open", "look", "lock"],
)
def test_without_the_extra_the_fix_is_told(monkeypatch, module, use):
    """Whichever way the database is come to."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigError, match="cannot be loaded") as caught:
        use(PostgreSQL(URL))

    assert caught.value.code == "database_driver_missing"
    assert caught.value.fix == "Install it from the folder of connector-core: pip install '.[postgresql]'"
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("command", [["run"], ["status"], ["db", "migrate"], ["db", "check"], ["config", "apply"]])
def test_a_server_that_cannot_be_reached_is_told(path, command):
    """In one sentence, without the password, whatever command comes to the database."""
    done = CliRunner().invoke(cli, [*command, "--config", str(path)])

    assert done.exception.code == "database_unreachable"
    assert "postgresql://connector:***@127.0.0.1:9/connector cannot be used as database" in str(done.exception)
    assert "hunter2" not in str(done.exception) + done.output
