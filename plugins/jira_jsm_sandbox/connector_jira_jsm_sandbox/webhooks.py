"""The site's webhooks: who is told about what. Sending is in `delivery.py`, the body in `webhook_body.py`."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any

from connector_jira_jsm_sandbox.delivery import Delivery, Dispatcher
from connector_jira_jsm_sandbox.issue import epoch_millis
from connector_jira_jsm_sandbox.jql import parse
from connector_jira_jsm_sandbox.site import Event, Site
from connector_jira_jsm_sandbox.webhook_body import webhook_body

EVENTS = ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted")
EVERY_EVENT = (*EVENTS, "comment_created")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registration by an administrator."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    jql: str = ""
    secret: str = field(default="", repr=False)
    exclude_body: bool = False
    enabled: bool = True
    updated: datetime | None = None

    def as_json(self, site: Site) -> dict[str, Any]:
        """Show it as the administrators' API does; the secret is never shown again."""
        account = site.profile.account
        return {
            "name": self.name,
            "url": self.url,
            "excludeBody": self.exclude_body,
            "filters": {"issue-related-events-section": self.jql},
            "events": list(self.events),
            "enabled": self.enabled,
            "isSigned": bool(self.secret),
            "self": f"{site.url}/rest/webhooks/1.0/webhook/{self.id}",
            "lastUpdatedUser": account.account_id,
            "lastUpdatedDisplayName": account.display_name,
            "lastUpdated": epoch_millis(self.updated) if self.updated else 0,
        }


class Webhooks:
    """The registrations; hears the site's events and hands deliveries to the dispatcher."""

    def __init__(self, site: Site, dispatcher: Dispatcher) -> None:
        self._site = site
        self._dispatcher = dispatcher
        self._lock = threading.Lock()
        self._ids = count(1)
        self._webhooks: dict[int, Webhook] = {}
        site.listeners.append(self.hear)

    def add(  # noqa: PLR0913 - the form's fields
        self,
        name: str,
        url: str,
        events: Iterable[str],
        *,
        jql: str = "",
        secret: str = "",
        exclude_body: bool = False,
    ) -> Webhook:
        """Register a webhook; a filter that is no JQL raises BadQuery."""
        self._check_filter(jql)
        with self._lock:
            number, now = next(self._ids), self._site.now()
            webhook = Webhook(number, name, url, tuple(events), jql, secret, exclude_body, updated=now)
            self._webhooks[webhook.id] = webhook
            return webhook

    def change(self, webhook_id: int, **changes: Any) -> Webhook | None:  # noqa: ANN401 - attributes of Webhook
        """Change a registration; None when there is none."""
        self._check_filter(str(changes.get("jql", "")))
        with self._lock:
            known = self._webhooks.get(webhook_id)
            if known is None:
                return None
            self._webhooks[webhook_id] = changed = replace(known, **changes, updated=self._site.now())
            return changed

    def remove(self, webhook_id: int) -> bool:
        """Forget a registration; return whether it was there."""
        with self._lock:
            return self._webhooks.pop(webhook_id, None) is not None

    def get(self, webhook_id: int) -> Webhook | None:
        """Return a registration."""
        with self._lock:
            return self._webhooks.get(webhook_id)

    def listed(self) -> list[Webhook]:
        """List the registrations."""
        with self._lock:
            return list(self._webhooks.values())

    def hear(self, event: Event) -> None:
        """Queue a delivery for every webhook that wants this event."""
        self._tell_apps(event)
        wanted = [webhook for webhook in self.listed() if self._wants(webhook, event)]
        if not wanted:
            return
        body = json.dumps(webhook_body(self._site, event), ensure_ascii=False, separators=(",", ":")).encode()
        for webhook in wanted:
            url = webhook.url.replace("${issue.key}", event.issue.key).replace("{issue.key}", event.issue.key)
            self._dispatcher.send(
                Delivery(
                    webhook_id=webhook.id,
                    identifier=str(uuid.uuid4()),
                    event=event.name,
                    issue_key=event.issue.key,
                    url=url,
                    body=b"" if webhook.exclude_body else body,
                    secret=webhook.secret,
                )
            )

    def _tell_apps(self, event: Event) -> None:
        """Queue one unsigned delivery for the app, naming all of its registrations that match."""
        site, reader = self._site, self._site.profile.account
        changed = {item.field for item in event.change.items} if event.change else set()
        matched = [
            one
            for one in site.dynamic_webhooks.values()
            if event.name in one.events
            and one.ends > site.now()
            and (not one.fields or event.name != "jira:issue_updated" or changed & set(one.fields))
            and parse(one.jql, site, reader).accepts(event.issue, event.issue.fields)
        ]
        if not matched:
            return
        body = {**webhook_body(site, event), "matchedWebhookIds": [one.id for one in matched]}
        self._dispatcher.send(
            Delivery(
                webhook_id=matched[0].id,
                identifier=str(uuid.uuid4()),
                event=event.name,
                issue_key=event.issue.key,
                url=matched[0].url,
                body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
                secret="",
            )
        )

    def _wants(self, webhook: Webhook, event: Event) -> bool:
        if not webhook.enabled or event.name not in webhook.events:
            return False
        query = parse(webhook.jql, self._site, self._site.profile.account)
        return query.accepts(event.issue, event.issue.fields)

    def _check_filter(self, jql: str) -> None:
        parse(jql, self._site, self._site.profile.account)
