"""Two organizations in one connector, alike in everything that a careless operator could make alike: nothing crosses.

Ids and titles of incidents, keys and ids of tickets, the key of the platform, secrets and the webhook URL are the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import requests
import structlog
from argon2 import PasswordHasher
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.errors import ConfigError
from connector_core.demo.stage import until
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.local_server import LocalServer
from connector_core.store import LinkFilter
from connector_core.web.server import build_web
from connector_jira_jsm_sandbox import JiraSandbox
from connector_jira_jsm_sandbox.faults import Fault
from connector_xyte_sandbox import XyteSandbox
from tests.support.served import Visitor

BOTH = ("acme", "globex")
WEBHOOK_SECRET = "the same secret in both organizations"
EVENTS_SECRET = "whsec_dGhlIHNhbWUgc2VjcmV0IGluIGJvdGg="
PASSWORD = "the password of each"


def _integration(jira):
    return {
        "plugin": "jira_jsm",
        **jira.integration_settings(),
        "site": jira.url,
        "email": jira.email,
        "api_token": jira.api_token,
        "webhook_secret": WEBHOOK_SECRET,
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Run the app in this process, with a platform and a helpdesk for each organization."""
    platforms = {name: XyteSandbox() for name in BOTH}
    desks = {name: JiraSandbox() for name in BOTH}
    sandboxes: list[XyteSandbox | JiraSandbox] = [*platforms.values(), *desks.values()]
    for sandbox in sandboxes:
        sandbox.start()
    for platform in platforms.values():
        platform.key = "the-same-key"
        platform.api.keys = {"the-same-key"}
    path = tmp_path_factory.mktemp("boundaries") / "connector.yaml"
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    people = {name: {"password_hash": hashed, "role": "admin", "organizations": [name]} for name in BOTH}
    tree = {
        "secret_key": "a passphrase that is long enough",
        "console": {"users": people},
        "plugins": {"jira_jsm": {"oauth": {"client_id": "app", "client_secret": "s"}, "auth_url": desks["acme"].url}},
        "organizations": {
            name: {
                "source": {
                    "plugin": "xyte",
                    "organization_key": "the-same-key",
                    "base_url": platforms[name].url,
                    "poll_every": "200ms",
                    "changes_url": f"{platforms[name].url}/gateway/incidents",
                    "changes_secret": platforms[name].api.changes_secret,
                    "push_secret": EVENTS_SECRET,
                },
                "integrations": {f"{name}-desk": _integration(desks[name])},
            }
            for name in BOTH
        },
    }
    with path.open("w") as file:
        YAML().dump(tree, file)
    config, plugins = read_config(path)
    app = build_app(config, plugins, log=structlog.get_logger("test"))
    server = LocalServer(build_web(app))
    server.start()
    app.start()
    until(lambda: len(app.poller.intervals()) == len(BOTH))
    made = SimpleNamespace(app=app, path=path, url=server.url, platforms=platforms, desks=desks)
    for platform in platforms.values():
        platform.open("Display offline", id="inc-1")
    until(lambda: all(ticket(made, name) for name in BOTH))
    yield made
    server.stop()
    app.stop()
    for sandbox in sandboxes:
        sandbox.stop()


def link(world, organization, name="inc-1"):
    """Return the link of an incident of an organization."""
    found = world.app.store.links.find(organization=organization, text=name)
    return found[0] if found else None


def ticket(world, organization, name="inc-1"):
    """Return the ticket of an incident of an organization, once there is one."""
    found = link(world, organization, name)
    return None if found is None or found.ticket is None else dict(world.desks[organization].ticket(found.ticket.id))


def settled(world):
    """Wait until nothing is on its way."""
    until(lambda: world.app.store.overview.stats().due_lanes == 0 and world.app.engine.running == 0)


def deliver(world, organization, address, *, site=None, **fields):
    """Let a helpdesk tell of a change of its ticket, signed with the secret of both."""
    now = ticket(world, organization)
    priority = {"id": "3", "name": "Medium"}
    status = {"id": "1", "name": "Open", "statusCategory": {"id": 2, "key": "new"}}
    shown = {
        "summary": now["title"],
        "description": None,
        "priority": priority,
        "status": status,
        "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
        **fields,
    }
    issue = {
        "id": now["id"],
        "key": now["key"],
        "self": f"{site or world.desks[organization].url}/rest/api/2/{now['id']}",
    }
    event = {"timestamp": 1, "webhookEvent": "jira:issue_updated", "issue": {**issue, "fields": shown}}
    body = json.dumps(event).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature": f"sha256={signature}", "Content-Type": "application/json"}
    return requests.post(world.url + address, data=body, headers=headers, timeout=20)


