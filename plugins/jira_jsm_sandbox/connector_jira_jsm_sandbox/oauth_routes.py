"""The authorization server's addresses: the consent page, the token endpoint and the list of sites."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector_jira_jsm_sandbox.answers import Answer, Refusal, gateway_unauthorized, oauth_error
from connector_jira_jsm_sandbox.api import as_response
from connector_jira_jsm_sandbox.consent_page import consent_page, error_page
from connector_jira_jsm_sandbox.oauth import KNOWN_SCOPES, AuthorizationServer
from connector_jira_jsm_sandbox.site import Site

_GRANTS = ("authorization_code", "refresh_token", "client_credentials")
_NEEDS_JIRA = frozenset({"read:jira-work", "write:jira-work"})


@dataclass(slots=True)
class OAuthRoutes:
    """Serves consent and tokens; `account_has_jira` off is an account that has service desks only."""

    authorization: AuthorizationServer
    sites: Mapping[str, Site]
    main: Site
    account_has_jira: bool = True

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the authorization server and of the gateway's list of sites."""
        return [
            Route("/authorize", self.show_consent, methods=["GET"]),
            Route("/authorize", self.decide, methods=["POST"]),
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/oauth/token/accessible-resources", self.accessible_resources, methods=["GET"]),
        ]

    async def show_consent(self, request: Request) -> Response:
        """Show what the app asks for, or what is wrong with how it asks."""
        if problem := self._problem(request.query_params):
            return HTMLResponse(error_page(problem), status_code=400)
        scopes = request.query_params.get("scope", "").split()
        page = consent_page(self.authorization.app.name, self.main.profile, scopes, request.url.query)
        return HTMLResponse(page)

    async def decide(self, request: Request) -> Response:
        """Send the person back to the app with a code, or with their refusal."""
        query = request.query_params
        if problem := self._problem(query):
            return HTMLResponse(error_page(problem), status_code=400)
        form = parse_qs((await request.body()).decode())
        scopes = frozenset(query.get("scope", "").split())
        answer = {"state": query["state"]} if "state" in query else {}
        if form.get("decision") != ["accept"]:
            answer |= {"error": "access_denied", "error_description": "User did not authorize the request"}
        elif not self.account_has_jira and scopes & _NEEDS_JIRA:
            answer |= {"error": "access_denied", "error_description": "Access denied: no Jira site for this account"}
        else:
            account = self.main.profile.account
            answer["code"] = self.authorization.consent(account, scopes, query["redirect_uri"])
        return RedirectResponse(_with_query(query["redirect_uri"], answer), status_code=302)

    def _problem(self, query: QueryParams) -> str | None:
        app = self.authorization.app
        if query.get("client_id") != app.client_id:
            return "The client_id is unknown."
        if not app.accepts(query.get("redirect_uri", "")):
            return "The redirect_uri is not registered for this app."
        if query.get("response_type") != "code":
            return "The response_type must be code."
        if query.get("audience", "api.atlassian.com") != "api.atlassian.com":
            return "The audience must be api.atlassian.com."
        unknown = sorted(set(query.get("scope", "").split()) - KNOWN_SCOPES)
        if unknown or not query.get("scope"):
            return f"The scope {unknown[0]} is unknown." if unknown else "No scope was asked for."
        return None

    async def token(self, request: Request) -> Response:
        """Give tokens for a code or for a refresh token."""
        try:
            return as_response(Answer(200, self._tokens(_payload(await request.body()))))
        except Refusal as refusal:
            return as_response(refusal.answer)

    def _tokens(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        grant_type = asked.get("grant_type")
        if grant_type not in _GRANTS:
            raise oauth_error(400, "invalid_request", f"grant_type must be one of [{', '.join(_GRANTS)}]")
        self._check_client(asked)
        if grant_type == "authorization_code":
            code, redirect_uri = asked.get("code"), asked.get("redirect_uri")
            if not isinstance(code, str) or not isinstance(redirect_uri, str):
                raise _incorrect()
            return self.authorization.exchange(code, redirect_uri)
        if grant_type == "refresh_token":
            refresh_token = asked.get("refresh_token")
            if not isinstance(refresh_token, str):
                raise _incorrect()
            return self.authorization.refresh(refresh_token)
        # Service accounts only: this app has none.
        raise oauth_error(403, "unauthorized_client", "Grant type 'client_credentials' not allowed for the client.")

    def _check_client(self, asked: Mapping[str, Any]) -> None:
        app = self.authorization.app
        if (asked.get("client_id"), asked.get("client_secret")) != (app.client_id, app.client_secret):
            raise oauth_error(401, "access_denied", "Unauthorized")

    async def revoke(self, request: Request) -> Response:
        """End a consent by one of its tokens."""
        try:
            asked = _payload(await request.body())
            self._check_client(asked)
        except Refusal as refusal:
            return as_response(refusal.answer)
        self.authorization.revoke(str(asked.get("token", "")))
        return as_response(Answer(200, {}))

    async def accessible_resources(self, request: Request) -> Response:
        """List the sites that a token reaches: a row for Jira and a row for service desks, with the same id."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self.authorization.grant_of(token) if scheme.lower() == "bearer" else None
        if grant is None:
            return as_response(gateway_unauthorized().answer)
        rows: list[dict[str, Any]] = []
        for site in self.sites.values():
            jira = sorted(scope for scope in grant.scopes if "jira" in scope)
            desk = sorted(scope for scope in grant.scopes if "servicedesk" in scope)
            if site.profile.has_jira and jira:
                rows.append(_row(site, jira))
            if site.profile.has_jsm and desk:
                rows.append(_row(site, desk))
        return as_response(Answer(200, rows))


def _row(site: Site, scopes: list[str]) -> dict[str, Any]:
    return {
        "id": site.profile.cloud_id,
        "url": site.url,
        "name": site.profile.name,
        "scopes": scopes,
        "avatarUrl": f"{site.url}/avatars/240/site.png",
    }


def _payload(body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = dict(parse_qsl(text))
    if not isinstance(parsed, dict) or not parsed:
        raise _incorrect()
    return parsed


def _incorrect() -> Refusal:
    return oauth_error(400, "invalid_request", "Incorrect request parameters")


def _with_query(address: str, added: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))
