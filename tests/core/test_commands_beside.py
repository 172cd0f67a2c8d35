"""Which commands a running daemon does, where it is found, and who is believed; the daemon itself is in e2e."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from connector_core.cli.beside import caller, named_files, place, wire
from connector_core.cli.beside.door import _may
from connector_core.cli.main import _COMMANDS
from connector_core.config import read_config
from connector_core.config.values import DATABASE_PREFIX
from connector_core.version import VERSION

KEY = "secret_key: a passphrase of many letters\n"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "var/connector.db.sock"),
        ("database: sqlite:///connector.db  # here\n", "connector.db.sock"),
        ('database: "sqlite:///${env:NAMED_HERE}.db"\n', "x.db.sock"),
        ("database: 'sqlite:////srv/connector.db'\r\n", "/srv/connector.db.sock"),
        ("database: postgresql://connector@db.example.com/connector\n", None),
        (
            "database: postgresql://connector@db.example.com/connector\ncommand_socket: /run/connector/c.sock\n",
            "/run/connector/c.sock",
        ),
        ("command_socket: run/c.sock\n", "run/c.sock"),
    ],
)
def test_caller_and_daemon_mean_the_same_place(tmp_path, monkeypatch, text, where):
    """The caller does not read the whole file, and needs no secret; the daemon goes by what was read of it."""
    monkeypatch.setenv("NAMED_HERE", "x")
    path = tmp_path / "connector.yaml"
    path.write_bytes((KEY + text).encode())
    config, _ = read_config(path, [])
    database = f"{DATABASE_PREFIX}{config.database}" if isinstance(config.database, Path) else str(config.database)

    of_daemon = place.socket_beside(str(path), database, config.command_socket)

    assert place.socket_of(str(path)) == of_daemon == (None if where is None else str(tmp_path / where))


@pytest.mark.parametrize(
    "text",
    [
        "database: sqlite:///${env:NOT_SET_HERE}.db\n",
        "database: ${file:where}\n",
        "database: |\n  sqlite:///x.db\n",
        "\xff",
    ],
)
def test_a_place_that_cannot_be_told_is_none(tmp_path, text):
    """Then the command reads the file itself, and says what is missing."""
    path = tmp_path / "connector.yaml"
    path.write_bytes(text.encode("latin-1"))

    assert place.socket_of(str(path)) is None
    assert place.socket_of(str(tmp_path / "none.yaml")) is None


@pytest.mark.parametrize(
    ("line", "is_for_daemon"),
    [
        ("status", True),
        ("links --json", True),
        ("db check", True),
        ("config diff", True),
        ("integrations setup acme-desk", True),
        ("run", False),
        ("db backup copy.db", False),
        ("db migrate", False),
        ("config init", False),
        ("support-bundle", False),
        ("plugins list", False),
        ("--version", False),
        ("status --help", False),
        ("", False),
    ],
)
def test_which_commands_a_daemon_does(line, is_for_daemon):
    """Those about files of the caller and about the installation are not for it, nor is help."""
    assert caller.is_for_daemon(line.split()) is is_for_daemon


def test_every_exception_is_a_command():
    """A renamed command would go to the daemon without a word."""
    named = caller.HERE | caller.ASKING | {*named_files.READ_HERE} | {*named_files.MADE_HERE}
    assert {one[0] for one in named} <= {*_COMMANDS}


@pytest.mark.parametrize(
    ("line", "read", "made"),
    [
        ("link --csv t.csv --dry-run", "t.csv", ""),
        ("link --csv=a=b.csv --report r.csv", "a=b.csv", "r.csv"),
        ("link --csv - --report=r=2.csv", "-", "r=2.csv"),
        ("link inc-1 SUP-1", "", ""),
        ("export acme --to acme.jsonl", "", "acme.jsonl"),
        ("routing set acme acme", "acme", ""),
        ("routing set acme -", "-", ""),
        ("routing set acme --clear", "", ""),
        ("routing try acme", "", ""),
        ("routing try --days 7 acme rules.yaml", "rules.yaml", ""),
        ("routing try acme rules.yaml --days=7", "rules.yaml", ""),
        ("routing show acme", "", ""),
        ("status", "", ""),
    ],
)
def test_which_files_are_the_callers(line, read, made):
    """By the place of a name, never by what lies around: an organization may be called as a file is."""
    said = line.split()

    assert named_files.file_of(said, named_files.READ_HERE)[2] == read
    assert named_files.file_of(said, named_files.MADE_HERE)[2] == made


def test_what_is_written_is_a_new_file(tmp_path, monkeypatch):
    """Nothing is written over, not even through a link that somebody else put there; what stays empty is removed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / "there.csv").symlink_to("theirs")
    with pytest.raises(FileExistsError):
        named_files.make(["link", "--report", "there.csv"])
    said = ["export", "acme", "--to", "new.jsonl"]
    made = named_files.make(said)

    assert (tmp_path / "new.jsonl").stat().st_mode & 0o777 == 0o600
    named_files.drop_unwritten(said, made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs", "there.csv"]
    os.close(made)


def test_the_file_is_taken_out_of_the_words(monkeypatch):
    """Wherever it stands; the last one counts, as for click."""
    monkeypatch.setenv("CONNECTOR_CONFIG", "of-environment.yaml")

    assert caller.without_config(["links", "--json"]) == (["links", "--json"], "of-environment.yaml")
    assert caller.without_config(["--config", "a.yaml", "links"]) == (["links"], "a.yaml")
    assert caller.without_config(["links", "--config=b.yaml", "--json"]) == (["links", "--json"], "b.yaml")
    assert caller.without_config(["explain", "--", "--config"]) == (
        ["explain", "--", "--config"],
        "of-environment.yaml",
    )


@pytest.fixture
def listener(tmp_path, monkeypatch):
    """Listen beside a database as a daemon would; return a function that greets the next caller."""
    monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "connector.yaml"))
    (tmp_path / "connector.yaml").write_text("database: sqlite:///connector.db\n")
    path = str(tmp_path / "connector.db.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, place.address(path) as short:
        listening.bind(short)
        listening.listen()

        def greet(said):
            def answer():
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(said) if isinstance(said, bytes) else wire.send(connection, said)

            thread = threading.Thread(target=answer)
            thread.start()
            return thread

        yield greet


def test_a_daemon_of_another_version_is_not_asked(listener, capsys):
    """The command looks for itself, and says why."""
    thread = listener({"version": "0.0.1"})

    assert caller.ask(["status"]) is None
    thread.join()
    assert "0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said", [b"", b"\0\0", b"\0\0\0\x02[]", b"\0\0\0\x03{x}", b"\xff\xff\xff\xff", b"HTTP/1.1 400\r\n"]
)
def test_whatever_else_listens_there_is_left_alone(listener, said, capsys):
    """The command is run here, as if nobody listened."""
    thread = listener(said)

    assert caller.ask(["status"]) is None
    thread.join()
    assert capsys.readouterr() == ("", "")


