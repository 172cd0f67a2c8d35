"""A daemon between a platform and several sandboxes, each of these a process of its own, all with API tokens."""

from __future__ import annotations

import json
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from benchmarks.processes import serving
from benchmarks.relays import RelayedSite, Relays, relayed
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port, until
from connector_core.http_source.signatures import signing_keys
from connector_jira_jsm_sandbox.profile import DEFAULT

_TOKEN = "sandbox-api-token"


@dataclass(frozen=True)
class Site:
    """One sandbox, told what to do over its control API."""

    name: str
    url: str

    def slow_down(self, seconds: float) -> None:
        """Have every call answered late from now on."""
        fault = {"kind": "slow", "delay_s": seconds, "times": None, "path": "/rest/"}
        requests.post(f"{self.url}/_sandbox/faults", json=fault, timeout=30).raise_for_status()

    def recover(self) -> None:
        """Have calls answered at once again."""
        requests.delete(f"{self.url}/_sandbox/faults", timeout=30).raise_for_status()

    def forget_calls(self) -> None:
        """Begin to count calls anew."""
        requests.delete(f"{self.url}/_sandbox/calls", timeout=30).raise_for_status()

    def call_count(self) -> int:
        """Tell how many calls were answered since then."""
        count: int = requests.get(f"{self.url}/_sandbox/state", timeout=60).json()["call_count"]
        return count

    def calls(self) -> list[dict[str, Any]]:
        """List the calls since then."""
        found: list[dict[str, Any]] = requests.get(f"{self.url}/_sandbox/calls", timeout=60).json()
        return found


@dataclass(frozen=True)
class Sites:
    """Everything that was put up; each site has an organization of the same name."""

    daemon: Daemon
    sites: dict[str, Site]
    folder: Path
    keys: tuple[bytes, ...]
    relays: Relays | None = None
    held: dict[str, RelayedSite] = field(default_factory=dict)
    """Sites that can be told to hold their calls; all are the same sandbox behind."""

    def events_url(self, name: str) -> str:
        """Return where the events of a site's organization go."""
        return f"{self.daemon.url}/v1/sources/{name}/events"

    def hold(self, names: Iterable[str]) -> None:
        """Have some of those that can be told to hold every call."""
        assert self.relays is not None
        self.relays.hold(*(self.held[name] for name in names))

    def release(self, names: Iterable[str]) -> None:
        """Have them answer what they hold, and what comes."""
        assert self.relays is not None
        self.relays.release(*(self.held[name] for name in names))


@contextmanager
def open_sites(*names: str, webhook_secret: str = "", held: int = 0) -> Iterator[Sites]:
    """Put sandboxes and a daemon up and take them down.

    With a secret the integrations take webhooks, each with its own: that secret and the name of its site. Beside the
    named ones there are `held` that can be told to hold their calls.
    """
    secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        sites = {}
        for name in names:
            options = ("--port", "0", "--cloud-id", f"site-{name}")  # they are no two doors of one site
            sandbox = serving("connector_jira_jsm_sandbox", *options, log=folder / f"{name}.log")
            sites[name] = Site(name, stack.enter_context(sandbox))
        relays = stack.enter_context(relayed(sites[names[-1]].url, held)) if held else None
        behind = {f"held-{number}": site for number, site in enumerate(relays.sites if relays else ())}
        urls = {**{name: site.url for name, site in sites.items()}, **{name: site.url for name, site in behind.items()}}
        port = free_port()
        config = folder / "connector.yaml"
        with config.open("w") as file:
            YAML().dump(_config(urls, port, has_webhooks=bool(webhook_secret)), file)
        environ = {"BENCH_SECRET_KEY": secrets.token_urlsafe(24), "BENCH_EVENTS": secret, "BENCH_TOKEN": _TOKEN}
        environ |= {f"BENCH_WEBHOOK_{name}": f"{webhook_secret}-{name}" for name in urls}
        daemon = Daemon(config, f"http://127.0.0.1:{port}", folder / "daemon.log", environ)
        daemon.start()
        try:
            until(lambda: _are_active(daemon), within_s=120)
            yield Sites(daemon, sites, folder, tuple(signing_keys(secret)), relays, behind)
        finally:
            daemon.stop()


def _are_active(daemon: Daemon) -> bool:
    """Return whether every integration is; what comes before is for nobody."""
    told = daemon.command("status", "--json")
    told.check_returncode()
    return all(one["state"] == "active" for one in json.loads(told.stdout)["integrations"])


def _config(urls: dict[str, str], port: int, *, has_webhooks: bool) -> dict[str, object]:
    desk = DEFAULT.desks[0]
    return {
        "database": "sqlite:///connector.db",
        "secret_key": "${env:BENCH_SECRET_KEY}",
        "server": {"port": port},
        "engine": {"per_integration": 8, "stop_deadline": "1s"},
        "organizations": {
            name: {
                "source": {"plugin": "http", "secret": "${env:BENCH_EVENTS}"},
                "integrations": {
                    f"{name}-desk": {
                        "plugin": "jira_jsm",
                        "service_desk": desk.id,
                        "request_type": desk.request_types[0].id,
                        "close_status": DEFAULT.close_status,
                        "site": url,
                        "email": DEFAULT.account.email,
                        "api_token": "${env:BENCH_TOKEN}",
                        **({"webhook_secret": f"${{env:BENCH_WEBHOOK_{name}}}"} if has_webhooks else {}),
                    }
                },
            }
            for name, url in urls.items()
        },
    }
