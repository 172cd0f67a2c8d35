"""The stand-in as one object: an organization on loopback, with people and devices that can be told what to do."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Self

from pydantic import SecretStr
from starlette.applications import Starlette

from connector_xyte_sandbox.api import Api
from connector_xyte_sandbox.loopback import Loopback
from connector_xyte_sandbox.organization import Now, Organization, utc_now
from connector_xyte_sandbox.page import IncidentPage
from connector_xyte_sandbox.quirks import Quirks


class XyteSandbox:
    """One organization with its API, a page, and a gateway for changes while `api.takes_changes`."""

    title = "Xyte sandbox"

    def __init__(self, *, port: int = 0, quirks: Quirks | None = None, now: Now = utc_now) -> None:
        self.key = secrets.token_urlsafe(32)
        changes_secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
        self.organization = Organization(quirks or Quirks(), now)
        self.api = Api(self.organization, self.key, changes_secret)
        routes = [*self.api.routes(), *IncidentPage(self.organization).routes()]
        self._server = Loopback(Starlette(routes=routes), port=port)
        self.url = self._server.url

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self) -> None:
        """End."""
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def renew(self, quirks: Quirks, now: Now = utc_now) -> None:
        """Begin again with an empty organization that spells things otherwise; address and secrets stay."""
        self.organization.begin(quirks, now)
        self.api.renew(self.key)

    def source_settings(self) -> Mapping[str, Any]:
        """Return settings of a source that read this organization, often."""
        return {
            "organization_key": SecretStr(self.key),
            "base_url": self.url,
            "poll_every": "300ms",
            "changes_url": f"{self.url}/gateway/incidents",
            "changes_secret": SecretStr(self.api.changes_secret),
        }

    def open(self, title: str, **fields: Any) -> str:  # noqa: ANN401 - any field of an incident
        """Open an incident; return its id."""
        return self.organization.open(title, **fields)

    def change(self, incident_id: str, **fields: str) -> None:
        """Change fields of an incident."""
        self.organization.change(incident_id, **fields)

    def resolve(self, incident_id: str) -> None:
        """Resolve an incident."""
        self.organization.resolve(incident_id)

    def incident(self, incident_id: str) -> Mapping[str, Any]:
        """Show one incident; KeyError when there is none."""
        return self.organization.incident(incident_id)

    def call_count(self) -> int:
        """Return how many API calls were answered so far."""
        return len(self.api.calls)


def open_sandbox(port: int) -> XyteSandbox:
    """Start an organization as the documentation describes one: what the connector's demo asks for."""
    sandbox = XyteSandbox(port=port)
    sandbox.start()
    return sandbox
