"""Jira over HTTP: the only module of the tickets' side that knows addresses and paging.

Issues are read and written through version 2 of the platform API, whose rich text is wiki markup: the same form as in
requests of the service desk API and in webhooks. Version 3 would take and give documents (ADF).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connector_core import AnyIntegration, AuthError, Grant, RemoteError, RetryLater
from connector_core.kit.answers import SetupObjectMissing, Subject, with_outcome
from connector_core.kit.paging import OnePage
from connector_core.kit.rest import Rest, of_grant, segment
from connector_core.kit.values import Json, as_object, as_objects, listed, unreadable, whole
from connector_jira_jsm.api.addresses import base_url
from connector_jira_jsm.api.bodies import (
    COMMENT_PROPERTY,
    INTERNAL_PROPERTY,
    ISSUE_FIELDS,
    LINK_PROPERTY,
    noted,
    warned,
)
from connector_jira_jsm.api.paging import BY_COUNT, BY_TOKEN, BY_TOTAL, OF_DESKS, PAGE, SearchIncomplete
from connector_jira_jsm.api.responses import RULES
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

    integration: AnyIntegration
    fixed_grant: Grant | None = None

    @property
    def rest(self) -> Rest:
        """Where the site's API is, and what its answers mean.

        Raises:
            AuthError: nobody has authorized access, or no site was chosen.
        """
        grant = self.fixed_grant or self.integration.core.grant()
        if grant is None:
            raise AuthError("Nobody has authorized access to Jira yet.", fix="Authorize access to Jira.")
        auth = None if self.fixed_grant is None else of_grant(self.fixed_grant)
        return Rest(self.integration, base_url(self.integration, grant), RULES, auth=auth)

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
        return as_object(self.rest.get(f"{PLATFORM}/myself"))

    def user(self, account_id: str) -> Json | None:
        """Return the person with an account ID, None when there is none."""
        try:
            return as_object(self.rest.get(f"{PLATFORM}/user", params={"accountId": account_id}))
        except SetupObjectMissing:
            return None

    def find_users(self, text: str, most: int) -> list[Json]:
        """Search for people by the beginnings of their names or of their e-mail addresses."""
        return as_objects(self.rest.get(f"{PLATFORM}/user/search", params={"query": text, "maxResults": str(most)}))

    def desk_info(self) -> Json:
        """Return what Jira Service Management says about itself; needs no scope."""
        return as_object(self.rest.get(f"{DESKS}/info"))

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
        shown = as_object(as_object(self.rest.get(f"{PLATFORM}/mypermissions", params=params)).get("permissions"))
        told = {name: as_object(shown.get(name)).get("havePermission") for name in names}
        return {name: is_held for name, is_held in told.items() if isinstance(is_held, bool)}

    def project(self, key: str) -> Json:
        """Return one project."""
        return as_object(self.rest.get(f"{PLATFORM}/project/{segment(key)}"))

    # What set-up chooses from

    def service_desks(self) -> Iterator[Json]:
        """List all service desks that the account may see."""
        return self._pages(f"{DESKS}/servicedesk")

    def service_desk(self, desk: str) -> Json:
        """Return one service desk."""
        return as_object(self.rest.get(f"{DESKS}/servicedesk/{segment(desk)}"))

    def request_types(self, desk: str) -> Iterator[Json]:
        """List the request types of a service desk."""
        return self._pages(f"{DESKS}/servicedesk/{segment(desk)}/requesttype")

    def request_type(self, desk: str, request_type: str) -> Json:
        """Return one request type."""
        return as_object(self.rest.get(f"{DESKS}/servicedesk/{segment(desk)}/requesttype/{segment(request_type)}"))

    def request_type_fields(self, desk: str, request_type: str) -> Json:
        """Return the form of a request type; this list comes whole, not in pages."""
        path = f"{DESKS}/servicedesk/{segment(desk)}/requesttype/{segment(request_type)}/field"
        form = as_object(self.rest.get(path))
        listed(form, "requestTypeFields")  # a form that is not told is no empty form
        return form

    def statuses(self, project: str) -> list[Json]:
        """Return the statuses of a project, grouped by issue type."""
        return as_objects(self.rest.get(f"{PLATFORM}/project/{segment(project)}/statuses"))

    # Tickets

    def create_request(self, desk: str, request_type: str, values: Json, people: Json | None = None) -> Json:
        """Create a request. There is no idempotency key: a lost answer has to be looked for."""
        body = {"serviceDeskId": desk, "requestTypeId": request_type, "requestFieldValues": values, **(people or {})}
        return as_object(self.rest.post(f"{DESKS}/request", body))

    def issue(self, ticket_id: str, *, with_history: bool = False) -> Json:
        """Read one issue, with its latest changes if they are asked for."""
        params = {"fields": ",".join(ISSUE_FIELDS), **({"expand": "changelog"} if with_history else {})}
        path = f"{ISSUES}/issue/{segment(ticket_id)}"
        return self._named(whole(self.rest.get(path, about=Subject.TICKET, params=params)))

    def whereabouts(self, ticket_id: str) -> Json:
        """Read where an issue stands and what leads on from there, in one answer: two may be of two moments."""
        params = {"fields": "status,updated", "expand": "transitions"}
        path = f"{ISSUES}/issue/{segment(ticket_id)}"
        return whole(self.rest.get(path, about=Subject.TICKET, params=params))

    def edit_issue(self, ticket_id: str, fields: Json, note: Json | None = None) -> Json:
        """Write fields of an issue, with our note, by mail to its watchers or not; return it as it is afterwards.

        Its latest changes come along: they tell what somebody did in the same moment.
        """
        path = f"{ISSUES}/issue/{segment(ticket_id)}"
        params = {"returnIssue": "true", "expand": "changelog"}
        settings = self.integration.settings
        if isinstance(settings, JiraSettings) and not settings.notify_users:
            params["notifyUsers"] = "false"
        answer = as_object(self.rest.put(path, {"fields": fields, **noted(note)}, params=params))
        try:
            return self._named(answer)
        except RetryLater as exc:  # the edit was done
            raise with_outcome(exc, is_unknown=True) from exc

    def transitions(self, ticket_id: str) -> list[Json]:
        """List the transitions that the account may use now, with the fields of their screens."""
        path = f"{ISSUES}/issue/{segment(ticket_id)}/transitions"
        asked = {"expand": "transitions.fields"}
        answer = as_object(self.rest.get(path, about=Subject.TICKET, params=asked))
        return listed(answer, "transitions")

    def transition(self, ticket_id: str, transition_id: str, fields: Json, note: Json | None = None) -> None:
        """Move an issue, and leave our note on it."""
        body: dict[str, Any] = {"transition": {"id": transition_id}, **noted(note)}
        if fields:
            body["fields"] = fields
        path = f"{ISSUES}/issue/{segment(ticket_id)}/transitions"
        answer = self.rest.post(path, body, about=Subject.TICKET)
        if answer is not None:  # Jira says nothing: somebody in between answered in its place
            raise unreadable(outcome_unknown=True)

    def edit_fields(self, ticket_id: str) -> dict[str, Json]:
        """Return the fields that an edit may set, by id."""
        answer = as_object(self.rest.get(f"{ISSUES}/issue/{segment(ticket_id)}/editmeta", about=Subject.TICKET))
        return {str(name): shown for name, shown in as_object(answer.get("fields")).items() if isinstance(shown, dict)}

    def add_comment(self, ticket_id: str, text: str, marker: str, *, public: bool) -> Json:
        """Write a comment with our mark, for customers to see only if it is public."""
        properties = [
            {"key": COMMENT_PROPERTY, "value": {"marker": marker}},
            {"key": INTERNAL_PROPERTY, "value": {"internal": not public}},
        ]
        body = {"body": text, "properties": properties}
        return as_object(self.rest.post(f"{ISSUES}/issue/{segment(ticket_id)}/comment", body, about=Subject.TICKET))

    def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Remove a comment."""
        self.rest.delete(f"{ISSUES}/issue/{segment(ticket_id)}/comment/{segment(comment_id)}")

    def comments(self, ticket_id: str) -> Iterator[Json]:
        """Read the comments of an issue with their properties, the newest first."""
        path = f"{ISSUES}/issue/{segment(ticket_id)}/comment"
        params = {"orderBy": "-created", "expand": "properties", "maxResults": str(PAGE)}

        shown = self.rest.pages(path, "comments", BY_TOTAL, params=params, about=Subject.TICKET)
        return map(self._named, shown)

    def set_property(self, ticket_id: str, value: Json) -> None:
        """Leave our note on an issue, where people do not see it."""
        self.rest.put(f"{ISSUES}/issue/{segment(ticket_id)}/properties/{LINK_PROPERTY}", value)

    def set_remote_link(self, ticket_id: str, global_id: str, url: str, title: str) -> None:
        """Show a link on an issue; the same `global_id` again changes it."""
        body = {"globalId": global_id, "object": {"url": url, "title": title}}
        self.rest.post(f"{ISSUES}/issue/{segment(ticket_id)}/remotelink", body, about=Subject.TICKET)

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
        warnings: list[object] = []

        def issues(page: object) -> list[Json]:
            warnings.append(as_object(page).get("warnings"))
            return listed(page, "issues")

        paging = BY_TOKEN if most is None else OnePage()
        yield from map(self._named, self.rest.pages(f"{ISSUES}/search/jql", issues, paging, body=body))
        if most is None and any(warnings):
            raise SearchIncomplete("Jira's search left something out.", detail=warned(warnings))

    def search_page(self, jql: str, token: str | None) -> tuple[list[Json], str | None]:
        """Return one page of a search with our notes, and the token of the next one; it is good for seven days."""
        body: dict[str, Any] = {
            "jql": jql,
            "fields": list(ISSUE_FIELDS),
            "properties": [LINK_PROPERTY],
            "maxResults": PAGE,
        }
        if token is not None:
            body["nextPageToken"] = token
        page = as_object(self.rest.post(f"{ISSUES}/search/jql", body, may_repeat=True))
        following = page.get("nextPageToken")
        is_last = page.get("isLast") is True or not isinstance(following, str)
        return [self._named(issue) for issue in listed(page, "issues")], None if is_last else following

    def bulk_fetch(self, ticket_ids: Iterable[str], *, with_note: bool = False) -> Iterator[Json]:
        """Read many issues, with our notes on them or not; those that are gone or hidden are simply absent."""
        read = partial(self._bulk, with_note=with_note)
        found = self.rest.by_chunks(BULKFETCH_LIMIT, ticket_ids, BULKFETCH_LIMITS, read, too_many=RemoteError)
        return map(self._named, found)

    def _bulk(self, ids: Sequence[str], *, with_note: bool) -> list[Json]:
        body: dict[str, Any] = {"issueIdsOrKeys": list(ids), "fields": list(ISSUE_FIELDS)}
        if with_note:
            body["properties"] = [LINK_PROPERTY]
        answer = as_object(self.rest.post(f"{ISSUES}/issue/bulkfetch", body, may_repeat=True))
        if answer.get("issueErrors"):
            # These are errors that pass; an absent issue would be taken for a deleted one.
            raise RetryLater("Jira could not read some of the tickets just now.", code="unavailable")
        return listed(answer, "issues")

    # Webhooks of the app itself

    def webhooks(self) -> Iterator[Json]:
        """List the webhooks that the app registered for this account."""
        return self.rest.pages(f"{PLATFORM}/webhook", _webhooks, BY_COUNT, params={"maxResults": str(PAGE)})

    def register_webhook(self, address: str, wanted: Json) -> Json:
        """Register a webhook; whether that worked is in the answer."""
        body = {"url": address, "webhooks": [wanted]}
        return as_object(self.rest.post(f"{PLATFORM}/webhook", body))

    def refresh_webhooks(self, numbers: Sequence[int]) -> Json:
        """Give webhooks another 30 days."""
        return as_object(self.rest.put(f"{PLATFORM}/webhook/refresh", {"webhookIds": list(numbers)}))

    def delete_webhooks(self, numbers: Sequence[int]) -> None:
        """Remove webhooks; those that are gone are no matter."""
        self.rest.delete(f"{PLATFORM}/webhook", {"webhookIds": list(numbers)}, about=Subject.SETUP)

    # Private

    def _named(self, shown: Json) -> Json:
        """Return an issue or a comment with the names of those whom its text mentions."""
        texts = (as_object(shown.get("fields")).get("description"), shown.get("body"))
        names = mentions.learn(self.integration, self.user, *texts)
        return {**shown, mentions.NAMES: names} if names or mentions.NAMES in shown else shown

    def _pages(self, path: str) -> Iterator[Json]:
        """Go through a list of the service desk API."""
        return self.rest.pages(path, "values", OF_DESKS, params={"limit": str(PAGE)})


def _webhooks(page: object) -> list[Json]:
    return as_objects(as_object(page).get("values"))
