"""What the shell is told: one rule for names, for what lacks --yes, and for files that cannot be used."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from pydantic import SecretStr

from connector_core.cli import main
from connector_core.cli.beside.given import in_place, value_of
from connector_core.cli.exit_codes import ExitCode, code_of
from connector_core.cli.no_terminal import answer_needed
from connector_core.contract.errors import AuthError, ConfigError, RemoteError, RetryLater
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store

KEY = "a passphrase of many letters"
CONFIG = f"""
database: sqlite:///connector.db
secret_key: {KEY}
organizations:
  acme:
    source: {{plugin: http, secret: whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0}}
  globex: {{}}
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RemoteError("No."), 1),
        (click.UsageError("What?"), 2),
        (ConfigError("Who?", code="integration_unknown"), 2),
        (ConfigError("Wrong."), 3),
        (OSError(errno.ENOSPC, "No space left on device"), 3),
        (AuthError("Again."), 4),
        (RetryLater("Later."), 5),
        (ValueError("A bug."), 1),
        (OSError("A bug."), 1),
    ],
    ids=repr,
)
def test_code_of_an_error(error, code):
    """As the help says."""
    assert code_of(error) == code
    assert ExitCode(code)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command as the script does; it returns its code and what it said."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG)
    open_store(tmp_path / "connector.db", SecretBox([SecretStr(KEY)])).close()
    umask = os.umask(0)
    os.umask(umask)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["connector", "--config", str(path), *words])
        with pytest.raises(SystemExit) as ended:
            main.run()
        os.umask(umask)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.mark.cases_in_test(10)
@pytest.mark.parametrize(
    "words",
    [
        ("integrations", "show", "nope"),
        ("integrations", "enable", "nope"),
        ("links", "--integration", "nope"),
        ("links", "--failed", "--organization", "nope"),
        ("sources", "show", "nope"),
        ("explain", "nope"),
        ("retry", "nope"),
        ("discard", "nope"),
        ("unlink", "nope"),
        ("resolve", "nope", "title", "ticket"),
        ("reconcile", "nope"),
        ("doctor", "nope"),
        ("recreate", "nope"),
        ("incidents", "forget", "nope"),
        ("export", "nope", "--to", "file.zip"),
        ("integrations", "setup", "nope", "--set", "a=b"),
        ("integrations", "remove", "nope"),
        ("integrations", "test", "nope"),
        ("integrations", "rename", "nope", "Name"),
        ("integrations", "authorize", "nope"),
        ("integrations", "disable", "nope"),
        ("integrations", "apply-settings", "nope"),
        ("integrations", "duplicate", "nope", "new"),
        ("integrations", "hand-over", "nope", "step"),
        ("integrations", "rules", "nope"),
        ("organizations", "remove", "nope"),
        ("organizations", "rename", "nope", "Name"),
        ("sources", "setup", "nope", "--plugin", "http", "--set", "a=b"),
        ("sources", "setup", "nope", "--set", "a=b"),
        ("sources", "setup", "globex", "--plugin", "nope"),
        ("sources", "setup", "globex", "--plugin", "http", "--set", "nope=1"),
        ("sources", "test", "nope"),
        ("sources", "reset", "nope", "--yes"),
        ("notifications", "add", "nope", "ops", "--channel", "slack"),
        ("notifications", "test", "acme", "nope"),
        ("notifications", "remove", "acme", "nope"),
        ("routing", "show", "nope"),
        ("routing", "send", "acme", "inc-1", "nope"),
        ("routing", "send", "nope", "inc-1", "desk"),
    ],
    ids=" ".join,
)
def test_an_unknown_name_is_a_wrong_command_line(command, words):
    """Whatever it is the name of."""
    code, out, err = command(*words)

    assert (code, out) == (2, "")
    assert "nope" in err


def test_a_mistyped_line_is_said_by_the_name_of_the_command(command, monkeypatch):
    """Also where a daemon does it, whose process was begun as a module."""
    monkeypatch.setattr(sys.modules["__main__"], "__package__", "connector_core", raising=False)

    code, _, err = command("links", "--nope")

    assert code == 2
    assert err.startswith("Usage: connector links [OPTIONS]")
    assert "Try 'connector links -" in err  # with -h or --help, as click likes


@pytest.mark.parametrize(("ended_by", "error"), [(EOFError, ConfigError), (KeyboardInterrupt, click.Abort)])
def test_a_question_that_nobody_answers_names_the_option(monkeypatch, capsys, ended_by, error):
    """A script is told what to say; Ctrl-C of a person stays what it is."""

    def nobody(_):
        raise ended_by

    monkeypatch.setattr(click.termui, "visible_prompt_func", nobody)
    with pytest.raises(error) as caught, answer_needed("Say --yes."):
        click.confirm("Really?")

    if error is ConfigError:
        assert (code_of(caught.value), caught.value.fix) == (2, "Say --yes.")


@pytest.mark.parametrize("verb", ["show", "replay"])
def test_a_delivery_that_is_not_there_is_a_wrong_command_line(command, verb):
    """Its number is a name too."""
    code, out, err = command("deliveries", verb, "99999")

    assert (code, out) == (2, "")
    assert "no delivery 99999" in err