def test_each_has_its_own_request(world):
    """The same incident in both is one request in each helpdesk, with the same id and key."""
    tickets = [ticket(world, name) for name in BOTH]

    assert [len(world.app.store.links.find(organization=name, text="inc-1")) for name in BOTH] == [1, 1]
    assert tickets[0]["id"] == tickets[1]["id"]
    assert tickets[0]["key"] == tickets[1]["key"]


def test_a_change_stays_where_it_was_made(world):
    """In Xyte of the one, and on the ticket of the other."""
    world.platforms["acme"].change("inc-1", title="Acme's own title")
    until(lambda: ticket(world, "acme")["title"] == "Acme's own title")
    world.desks["globex"].edit_ticket(ticket(world, "globex")["id"], title="Globex's own title")
    world.app.reconciler.reconcile("globex-desk", full=True)
    until(lambda: world.platforms["globex"].incident("inc-1")["title"] == "Globex's own title")
    settled(world)

    assert world.platforms["acme"].incident("inc-1")["title"] == "Acme's own title"
    assert ticket(world, "acme")["title"] == "Acme's own title"


def test_a_webhook_on_the_shared_address_is_for_the_site_that_it_names(world):
    """The secret, the ticket's id and its key are the same in both; the site is not."""
    before = world.platforms["acme"].incident("inc-1")["title"]

    answer = deliver(world, "globex", "/external/jira/webhook", summary="From the other site")
    until(lambda: world.platforms["globex"].incident("inc-1")["title"] == "From the other site")
    settled(world)

    assert answer.status_code == 200
    assert world.platforms["acme"].incident("inc-1")["title"] == before


def test_a_webhook_that_could_be_anybodys_is_nobodys(world):
    """Without a site that one of them has, whose delivery it is cannot be told; it is refused."""
    before = [world.platforms[name].incident("inc-1")["title"] for name in BOTH]

    answer = deliver(world, "globex", "/external/jira/webhook", site="https://elsewhere.example.test", summary="Whose?")
    settled(world)

    assert answer.status_code == 403
    assert [world.platforms[name].incident("inc-1")["title"] for name in BOTH] == before


def test_a_webhook_on_an_integrations_own_address_is_its_own(world):
    """Although the ticket's id, its key and the secret are the other's too."""
    before = world.platforms["acme"].incident("inc-1")["title"]

    answer = deliver(world, "globex", "/external/jira/webhook/globex-desk", summary="By its own address")
    until(lambda: world.platforms["globex"].incident("inc-1")["title"] == "By its own address")
    settled(world)

    assert answer.status_code == 200
    assert world.platforms["acme"].incident("inc-1")["title"] == before


def test_a_pushed_event_is_for_the_organization_of_its_address(world):
    """The same event may come for both, and is each one's own."""
    event = {
        "id": "evt-1",
        "type": "incident.opened",
        "occurred_at": datetime.now(UTC).isoformat(),
        "incident": {"id": "pushed", "title": "Pushed by a gateway"},
    }
    body = json.dumps(event).encode()
    headers = sign(signing_keys(EVENTS_SECRET), "evt-1", datetime.now(UTC), body)

    first = requests.post(f"{world.url}/v1/sources/acme/events", data=body, headers=headers, timeout=20)
    only_acme = [link(world, name, "pushed") is not None for name in BOTH]
    second = requests.post(f"{world.url}/v1/sources/globex/events", data=body, headers=headers, timeout=20)

    assert [first.status_code, second.status_code] == [200, 200]
    assert only_acme == [True, False]
    until(lambda: all(ticket(world, name, "pushed") for name in BOTH))


def test_the_console_shows_each_its_own(world):
    """By search, by number, by source, in lists; and acts on nothing else."""
    visitor = Visitor(world.url)
    visitor.log_in("globex", PASSWORD)
    mine, other = link(world, "globex"), link(world, "acme")

    found = visitor.get("/links?q=inc-1")
    paths = ("/", "/links", "/links?q=offline", "/links?q=own", "/unfinished", "/integrations/new")
    pages = [visitor.get(path).text for path in paths]

    assert found.url == f"{world.url}/links/{mine.id}"
    assert f"/links/{mine.id}" in pages[1]
    for page in (found.text, *pages):
        assert f'/links/{other.id}"' not in page
        assert "acme-desk" not in page
        assert "/sources/acme" not in page
    hidden = (f"/links/{other.id}", "/integrations/acme-desk/rules", "/sources/acme")
    for path in (*hidden, "/integrations/acme-desk", "/links?integration=acme-desk"):
        assert visitor.get(path).status_code == 404, path
    for path in (*hidden, "/integrations/acme-desk/disable"):
        assert visitor.post(path, seen_on="/links", action="unlink", sure="yes").status_code == 404, path
    assert (
        world.app.store.overview.search(LinkFilter(organizations=frozenset({"globex"}), text="inc-1"))[0].id == mine.id
    )


