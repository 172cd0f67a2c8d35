"""One organization with two desks of one site: one webhook serves both, and goes on when the site is renamed."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import requests
import structlog
from ruamel.yaml import YAML

from connector_core import Severity
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.demo.stage import free_port, until
from connector_core.health.webhook_health import health
from connector_core.local_server import LocalServer
from connector_core.setup.authorizing import TERMINAL
from connector_core.web.server import build_web
from connector_jira_jsm_sandbox import JiraSandbox
from connector_xyte_sandbox import XyteSandbox

SECRET = "the secret of the one webhook"
BOTH = ("sup", "fac")


@contextmanager
def world(folder, *, of_fac=SECRET, more=None):
    """Run the app in this process: a platform, and a helpdesk with an integration for each of its first two desks."""
    platform, site = XyteSandbox(), JiraSandbox(search_lag_s=0)
    for sandbox in (platform, site):
        sandbox.start()
    desks = dict(zip(BOTH, site.profile.desks[:2], strict=True))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    integrations = {
        name: {
            "plugin": "jira_jsm",
            "service_desk": desk.id,
            "request_type": desk.request_types[0].id,
            "close_status": site.profile.close_status,
            **({"webhook_secret": secret} if (secret := {"sup": SECRET, "fac": of_fac}[name]) else {}),
            **(more or {}),
        }
        for name, desk in desks.items()
    }
    tree = {
        "secret_key": "a passphrase that is long enough",
        "server": {"public_url": url},
        "reconcile": {"every": "1h"},
        "plugins": {"jira_jsm": site.plugin_settings()},
        "organizations": {
            "acme": {
                "source": {
                    "plugin": "xyte",
                    "organization_key": platform.key,
                    "base_url": platform.url,
                    "poll_every": "200ms",
                    "changes_url": f"{platform.url}/gateway/incidents",
                    "changes_secret": platform.api.changes_secret,
                },
                "integrations": integrations,
            }
        },
    }
    with (folder / "connector.yaml").open("w") as file:
        YAML().dump(tree, file)
    config, plugins = read_config(folder / "connector.yaml")
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    server = LocalServer(build_web(app), port=port)
    server.start()
    app.start()
    try:
        for name in BOTH:
            page = app.authorizing.start(name, TERMINAL).url
            requests.get(site.approve(page), timeout=20).raise_for_status()
            app.authorizing.take(app.authorizing.held(name, TERMINAL))
        until(lambda: len(app.poller.intervals()) == 1)
        yield SimpleNamespace(app=app, url=url, platform=platform, site=site)
    finally:
        server.stop()
        app.stop()
        platform.stop()
        site.stop()


def ticket(made, name, incident="inc-1"):
    """Return the link's ticket of an integration, once there is one."""
    found = made.app.store.links.find(integration_id=name, text=incident)
    return found[0].ticket if found else None


def opened(made):
    """Open an incident and wait for a ticket at each desk, until nothing is on its way."""
    made.platform.open("Display offline", id="inc-1")
    until(lambda: all(ticket(made, name) for name in BOTH))
    settled(made)


def settled(made):
    """Wait until nothing is on its way."""
    assert made.site.wait_for_deliveries()
    until(lambda: made.app.store.overview.stats().due_lanes == 0 and made.app.engine.running == 0)


def ignored(made):
    """Count what was ignored of each integration's deliveries since no link was known that has the ticket."""
    facts = {name: made.app.store.webhooks.facts(name) for name in BOTH}
    return {
        name: facts[name]["ignored:not_linked"].count if "ignored:not_linked" in facts[name] else 0 for name in BOTH
    }


def title_of(made):
    """Return the incident's title."""
    return made.platform.incident("inc-1")["title"]


def timeline(made, name):
    """Return what the timeline of a link says."""
    (link,) = made.app.store.links.find(integration_id=name)
    return [entry.values for entry in made.app.store.timelines.read(link.id) if entry.kind == "ticket_changed"]