def test_a_socket_of_a_stranger_is_not_asked(listener, monkeypatch):
    """Where others may make files, such as /tmp, anybody could take what is typed."""
    monkeypatch.setattr(caller, "CREDENTIALS", _Credentials((1, 4711, 4711)))

    assert caller.ask(["status"]) is None  # nobody was greeted: there is no thread that would


def test_only_root_and_the_daemons_own_user_may(monkeypatch):
    """Whoever has the socket although its mode forbids it, as after a chmod, is turned away."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert _may(ours)
        monkeypatch.setattr("connector_core.cli.beside.door.CREDENTIALS", _Credentials((1, 4711, 4711)))
        assert not _may(ours)
        monkeypatch.setattr("connector_core.cli.beside.door.CREDENTIALS", _Credentials((1, 0, 0)))
        assert _may(ours)


class _Credentials:
    size = 12

    def __init__(self, said):
        self._said = said

    def unpack(self, told):
        """Say who called."""
        assert len(told) == self.size
        return self._said


def test_root_is_who_became_it(monkeypatch):
    """The audit log names a person."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "ada")

    assert caller.who() == "ada"


#: Each takes longer to load than to ask a daemon.
NOT_TO_ASK = {
    *("click", "pydantic", "importlib.metadata", "email", "zipfile", "json.tool", "logging", "pathlib", "subprocess"),
    *("connector_core.face", "connector_core.contract", "connector_core.config", "connector_core.cli.main"),
}
MOST_TO_ASK = 12  # of our own modules


def test_who_only_asks_loads_next_to_nothing(listener, tmp_path):
    """A person waits for all of it: the whole command is a socket, JSON and a few files of ours."""
    thread = listener({"version": VERSION})
    code = (
        "import sys; before = {*sys.modules}; from connector_core.cli.beside.caller import ask; ask(['status']);"
        "print(*({*sys.modules} - before))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE"))}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    thread.join()
    names = set(done.stdout.split())

    assert "The daemon ended before" in done.stderr  # it was asked
    assert names & NOT_TO_ASK == set()
    assert len({name for name in names if name.startswith("connector_")}) <= MOST_TO_ASK, names
