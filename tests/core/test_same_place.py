"""Two integrations of one organization that make tickets in the same place: a warning, since each incident gets two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from connector_core import Grant, Severity, Site
from connector_core.cli.main import cli
from connector_core.config import load_config
from connector_core.plugins import load_plugins
from connector_core.store import IntegrationState
from tests.support.served import ADMIN, Served, Visitor

FILE = """
secret_key: a passphrase of many letters
organizations:
  acme:
    integrations:
      it: {{plugin: jira_jsm, service_desk: "10", request_type: "25", close_status: "10002"}}
      copy: {{plugin: jira_jsm, service_desk: "{desk}", request_type: "{kind}", close_status: "{close}"{more}}}
  globex:
    integrations:
      theirs: {{plugin: jira_jsm, service_desk: "10", request_type: "25", close_status: "10002"}}
plugins:
  jira_jsm: {{oauth: {{client_id: app, client_secret: a long enough secret}}}}
"""


@pytest.fixture
def path(tmp_path):
    """Return where the file is written to."""
    return tmp_path / "connector.yaml"


@pytest.fixture
def served(tmp_path):
    """Serve a console with two active integrations at one desk, and one of another organization."""
    opened = Served(tmp_path)
    for name, organization in (("it", "acme"), ("copy", "acme"), ("theirs", "globex")):
        opened.add(name, organization)
    yield opened
    opened.stop()


def warnings_of(served, name):
    """Return what a check says of the same place."""
    return [one for one in served.app.setup.check(name) if one.code == "same_place"]


@pytest.mark.parametrize(
    ("desk", "kind", "close", "more", "is_warned"),
    [
        ("10", "25", "10002", "", True),
        ("10", "25", "do_not_auto_close", "", True),
        ("10", "25", "10002", ", enabled: false", False),
        ("11", "25", "10002", "", False),
        ("10", "26", "10002", "", False),
    ],
)
def test_the_file_is_fine_and_the_copy_is_told(path, desk, kind, close, more, is_warned):  # noqa: PLR0917 - drawn
    """Copied and pasted: it is no mistake, and the line of the second one is named."""
    path.write_text(FILE.format(desk=desk, kind=kind, close=close, more=more))

    said = [one for one in load_config(path, load_plugins(), {}).warnings if "same place" in one.message]

    assert [one.key_path for one in said] == (["organizations.acme.integrations.copy.plugin"] if is_warned else [])
    assert all("those of it:" in one.message and one.line for one in said)


def test_sites_that_the_file_names_tell_them_apart(path):
    """Desks of two sites may have the same number."""
    text = FILE.format(desk="10", kind="25", close="10002", more=', site: "https://b.example.test"')
    text = text.replace('"10002"}\n      copy', '"10002", site: "https://a.example.test"}\n      copy')
    path.write_text(text)

    assert not [one for one in load_config(path, load_plugins(), {}).warnings if "same place" in one.message]


def test_config_check_says_it(path):
    """The command warns and goes well."""
    path.write_text(FILE.format(desk="10", kind="25", close="10002", more=""))

    done = CliRunner().invoke(cli, ["config", "check", "--config", str(path)])

    assert done.exit_code == 0
    assert "made in the same place as those of it: each incident gets one by each" in done.output


def test_a_check_warns_of_each(served):
    """What doctor, the nightly check and the activation show: no reason not to work."""
    (one,), (other,) = warnings_of(served, "it"), warnings_of(served, "copy")

    assert (one.severity, other.severity) == (Severity.WARNING, Severity.WARNING)
    assert ("copy" in one.title, "it" in other.title) == (True, True)
    assert not warnings_of(served, "theirs")


@pytest.mark.parametrize("change", ["desk", "rests", "site"])
def test_what_is_elsewhere_or_rests_is_no_second_one(served, change):
    """Another desk, another site, or an integration that is not active."""
    record = served.app.registry.entry("copy").record
    if change == "desk":
        served.app.store.integrations.put(replace(record, answers={"desk": "2"}))
    elif change == "rests":
        served.app.store.integrations.put(replace(record, state=IntegrationState.DISABLED))
    else:
        for name in ("it", "copy"):
            site = Site(id=name, name=name, url=f"https://{name}.example.test")
            served.app.store.grants.save(name, Grant(headers={}, account_id="1", site=site))
        served.app.registry.reload()

    assert not warnings_of(served, "it")


def test_the_page_enable_warns_before_anybody_activates(served):
    """It is there at once, without a check."""
    record = served.app.registry.entry("copy").record
    served.app.store.integrations.put(replace(record, state=IntegrationState.DRAFT))
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)

    page = visitor.get("/integrations/copy/setup/enable").text

    assert "Tickets are made in the same place as those of it" in page
    assert ">Activate</button>" in page
    assert "same place" not in visitor.get("/integrations/it/setup/enable").text
