"""The doctor: every symptom of the product page's troubleshooting table leads to its finding, on a real site."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests
import structlog
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.models import Severity
from connector_core.demo.stage import free_port, until
from connector_core.local_server import LocalServer
from connector_core.store import Checkup
from connector_core.testing import FrozenClock
from connector_core.web.server import build_web
from connector_jira_jsm_sandbox import DIFFICULT, Fault, JiraSandbox
from tests.support.jira.openapi_check import assert_calls_match_openapi
from tests.support.served import hashes

NAME = "acme-helpdesk"
SECRET = "the secret of the webhook"
PATH = "/external/jira/webhook"
SHOW_JSON = ("integrations", "show", NAME, "--json")


class Clinic:
    """A connector in this process, its integration from the file, and the difficult site with its webhook."""

    def __init__(self, folder, sandbox, *, public_url="", **settings):
        self.sandbox = sandbox
        self.path = folder / "connector.yaml"
        self.clock = FrozenClock()
        self.port = free_port()
        self.write(public_url or f"http://127.0.0.1:{self.port}", **settings)
        config, plugins = read_config(self.path)
        self.app = build_app(config, plugins, log=structlog.get_logger("test"), clock=self.clock)
        self.app.configured.apply()
        self._server = LocalServer(build_web(self.app), port=self.port)
        self._server.start()
        self.url = self._server.url

    def write(self, public_url, **settings):
        """Write the configuration."""
        app = self.sandbox.plugin_settings()
        integration = {
            "plugin": "jira_jsm",
            **self.sandbox.integration_settings(),
            "site": self.sandbox.url,
            "email": self.sandbox.email,
            "api_token": self.sandbox.api_token,
            "webhook_secret": SECRET,
            **settings,
        }
        tree = {
            "database": "sqlite:///connector.db",
            "secret_key": "a passphrase of many letters",
            "server": {"public_url": public_url},
            "console": {"users": {"ada": {"password_hash": hashes()["admin"], "role": "admin"}}},
            "plugins": {"jira_jsm": {"auth_url": app["auth_url"], "api_url": app["api_url"]}},
            "organizations": {"acme": {"integrations": {NAME: integration}}},
        }
        with self.path.open("w") as file:
            YAML().dump(tree, file)

    def deliver(self, secret):
        """Have the site tell of a change of a ticket that nobody linked."""
        hook = self.sandbox.webhooks.add("Connector", self.url + PATH, ("jira:issue_updated",), jql="", secret=secret)
        ticket = self.sandbox.site.create(
            self.sandbox.profile.person, project_key="STOER", issue_type_id="10010", summary="By hand"
        )
        self.sandbox.edit_ticket(ticket.id, title="By hand, changed")
        assert self.sandbox.wait_for_deliveries()
        self.sandbox.webhooks.remove(hook.id)
        return self.sandbox.deliveries[-1].status

    def findings(self):
        """Try everything; return the findings by code."""
        return {finding.code: finding for finding in self.app.setup.check(NAME)}

    def stop(self):
        """End it."""
        self._server.stop()
        self.app.store.close()


@pytest.fixture(scope="module")
def site():
    """Serve the difficult site once for this module."""
    with JiraSandbox(DIFFICULT, search_lag_s=0) as running:
        yield running
        assert_calls_match_openapi(running.calls)


@pytest.fixture
def clinic(tmp_path, site):
    """Open a connector on the site."""
    opened = Clinic(tmp_path, site)
    yield opened
    opened.stop()
    site.administer(denied=DIFFICULT.denied, desks=DIFFICULT.desks)


def test_wrong_secret_is_found(clinic):
    """Row 1: deliveries are answered 403; the finding says to copy the secret again."""
    before = clinic.findings()
    clinic.clock.forward(60)

    status = clinic.deliver("another secret")
    until(lambda: clinic.app.store.webhooks.refused("jira"))  # stored behind the answer

    found = clinic.findings()["webhook_refused"]
    assert status == 403
    assert "webhook_refused" not in before
    assert found.severity is Severity.WARNING
    assert "Copy the secret again, verbatim" in found.fix


def test_good_delivery_ends_the_finding_about_the_secret(clinic):
    """Once a delivery is taken, earlier refusals are history."""
    clinic.clock.forward(60)
    clinic.deliver("another secret")
    clinic.clock.forward(60)

    assert clinic.deliver(SECRET) == 200
    assert "webhook_refused" not in clinic.findings()


def test_refusals_cause_a_write_now_and_then_only(clinic):
    """A stranger cannot make the connector write once for each request; the count is right all the same."""
    clinic.clock.forward(60)
    for _ in range(20):
        assert requests.post(clinic.url + PATH, data=b"{}", timeout=10).status_code == 403

    def counted():
        return {code: fact.count for code, fact in clinic.app.store.webhooks.refused("jira").items()}

    until(counted)  # stored behind the answer
    first = counted()
    clinic.clock.forward(60)
    requests.post(clinic.url + PATH, data=b"{}", timeout=10)

    assert first == {"signature_missing": 1}
    until(lambda: counted() == {"signature_missing": 21})


def test_private_address_is_found(clinic):
    """Row 2: a cloud does not reach private or local addresses."""
    found = clinic.findings()

    assert "127.0.0.1 is a private or local address" in found["webhook_address_private"].detail
    assert "server.public_url" in found["webhook_address_private"].fix
    assert "not https" in found["webhook_address_plain"].title


@pytest.mark.parametrize(
    ("url", "part"),
    [("https://connector.invalid", "cannot be reached"), ("https://192.0.2.1:1", "private or local")],
)
def test_address_that_leads_nowhere_is_found(tmp_path, site, url, part):
    """Row 2: a name that nobody knows, or an address that is no public one, is told with what was tried."""
    clinic = Clinic(tmp_path, site, public_url=url)
    try:
        found = clinic.findings()
    finally:
        clinic.stop()

    told = found.get("webhook_address_unreachable") or found["webhook_address_private"]
    assert part in told.detail


def test_ticket_that_is_not_linked_is_found(clinic):
    """Row 3: deliveries come in and are all about tickets that no incident made."""
    clinic.deliver(SECRET)

    found = clinic.findings()["webhook_unlinked"]
    assert "are not linked" in found.title
    assert "Limit the webhook to the project" in found.fix


def test_status_that_is_not_of_the_category_done_is_found(clinic):
    """Row 4: a status named like done is named, with the place to change its category."""
    found = clinic.findings()["close_status_sounds_done"]

    assert "Erledigt" in found.title
    assert "Project settings > Workflows" in found.fix


def test_lost_secret_leads_to_changing_it(clinic):
    """Row 5: after a change of the secret without a delivery, and in silence, the way is to make a new one."""
    clinic.app.store.webhooks.note_secret_change(NAME, clinic.clock.now())
    clinic.clock.forward(7200)
    unproved = clinic.findings()["webhook_secret_unproved"]
    clinic.clock.forward(2 * 86400)

    silent = clinic.findings()["webhook_silent"]

    assert "generate a new one" in unproved.fix
    assert "webhook is enabled" in silent.fix


def test_findings_are_remembered_counted_and_shown(clinic):
    """What was found last is in the store, in the metrics, and not lost with the process."""
    clinic.sandbox.administer(denied=frozenset({"CREATE_ISSUES"}))
    clinic.findings()

    kept = clinic.app.store.checkups.every()[NAME]
    metrics = requests.get(clinic.url + "/metrics", timeout=10).text

    assert isinstance(kept, Checkup)
    assert kept.at == clinic.clock.now()
    assert any(one.code == "permission_missing" for one in kept.findings)
    assert f'connector_findings{{integration="{NAME}",severity="problem"}} 1.0' in metrics
    assert f'connector_checked_seconds{{integration="{NAME}"}} 0.0' in metrics


def test_everything_is_tried_each_night_and_after_an_activation(clinic):
    """The scheduler's look tries what is due, once; a problem is tried again within the hour."""
    by_the_clock = clinic.app.by_the_clock

    def checked_at():
        return clinic.app.store.checkups.every()[NAME].at

    def look():
        by_the_clock.check_up()
        until(lambda: not by_the_clock.checkups.under_way)

    look()
    first = checked_at()
    clinic.clock.forward(3 * 3600)
    look()
    same_day = checked_at()
    clinic.sandbox.administer(denied=frozenset({"CREATE_ISSUES"}))
    clinic.clock.forward(timedelta(hours=14).total_seconds())
    look()
    night = checked_at()
    clinic.clock.forward(3700)
    look()

    assert first == same_day
    assert night.hour == 3
    assert checked_at() == clinic.clock.now()