@pytest.mark.parametrize(
    "of_fac", [SECRET, *(pytest.param(one, marks=pytest.mark.extended) for one in ("a secret of its own", None))]
)
def test_one_webhook_for_the_whole_site_reaches_the_integration_that_has_the_ticket(tmp_path, of_fac):
    """Within seconds, whether the second desk's integration has the webhook's secret, another, or none."""
    with world(tmp_path, of_fac=of_fac) as made:
        made.site.register_webhook(f"{made.url}/external/jira/webhook", SECRET, jql="")
        opened(made)
        before = ignored(made)  # deliveries that came before the answer to a create

        made.site.edit_ticket(ticket(made, "fac").id, title="From the second desk")
        until(lambda: title_of(made) == "From the second desk")
        until(lambda: ticket(made, "sup").title == "From the second desk")
        settled(made)
        made.site.edit_ticket(ticket(made, "sup").id, title="From the first")
        until(lambda: title_of(made) == "From the first")
        settled(made)

        assert [attempt.status for attempt in made.site.deliveries if not attempt.is_success] == []
        assert ignored(made) == before
        records = [made.app.registry.entry(name).record for name in BOTH]
        assert [health(made.app.store, record).state for record in records] == ["arriving", "arriving"]
        assert all(made.app.store.webhooks.deliveries(name, 10)[0] > 0 for name in BOTH)
        findings = {name: {one.code: one for one in made.app.setup.check(name)} for name in BOTH}
        assert "webhook_unlinked" not in findings["sup"] | findings["fac"]
        assert "webhook_missing" not in findings["sup"] | findings["fac"]
        if of_fac is None:
            assert findings["fac"]["webhook_deliveries"].severity is Severity.OK
            assert "sup" in findings["fac"]["webhook_deliveries"].title


def test_what_the_doctor_advises_cuts_nobody_off(tmp_path):
    """Deliveries about strangers' tickets only: the advice names the other integration that the webhook serves."""
    with world(tmp_path) as made:
        made.site.register_webhook(f"{made.url}/external/jira/webhook", SECRET, jql="")
        person, desk = made.site.profile.person, made.site.profile.desks[0]
        kind = desk.request_types[0].issue_type_id
        made.site.site.create(person, project_key=desk.project_key, issue_type_id=kind, summary="By hand")
        settled(made)
        found = {one.code: one for one in made.app.setup.check("sup")}["webhook_unlinked"]

        assert "fac" in found.fix


def test_a_desk_without_a_secret_is_told_that_the_webhook_of_another_may_serve_it(tmp_path):
    """As long as nothing has come for it; of one alone nobody else's webhook is named."""
    with world(tmp_path, of_fac=None) as made:
        found = {one.code: one for one in made.app.setup.check("fac")}["webhook_missing"]

        assert found.severity is Severity.WARNING
        assert "sup" in found.fix
        made.app.setup.disable("sup")
        alone = {one.code: one for one in made.app.setup.check("fac")}["webhook_missing"]
        assert "sup" not in alone.fix


def test_a_renamed_site_goes_on_with_its_admin_webhook(tmp_path):
    """What it tells is read until its address is known; the addresses of tickets follow, without a line each."""
    with world(tmp_path) as made:
        made.site.register_webhook(f"{made.url}/external/jira/webhook", SECRET, jql="")
        opened(made)
        former, now = made.site.site.url, made.site.rename()
        number = ticket(made, "sup").id

        made.site.edit_ticket(number, title="After the rename")
        until(lambda: title_of(made) == "After the rename" == ticket(made, "fac").title)
        settled(made)
        assert ticket(made, "sup").url.startswith(former)
        for name in BOTH:
            made.app.by_the_clock.keep_hook(name)
        assert ticket(made, "sup").url.startswith(f"{now}/")
        assert ticket(made, "fac").url.startswith(f"{now}/")
        made.site.edit_ticket(number, title="And once more")
        until(lambda: title_of(made) == "And once more")
        made.app.reconciler.reconcile("sup", full=True)
        settled(made)

        assert [attempt.status for attempt in made.site.deliveries if not attempt.is_success] == []
        assert ticket(made, "sup").url.startswith(f"{now}/")
        assert not [values for name in BOTH for values in timeline(made, name) if "url" in values]


@pytest.mark.extended
def test_a_renamed_site_goes_on_with_the_webhook_that_we_registered(tmp_path):
    """It is known by the site's cloud ID and its number there, so the delivery after the rename is taken."""
    with world(tmp_path, of_fac=None, more={"managed_webhook": True}) as made:
        until(lambda: made.site.site.dynamic_webhooks and all(made.app.store.webhooks.managed(name) for name in BOTH))
        opened(made)
        made.site.rename()

        made.site.edit_ticket(ticket(made, "sup").id, title="After the rename")
        until(lambda: title_of(made) == "After the rename")
        settled(made)
        for name in BOTH:
            made.app.by_the_clock.keep_hook(name)
        made.site.edit_ticket(ticket(made, "sup").id, title="And once more")
        until(lambda: title_of(made) == "And once more")
        settled(made)

        assert [attempt.status for attempt in made.site.deliveries if not attempt.is_success] == []
        assert {made.app.store.webhooks.managed(name).registration.site for name in BOTH} == {
            made.site.profile.cloud_id
        }
