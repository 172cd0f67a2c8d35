"""The step *Webhook* with its two ways: by hand in the ticketing system, or registered by the connector."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from connector_core.contract.models import HookRegistration
from connector_core.demo.stage import until
from connector_core.store import IntegrationState, ManagedWebhook
from tests.support.served import Served

STEP = "/integrations/acme-desk/setup/step/webhook"


@pytest.mark.extended
def test_the_connector_registers_it_once_the_scope_is_granted(person):
    """Chosen after a consent without the scope: the step says so, consent asks for it, and changes sync at once."""
    page, stage = person.page, person.stage
    person.start()
    person.authorize()
    person.answer_all()
    person.sees("Settings (cog icon) → System → WebHooks")
    person.sees("lacks the scope manage:jira-webhook")
    person.choose("The connector registers it")
    person.sees("No secret needed")
    person.sees("The connector registers the webhook once the integration is active.")
    expect(page.locator(".remarks")).to_contain_text("lacks the scope manage:jira-webhook")

    person.open(f"/integrations/{person.name}/setup/authorize")
    person.authorize()
    person.at_step("webhook")
    expect(page.locator(".remarks")).to_contain_text("has the scope manage:jira-webhook")
    person.activate()
    person.at_step("webhook")
    until(lambda: stage.sandbox.site.dynamic_webhooks)
    person.sees("Waiting for the first delivery.")

    known = {ticket["id"] for ticket in stage.sandbox.tickets()}
    incident = stage.platform.open("Display offline")
    until(lambda: [one for one in stage.sandbox.tickets() if one["id"] not in known])
    (ticket,) = [one for one in stage.sandbox.tickets() if one["id"] not in known]
    stage.sandbox.edit_ticket(ticket["id"], title="Told by itself")
    until(lambda: stage.platform.incident(incident)["title"] == "Told by itself")
    expect(page.locator(".light.arriving")).to_be_visible()

    person.choose("I create the webhook in Jira")
    person.sees("Settings (cog icon) → System → WebHooks")
    until(lambda: not stage.sandbox.site.dynamic_webhooks)


@pytest.fixture
def served(tmp_path):
    """Serve an integration whose webhook is to be registered."""
    opened = Served(tmp_path)
    opened.add("acme-desk", "acme")
    record = opened.app.registry.entry("acme-desk").record
    opened.app.store.integrations.put(replace(record, answers={**record.answers, "managed_webhook": True}))
    yield opened
    opened.stop()


REGISTERED = HookRegistration(ids=("1",), site="https://desk.example.test")


@pytest.mark.parametrize(
    ("state", "hook", "words"),
    [
        (IntegrationState.DRAFT, None, "The connector registers the webhook once the integration is active."),
        (IntegrationState.ACTIVE, None, "The connector is registering the webhook."),
        (IntegrationState.ACTIVE, ManagedWebhook(REGISTERED), "Waiting for the first delivery."),
        (
            IntegrationState.ACTIVE,
            ManagedWebhook(None, "The scope <b> is missing.", "Authorize again."),
            "The webhook could not be registered. The scope &lt;b&gt; is missing. Authorize again.",
        ),
    ],
)
def test_the_light_makes_sense_without_a_secret(served, admin, state, hook, words):
    """It never speaks of a secret that nobody needs."""
    record = served.app.registry.entry("acme-desk").record
    served.app.store.integrations.put(replace(record, state=state))
    served.app.store.webhooks.save_managed("acme-desk", hook)

    page = admin.get(STEP).text

    assert words in page
    assert "No secret is set" not in page
