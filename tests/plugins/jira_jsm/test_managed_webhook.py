"""A webhook that we register ourselves, at a site over HTTP: made, kept, renewed, removed, and what it tells."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector_core import (
    AuthorizationStart,
    ConfigError,
    Delivery,
    HookRegistration,
    InboundRequest,
    Integration,
    Redirect,
    RemoteError,
    SetupStep,
    Severity,
)
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm.checks.checkup import check
from connector_jira_jsm.settings import JiraSettings
from connector_jira_jsm.setup.steps import steps
from connector_jira_jsm.webhooks import incoming, managed
from connector_jira_jsm_sandbox import Fault
from tests.plugins.jira_jsm.test_incoming_webhook import issue
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.handles import NOW, build

ADDRESS = "https://connector.example.test/external/jira/webhook?token=t0ken"
DAY = 86_400.0
# Their ends are numbers in the description, and texts in its examples.
ENDS_OF_WEBHOOKS = r"^(GET|PUT) .*/webhook(/refresh)?$"


@pytest.fixture
def site() -> Iterator[Place]:
    """Put up a site and authorize an integration with the scope for webhooks."""
    with place(more={"managed_webhook": True}) as made:
        yield made


def registered(site: Place) -> list[int]:
    """Return the numbers of the webhooks that the site has."""
    return sorted(site.sandbox.site.dynamic_webhooks)


def keep(site: Place, known: HookRegistration | None = None, address: str = ADDRESS) -> HookRegistration:
    """Keep the webhook, which is wanted."""
    kept = managed.keep(site.integration, address, known)
    assert kept is not None
    return kept


def days_later(site: Place, days: float) -> None:
    """Let time pass; the access token is renewed on the way."""
    site.clock.forward(days * DAY)
    assert site.core.present is not None
    site.core.renew(site.core.present)


def test_the_consent_asks_for_the_scope_only_when_it_is_wanted(site: Place):
    """One more scope for those who want it, none for the others."""
    start = AuthorizationStart(state="s", callback_url="https://connector.example.test/callback")
    with_it = authorize(site.integration, start)
    off = site.integration.settings.model_copy(update={"managed_webhook": False})
    without = authorize(dataclasses.replace(site.integration, settings=off), start)

    assert isinstance(with_it, Redirect)
    assert isinstance(without, Redirect)
    assert "manage%3Ajira-webhook" in with_it.url
    assert "webhook" not in without.url


def test_it_is_registered_once(site: Place):
    """With our events, fields and project; keeping it again finds it, also when its number was forgotten."""
    first = keep(site)
    (number,) = registered(site)
    made = site.sandbox.site.dynamic_webhooks[number]

    assert (first.ids, first.site) == ((str(number),), site.sandbox.profile.cloud_id)
    assert (made.url, made.jql, set(made.fields)) == (ADDRESS, 'project = "SUP"', set(managed.FIELDS))
    assert keep(site, first).ids == keep(site, None).ids == first.ids
    assert registered(site) == [number]


def test_it_is_renewed_long_before_it_ends(site: Place):
    """Ten days are left for renewing; nothing is renewed before that."""
    first = keep(site)
    days_later(site, 15)
    kept = keep(site, first)
    days_later(site, 6)
    renewed = keep(site, kept)

    assert kept.expires_at is not None
    assert renewed.expires_at is not None
    assert kept.expires_at - NOW == timedelta(days=30)
    assert renewed.expires_at - NOW == timedelta(days=51)
    assert renewed.ids == first.ids


def refreshes(site: Place) -> int:
    """Count how often the site was asked to renew."""
    return site.sandbox.count_calls("PUT", "/webhook/refresh$")


def test_an_end_that_is_told_as_text_is_read(site: Place):
    """Atlassian's own examples show a text; read as no time, it was renewed each hour."""
    site.sandbox.site.webhook_ends_as_text = True
    site.undescribed = ENDS_OF_WEBHOOKS
    kept = keep(site)
    for _ in range(3):
        kept = keep(site, kept)

    assert refreshes(site) == 0
    assert kept.expires_at == NOW + timedelta(days=30)
    days_later(site, 21)
    assert keep(site, kept).expires_at == NOW + timedelta(days=51)
    assert refreshes(site) == 1


