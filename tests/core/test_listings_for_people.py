"""What commands print for people: no signs of Python, counted rightly, and said where a list is cut."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest
import structlog
from click.testing import CliRunner

from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.cli.output import counted
from connector_core.config import read_config
from tests.support.activation import active_record
from tests.support.lanes_at_hand import open_links

FILE = "secret_key: a passphrase of many letters\norganizations: {acme: {}}\n"
SECRET = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"
ANSWERS = {"service_desk": "10", "request_type": "25", "close_status": "10002"}
LINKS = 3


@pytest.fixture
def source():
    """Return the settings of a source, none unless said."""
    return {}


@pytest.fixture
def run(tmp_path, source):
    """Return a function that runs a command beside a database with an integration that has links."""
    path = tmp_path / "connector.yaml"
    told = json.dumps({"source": {"plugin": "http", "secret": SECRET, **source}} if source else {})
    path.write_text(FILE.replace("{}", told))
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    with closing(app.store):
        record = active_record("desk", "acme", app.clock.now())
        app.store.integrations.put(replace(record, plugin="jira_jsm", answers=ANSWERS))
        open_links(app.store, app.clock, LINKS)

    def run(*words):
        done = CliRunner().invoke(cli, ["--config", str(path), *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    return run


def test_an_integration_is_shown_in_words(run):
    """Nothing is left of how Python writes a list or a mapping; JSON keeps its types."""
    shown = run("integrations", "show", "desk").stdout

    assert [sign for sign in ("[", "]", "{", "}", "None", "False") if sign in shown] == []
    assert "waiting: nothing has arrived yet" in shown
    assert isinstance(json.loads(run("integrations", "show", "desk", "--json").stdout)["webhook_signed_with"], list)


@pytest.mark.parametrize("limit", [LINKS - 1, LINKS])
def test_a_cut_list_says_so(run, limit):
    """Beside the list, so that JSON stays JSON; and only where something is left out."""
    for words in (("links",), ("links", "--json")):
        done = run(*words, "--limit", str(limit))

        assert (f"more than {limit}" in done.stderr) is (limit < LINKS)
    assert len(json.loads(done.stdout)) == limit


def test_what_is_counted_is_counted_rightly(run):
    """One is no plural."""
    assert "fine (1 organization, 0 integrations)" in run("config", "check").stdout
    assert [counted(number, "finding") for number in (0, 1, 2)] == ["0 findings", "1 finding", "2 findings"]


LIMITS = "accepts no change of the title, description, priority and status as its source is set up now"
GATEWAY = "https://platform.example.com/api/incidents"


@pytest.mark.parametrize(
    ("source", "is_said"), [({"secret": SECRET}, True), ({"callback_url": GATEWAY}, False)], ids=["without", "with"]
)
def test_which_changes_a_source_cannot_take_is_said_before_one_is_made(run, is_said):
    """Beside its status, in its listing, and beside each field's rule; for scripts too. With a gateway nothing is."""
    status, rules = run("status").stdout, run("integrations", "rules", "desk").stdout
    (row,) = json.loads(run("status", "--json").stdout)["sources"]

    assert (LIMITS in status) is is_said
    assert (LIMITS in row["not_accepted"]) is (row["not_accepted"] != "") is is_said
    assert ("accepts no change of the title: it stays on the ticket" in rules) is is_said
    assert (LIMITS in json.loads(run("sources", "list", "--json").stdout)[0]["not_accepted"]) is is_said


def test_an_unlinked_pair_is_not_called_paused(run):
    """Nor does it need anybody; JSON keeps the state and has the code beside it."""
    run("unlink", "1", "--yes")

    assert "unlinked" in run("links").stdout
    assert "paused" not in run("links").stdout
    assert "unlinked since" in run("explain", "1").stdout
    assert "no ticket yet" not in run("explain", "1").stdout
    assert run("links", "--failed").stdout == "Nothing failed, and nothing needs attention.\n"
    assert f"Links: unlinked: 1, waiting: {LINKS - 1}." in run("status").stdout
    told = json.loads(run("status", "--json").stdout)
    assert (told["unlinked"], told["links"]["paused"], told["integrations"][0]["unlinked"]) == (1, 1, 1)
    (row,) = json.loads(run("links", "--state", "paused", "--json").stdout)
    assert (row["state"], row["code"]) == ("paused", "discarded")
