"""An integration that is active, without set-up."""

from __future__ import annotations

from pydantic import SecretStr

from connector_core.store import IntegrationRecord, IntegrationState, Origin


def activate(app, name, organization, *, secret="s3cret"):
    """Store an active integration of the plugin `desk`, with a webhook secret unless it is empty."""
    app.store.integrations.put(active_record(name, organization, app.clock.now(), secret=secret))


def active_record(name, organization, activated_at, *, secret="s3cret"):
    """Return an active integration of the plugin `desk`."""
    return IntegrationRecord(
        id=name,
        organization=organization,
        plugin="desk",
        origin=Origin.SETUP,
        state=IntegrationState.ACTIVE,
        answers={"desk": "1"},
        secret_answers={},
        webhook_secrets=(SecretStr(secret),) if secret else (),
        created_at=activated_at,
        activated_at=activated_at,
    )
