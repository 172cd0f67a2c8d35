"""How commands print rows: a table where it fits, blocks where it does not, a line a row where nobody looks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connector_core import cli as commands
from connector_core.cli.main import cli
from connector_core.cli.output import counted, print_rows, shown, waiting

ROWS = [
    {
        "link": number,
        "incident": f"80895560-5f4c-42c4-a2c0-47c861c3252{number}",
        "title": title,
        "code": "",
        "next": None,
    }
    for number, title in enumerate(["Lobby display: power supply dead", "Room sensor silent"])
]


@pytest.fixture
def printed(monkeypatch, capsys):
    """Return a function that prints rows on a terminal of a width, or into a pipe."""

    def print_on(width, rows=ROWS):
        monkeypatch.setenv("COLUMNS", str(width or 80))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("FORCE_COLOR", raising=False)
        monkeypatch.setenv("NO_COLOR", "1")
        if width:
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        print_rows(rows, as_json=False, empty="There is none.")
        return [click.unstyle(line).rstrip() for line in capsys.readouterr().out.splitlines()]

    return print_on


def test_a_wide_terminal_shows_a_table(printed):
    """One line a row, and no column that is empty in all of them."""
    head, *rows = printed(120)

    assert head.split() == ["link", "incident", "title"]
    assert [row.split()[1] for row in rows] == [row["incident"] for row in ROWS]


def test_a_narrow_terminal_shows_blocks(printed):
    """No word is torn apart."""
    lines = printed(60)

    assert lines.count("") == 1
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("title")] == [row["title"] for row in ROWS]


def test_a_name_and_its_value_stay_side_by_side(printed):
    """A long value is folded beside its name."""
    lines = printed(40, [{"what": "address", "value": "https://connector.example.com/external/helpdesk/webhook"}])

    assert [line.split()[0] for line in lines[:2]] == ["what", "address"]


def test_a_pipe_gets_a_line_a_row(printed):
    """However long a row is."""
    long = [{**row, "reason": "because of everything " * 20} for row in ROWS]

    assert len(printed(None, long)) == 1 + len(long)


def test_signs_of_two_places_keep_columns_in_line(printed):
    """What stands behind them begins where the others' does."""
    rows = [{"title": title, "state": "ok"} for title in ("機器が応答しない", "Cafe\u0301", "Offline")]

    ends = [line.split()[0] for line in printed(None, rows)]
    lines = printed(None, rows)

    assert ends == ["title", "機器が応答しない", "Cafe\u0301", "Offline"]
    assert [line.index("ok") for line in lines[1:]] == [18 - 8, 18 + 1, 18]


def test_a_value_of_several_lines_stays_in_its_column(printed):
    """The next column stands beside the first line."""
    lines = printed(None, [{"what": "one\ntwo", "value": "first"}])

    assert lines == ["what  value", "one   first", "two"]


def test_nothing_is_said_to_be_nothing(printed):
    """In words."""
    assert printed(80, []) == ["There is none."]


@pytest.mark.parametrize("sign", ["\x1b[2J", "\x07", "\r", "\x9b", "\u202e", "\x00"])
def test_texts_of_others_do_not_steer_the_terminal(printed, sign):
    """What moves the cursor, colours or turns writing round is shown as a sign that means nothing."""
    lines = printed(200, [{**ROWS[0], "title": f"before{sign}after"}])

    assert sign not in "".join(lines)
    assert "before\N{REPLACEMENT CHARACTER}" in "".join(lines)
    assert shown("two\nlines\tand more") == "two\nlines\tand more"


@pytest.mark.parametrize("width", [None, 60, 1000])
def test_one_long_text_swells_no_row(printed, width):
    """It is cut where it stands; the others are as wide as before."""
    lines = printed(width, [*ROWS, {**ROWS[0], "title": "Pump " + "x" * 300_000}])

    assert max(map(len, lines)) < 500
    assert any("xx…" in line for line in lines)


def test_a_name_and_its_value_are_whole(printed):
    """What is shown of one thing is not cut, and a template may be long."""
    lines = printed(None, [{"what": "description", "value": "x" * 5000}])

    assert lines[1].endswith("x" * 5000)


def test_machines_get_the_whole_text(capsys):
    """However long."""
    print_rows([{**ROWS[0], "title": "x" * 300_000}], as_json=True, empty="")

    assert "x" * 300_000 in capsys.readouterr().out


def test_a_terminal_shows_what_is_waited_for_and_is_left_as_it_was(capsys, monkeypatch):
    """In one line, which is written anew; texts of others do not steer the terminal there either."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with waiting("Copying …") as tell:
        tell("12 of\x1b[2J 40 rows")

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "\r\x1b[KCopying …\r\x1b[K12 of\N{REPLACEMENT CHARACTER}[2J 40 rows\r\x1b[K"


def test_a_file_gets_nothing_of_what_is_waited_for(capsys):
    """Nobody watches it."""
    with waiting("Copying …") as tell:
        tell("12 of 40 rows")

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("number", "said"), [(0, "0 tickets"), (1, "1 ticket"), (2, "2 tickets")])
def test_one_of_something_is_no_plural(number, said):
    """One helper for all counts."""
    assert counted(number, "ticket") == said


def test_no_command_counts_by_itself():
    """Each `{number} tickets` in a sentence goes through the helper."""
    plural = re.compile(
        r"\{(?!MOST|WATCHED|LONGEST|step|[^{}]*:\.0f)[^{}]*\} (tickets|links|incidents|rows|files|rules|keys|changes)\b"
    )
    sources = Path(commands.__file__).parent.rglob("*.py")
    found = {
        f"{one.name}: {line.strip()}" for one in sources for line in one.read_text().splitlines() if plural.search(line)
    }

    assert not found


@pytest.mark.parametrize(("no_color", "has_colours"), [("1", False), ("", True)])
def test_no_color_holds_for_every_command(tmp_path, monkeypatch, no_color, has_colours):
    """Also where a command says it with click itself, whatever the terminal could show."""
    monkeypatch.setenv("NO_COLOR", no_color)
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase of many letters\noutbound: {}\n")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.test")
    done = CliRunner().invoke(cli, ["--config", str(path), "config", "check"], color=True)

    assert ("\x1b[" in done.output) is has_colours