@pytest.mark.parametrize("words", [("sources", "reset", "acme"), ("db", "forget-secrets")], ids=" ".join)
def test_what_lacks_yes_is_not_done(command, words):
    """A script must not take it for done; there is nothing to give up where nothing is lost."""
    code, out, _ = command(*words)

    assert code == (2 if "Say --yes" in out else 0)
    assert "Say --yes" in out or "nothing to give up" in out


@pytest.mark.parametrize(
    "words",
    [
        ("config", "init", "{folder}/none/connector.yaml"),
        ("config", "init", "{folder}/connector.yaml/connector.yaml"),
        ("support-bundle", "{folder}/none/bundle.zip", "--no-doctor"),
        ("db", "backup", "{folder}/none/copy.db"),
        ("db", "backup", "/proc/copy.db"),
        ("plugins", "new", "desk", "--folder", "/proc/desk"),
        ("notifications", "add", "acme", "ops", "--channel", "slack", "--set", "url=@{folder}/none"),
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_used_is_said(command, tmp_path, words, monkeypatch):
    """In a sentence that names it, with exit code 3; no traceback."""
    monkeypatch.setattr("connector_core.cli.support_bundle._COMMANDS", {})

    code, _, err = command(*(word.format(folder=tmp_path) for word in words))

    assert code == 3
    assert err.startswith("Error: ")
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no such file")
def test_a_full_disk_is_said(command, tmp_path):
    """What is printed goes to a file that has no room: neither a traceback nor an exit code of Python's."""
    assert command("links")[0] == 0
    line = [sys.executable, "-m", "connector_core", "--config", str(tmp_path / "connector.yaml"), "links"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)

    assert ended.returncode == 3
    assert "No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_choices_make_nothing(command, tmp_path):
    """For what is not there yet it is refused, in place of making it."""
    before = (tmp_path / "connector.db").read_bytes()

    new = command("integrations", "setup", "neu", "--organization", "acme", "--plugin", "jira_jsm", "--choices")
    source = command("sources", "setup", "acme", "--plugin", "xyte", "--choices")

    assert (new[0], source[0]) == (2, 2)
    assert "--choices changes nothing" in new[2]
    assert (tmp_path / "connector.db").read_bytes() == before


def test_secrets_are_read_from_files_and_standard_input(tmp_path, monkeypatch):
    """Where neither lists of processes nor the history of a shell show them; for the daemon the caller reads them."""
    token = tmp_path / "token"
    token.write_text("@s3cret\n")
    read, write = os.pipe()
    os.write(write, b"typed\n")
    os.close(write)
    with os.fdopen(read) as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        said = in_place(["setup", "x", "--set", f"a=@{token}", "--set=b=-", "--set", "c=@@home", "--set", "d=1", "@e"])

    assert said == ["setup", "x", "--set", "a=\0@s3cret", "--set=b=\0typed", "--set", "c=@@home", "--set", "d=1", "@e"]
    assert value_of(f"@{token}") == "@s3cret"
    assert value_of("@@s3cret") == value_of("\0@s3cret") == "@s3cret"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("discard",), "Name links, or an integration with --integration."),
        (("discard", "1", "--integration", "desk"), "not both"),
        (("integrations", "rules", "desk", "title=sideways"), "'sideways' is none of: both, to_ticket"),
        (("deliveries", "show", "abc"), "is not a valid whole number"),
        (("notifications", "add", "acme", "ops", "--channel", "email"), "--set host=VALUE"),
    ],
)
def test_what_is_wrong_says_what_would_be_right(command, words, said):
    """The choices, or the option that gives what is missing."""
    assert said in command(*words)[2]


@pytest.mark.parametrize(("given", "warned"), [("url=https://hook.example.test/x", True), ("url=@{file}", False)])
def test_a_secret_on_the_command_line_is_warned_of(command, tmp_path, given, warned):
    """Lists of processes show it; a file does not, also where a daemon runs the command."""
    (tmp_path / "url").write_text("https://hook.example.test/x")
    text = given.format(file=tmp_path / "url")
    for number, one in enumerate((text, in_place(["--set", text])[1])):
        _, _, err = command("notifications", "add", "acme", f"ops{number}", "--channel", "slack", "--set", one)
        assert ("url is a secret" in err) is warned


def test_a_source_is_shown_in_words(command):
    """Neither braces nor brackets of a program."""
    code, out, _ = command("sources", "show", "acme")

    assert code == 0
    assert "secret" in out
    assert not {"{", "[", "'"} & {*out}


def test_a_word_that_is_nearly_a_command_is_told(command):
    """As for keys of the configuration file; what is like none is only refused."""
    assert command("statsu")[0] == 2
    assert "Did you mean status?" in command("statsu")[2]
    code, _, said = command("xyzzy")
    assert (code, "Did you mean" in said) == (2, False)


@pytest.mark.parametrize("line", [("deliveries", "show"), ("deliveries", "replay", "--yes")])
def test_a_number_that_no_database_holds_is_a_wrong_command_line(command, line):
    """It names nothing that is there."""
    assert command(*line, "99999999999999999999")[0] == 2


@pytest.mark.parametrize("name", ["", "Bad/Name", "a b?#/../é", "nl\nx", "x" * 64])
def test_a_name_that_the_file_could_not_have_is_refused_in_set_up_too(command, name):
    """It stands in addresses, in commands that are shown, and in the file that `show --yaml` writes."""
    code, _, err = command("integrations", "setup", name, "--organization", "acme", "--plugin", "jira_jsm")

    assert code == 2
    assert "cannot be the name of an integration" in err
