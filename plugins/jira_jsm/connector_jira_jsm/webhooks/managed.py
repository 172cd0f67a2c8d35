"""A dynamic webhook of our own: registered through the API, renewed long before its 30 days end, removed again.

Dynamic webhooks take no secret, and whether they are signed is not known: the texts about it contradict each other.
What they have is an address that nobody else was told. That proves little, so their deliveries are hints: the ticket is
read. All integrations of an app share the address, since Jira takes only one for each app.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connector_core import (
    AnyIntegration,
    ConfigError,
    ConnectorError,
    Delivery,
    HookRegistration,
    RemoteError,
    hookspecs,
    implements,
)
from connector_core.kit.grants import text_given
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api.addresses import own_address
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.forms import project_key
from connector_jira_jsm.settings import JiraIntegration, token_login

SETTING = "managed_webhook"
LIFE = timedelta(days=30)
RENEW_BEFORE = timedelta(days=10)
EVENTS = ("jira:issue_updated", "jira:issue_deleted")
COMMENT_EVENT = "comment_created"
FIELDS = ("summary", "description", "priority", "status")

SCOPE = "manage:jira-webhook"
BY_HAND = "In the step Webhook, or with managed_webhook: false in the file, choose to create it by hand."


@implements(hookspecs.keep_webhook)
def keep(integration: JiraIntegration, address: str, known: HookRegistration | None) -> HookRegistration | None:
    """Find our webhook as it should be, renew it, or register it; None when none is wanted.

    Its address is secret and that of all organizations: Atlassian's gateway is told it, no site by itself.
    """
    settings = integration.settings
    if not settings.managed_webhook:
        return None
    grant = integration.core.grant()
    is_own = grant is not None and own_address(grant)  # a token's, although the settings ask for consent by now
    if token_login(integration) is not None or is_own:
        raise ConfigError(
            sentences.WEBHOOK_NEEDS_OAUTH,
            code="webhook_needs_oauth",
            fix=BY_HAND,
        )
    client = JiraClient(integration)
    jql = f'project = "{project_key(integration, client, settings)}"'
    present = list(client.webhooks())
    ours = frozenset(known.ids) if known else frozenset()
    events = _events(integration)
    good = [one for one in present if one.get("url") == address and _is_wanted(one, jql, events)][:1]
    # Another integration's has another filter. What we know, or has our filter, and is not as it should be, goes.
    same = [one for one in present if str(one.get("id")) in ours or one.get("jqlFilter") == jql]
    if stale := [one for one in same if one not in good]:
        client.delete_webhooks([_number(one) for one in stale])
    site = client.site_id()
    if not good:
        number = _registered(client, address, jql, events)
        return HookRegistration(ids=(str(number),), site=site, expires_at=integration.clock.now() + LIFE)
    number = _number(good[0])
    known_end = known.expires_at if known and str(number) in ours else None
    ends = _moment(good[0].get("expirationDate")) or known_end
    if ends is None or ends - integration.clock.now() < RENEW_BEFORE:
        # An answer whose time cannot be read has renewed it all the same: asking again each hour would tell no more.
        renewed = _moment(client.refresh_webhooks([number]).get("expirationDate"))
        ends = renewed or integration.clock.now() + LIFE
    return HookRegistration(ids=(str(number),), site=site, expires_at=ends)


@implements(hookspecs.drop_webhook)
def drop(integration: AnyIntegration, known: HookRegistration) -> bool:
    """Remove our webhook; one that is gone is as good."""
    JiraClient(integration).delete_webhooks([int(one) for one in known.ids if one.isdecimal()])
    return True


def hinted(integration: AnyIntegration, name: str, event: str, body: Mapping[str, Any], site: str) -> Delivery | None:
    """Read a delivery that came to our own address; None when it is about another integration's webhook.

    Numbers of webhooks are the same on many sites: `site`, as the delivery names it, is compared by the core.
    """
    own = integration.webhook_registration
    matched = body.get("matchedWebhookIds")
    numbers = {str(one) for one in matched} if isinstance(matched, list) else set()
    if own is None or not numbers & set(own.ids):
        return None
    issue = body.get("issue")
    number = issue.get("id") if isinstance(issue, dict) else None
    is_named = isinstance(number, str | int) and 0 < len(str(number)) <= 255  # noqa: PLR2004 - as the core's ids
    hints = frozenset({str(number)}) if is_named else frozenset()
    return Delivery(id=name, event=event, hints=hints, site=site, ignored="" if hints else "no_issue")


def is_wanted(integration: AnyIntegration) -> bool:
    """Return whether a webhook of our own was chosen, in settings or in the answers given so far."""
    return text_given(integration, SETTING).casefold() == "true"


def wanted_scopes(integration: AnyIntegration) -> tuple[str, ...]:
    """Return the scopes that a webhook of our own needs beside the usual ones."""
    return (SCOPE,) if is_wanted(integration) else ()


def what_lacks(integration: AnyIntegration) -> str:
    """Return what the present authorization lacks for a webhook of our own, as far as is known without a call."""
    if token_login(integration) is not None:
        return sentences.WEBHOOK_NEEDS_OAUTH
    scopes = held_scopes(integration)
    return sentences.WEBHOOK_SCOPE_LACKS if scopes and SCOPE not in scopes else ""


def held_scopes(integration: AnyIntegration) -> tuple[str, ...]:
    """Return the scopes of the present authorization; none where they are not known."""
    try:
        grant = integration.core.grant()
    except ConnectorError:
        return ()
    return grant.scopes if grant is not None else ()


def _events(integration: AnyIntegration) -> tuple[str, ...]:
    return (*EVENTS, COMMENT_EVENT) if integration.reads_comments else EVENTS


def _registered(client: JiraClient, address: str, jql: str, events: tuple[str, ...]) -> int:
    wanted = {"events": list(events), "jqlFilter": jql, "fieldIdsFilter": list(FIELDS)}
    results = client.register_webhook(address, wanted).get("webhookRegistrationResult")
    result = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    number = result.get("createdWebhookId")
    if isinstance(number, int):
        return number
    errors = result.get("errors")
    said = " ".join(str(one)[:200] for one in errors[:3]) if isinstance(errors, list) else ""
    raise RemoteError(
        f"Jira did not register the webhook. It says: {said}".strip(), code="webhook_refused", fix=BY_HAND
    )


def _is_wanted(registered: Json, jql: str, events: tuple[str, ...]) -> bool:
    def listed(name: str) -> set[str]:
        value = registered.get(name)
        return {str(one) for one in value} if isinstance(value, list) else set()

    return (
        listed("events") == set(events) and listed("fieldIdsFilter") == set(FIELDS) and registered["jqlFilter"] == jql
    )


def _number(registered: Json) -> int:
    number = registered.get("id")
    return number if isinstance(number, int) else 0


def _moment(told: object) -> datetime | None:
    """Read when a webhook ends: milliseconds, as Jira's schema says, or a text, as its examples show."""
    if isinstance(told, str):
        if not told.isdecimal():
            return mapping.moment(told)
        told = int(told)
    if not isinstance(told, int) or isinstance(told, bool):
        return None
    try:
        return datetime.fromtimestamp(told / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