@pytest.mark.parametrize("told", [None, "in a month", "", True, [1], "9" * 40, -(10**18)])
def test_an_end_that_cannot_be_read_is_not_asked_for_each_hour(
    site: Place, told: object, monkeypatch: pytest.MonkeyPatch
):
    """Ours counts from the registration or the last renewal; a webhook that somebody else made is renewed once."""
    monkeypatch.setattr("connector_jira_jsm_sandbox.dynamic_operations._end", lambda *_: told)
    site.undescribed = ENDS_OF_WEBHOOKS
    first = keep(site)
    kept = keep(site, keep(site, first))
    assert (refreshes(site), kept.expires_at) == (0, first.expires_at)

    found = keep(site, None)
    assert keep(site, found).expires_at == found.expires_at == NOW + timedelta(days=30)
    assert refreshes(site) == 1
    days_later(site, 21)
    assert keep(site, keep(site, found)).expires_at == NOW + timedelta(days=51)
    assert refreshes(site) == 2


def test_one_that_was_removed_is_made_again(site: Place):
    """Whoever removed it, the next look registers another."""
    first = keep(site)
    site.sandbox.site.dynamic_webhooks.clear()

    assert keep(site, first).ids != first.ids
    assert len(registered(site)) == 1


def test_one_at_a_former_address_is_replaced(site: Place):
    """Jira takes one address for an app, so the former one goes first."""
    first = keep(site)
    second = keep(site, first, ADDRESS + "-new")

    assert [str(number) for number in registered(site)] == list(second.ids)
    assert second.ids != first.ids


def test_a_lost_answer_makes_no_second_one(site: Place):
    """What was registered without our knowing is found by its address."""
    site.sandbox.add_fault(Fault(kind="lost_answer", method="POST", path="/webhook", times=1))
    with pytest.raises(Exception, match=r".+"):
        keep(site)

    assert len(keep(site).ids) == len(registered(site)) == 1


def test_it_is_removed(site: Place):
    """Removing it twice is no matter."""
    first = keep(site)

    assert managed.drop(site.integration, first)
    assert managed.drop(site.integration, first)
    assert registered(site) == []


def test_it_is_not_wanted_by_default(site: Place):
    """Without the setting nothing is asked of the site."""
    off = dataclasses.replace(
        site.integration, settings=site.integration.settings.model_copy(update={"managed_webhook": False})
    )
    before = site.sandbox.call_count()

    assert managed.keep(off, ADDRESS, None) is None
    assert site.sandbox.call_count() == before
    assert managed.wanted_scopes(off) == ()


def test_an_api_token_cannot_register(site: Place):
    """Jira lets apps only; the fix names the way by hand."""
    given = {**site.sandbox.integration_settings(), "site": site.sandbox.url, "email": "a@b.test", "api_token": "x"}
    settings = JiraSettings.model_validate({**given, "managed_webhook": True})

    with pytest.raises(ConfigError) as caught:
        managed.keep(build(settings=settings)[0], ADDRESS, None)

    assert caught.value.code == "webhook_needs_oauth"
    assert site.rest("GET", "api/3/webhook").status_code == 403


def test_a_missing_scope_is_said(site: Place):
    """Consent given before the setting was made has not the scope."""
    site.control("tokens/scopes", scopes=["manage:jira-webhook"])

    with pytest.raises(ConfigError) as caught:
        keep(site)

    assert caught.value.code == "scope_missing"


def test_a_refusal_is_told_in_jiras_words(site: Place):
    """Five webhooks are all that an app may have for a person and a site."""
    first = keep(site)
    made = site.sandbox.site.dynamic_webhooks[int(first.ids[0])]
    for number in range(2000, 2004):
        site.sandbox.site.dynamic_webhooks[number] = dataclasses.replace(made, id=number, jql=f"project = {number}")
    site.sandbox.site.dynamic_webhooks[2004] = dataclasses.replace(made, id=2004, jql="project = X")
    del site.sandbox.site.dynamic_webhooks[int(first.ids[0])]

    with pytest.raises(RemoteError, match="limit of 5"):
        keep(site, first)


def addressed(site: Place, own: HookRegistration | None, body: dict[str, object]) -> object:
    """Take a delivery that came to the secret address."""
    listening = dataclasses.replace(site.integration, webhook_registration=own)
    request = InboundRequest(
        headers={}, body=json.dumps(body).encode(), received_at=NOW, token=SecretStr("t0ken"), is_addressed=True
    )
    return incoming.receive(listening, request)


def test_what_it_tells_is_only_a_hint(site: Place):
    """The ticket that it names is to be read; nothing that it shows is believed, and no deletion either."""
    own = HookRegistration(ids=("1000",), site="https://example.test")
    body = {"webhookEvent": "jira:issue_updated", "matchedWebhookIds": [7, 1000], "issue": issue()}

    told = addressed(site, own, body)
    deleted = addressed(site, own, {**body, "webhookEvent": "jira:issue_deleted"})

    for delivery in (told, deleted):
        assert isinstance(delivery, Delivery)
        assert (delivery.tickets, delivery.deleted, delivery.hints) == ((), frozenset(), frozenset({"10040"}))
        assert (delivery.signed_by, delivery.site) == (None, "https://example.test")


