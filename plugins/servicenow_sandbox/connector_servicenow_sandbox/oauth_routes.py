"""`/oauth_auth.do` with its page of consent, and `/oauth_token.do`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector_servicenow_sandbox.answers import Answer, Refusal, oauth_failure
from connector_servicenow_sandbox.database import Database
from connector_servicenow_sandbox.oauth import Tokens
from connector_servicenow_sandbox.pages import consent_page, message_page
from connector_servicenow_sandbox.profile import ACCOUNT
from connector_servicenow_sandbox.sending import as_response

_FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class OAuthRoutes:
    """Serves consent and tokens; who consents is the account of the connector."""

    database: Database
    tokens: Tokens

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/oauth_auth.do", self.show, methods=["GET"]),
            Route("/oauth_auth.do", self.decide, methods=["POST"]),
            Route("/oauth_token.do", self.token, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show Allow and Deny, or what is wrong with how it was asked."""
        if problem := self._problem(request.query_params):
            return HTMLResponse(message_page("Error", problem), status_code=400)
        return HTMLResponse(consent_page(self.tokens.client.name, ACCOUNT.name, request.url.query))

    async def decide(self, request: Request) -> Response:
        """Send the person back with a code, or with their refusal."""
        query = request.query_params
        if problem := self._problem(query):
            return HTMLResponse(message_page("Error", problem), status_code=400)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        answer = {"state": query["state"]} if "state" in query else {}
        if form.get("decision") == "allow":
            with self.database.lock:
                challenge = query.get("code_challenge", "")
                answer["code"] = self.tokens.consent(ACCOUNT.user_name, query["redirect_uri"], challenge)
        else:
            answer |= {"error": "access_denied"}
        return RedirectResponse(_with_query(query["redirect_uri"], answer), status_code=302)

    def _problem(self, query: Mapping[str, str]) -> str:
        profile = self.database.profile
        challenge = query.get("code_challenge", "")
        problems = {
            "Invalid client_id": query.get("client_id") != self.tokens.client.client_id,
            "Invalid response_type": query.get("response_type") != "code",
            "Invalid redirect_uri": not self.tokens.client.accepts(query.get("redirect_uri", "")),
            "Missing State parameter in request": profile.state_is_required and not query.get("state", "").strip(),
            "Missing code_challenge parameter in request": profile.public_client and not challenge,
            "Invalid code_challenge_method": challenge and query.get("code_challenge_method") != "S256",
        }
        return next((problem for problem, is_there in problems.items() if is_there), "")

    async def token(self, request: Request) -> Response:
        """Give tokens for a code, a refresh token, a password, or the client itself."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        body = (await request.body()).decode("utf-8", "replace")
        asked = dict(request.query_params) | (dict(parse_qsl(body)) if kind == _FORM else {})
        try:
            with self.database.lock:
                return as_response(Answer(200, self._answer(asked)))
        except Refusal as refusal:
            return as_response(refusal.answer)

    def _answer(self, asked: Mapping[str, str]) -> dict[str, object]:
        profile = self.database.profile
        self._check_client(asked)
        match asked.get("grant_type"):
            case "authorization_code":
                verifier = asked.get("code_verifier", "")
                return self.tokens.exchange(asked.get("code", ""), asked.get("redirect_uri", ""), verifier)
            case "refresh_token" if not profile.public_client:
                return self.tokens.refresh(asked.get("refresh_token", ""))
            case "password" if profile.password_grant:
                person = profile.person(asked.get("username", ""))
                if person is None or not hmac.compare_digest(person.password, asked.get("password", "")):
                    raise oauth_failure()
                return self.tokens.give(person.user_name, with_refresh=True)
            case "client_credentials" if profile.client_credentials:
                return self.tokens.give(ACCOUNT.user_name, with_refresh=False)
            case _:
                raise oauth_failure()

    def _check_client(self, asked: Mapping[str, str]) -> None:
        client = self.tokens.client
        if asked.get("client_id") != client.client_id:
            raise oauth_failure("invalid_client")
        if not self.database.profile.public_client and asked.get("client_secret") != client.client_secret:
            raise oauth_failure("invalid_client")


def _with_query(address: str, added: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))
