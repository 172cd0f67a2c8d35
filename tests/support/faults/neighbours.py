"""A daemon with many tenants, each with a site of its own: some of them hold every call until they are let go."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from argon2 import PasswordHasher
from ruamel.yaml import YAML

from benchmarks.events import signed_event
from benchmarks.relays import RelayedSite, Relays, relayed
from connector_core.demo.daemon import Daemon
from connector_core.demo.sandboxes import open_sandbox
from connector_core.demo.stage import Stage, until
from connector_core.http_source.signatures import signing_keys
from connector_core.plugins import load_plugins
from connector_jira_jsm_sandbox.profile import DEFAULT
from tests.support.faults.campaign import figures, port_of_our_own
from tests.support.served import ADMIN, VIEWER, Visitor

TOKEN = "sandbox-api-token"


@dataclass
class Neighbours:
    """Everything that was put up; a tenant and its site have the same number, and its name is `org-<number>`."""

    daemon: Daemon
    relays: Relays
    sandbox: Any
    keys: tuple[bytes, ...]
    config: dict
    path: Path
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def sites(self) -> list[RelayedSite]:
        """The sites by number."""
        return self.relays.sites

    def open(self, number: int, title: str) -> None:
        """Have a tenant's platform open an incident."""
        headers, body = signed_event(self.keys, title.replace(" ", "-"))
        url = f"{self.daemon.url}/v1/sources/org-{number}/events"
        self.session.post(url, data=body, headers=headers, timeout=30).raise_for_status()

    def has_ticket(self, title: str) -> bool:
        """Return whether a ticket was made."""
        return any(ticket["title"] == title.replace(" ", "-") for ticket in self.sandbox.tickets())

    def active(self) -> int:
        """Count the integrations that are active."""
        told = json.loads(self.daemon.command("status", "--json").stdout)
        return sum(one["state"] == "active" for one in told["integrations"])

    def open_lanes(self) -> float:
        """Count the lanes that are due, worked on or parked."""
        return sum(figures(self, "connector_lanes").values())

    def visitor(self, name: str) -> Visitor:
        """Return somebody who is logged in."""
        visitor = Visitor(self.daemon.url)
        answer = visitor.log_in(name, {"ada": ADMIN, "vic": VIEWER}[name])
        assert answer.status_code == 303, answer.text
        return visitor

    def add_tenant(self, number: int) -> None:
        """Write another tenant into the file."""
        self.config["organizations"][f"org-{number}"] = tenant(self.sites[number])
        self._write()

    def set_up(self, numbers) -> None:
        """Write the file with these tenants."""
        self.config["organizations"] = {f"org-{number}": tenant(self.sites[number]) for number in numbers}
        self._write()

    def _write(self):
        with self.path.open("w") as file:
            YAML().dump(self.config, file)


def tenant(site: RelayedSite) -> dict:
    """Return what the file says of one."""
    desk = DEFAULT.desks[0]
    integration = {
        "plugin": "jira_jsm",
        "service_desk": desk.id,
        "request_type": desk.request_types[0].id,
        "close_status": DEFAULT.close_status,
        "site": site.url,
        "email": DEFAULT.account.email,
        "api_token": "${env:SITE_TOKEN}",
    }
    name = f"desk-{site.url.rpartition(':')[2]}"
    return {"source": {"plugin": "http", "secret": "${env:EVENTS}"}, "integrations": {name: integration}}


def desk_of(site: RelayedSite) -> str:
    """Return the name of a site's integration."""
    return f"desk-{site.url.rpartition(':')[2]}"


@contextmanager
def neighbours(folder, *, sites: int, tenants: int, workers: int = 512) -> Iterator[Neighbours]:
    """Put up sites and a daemon that serves the first of them."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
    with ExitStack() as stack:
        sandbox = open_sandbox(load_plugins().get("jira_jsm"))
        stack.callback(sandbox.stop)
        relays = stack.enter_context(relayed(sandbox.url, sites))
        port = port_of_our_own()
        config = {
            "database": "sqlite:///connector.db",
            "secret_key": "${env:KEY}",
            "server": {"port": port},
            "console": {
                "users": {
                    "ada": {"password_hash": hasher.hash(ADMIN), "role": "admin"},
                    "vic": {"password_hash": hasher.hash(VIEWER)},
                }
            },
            "reconcile": {"every": "1s"},
            "engine": {"stop_deadline": "1s", "workers": workers},
        }
        environ = {"KEY": secrets.token_urlsafe(24), "EVENTS": secret, "SITE_TOKEN": TOKEN}
        path = folder / "connector.yaml"
        daemon = Stage.daemon_class(path, f"http://127.0.0.1:{port}", folder / "daemon.log", environ)
        made = Neighbours(daemon, relays, sandbox, tuple(signing_keys(secret)), config, path)
        made.set_up(range(tenants))
        stack.callback(made.session.close)
        made.session.trust_env = False  # who asks for the proxies of the environment thousands of times pays for it
        daemon.start()
        stack.callback(daemon.kill)
        until(lambda: made.active() == tenants, within_s=120)
        yield made


def wait_for_tickets(stage: Neighbours, titles, *, within_s=120) -> None:
    """Wait until each has its ticket."""
    wanted = {title.replace(" ", "-") for title in titles}
    until(lambda: wanted <= {ticket["title"] for ticket in stage.sandbox.tickets()}, within_s=within_s)