@pytest.mark.parametrize(
    ("own", "more"),
    [
        (None, {}),
        (HookRegistration(ids=("9",), site="https://example.test"), {}),
        (HookRegistration(ids=("1000",), site="https://example.test"), {"matchedWebhookIds": None}),
    ],
)
def test_what_is_for_another_integration_is_left_to_it(
    site: Place, own: HookRegistration | None, more: dict[str, object]
):
    """All of an app share the address: the number has to be ours. Whether the site is, the core decides."""
    body = {"webhookEvent": "jira:issue_updated", "matchedWebhookIds": [1000], "issue": issue(), **more}

    assert addressed(site, own, body) is None


def test_without_the_secret_address_nothing_is_taken(site: Place):
    """The same body at the public address is nobody's."""
    own = HookRegistration(ids=("1000",), site="https://example.test")
    body = {"webhookEvent": "jira:issue_updated", "matchedWebhookIds": [1000], "issue": issue()}
    request = InboundRequest(headers={}, body=json.dumps(body).encode(), received_at=NOW)

    assert incoming.receive(dataclasses.replace(site.integration, webhook_registration=own), request) is None


def test_it_tells_of_comments_where_these_are_synced(site: Place):
    """Switching comments on replaces the one that tells of none, and off again that one."""
    first = keep(site)
    talking = dataclasses.replace(site, integration=dataclasses.replace(site.integration, reads_comments=True))
    second = keep(talking, first)

    (number,) = registered(site)
    assert "comment_created" in site.sandbox.site.dynamic_webhooks[number].events
    assert second.ids != first.ids
    assert keep(talking, second).ids == second.ids
    assert keep(site, second).ids != second.ids


def webhook_step(integration: Integration) -> SetupStep:
    """Return the step."""
    return next(step for step in steps(integration) if step.key == "webhook")


def test_set_up_offers_both_ways_and_says_what_is_missing():
    """Consent that was given before lacks the scope; choosing asks for it, and the choice is told without a call."""
    with place() as site:
        lacking = dataclasses.replace(site.integration, settings=None, answers={"service_desk": "10"})
        chosen = dataclasses.replace(lacking, answers={"managed_webhook": "true"})
        before = site.sandbox.call_count()
        by_hand, by_itself = webhook_step(lacking), webhook_step(chosen)
        ours = next(field for field in by_hand.fields if field.key == "managed_webhook")
        assert ours.load is not None
        assert by_itself.preview is not None
        choices, remarks = ours.load(), by_itself.preview()

        assert site.sandbox.call_count() == before
        start = authorize(chosen, AuthorizationStart(state="s", callback_url="https://connector.example.test/callback"))

    assert [(one.value, "lacks the scope" in one.warning) for one in choices] == [("false", False), ("true", True)]
    assert by_hand.optional
    assert (by_hand.preview, bool(by_hand.values), by_itself.values) == (None, True, ())
    assert [(remark.severity, "Authorize access again" in remark.text) for remark in remarks] == [
        (Severity.PROBLEM, True)
    ]
    assert isinstance(start, Redirect)
    assert "manage%3Ajira-webhook" in start.url


def test_with_the_scope_nothing_is_missing(site: Place):
    """The consent of this site was asked for it."""
    step = webhook_step(site.integration)

    assert step.preview is not None
    assert [remark.severity for remark in step.preview()] == [Severity.OK]
    assert "webhook" in {finding.code for finding in check(site.integration)}


def test_the_check_says_beforehand_that_it_cannot_be_registered(site: Place):
    """The finding leads to the step; incidents are synced all the same."""
    assert site.core.present is not None
    site.core.present = site.core.present.model_copy(update={"scopes": ("read:jira-work",)})

    (found,) = [finding for finding in check(site.integration) if finding.code.startswith("webhook")]

    assert (found.code, found.severity) == ("webhook_scope", Severity.WARNING)
    assert "manage:jira-webhook" in found.detail


def test_an_address_of_somebodys_own_is_told_no_secret_address(site: Place):
    """An API token was good there, then the settings ask for consent: the address that all share is not registered."""
    present = site.core.present
    assert present is not None
    site.core.present = present.model_copy(update={"base_url": site.sandbox.url})

    with pytest.raises(ConfigError) as caught:
        keep(site)

    assert caught.value.code == "webhook_needs_oauth"
    assert site.sandbox.count_calls(path="/webhook") == 0
