"""`connector link`: one ticket, and tables of them in whatever form spreadsheets write; each row has a result."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

from connector_core import ConfigError
from connector_core.cli.main import cli
from connector_core.linking import tables
from connector_core.linking.outcomes import Linked, Outcome, Wanted
from tests.core.test_removal_commands import FILE, at_hand, run
from tests.support.activation import activate

ROWS = [Wanted("inc-1", "SUP-1", row=2), Wanted("inc-2", "SUP-2", row=3)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_is_read_as_spreadsheets_write_it(encoding, separator, end):
    """Whatever the encoding, separator and ends of lines; columns in any order, others passed over."""
    lines = [["Title", "Ticket", "Incident"], ["x", "SUP-1", "inc-1"], ["", "", ""], ["y", ' "SUP-2" ', "inc-2"]]
    text = end.join(separator.join(cell.strip(' "') for cell in line) for line in lines) + end

    found = list(tables.read(text.encode(encoding)))

    assert [(one.incident, one.ticket) for one in found] == [(one.incident, one.ticket) for one in ROWS]


def test_an_exported_list_of_links_is_such_a_table():
    """With the names of its columns, and without what keeps spreadsheets from seeing formulas."""
    body = b"link,organization,integration,incident,ticket\n1,acme,desk,'=cmd,'-7\n"

    assert list(tables.read(body)) == [Wanted("=cmd", "-7", "desk", "acme", row=2)]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"incident;key\n1;2\n", "ticket"),
        ("incident,ticket\nä,1\n".encode("latin-1"), "UTF-8"),
        (b"PK\x03\x04\0\0incident,ticket", "null characters"),
        (b"\xff\xfe\x00", "UTF-16"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(body, why):
    """The sentence says what to do."""
    with pytest.raises(ConfigError, match=why):
        list(tables.read(body))


def test_odd_rows_are_rows(monkeypatch):
    """Too short, too long, quoted over lines, or with a megabyte in a cell: none hides another."""
    body = b'incident,ticket\nonly\n"a\nb",SUP-1\n' + b"x" * 1_000_000 + b",SUP-2\ninc-9,SUP-9,more,and more\n"

    found = list(tables.read(body))

    assert [(len(one.incident), one.ticket) for one in found] == [
        (4, ""),
        (3, "SUP-1"),
        (1_000_000, "SUP-2"),
        (5, "SUP-9"),
    ]
    monkeypatch.setattr(tables, "MOST_BYTES", 10)
    with pytest.raises(ConfigError, match="larger"):
        list(tables.read(body))


def test_the_result_is_no_formula():
    """Of cells that came in, and of titles."""
    done = Linked(Wanted("=HYPERLINK(1)", "@x"), Outcome.INVALID, "-1")

    (_, row) = csv.reader(io.StringIO("".join(tables.write([done]))))

    assert row[1:3] == ["'=HYPERLINK(1)", "'@x"]
    assert row[6] == "'-1"


@pytest.mark.extended
def test_a_hundred_thousand_rows_are_read_in_a_moment():
    """As rows, one after the other."""
    body = b"incident,ticket\n" + b"".join(b"inc-%d,SUP-%d\n" % (one, one) for one in range(100_000))

    assert sum(1 for _ in tables.read(body)) == 100_000


# The command


@pytest.fixture
def path(tmp_path):
    """Write a configuration, beside a database with an incident that is not linked; its plugin is not at hand."""
    place = tmp_path / "connector.yaml"
    place.write_text(FILE)
    with at_hand(place) as app:
        activate(app, "desk-acme", "acme")
    return place


def test_each_row_has_a_result_on_standard_output_and_in_the_report(path, tmp_path):
    """Nothing is known of these incidents: both say so, and the exit code is that of a refusal."""
    table, report = tmp_path / "links.csv", tmp_path / "report.csv"
    table.write_bytes(b"incident,ticket\ninc-1,SUP-1\n=1+1,SUP-2\n")

    code, shown = run(path, "link", "--csv", str(table), "--dry-run", "--json", "--report", str(report))

    assert code == 1
    assert [one["result"] for one in json.loads(shown)] == ["unknown incident"] * 2
    written = list(csv.DictReader(io.StringIO(report.read_text(encoding="utf-8-sig"))))
    assert [(one["row"], one["incident"]) for one in written] == [("2", "inc-1"), ("3", "'=1+1")]
    code, shown = run(path, "link", "--csv", str(table))
    assert (code, "unknown incident: 2" in shown) == (1, True)


@pytest.mark.parametrize("arguments", [[], ["inc-1"], ["inc-1", "SUP-1", "--csv", "-"]])
def test_either_a_pair_or_a_table_is_named(path, arguments):
    """Anything else is a wrong command line."""
    assert CliRunner().invoke(cli, ["--config", str(path), "link", *arguments]).exit_code == 2