def test_a_command_acts_on_one_organization_only(world):
    """A name that both know has to be told apart; a listing can be narrowed."""
    runner, config = CliRunner(), ["--config", str(world.path)]

    with pytest.raises(ConfigError) as caught:
        world.app.operations.find_to_act("inc-1")
    refused = runner.invoke(cli, [*config, "retry", "inc-1"])
    told = runner.invoke(cli, [*config, "explain", "inc-1", "--organization", "globex", "--json"])
    listed = runner.invoke(cli, [*config, "links", "--organization", "acme", "--json"])

    assert caught.value.code == "organization_needed"
    assert isinstance(refused.exception, ConfigError)
    assert {one["organization"] for one in json.loads(told.stdout)} == {"globex"}
    assert {one["organization"] for one in json.loads(listed.stdout)} == {"acme"}
    assert len(world.app.operations.find_to_act("inc-1", "acme")) == 1


def test_a_return_from_consent_is_for_whoever_began_it(world):
    """Somebody else, of the other organization or of this one, cannot finish it, and does not use it up."""
    world.app.setup.create("acme-second", "acme", "jira_jsm")
    visitors = {name: Visitor(world.url) for name in ("acme", "globex", "other login", "nobody")}
    for name, visitor in visitors.items():
        if name != "nobody":
            visitor.log_in("globex" if name == "globex" else "acme", PASSWORD)
    page = visitors["acme"].post("/integrations/acme-second/setup/authorize").text
    state = re.search(r"state=([\w-]+)", page)[1]
    back = f"/oauth/callback?state={state}&code=stolen"

    for name in ("globex", "other login", "nobody"):
        refused = visitors[name].get(back, allow_redirects=False)
        assert refused.status_code == 403, name
        assert "acme-second" not in refused.text
    assert world.app.authorizing.begun(state).returned_at is None
    declined = visitors["acme"].get(f"/oauth/callback?state={state}&error=access_denied", allow_redirects=False)

    assert declined.status_code == 400
    assert "Jira Service Management" in declined.text
    assert world.app.store.grants.get("acme-second") is None
    world.app.setup.remove("acme-second")


def test_a_failing_platform_is_one_organizations_trouble(world):
    """The other's incidents go on becoming requests."""
    world.platforms["acme"].api.keys = set()
    until(lambda: world.app.store.sources.state("acme").outcome == "key_refused")

    world.platforms["globex"].open("While the other is refused", id="inc-2")

    until(lambda: ticket(world, "globex", "inc-2"))
    assert world.app.poller.status("acme").word == "problem"
    assert world.app.poller.status("globex").word == "ok"
    world.platforms["acme"].api.keys = {"the-same-key"}
    world.app.poller.check("acme")
    until(lambda: world.app.store.sources.state("acme").outcome == "ok")


@pytest.fixture
def lying(world):
    """Let the other organization's helpdesk, which tells the cloud ID of this one, refuse with some headers."""
    desk, names = world.desks["globex"], [f"{name}-desk" for name in BOTH]
    assert desk.profile.cloud_id == world.desks["acme"].profile.cloud_id
    until(lambda: {entry_of(world, name).record.site.id for name in names} == {desk.profile.cloud_id})

    def lie(**headers):
        desk.add_fault(Fault("status", path="/rest/", status=429, headers=headers, times=None))
        world.platforms["globex"].change("inc-1", title=f"Refused {sorted(headers.values())}")
        until(lambda: any(one.code == "rate_limited" for one in world.app.store.breakers.every()))

    yield lie
    desk.clear_faults()
    world.app.operations.retry_all("globex-desk")
    for breaker in world.app.store.breakers.every():
        world.app.store.breakers.reset(breaker.key, world.app.clock.now())
    settled(world)


def entry_of(world, name):
    """Return an integration as it is now."""
    return world.app.registry.entry(name)


@pytest.mark.parametrize("reason", ["", "jira-burst-based", "jira-quota-global-based"])
def test_a_site_that_says_it_is_anothers_pauses_only_its_own(world, lying, reason):
    """What it asks for, for itself or in the name of the app, is not asked of those whose cloud ID it tells."""
    lying(**{"Retry-After": "3600", **({"RateLimit-Reason": reason} if reason else {})})

    world.platforms["acme"].change("inc-1", title=f"Goes on, {reason or None}")

    until(lambda: ticket(world, "acme")["title"] == f"Goes on, {reason or None}")
    assert len(world.app.store.breakers.every()) == 1
    assert link(world, "acme").breaker is None
