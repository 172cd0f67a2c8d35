"""Jira over HTTP: the only module of the tickets' side that knows addresses, paging and when to renew.

Issues are read and written through version 2 of the platform API, whose rich text is wiki markup: the same form as in
requests of the service desk API and in webhooks. Version 3 would take and give documents (ADF). Its length is that of
the part of the API that is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from connector_core import AuthError, ConfigError, Grant, Integration, RemoteError, RetryLater
from connector_jira_jsm.api.bodies import COMMENT_PROPERTY, INTERNAL_PROPERTY, ISSUE_FIELDS, LINK_PROPERTY, Json
from connector_jira_jsm.api.limits import near_until
from connector_jira_jsm.api.responses import Subject, is_scope_mismatch, read
from connector_jira_jsm.settings import JiraSettings, plugin_settings
from connector_jira_jsm.text import mentions

DESKS = "/rest/servicedeskapi"
ISSUES = "/rest/api/2"
PLATFORM = "/rest/api/3"

BASE_URL = "base_url"  # a secret of grants made from an API token: where the token is good
PAGE = 100
MOST_PAGES = 100
# Atlassian's page allows 1,000 when only fields with a single value are asked for; its OpenAPI description says 100.
BULKFETCH_LIMITS = (1000, 100)
BULKFETCH_LIMIT = "bulkfetch limit"
HISTORY_LIMIT = 1000


class GrantAuth(AuthBase):
    """Sends the headers of one certain grant, in place of the session's."""

    def __init__(self, grant: Grant | None) -> None:
        self._grant = grant

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers."""
        for name, secret in (self._grant.headers if self._grant else {}).items():
            request.headers[name] = secret.get_secret_value()
        return request


# The session adds the stored grant unless a request brings an auth of its own; this one adds nothing.
NO_AUTH = GrantAuth(None)


@dataclass(frozen=True)
class JiraClient:
    """One site of Jira for one integration.

    `fixed_grant` is set while a grant is being made, before the core has stored it; nothing is renewed then.
    """

    integration: Integration
    fixed_grant: Grant | None = None

    # About the account and the site

    def site_url(self) -> str | None:
        """Return the address where people open the site."""
        grant = self.fixed_grant or self.integration.grant()
        return grant.site.url if grant and grant.site else None

    def site_id(self) -> str:
        """Return the cloud ID of the site: what it is called changes."""
        grant = self.fixed_grant or self.integration.grant()
        return grant.site.id if grant and grant.site else ""

    def myself(self) -> Json:
        """Return the account that we act as."""
        return _object(self._get(f"{PLATFORM}/myself"))

    def user(self, account_id: str) -> Json | None:
        """Return the person with an account ID, None when there is none."""
        try:
            return _object(self._get(f"{PLATFORM}/user", {"accountId": account_id}))
        except ConfigError as exc:
            if exc.code != "setup_object_missing":
                raise
            return None

    def find_users(self, text: str, most: int) -> list[Json]:
        """Search for people by the beginnings of their names or of their e-mail addresses."""
        return _objects(self._get(f"{PLATFORM}/user/search", {"query": text, "maxResults": str(most)}))

    def desk_info(self) -> Json:
        """Return what Jira Service Management says about itself; needs no scope."""
        return _object(self._get(f"{DESKS}/info"))

    def permissions(self, names: Sequence[str], project_id: str) -> Mapping[str, bool]:
        """Return which of the named permissions the account has in a project, as far as Jira says."""
        params = {"permissions": ",".join(names), "projectId": project_id}
        held = _object(_object(self._get(f"{PLATFORM}/mypermissions", params)).get("permissions"))
        told = {name: _object(held.get(name)).get("havePermission") for name in names}
        return {name: answer for name, answer in told.items() if isinstance(answer, bool)}

    def may_browse(self, project: str) -> bool:
        """Tell whether the account may see the issues of a project; raises `ConfigError` when it sees no such one."""
        params = {"permissions": "BROWSE_PROJECTS", "projectKey": project}
        held = _object(_object(self._get(f"{PLATFORM}/mypermissions", params)).get("permissions"))
        answer = _object(held.get("BROWSE_PROJECTS")).get("havePermission")
        if not isinstance(answer, bool):
            raise _unreadable()
        return answer

    def project(self, key: str) -> Json:
        """Return one project."""
        return _object(self._get(f"{PLATFORM}/project/{_part(key)}"))

    # What set-up chooses from

    def service_desks(self) -> Iterator[Json]:
        """List all service desks that the account may see."""
        return self._pages(f"{DESKS}/servicedesk")

    def service_desk(self, desk: str) -> Json:
        """Return one service desk."""
        return _object(self._get(f"{DESKS}/servicedesk/{_part(desk)}"))

    def request_types(self, desk: str) -> Iterator[Json]:
        """List the request types of a service desk."""
        return self._pages(f"{DESKS}/servicedesk/{_part(desk)}/requesttype")

    def request_type(self, desk: str, request_type: str) -> Json:
        """Return one request type."""
        return _object(self._get(f"{DESKS}/servicedesk/{_part(desk)}/requesttype/{_part(request_type)}"))

    def request_type_fields(self, desk: str, request_type: str) -> Json:
        """Return the form of a request type; this list comes whole, not in pages."""
        form = _object(self._get(f"{DESKS}/servicedesk/{_part(desk)}/requesttype/{_part(request_type)}/field"))
        _listed(form, "requestTypeFields")  # a form that is not told is no empty form
        return form

    def statuses(self, project: str) -> list[Json]:
        """Return the statuses of a project, grouped by issue type."""
        return _objects(self._get(f"{PLATFORM}/project/{_part(project)}/statuses"))

    # Tickets

    def create_request(self, desk: str, request_type: str, values: Json, people: Json | None = None) -> Json:
        """Create a request. There is no idempotency key: a lost answer has to be looked for."""
        body = {"serviceDeskId": desk, "requestTypeId": request_type, "requestFieldValues": values, **(people or {})}
        return _object(self._send("POST", f"{DESKS}/request", body, subject=Subject.SETUP))

    def issue(self, ticket_id: str) -> Json:
        """Read one issue."""
        params = {"fields": ",".join(ISSUE_FIELDS)}
        return self._named(_whole(self._get(f"{ISSUES}/issue/{_part(ticket_id)}", params, subject=Subject.TICKET)))

    def whereabouts(self, ticket_id: str) -> Json:
        """Read where an issue stands and what leads on from there, in one answer: two may be of two moments."""
        params = {"fields": "status,updated", "expand": "transitions"}
        return _whole(self._get(f"{ISSUES}/issue/{_part(ticket_id)}", params, subject=Subject.TICKET))

    def edit_issue(self, ticket_id: str, fields: Json, note: Json | None = None) -> Json:
        """Write fields of an issue, with our note, by mail to its watchers or not; return it as it is afterwards."""
        path = f"{ISSUES}/issue/{_part(ticket_id)}"
        params = {"returnIssue": "true"}
        settings = self.integration.settings
        if isinstance(settings, JiraSettings) and not settings.notify_users:
            params["notifyUsers"] = "false"
        answer = _object(self._send("PUT", path, {"fields": fields, **_noted(note)}, params=params))
        try:
            return self._named(answer)
        except RetryLater as exc:  # the edit was done
            exc.outcome_unknown = True
            raise

    def transitions(self, ticket_id: str) -> list[Json]:
        """List the transitions that the account may use now, with the fields of their screens."""
        path = f"{ISSUES}/issue/{_part(ticket_id)}/transitions"
        answer = _object(self._get(path, {"expand": "transitions.fields"}, subject=Subject.TICKET))
        return _listed(answer, "transitions")

    def transition(self, ticket_id: str, transition_id: str, fields: Json, note: Json | None = None) -> None:
        """Move an issue, and leave our note on it."""
        body: dict[str, Any] = {"transition": {"id": transition_id}, **_noted(note)}
        if fields:
            body["fields"] = fields
        self._send("POST", f"{ISSUES}/issue/{_part(ticket_id)}/transitions", body)

    def edit_fields(self, ticket_id: str) -> dict[str, Json]:
        """Return the fields that an edit may set, by id."""
        answer = _object(self._get(f"{ISSUES}/issue/{_part(ticket_id)}/editmeta", subject=Subject.TICKET))
        return {str(name): shown for name, shown in _object(answer.get("fields")).items() if isinstance(shown, dict)}

    def add_comment(self, ticket_id: str, text: str, marker: str, *, public: bool) -> Json:
        """Write a comment with our mark, for customers to see only if it is public."""
        properties = [
            {"key": COMMENT_PROPERTY, "value": {"marker": marker}},
            {"key": INTERNAL_PROPERTY, "value": {"internal": not public}},
        ]
        body = {"body": text, "properties": properties}
        return _object(self._send("POST", f"{ISSUES}/issue/{_part(ticket_id)}/comment", body))

    def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Remove a comment."""
        self._call("DELETE", f"{ISSUES}/issue/{_part(ticket_id)}/comment/{_part(comment_id)}", subject=Subject.TICKET)

    def comments(self, ticket_id: str) -> Iterator[Json]:
        """Read the comments of an issue with their properties, the newest first."""
        path = f"{ISSUES}/issue/{_part(ticket_id)}/comment"
        params = {"orderBy": "-created", "expand": "properties", "maxResults": str(PAGE)}
        start = 0
        for _ in range(MOST_PAGES):
            page = _object(self._get(path, {**params, "startAt": str(start)}, subject=Subject.TICKET))
            shown = _listed(page, "comments")
            yield from map(self._named, shown)
            start += len(shown)
            total = page.get("total")
            if not shown or (isinstance(total, int) and start >= total):
                return

    def set_property(self, ticket_id: str, value: Json) -> None:
        """Leave our note on an issue, where people do not see it."""
        self._send("PUT", f"{ISSUES}/issue/{_part(ticket_id)}/properties/{LINK_PROPERTY}", value)

    def set_remote_link(self, ticket_id: str, global_id: str, url: str, title: str) -> None:
        """Show a link on an issue; the same `global_id` again changes it."""
        body = {"globalId": global_id, "object": {"url": url, "title": title}}
        self._send("POST", f"{ISSUES}/issue/{_part(ticket_id)}/remotelink", body)

    def search(self, jql: str, *, most: int | None = None) -> Iterator[Json]:
        """Search issues. The index lags by seconds, sometimes minutes."""
        body: dict[str, Any] = {
            "jql": jql,
            "fields": list(ISSUE_FIELDS),
            "properties": [LINK_PROPERTY],
            "maxResults": min(most or PAGE, PAGE),
        }
        for _ in range(MOST_PAGES):
            page = _object(self._send("POST", f"{ISSUES}/search/jql", body, reads=True))
            yield from map(self._named, _listed(page, "issues"))
            token = page.get("nextPageToken")
            if not token or page.get("isLast") is True or token == body.get("nextPageToken") or most is not None:
                return
            body["nextPageToken"] = token
        raise RetryLater("Jira's search does not come to an end.", code="too_many_pages")

    def bulk_fetch(self, ticket_ids: Iterable[str]) -> Iterator[Json]:
        """Read many issues; those that are gone or hidden are simply absent."""
        ids = list(ticket_ids)
        most, fewer = BULKFETCH_LIMITS
        cache = self.integration.cache
        while ids:
            size = min(int(cache.get(BULKFETCH_LIMIT, most)), len(ids))
            try:
                answer = self._bulk(ids[:size])
            except RemoteError as exc:
                if size <= fewer:
                    raise
                self.integration.log.info("bulk_reads_are_smaller", ids=size, detail=exc.detail)
                cache[BULKFETCH_LIMIT] = fewer
                continue
            if answer.get("issueErrors"):
                # These are errors that pass; an absent issue would be taken for a deleted one.
                raise RetryLater("Jira could not read some of the tickets just now.", code="unavailable")
            yield from map(self._named, _listed(answer, "issues"))
            ids = ids[size:]

    def _bulk(self, ids: Sequence[str]) -> Json:
        body = {"issueIdsOrKeys": list(ids), "fields": list(ISSUE_FIELDS)}
        return _object(self._send("POST", f"{ISSUES}/issue/bulkfetch", body, reads=True))

    def former_descriptions(self, ticket_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Read what the descriptions of many issues were before they were changed, with the issues' ids."""
        ids = list(ticket_ids)
        for start in range(0, len(ids), HISTORY_LIMIT):
            body: dict[str, Any] = {"issueIdsOrKeys": ids[start : start + HISTORY_LIMIT], "fieldIds": ["description"]}
            for _ in range(MOST_PAGES):
                page = _object(self._send("POST", f"{PLATFORM}/changelog/bulkfetch", body, reads=True))
                for log in _objects(page.get("issueChangeLogs")):
                    for change in _objects(log.get("changeHistories")):
                        for item in _objects(change.get("items")):
                            yield str(log.get("issueId")), str(item.get("fromString") or "")
                if not page.get("nextPageToken"):
                    break
                body["nextPageToken"] = page["nextPageToken"]

    def changes(self, ticket_id: str, field_ids: Sequence[str]) -> Iterator[tuple[object, object, list[str]]]:
        """Read the changes of some fields of an issue, oldest first: when, who, and which fields each was about."""
        body: dict[str, Any] = {"issueIdsOrKeys": [ticket_id], "fieldIds": list(field_ids)}
        for _ in range(MOST_PAGES):
            page = _object(self._send("POST", f"{PLATFORM}/changelog/bulkfetch", body, reads=True))
            for log in _objects(page.get("issueChangeLogs")):
                for change in _objects(log.get("changeHistories")):
                    items = _objects(change.get("items"))
                    names = [str(one.get("fieldId") or one.get("field") or "") for one in items]
                    yield change.get("created"), change.get("author"), names
            if not page.get("nextPageToken"):
                return
            body["nextPageToken"] = page["nextPageToken"]

    # Webhooks of the app itself

    def webhooks(self) -> Iterator[Json]:
        """List the webhooks that the app registered for this account."""
        start = 0
        for _ in range(MOST_PAGES):
            page = _object(self._get(f"{PLATFORM}/webhook", {"startAt": str(start), "maxResults": str(PAGE)}))
            values = _objects(page.get("values"))
            yield from values
            if page.get("isLast") is not False or not values:
                return
            start += len(values)

    def register_webhook(self, address: str, wanted: Json) -> Json:
        """Register a webhook; whether that worked is in the answer."""
        body = {"url": address, "webhooks": [wanted]}
        return _object(self._send("POST", f"{PLATFORM}/webhook", body, subject=Subject.SETUP))

    def refresh_webhooks(self, numbers: Sequence[int]) -> Json:
        """Give webhooks another 30 days."""
        return _object(self._send("PUT", f"{PLATFORM}/webhook/refresh", {"webhookIds": list(numbers)}))

    def delete_webhooks(self, numbers: Sequence[int]) -> None:
        """Remove webhooks; those that are gone are no matter."""
        self._send("DELETE", f"{PLATFORM}/webhook", {"webhookIds": list(numbers)}, subject=Subject.SETUP)

    def status_moves(self, ticket_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Read from which status to which tickets were moved, by the statuses' ids; the first page is enough."""
        body = {"issueIdsOrKeys": list(ticket_ids)[:HISTORY_LIMIT], "fieldIds": ["status"]}
        if not body["issueIdsOrKeys"]:
            return
        page = _object(self._send("POST", f"{PLATFORM}/changelog/bulkfetch", body, reads=True))
        for log in _objects(page.get("issueChangeLogs")):
            for change in _objects(log.get("changeHistories")):
                for item in _objects(change.get("items")):
                    if item.get("from") and item.get("to"):
                        yield str(item["from"]), str(item["to"])

    # Private

    def _named(self, shown: Json) -> Json:
        """Return an issue or a comment with the names of those whom its text mentions."""
        texts = (_object(shown.get("fields")).get("description"), shown.get("body"))
        names = mentions.learn(self.integration, self.user, *texts)
        return {**shown, mentions.NAMES: names} if names or mentions.NAMES in shown else shown

    def _pages(self, path: str) -> Iterator[Json]:
        """Go through a list of the service desk API.

        Its links to the next page name the site's own host, where an OAuth token is not good: counted instead.
        """
        start = 0
        for _ in range(MOST_PAGES):
            page = _object(self._get(path, {"start": str(start), "limit": str(PAGE)}))
            values = _listed(page, "values")
            yield from values
            if page.get("isLastPage") is not False or not values:
                return
            start += len(values)
        raise RetryLater("A list of Jira's does not come to an end.", code="too_many_pages")

    def _get(self, path: str, params: Mapping[str, str] | None = None, *, subject: Subject = Subject.SETUP) -> Any:  # noqa: ANN401 - JSON
        return self._call("GET", path, params=params, subject=subject)

    def _send(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        body: Json,
        *,
        params: Mapping[str, str] | None = None,
        subject: Subject = Subject.TICKET,
        reads: bool = False,
    ) -> Any:  # noqa: ANN401 - JSON
        """Send a body; `reads` marks a POST that changes nothing, whose outcome is therefore never unknown."""
        try:
            return self._call(method, path, body=body, params=params, subject=Subject.SETUP if reads else subject)
        except RetryLater as exc:
            exc.outcome_unknown = exc.outcome_unknown and not reads
            raise

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        params: Mapping[str, str] | None = None,
        subject: Subject,
    ) -> Any:  # noqa: ANN401 - JSON
        integration = self.integration
        grant = self.fixed_grant or integration.grant()
        if grant is None:
            raise AuthError("Nobody has authorized access to Jira yet.", fix="Authorize access to Jira.")
        response = self._exchange(grant, method, path, body, params)
        if response.status_code == HTTPStatus.UNAUTHORIZED and not self.fixed_grant and not is_scope_mismatch(response):
            response = self._exchange(integration.renew(grant), method, path, body, params)
        return read(response, subject, integration.clock.now())

    def _exchange(
        self, grant: Grant, method: str, path: str, body: Json | None, params: Mapping[str, str] | None
    ) -> requests.Response:
        url = base_url(self.integration, grant) + path
        auth = GrantAuth(self.fixed_grant) if self.fixed_grant else None
        headers = {"Accept": "application/json"}
        response = self.integration.session.request(method, url, json=body, params=params, auth=auth, headers=headers)
        if (until := near_until(response.headers, self.integration.clock.now())) is not None:
            self.integration.near_limit(until)
        return response


def base_url(integration: Integration, grant: Grant) -> str:
    """Return where a grant is good: the gateway for OAuth and scoped tokens, the site itself for other tokens."""
    if BASE_URL in grant.secrets:
        return grant.secrets[BASE_URL].get_secret_value()
    if grant.site is None:
        raise AuthError("No Jira site was chosen yet.", code="site_not_chosen", fix="Authorize and choose a site.")
    return f"{plugin_settings(integration).api_url}/ex/jira/{_part(grant.site.id)}"


def cloud_id(integration: Integration, site_url: str) -> str:
    """Look up the id that the gateway knows a site by."""
    response = integration.session.request("GET", f"{site_url}/_edge/tenant_info", auth=NO_AUTH)
    found = _object(read(response, Subject.SETUP, integration.clock.now())).get("cloudId")
    if not isinstance(found, str) or not found:
        raise ConfigError(
            "The site does not tell its cloud ID.",
            code="cloud_id_unknown",
            detail=str(response.status_code),
            fix="Check that site is the URL of a Jira Cloud site, like https://example.atlassian.net.",
        )
    return found


def _part(value: str) -> str:
    """Make one path segment of a value, whatever it holds."""
    return quote(value, safe="")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _whole(value: object) -> Json:
    """Return an object that was asked for by name: anything else is an answer that cannot be read."""
    if not isinstance(value, dict):
        raise _unreadable()
    return value


def _listed(page: Json, name: str) -> list[Json]:
    """Return the entries of a list, one that is no object as an empty one: a list that is not there is no empty list.

    Raises:
        RetryLater: there is no such list.
    """
    listed = page.get(name)
    if not isinstance(listed, list):
        raise _unreadable()
    return [one if isinstance(one, dict) else {} for one in listed]


def _unreadable() -> RetryLater:
    return RetryLater("Jira's answer is not readable.", code="answer_unreadable", detail="a part of it is missing")


def _noted(note: Json | None) -> dict[str, Any]:
    """Return our note as it travels with a write."""
    return {"properties": [{"key": LINK_PROPERTY, "value": note}]} if note else {}
