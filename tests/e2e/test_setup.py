"""Set-up from the command line, as the product page's wizard goes, against the sandbox."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connector_core.demo.stage import INTEGRATION, ORGANIZATION, until


@pytest.fixture
def stage(open_stage):
    """Open a stage whose integration is still to be made."""
    return open_stage(authorized=False, in_file=False)


def run(stage, *arguments, code=0):
    """Run a command and expect an exit code; return all it printed."""
    ended = stage.daemon.command("integrations", *arguments)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def create(stage):
    """Make the integration as a draft."""
    return run(stage, "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm")


def choices(stage, key):
    """Return the values that a question offers."""
    questions = json.loads(run(stage, "setup", INTEGRATION, "--choices").partition("\n]")[0] + "\n]")
    return [choice["value"] for question in questions if question["key"] == key for choice in question["choices"]]


def test_every_step_from_nothing_to_the_first_request(stage):
    """Authorize, choose from lists, set the secret, enable; then an incident becomes a request and comes back."""
    create(stage)
    stage.authorize()
    settings = stage.sandbox.integration_settings()
    for key in ("service_desk", "request_type", "close_status"):
        assert settings[key] in choices(stage, key)
        run(stage, "setup", INTEGRATION, "--set", f"{key}={settings[key]}")
    run(stage, "setup", INTEGRATION, "--set", f"webhook_secret={stage.environ['DEMO_WEBHOOK_SECRET']}")
    assert "is active" in run(stage, "enable", INTEGRATION)

    incident = stage.platform.open("The first")
    until(lambda: stage.ticket_of(incident))
    stage.sandbox.finish_ticket(stage.ticket_of(incident)["id"])
    until(lambda: stage.platform.incident(incident)["status"] == "closed")

    shown = run(stage, "show", INTEGRATION)
    assert stage.environ["DEMO_WEBHOOK_SECRET"] not in shown
    as_yaml = run(stage, "show", INTEGRATION, "--yaml")
    assert "service_desk: '10'" in as_yaml
    assert "webhook_secret: ${env:" in as_yaml


@pytest.mark.extended
def test_enabling_too_early_names_what_is_missing_and_works_afterwards(stage):
    """Without authorization and answers nothing is enabled; each attempt says what is missing."""
    create(stage)
    assert "Access is not authorized" in run(stage, "enable", INTEGRATION, code=4)
    stage.authorize()
    assert "service_desk" in run(stage, "enable", INTEGRATION, code=3)

    answers = [f"--set={key}={value}" for key, value in stage.sandbox.integration_settings().items()]
    run(stage, "setup", INTEGRATION, *answers)

    assert "is active" in run(stage, "enable", INTEGRATION)


@pytest.mark.extended
def test_a_value_outside_the_list_is_refused_and_a_new_desk_clears_what_was_chosen_in_the_old(stage):
    """Choices are checked against a fresh list; a changed desk asks for its request type again."""
    create(stage)
    stage.authorize()
    assert "not among the choices" in run(stage, "setup", INTEGRATION, "--set", "service_desk=4711", code=2)
    assert "No step asks for" in run(stage, "setup", INTEGRATION, "--set", "colour=red", code=2)
    run(stage, "setup", INTEGRATION, "--set", "service_desk=10", "--set", "request_type=25")
    other = next(value for value in choices(stage, "service_desk") if value != "10")

    said = run(stage, "setup", INTEGRATION, "--set", f"service_desk={other}")

    assert "Still to be answered: Request Types" in said


def test_declined_consent_is_explained_and_can_be_repeated(stage):
    """Declining leaves a draft; the second try works, and a state is good only once."""
    create(stage)
    link = next(
        line.strip() for line in run(stage, "authorize", INTEGRATION).splitlines() if line.strip().startswith("http")
    )
    state = parse_qs(urlsplit(link).query)["state"][0]
    callback = f"{stage.daemon.url}/oauth/callback?error=access_denied&state={state}"

    declined = requests.get(callback, timeout=10)
    again = requests.get(callback, timeout=10)
    stage.authorize()

    assert declined.status_code == again.status_code == 400
    assert "Jira Service Management" in declined.text
    assert "not started here" in again.text
    assert "access is not authorized" not in run(stage, "enable", INTEGRATION, code=3)


@pytest.mark.extended
def test_open_incidents_keep_the_settings_they_were_opened_with_until_the_present_are_applied(stage):
    """A changed close status is for new incidents only, unless someone says otherwise; the daemon does it then."""
    create(stage)
    stage.authorize()
    answers = [f"--set={key}={value}" for key, value in stage.sandbox.integration_settings().items()]
    run(stage, "setup", INTEGRATION, *answers)
    run(stage, "enable", INTEGRATION)
    old = stage.platform.open("Opened before")
    until(lambda: stage.ticket_of(old))
    run(stage, "setup", INTEGRATION, "--set", "close_status=do_not_auto_close")
    new = stage.platform.open("Opened after")
    until(lambda: stage.ticket_of(new))

    stage.platform.resolve(old)
    stage.platform.resolve(new)

    until(lambda: stage.ticket_of(old)["done"])
    until(lambda: "Ticket left open in Jira." in stage.daemon.command("explain", new).stdout)
    assert stage.ticket_of(new)["done"] is False
    run(stage, "setup", INTEGRATION, "--set", "close_status=10002")
    kept = stage.platform.open("Opened in between")
    until(lambda: stage.ticket_of(kept))
    run(stage, "setup", INTEGRATION, "--set", "close_status=do_not_auto_close")
    assert "Nothing was changed" in run(stage, "apply-settings", INTEGRATION)
    assert "begins as soon as the daemon runs" in run(stage, "apply-settings", INTEGRATION, "--yes")
    until(lambda: json.loads(run(stage, "apply-settings", INTEGRATION, "--runs", "--json"))[0]["ended"])
    stage.platform.resolve(kept)
    until(lambda: "Ticket left open in Jira." in stage.daemon.command("explain", kept).stdout)
    assert "New settings applied by" in stage.daemon.command("explain", kept).stdout


def test_removing_asks_first(stage):
    """Without --yes nothing is removed."""
    create(stage)

    assert "would be removed" in run(stage, "remove", INTEGRATION, code=2)
    assert INTEGRATION in run(stage, "list")
    run(stage, "remove", INTEGRATION, "--yes")
    assert INTEGRATION not in run(stage, "list")


def set_up(stage):
    """Make an active integration."""
    create(stage)
    stage.authorize()
    run(
        stage,
        "setup",
        INTEGRATION,
        *(f"--set={key}={value}" for key, value in stage.sandbox.integration_settings().items()),
    )
    run(stage, "enable", INTEGRATION)


@pytest.mark.extended
def test_another_desk_of_an_active_integration_stops_nothing_and_is_in_effect_once_it_is_whole(stage):
    """Until its request type and close status are chosen, incidents become requests at the former desk."""
    set_up(stage)

    said = run(stage, "setup", INTEGRATION, "--set", "service_desk=12")
    first = stage.platform.open("While the change is a draft")
    until(lambda: stage.ticket_of(first))

    assert "present settings stay in effect" in said
    assert stage.ticket_of(first)["key"].startswith("SUP-")
    said = run(stage, "setup", INTEGRATION, "--set", "request_type=41")
    assert "Still to be answered: Close Status" in said  # the desk's workflow has no status Resolved
    shown = json.loads(run(stage, "show", INTEGRATION, "--json"))
    assert shown["settings"]["service_desk"] == "10"
    assert shown["settings_not_in_effect_yet"] == {"service_desk": "12", "request_type": "41"}

    assert "Everything is answered" in run(stage, "setup", INTEGRATION, "--set", "close_status=6")
    second = stage.platform.open("Once it is in effect")
    until(lambda: stage.ticket_of(second))

    assert stage.ticket_of(second)["key"].startswith("HR-")
    assert json.loads(run(stage, "show", INTEGRATION, "--json"))["settings_not_in_effect_yet"] is None


@pytest.mark.extended
def test_another_request_type_keeps_the_close_status_and_is_in_effect_at_once(stage):
    """The product page: a changed request type takes effect immediately for new incidents."""
    set_up(stage)

    said = run(stage, "setup", INTEGRATION, "--set", "request_type=26")
    incident = stage.platform.open("Of the new kind")
    until(lambda: stage.ticket_of(incident))
    stage.platform.resolve(incident)

    assert "Still to be answered" not in said
    until(lambda: stage.ticket_of(incident)["status"] == "Resolved")


@pytest.mark.extended
def test_what_an_incomplete_set_up_blocked_goes_on_when_it_is_complete(stage):
    """An integration that lost its close status to an earlier version: the last answer wakes what waited."""
    set_up(stage)
    with stage.opened_store() as store:
        (record,) = store.integrations.every()
        answers = {key: value for key, value in record.answers.items() if key != "close_status"}
        store.integrations.put(replace(record, answers=answers))
    incident = stage.platform.open("Blocked")
    until(lambda: "blocked" in stage.daemon.command("links", "--json").stdout)

    run(stage, "setup", INTEGRATION, "--set", "close_status=10002")

    until(lambda: stage.ticket_of(incident))
