"""Jira over HTTP: the only module of the tickets' side that knows addresses, paging and when to renew.

Issues are read and written through version 2 of the platform API, whose rich text is wiki markup: the same form as in
requests of the service desk API and in webhooks. Version 3 would take and give documents (ADF).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector_core import AuthError, Grant, Integration, RemoteError, RetryLater, no_grant
from connector_jira_jsm.api.addresses import base_url, segment
from connector_jira_jsm.api.bodies import (
    COMMENT_PROPERTY,
    INTERNAL_PROPERTY,
    ISSUE_FIELDS,
    LINK_PROPERTY,
    Json,
    listed,
    noted,
    object_of,
    objects_of,
    unreadable,
    warned,
    whole,
)
from connector_jira_jsm.api.limits import near_until
from connector_jira_jsm.api.paging import (
    PAGE,
    Place,
    SearchIncomplete,
    by_count,
    by_token,
    by_total,
    first_only,
    paged,
)
from connector_jira_jsm.api.responses import SetupObjectMissing, Subject, read, with_outcome
from connector_jira_jsm.settings import JiraSettings
from connector_jira_jsm.text import mentions

DESKS = "/rest/servicedeskapi"
ISSUES = "/rest/api/2"
PLATFORM = "/rest/api/3"

# Atlassian's page allows 1,000 when only fields with a single value are asked for; its OpenAPI description says 100.
BULKFETCH_LIMITS = (1000, 100)
BULKFETCH_LIMIT = "bulkfetch limit"


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
        grant = self.fixed_grant or self.integration.core.grant()
        return grant.site.url if grant and grant.site else None

    def site_id(self) -> str:
        """Return the cloud ID of the site: what it is called changes."""
        grant = self.fixed_grant or self.integration.core.grant()
        return grant.site.id if grant and grant.site else ""

    def myself(self) -> Json:
        """Return the account that we act as."""
        return object_of(self._get(f"{PLATFORM}/myself"))

    def user(self, account_id: str) -> Json | None:
        """Return the person with an account ID, None when there is none."""
        try:
            return object_of(self._get(f"{PLATFORM}/user", {"accountId": account_id}))
        except SetupObjectMissing:
            return None

    def find_users(self, text: str, most: int) -> list[Json]:
        """Search for people by the beginnings of their names or of their e-mail addresses."""
        return objects_of(self._get(f"{PLATFORM}/user/search", {"query": text, "maxResults": str(most)}))

    def desk_info(self) -> Json:
        """Return what Jira Service Management says about itself; needs no scope."""
        return object_of(self._get(f"{DESKS}/info"))

    def permissions(self, names: Sequence[str], project_id: str) -> Mapping[str, bool]:
        """Return which of the named permissions the account has in a project, as far as Jira says."""
        return self._held(names, {"projectId": project_id})

    def may_browse(self, project: str) -> bool:
        """Return whether the account may see the issues of a project; raises `ConfigError` when it sees no such one."""
        held = self._held(("BROWSE_PROJECTS",), {"projectKey": project})
        if not held:
            raise unreadable()
        return held["BROWSE_PROJECTS"]

    def _held(self, names: Sequence[str], where: Mapping[str, str]) -> Mapping[str, bool]:
        params = {"permissions": ",".join(names), **where}
        shown = object_of(object_of(self._get(f"{PLATFORM}/mypermissions", params)).get("permissions"))
        told = {name: object_of(shown.get(name)).get("havePermission") for name in names}
        return {name: is_held for name, is_held in told.items() if isinstance(is_held, bool)}

    def project(self, key: str) -> Json:
        """Return one project."""
        return object_of(self._get(f"{PLATFORM}/project/{segment(key)}"))

    # What set-up chooses from

    def service_desks(self) -> Iterator[Json]:
        """List all service desks that the account may see."""
        return self._pages(f"{DESKS}/servicedesk")

    def service_desk(self, desk: str) -> Json:
        """Return one service desk."""
        return object_of(self._get(f"{DESKS}/servicedesk/{segment(desk)}"))

    def request_types(self, desk: str) -> Iterator[Json]:
        """List the request types of a service desk."""
        return self._pages(f"{DESKS}/servicedesk/{segment(desk)}/requesttype")

    def request_type(self, desk: str, request_type: str) -> Json:
        """Return one request type."""
        return object_of(self._get(f"{DESKS}/servicedesk/{segment(desk)}/requesttype/{segment(request_type)}"))

    def request_type_fields(self, desk: str, request_type: str) -> Json:
        """Return the form of a request type; this list comes whole, not in pages."""
        form = object_of(self._get(f"{DESKS}/servicedesk/{segment(desk)}/requesttype/{segment(request_type)}/field"))
        listed(form, "requestTypeFields")  # a form that is not told is no empty form
        return form

    def statuses(self, project: str) -> list[Json]:
        """Return the statuses of a project, grouped by issue type."""
        return objects_of(self._get(f"{PLATFORM}/project/{segment(project)}/statuses"))

    # Tickets

    def create_request(self, desk: str, request_type: str, values: Json, people: Json | None = None) -> Json:
        """Create a request. There is no idempotency key: a lost answer has to be looked for."""
        body = {"serviceDeskId": desk, "requestTypeId": request_type, "requestFieldValues": values, **(people or {})}
        return object_of(self._send("POST", f"{DESKS}/request", body, subject=Subject.SETUP))

    def issue(self, ticket_id: str) -> Json:
        """Read one issue."""
        params = {"fields": ",".join(ISSUE_FIELDS)}
        return self._named(whole(self._get(f"{ISSUES}/issue/{segment(ticket_id)}", params, subject=Subject.TICKET)))

    def whereabouts(self, ticket_id: str) -> Json:
        """Read where an issue stands and what leads on from there, in one answer: two may be of two moments."""
        params = {"fields": "status,updated", "expand": "transitions"}
        path = f"{ISSUES}/issue/{segment(ticket_id)}"
        return whole(self._call("GET", path, params=params, subject=Subject.TICKET))

    def edit_issue(self, ticket_id: str, fields: Json, note: Json | None = None) -> Json:
        """Write fields of an issue, with our note, by mail to its watchers or not; return it as it is afterwards."""
        path = f"{ISSUES}/issue/{segment(ticket_id)}"
        params = {"returnIssue": "true"}
        settings = self.integration.settings
        if isinstance(settings, JiraSettings) and not settings.notify_users:
            params["notifyUsers"] = "false"
        answer = object_of(self._send("PUT", path, {"fields": fields, **noted(note)}, params=params))
        try:
            return self._named(answer)
        except RetryLater as exc:  # the edit was done
            raise with_outcome(exc, is_unknown=True) from exc

    def transitions(self, ticket_id: str) -> list[Json]:
        """List the transitions that the account may use now, with the fields of their screens."""
        path = f"{ISSUES}/issue/{segment(ticket_id)}/transitions"
        asked = {"expand": "transitions.fields"}
        answer = object_of(self._call("GET", path, params=asked, subject=Subject.TICKET))
        return listed(answer, "transitions")

    def transition(self, ticket_id: str, transition_id: str, fields: Json, note: Json | None = None) -> None:
        """Move an issue, and leave our note on it."""
        body: dict[str, Any] = {"transition": {"id": transition_id}, **noted(note)}
        if fields:
            body["fields"] = fields
        path = f"{ISSUES}/issue/{segment(ticket_id)}/transitions"
        answer = self._call("POST", path, body=body, subject=Subject.TICKET)
        if answer is not None:  # Jira says nothing: somebody in between answered in its place
            raise unreadable(outcome_unknown=True)

    def edit_fields(self, ticket_id: str) -> dict[str, Json]:
        """Return the fields that an edit may set, by id."""
        answer = object_of(self._get(f"{ISSUES}/issue/{segment(ticket_id)}/editmeta", subject=Subject.TICKET))
        return {str(name): shown for name, shown in object_of(answer.get("fields")).items() if isinstance(shown, dict)}

    def add_comment(self, ticket_id: str, text: str, marker: str, *, public: bool) -> Json:
        """Write a comment with our mark, for customers to see only if it is public."""
        properties = [
            {"key": COMMENT_PROPERTY, "value": {"marker": marker}},
            {"key": INTERNAL_PROPERTY, "value": {"internal": not public}},
        ]
        body = {"body": text, "properties": properties}
        return object_of(self._send("POST", f"{ISSUES}/issue/{segment(ticket_id)}/comment", body))

    def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Remove a comment."""
        self._call(
            "DELETE", f"{ISSUES}/issue/{segment(ticket_id)}/comment/{segment(comment_id)}", subject=Subject.TICKET
        )

    def comments(self, ticket_id: str) -> Iterator[Json]:
        """Read the comments of an issue with their properties, the newest first."""
        path = f"{ISSUES}/issue/{segment(ticket_id)}/comment"
        params = {"orderBy": "-created", "expand": "properties", "maxResults": str(PAGE)}

        def page(place: Place) -> Json:
            return object_of(self._get(path, {**params, **place}, subject=Subject.TICKET))

        shown = paged(page, lambda page: listed(page, "comments"), by_total, first={"startAt": "0"})
        return map(self._named, shown)

    def set_property(self, ticket_id: str, value: Json) -> None:
        """Leave our note on an issue, where people do not see it."""
        self._send("PUT", f"{ISSUES}/issue/{segment(ticket_id)}/properties/{LINK_PROPERTY}", value)

    def set_remote_link(self, ticket_id: str, global_id: str, url: str, title: str) -> None:
        """Show a link on an issue; the same `global_id` again changes it."""
        body = {"globalId": global_id, "object": {"url": url, "title": title}}
        self._send("POST", f"{ISSUES}/issue/{segment(ticket_id)}/remotelink", body)

    def search(self, jql: str, *, most: int | None = None, more: Sequence[str] = ()) -> Iterator[Json]:
        """Search issues, with `more` of their fields. The index lags by seconds, sometimes minutes.

        Raises:
            SearchIncomplete: after the last of them, if Jira warns that it left some out; not for the first `most`.
        """
        body: dict[str, Any] = {
            "jql": jql,
            "fields": [*ISSUE_FIELDS, *more],
            "properties": [LINK_PROPERTY],
            "maxResults": min(most or PAGE, PAGE),
        }
        request = self.read_by_post(f"{ISSUES}/search/jql", body)
        warnings: list[object] = []

        def issues(page: Json) -> list[Json]:
            warnings.append(page.get("warnings"))
            return listed(page, "issues")

        yield from map(self._named, paged(request, issues, by_token if most is None else first_only))
        if most is None and any(warnings):
            raise SearchIncomplete("Jira's search left something out.", detail=warned(warnings))

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
            yield from map(self._named, listed(answer, "issues"))
            ids = ids[size:]

    def _bulk(self, ids: Sequence[str]) -> Json:
        body = {"issueIdsOrKeys": list(ids), "fields": list(ISSUE_FIELDS)}
        return object_of(self._send("POST", f"{ISSUES}/issue/bulkfetch", body, reads=True))

    # Webhooks of the app itself

    def webhooks(self) -> Iterator[Json]:
        """List the webhooks that the app registered for this account."""

        def page(place: Place) -> Json:
            return object_of(self._get(f"{PLATFORM}/webhook", {**place, "maxResults": str(PAGE)}))

        following = by_count("startAt", last="isLast")
        return paged(page, lambda page: objects_of(page.get("values")), following, first={"startAt": "0"})

    def register_webhook(self, address: str, wanted: Json) -> Json:
        """Register a webhook; whether that worked is in the answer."""
        body = {"url": address, "webhooks": [wanted]}
        return object_of(self._send("POST", f"{PLATFORM}/webhook", body, subject=Subject.SETUP))

    def refresh_webhooks(self, numbers: Sequence[int]) -> Json:
        """Give webhooks another 30 days."""
        return object_of(self._send("PUT", f"{PLATFORM}/webhook/refresh", {"webhookIds": list(numbers)}))

    def delete_webhooks(self, numbers: Sequence[int]) -> None:
        """Remove webhooks; those that are gone are no matter."""
        self._send("DELETE", f"{PLATFORM}/webhook", {"webhookIds": list(numbers)}, subject=Subject.SETUP)

    # Private

    def _named(self, shown: Json) -> Json:
        """Return an issue or a comment with the names of those whom its text mentions."""
        texts = (object_of(shown.get("fields")).get("description"), shown.get("body"))
        names = mentions.learn(self.integration, self.user, *texts)
        return {**shown, mentions.NAMES: names} if names or mentions.NAMES in shown else shown

    def _pages(self, path: str) -> Iterator[Json]:
        """Go through a list of the service desk API.

        Its links to the next page name the site's own host, where an OAuth token is not good: counted instead.
        """

        def page(place: Place) -> Json:
            return object_of(self._get(path, {**place, "limit": str(PAGE)}))

        following = by_count("start", last="isLastPage")
        return paged(page, lambda page: listed(page, "values"), following, first={"start": "0"})

    def read_by_post(self, path: str, body: Json) -> Callable[[Place], Json]:
        """Return what reads a page of a list that is asked for with a body."""
        return lambda place: object_of(self._send("POST", path, {**body, **place}, reads=True))

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
            if not (reads and exc.outcome_unknown):
                raise
            raise with_outcome(exc, is_unknown=False) from exc

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
        grant = self.fixed_grant or integration.core.grant()
        if grant is None:
            raise AuthError("Nobody has authorized access to Jira yet.", fix="Authorize access to Jira.")
        url = base_url(integration, grant) + path
        headers, auth = {"Accept": "application/json"}, None
        if self.fixed_grant is not None:
            headers, auth = {**headers, **grant.sent_headers()}, no_grant
        response = integration.session.request(method, url, json=body, params=params, auth=auth, headers=headers)
        now = integration.clock.now()
        if (until := near_until(response.headers, now)) is not None:
            integration.core.near_limit(until)
        return read(response, subject, now)
