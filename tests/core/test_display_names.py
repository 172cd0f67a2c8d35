"""What people call integrations and organizations: bounded, told everywhere, and ids stay."""

from __future__ import annotations

import json

import pytest
import structlog
from click.testing import CliRunner

from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.display_names import LONGEST, display_name
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.notify.changes import Notice
from connector_core.notify.conditions import Kind
from connector_core.notify.messages import Writer
from connector_core.store import Actor, AuditFilter, IntegrationState, Origin, Subject, Via
from connector_core.store.acting import acting
from connector_core.testing import MemoryDesk, MemoryPlatform

CONFIG = """
secret_key: a passphrase of many letters
organizations:
  acme: {integrations: {filed: {plugin: desk, name: "ACME Störungen", desk: "1"}}}
  globex: {name: Globex Corp.}
"""


@pytest.fixture
def app(store, clock, tmp_path):
    """Build the app over either database, with an integration of the file beside that of set-up."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG)
    config, plugins = read_config(path, [MemoryDesk().entry_point(), MemoryPlatform().entry_point()])
    made = build_app(config, plugins, log=structlog.get_logger("test"), clock=clock, store=store)
    made.configured.save()
    return made


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  ACME   Helpdesk ", "ACME Helpdesk"),
        ("Störung é", "Störung é"),
        ("監視 デスク", "監視 デスク"),
        ("<b>&\"'{{ x }}", "<b>&\"'{{ x }}"),
        ("x" * LONGEST, "x" * LONGEST),
    ],
)
def test_a_name_is_kept_as_it_is_read(given, kept):
    """Any script and any sign; only blanks are made one."""
    assert display_name(given) == kept


@pytest.mark.parametrize(
    "given", ["", "  ", "x" * (LONGEST + 1), "a\nb", "a\tb", "a\x1b[31m", "a\u202eb", "a\u2028b", "\ud800"]
)
def test_what_cannot_be_a_name_is_refused(given):
    """Too long, on several lines, or with what moves a cursor or turns the direction of writing."""
    with pytest.raises(ValueError, match="a name"):
        display_name(given)


def test_an_integration_is_renamed(app, clock):
    """Its id stays; the log says from what to what; an empty name takes it away."""
    assert app.registry.title_of("desk") == "desk"

    with acting(Actor("ada", Via.CONSOLE, clock.now())):
        app.display_names.integration("desk", "ACME Helpdesk")

    assert (app.registry.title_of("desk"), app.registry.entry("desk").record.id) == ("ACME Helpdesk", "desk")
    (told,) = app.store.audit.find(AuditFilter(), 1)
    assert dict(told.changes) == {"display name": (None, "ACME Helpdesk")}
    app.display_names.integration("desk", " ")
    assert app.registry.title_of("desk") == "desk"
    with pytest.raises(AnswerUnfit, match="at most 80"):
        app.display_names.integration("desk", "x" * 81)


def test_what_the_file_names_is_changed_there(app):
    """It is shown from the file, and a rename says where it stands."""
    assert app.registry.title_of("filed") == "ACME Störungen"
    assert app.registry.organization_name("globex") == "Globex Corp."

    with pytest.raises(ConfigError, match="written in the configuration file"):
        app.display_names.integration("filed", "Mine")
    with pytest.raises(ConfigError, match="written in the configuration file"):
        app.display_names.organization("globex", "Mine")
    with pytest.raises(ConfigError, match="no organization"):
        app.display_names.organization("initech", "Mine")


def test_an_organization_without_a_name_in_the_file_is_renamed(app, clock):
    """The log says it, and another name or none replaces it."""
    with acting(Actor("ada", Via.CONSOLE, clock.now())):
        app.display_names.organization("acme", "Acme Inc.")
        app.display_names.organization("acme", "Acme Inc.")
        app.display_names.organization("acme", "Acme AG")

    assert app.registry.organization_name("acme") == "Acme AG"
    told = app.store.audit.find(AuditFilter(subject=Subject.ORGANIZATION), 9)
    assert [(one.about.subject, one.changes["display name"]) for one in told] == [
        ("organization", ("Acme Inc.", "Acme AG")),
        ("organization", (None, "Acme Inc.")),
    ]
    app.display_names.organization("acme", "")
    assert app.registry.organization_name("acme") == "acme"


def test_messages_say_the_names(clock):
    """People read what they call it; a program still gets the id."""
    notice = Notice(Kind.BACKLOG, clock.now(), clock.now(), "desk")
    writer = Writer("https://here", "acme", "Acme Inc.", called={"desk": "ACME\u2028Helpdesk"}.__getitem__)

    (line,) = writer.of([notice], message_id="1", now=clock.now(), are_left=False).lines

    assert line.text.startswith("ACME Helpdesk: changes have been waiting")
    assert line.url == "https://here/integrations/desk"


def test_a_copy_has_the_answers_and_no_secret(app, clock):
    """It is a draft of the same organization; neither grant nor webhook secret is shared, nor its links."""
    app.store.integrations.remember_label("desk", "desk", "1", "IT help")
    app.display_names.integration("desk", "x" * LONGEST)

    app.setup.duplicate("desk", "desk-2")

    copy = app.registry.entry("desk-2").record
    assert (copy.organization, copy.plugin, dict(copy.answers)) == ("acme", "desk", {"desk": "1"})
    assert (copy.state, copy.origin, copy.activated_at) == (IntegrationState.DRAFT, Origin.SETUP, None)
    assert (copy.secret_answers, copy.webhook_secrets) == ({}, ())
    assert app.store.grants.get("desk-2") is None
    assert copy.title.startswith("Copy of x")
    assert len(copy.title) == LONGEST
    assert app.setup.labels("desk-2")["desk", "1"] == "IT help"
    with pytest.raises(ConfigError, match="already"):
        app.setup.duplicate("desk", "filed")
    app.setup.duplicate("filed", "of-the-file")
    assert app.registry.entry("of-the-file").record.origin is Origin.SETUP


@pytest.mark.sqlite_only("commands are the same on both")
def test_commands_rename_duplicate_and_list(tmp_path):
    """Each says what it did; a listing has both id and name."""
    path = tmp_path / "connector.yaml"
    path.write_text("secret_key: a passphrase of many letters\norganizations: {acme: {}, globex: {name: Globex}}\n")

    def run(*words):
        return CliRunner().invoke(cli, [*words, "--config", str(path)], catch_exceptions=True)

    made = run("integrations", "setup", "helpdesk", "--organization", "acme", "--plugin", "jira_jsm")
    renamed = run("integrations", "rename", "helpdesk", "ACME Helpdesk")
    copied = run("integrations", "duplicate", "helpdesk", "helpdesk-2")
    named = run("organizations", "rename", "acme", "Acme Inc.")

    assert [one.exit_code for one in (made, renamed, copied, named)] == [0, 0, 0, 0], made.output + copied.output
    assert "helpdesk is called ACME Helpdesk." in renamed.output
    listed = json.loads(run("integrations", "list", "--json").output)
    assert [(one["id"], one["name"]) for one in listed] == [
        ("helpdesk", "ACME Helpdesk"),
        ("helpdesk-2", "Copy of ACME Helpdesk"),
    ]
    organizations = json.loads(run("organizations", "list", "--json").output)
    assert [(one["id"], one["name"], one["name_in_file"], one["integrations"]) for one in organizations] == [
        ("acme", "Acme Inc.", False, 2),
        ("globex", "Globex", True, 0),
    ]
    assert run("organizations", "rename", "globex", "x").exit_code != 0
