"""Authorizing from a terminal: who approved is seen there before it is in force."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner

from connector_core.cli.main import cli
from connector_core.demo.stage import INTEGRATION
from connector_jira_jsm_sandbox.faults import Fault
from connector_jira_jsm_sandbox.profile import DEFAULT
from connector_jira_jsm_sandbox.site import Site
from tests.support.jira.at_stage import sandbox_of
from tests.support.terminal import converse

AUTHORIZE = ("integrations", "authorize", INTEGRATION)
CONFIRM = (*AUTHORIZE, "--confirm")


@pytest.fixture
def stage(open_stage):
    """Open a stage whose integration nobody has authorized."""
    return open_stage(authorized=False)


def account(stage):
    """Return who the integration acts as."""
    return json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)["account"]


def approve(stage, page=None):
    """Approve in a browser, which is sent back to the daemon; return the page that is shown then."""
    return requests.get(stage.sandbox.approve(page or stage.consent_page()), timeout=10)


def test_who_approved_is_shown_and_confirmed_in_the_terminal(stage):
    """Nothing is in force before; without an answer it goes on waiting; afterwards there is nothing to confirm."""
    page = approve(stage)

    assert "One more step" in page.text
    assert account(stage) is None
    unanswered = stage.daemon.command(*CONFIRM)
    assert (unanswered.returncode, account(stage)) == (2, None)
    assert f"Approved by: Avery Agent, for {sandbox_of(stage).oauth.main.url}" in unanswered.stdout
    confirmed = stage.daemon.command(*CONFIRM, "--yes")
    assert (confirmed.returncode, account(stage)) == (0, "Avery Agent")
    assert "Say --yes" in unanswered.stderr
    assert "Usage" not in unanswered.stderr
    again = stage.daemon.command(*CONFIRM, "--yes")
    assert again.returncode == 2
    assert "authorized already, as Avery Agent at " in again.stderr
    assert "authorized already, as Avery Agent at " in stage.daemon.command(*AUTHORIZE).stdout


def test_somebody_at_a_terminal_is_asked_as_soon_as_the_browser_is_back(stage):
    """The command waits, shows who approved, and takes it over or drops it as it is told."""

    def browser(shown):
        link = next(line.strip() for line in shown.splitlines() if line.strip().startswith("http"))
        approve(stage, link)

    shown = converse(stage, AUTHORIZE, ("Waiting for approval", browser), ("Use this account", "y"))

    assert "Approved by: Avery Agent" in shown
    assert "is authorized as Avery Agent" in shown
    assert account(stage) == "Avery Agent"


def test_what_is_not_right_is_dropped(stage):
    """A no leaves everything as it was, and there is nothing to confirm any more."""
    approve(stage)

    said = CliRunner().invoke(cli, ["--config", str(stage.config_path), *CONFIRM], input="n\n", env=stage.environ)

    assert (said.exit_code, account(stage)) == (1, None)
    assert "Nothing has changed" in said.output
    assert stage.daemon.command(*CONFIRM, "--yes").returncode == 4


@pytest.mark.extended
def test_another_account_needs_one_more_word_in_a_script(stage):
    """Both are named; the present one stays until the change is meant."""
    stage.authorize()
    other = replace(DEFAULT.account, account_id="712020:other", display_name="Olga Other")
    sandbox_of(stage).oauth.main.profile = replace(DEFAULT, account=other)
    approve(stage)

    refused = stage.daemon.command(*CONFIRM, "--yes")
    before = account(stage)
    taken = stage.daemon.command(*CONFIRM, "--yes", "--other-account")

    assert (refused.returncode, before) == (3, "Avery Agent")
    assert "not the present account, Avery Agent" in refused.stdout
    assert (taken.returncode, account(stage)) == (0, "Olga Other")


@pytest.mark.extended
def test_a_site_that_did_not_answer_is_said_where_the_approval_is_confirmed(stage):
    """Whoever approved in a browser is not there any more: the reason waits for them in the terminal."""
    page = stage.consent_page()
    back = stage.sandbox.approve(page)
    stage.sandbox.faults.add(Fault("status", path="/oauth/token", status=503, times=None))
    refused = requests.get(back, timeout=60)
    stage.sandbox.clear_faults()

    told = stage.daemon.command(*CONFIRM, "--yes")

    assert (refused.status_code, told.returncode) == (400, 4)
    assert "cannot answer at the moment" in told.stderr
    assert "Start again: connector integrations authorize" in told.stderr


@pytest.mark.extended
def test_an_admin_of_another_site_who_is_lured_to_the_consent_page_gives_nothing(stage):
    """Once a site is known, what reaches only another is refused at once; there is nothing to confirm."""
    stage.authorize()
    sandbox = stage.sandbox
    here = dict(sandbox.oauth.sites)
    sandbox.oauth.sites.clear()
    profile = replace(DEFAULT, cloud_id="another", name="another")
    sandbox.oauth.sites["another"] = Site(profile, url="https://another.example.test", clock=lambda: datetime.now(UTC))
    page = approve(stage)
    sandbox.oauth.sites.clear()
    sandbox.oauth.sites.update(here)

    assert page.status_code == 400
    assert "this integration" in page.text
    assert stage.daemon.command(*CONFIRM, "--yes").returncode == 4
    assert account(stage) == "Avery Agent"


def test_the_address_is_pasted_where_no_daemon_runs(stage):
    """A script gives it, and the word that it is right; one that was declined says so."""
    page = stage.consent_page()
    returned = stage.sandbox.approve(page)
    stage.daemon.stop()

    unanswered = stage.daemon.command(*AUTHORIZE, "--return-url", returned)
    confirmed = stage.daemon.command(*CONFIRM, "--yes")
    again = stage.daemon.command(*AUTHORIZE, "--return-url", returned, "--yes")

    assert urlsplit(returned).path == "/oauth/callback"
    assert [one.returncode for one in (unanswered, confirmed, again)] == [2, 0, 3]
    assert "was used already" in again.stderr