def run(clinic, *arguments):
    """Call the command line in this process."""
    return CliRunner().invoke(cli, ["--config", str(clinic.path), "doctor", *arguments])


def test_names_of_ids_are_known_after_a_check(clinic):
    """The file holds ids; a person reads names beside them, and a program reads both."""
    clinic.findings()
    before = clinic.sandbox.call_count()

    shown = CliRunner().invoke(cli, ["--config", str(clinic.path), "integrations", "show", NAME])
    as_json = json.loads(CliRunner().invoke(cli, ["--config", str(clinic.path), *SHOW_JSON]).stdout)

    words = as_json["settings_in_words"]
    assert clinic.sandbox.call_count() == before
    assert as_json["settings"]["service_desk"] == "10"
    assert words["service_desk"] == "Störungsstelle (STOER, 10)"
    assert words["close_status"] == "Geschlossen (10305)"
    assert words["request_fields, Standort (customfield_10106)"] == "Berlin (10110)"
    assert "Störung melden (25)" in shown.stdout


def test_command_says_it_all_and_ends_with_a_code(clinic):
    """Without a problem 0, with one 1; for machines everything of each finding."""
    good = run(clinic)
    clinic.sandbox.administer(denied=frozenset({"CREATE_ISSUES"}))
    bad = run(clinic, NAME, "--json")
    unknown = run(clinic, "nobody")

    rows = {row["code"]: row for row in json.loads(bad.stdout)}
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "0 problems" in good.stdout
    assert rows["permission_missing"]["integration"] == NAME
    assert rows["permission_missing"]["severity"] == "problem"
    assert "Project settings > Permissions" in rows["permission_missing"]["fix"]
    assert unknown.exit_code != 0


def test_site_that_is_down_is_a_finding_and_no_crash(clinic):
    """A check that cannot be made says so, and the rest of the list stands."""
    clinic.sandbox.add_fault(Fault("status", status=503, path="/requesttype/", times=None))
    try:
        found = clinic.findings()
    finally:
        clinic.sandbox.clear_faults()

    assert found["not_checked"].severity is Severity.PROBLEM
    assert found["service_desk"].severity is Severity.OK
