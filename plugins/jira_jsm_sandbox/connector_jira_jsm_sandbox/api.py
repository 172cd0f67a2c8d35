"""Puts the operations of both APIs at their addresses and decides who may call them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from connector_jira_jsm_sandbox import (
    create_meta,
    dynamic_operations,
    issue_operations,
    jsm_operations,
    request_operations,
    search_operations,
    site_operations,
    transition_operations,
)
from connector_jira_jsm_sandbox.answers import (
    Answer,
    Refusal,
    gateway_unauthorized,
    gateway_unknown_site,
    jira_error,
    jsm_error,
    unknown_path,
)
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.issue import jira_time
from connector_jira_jsm_sandbox.oauth import AuthorizationServer
from connector_jira_jsm_sandbox.profile import User
from connector_jira_jsm_sandbox.site import Site

# The more special path comes first: the router takes the first that fits.
PLATFORM: tuple[Operation, ...] = (
    *create_meta.OPERATIONS,
    *search_operations.OPERATIONS,
    *issue_operations.OPERATIONS,
    *transition_operations.OPERATIONS,
    *site_operations.OPERATIONS,
    *dynamic_operations.OPERATIONS,
)
SERVICE_DESK: tuple[Operation, ...] = (*jsm_operations.OPERATIONS, *request_operations.OPERATIONS)
_VERSIONS = ("2", "3", "latest")


@dataclass(slots=True)
class Api:
    """Both APIs, at the site's own address and behind the gateway."""

    main: Site
    sites: Mapping[str, Site]
    authorization: AuthorizationServer
    api_token: str
    page_cap: int

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/rest` and `/ex/jira/{cloud}/rest`."""
        platform = [_Endpoint(self, paths).route() for paths in _by_path(PLATFORM)]
        service_desk = [_Endpoint(self, paths).route() for paths in _by_path(SERVICE_DESK)]
        rest = [
            Mount("/rest/api/{version}", routes=platform),
            Mount("/rest/servicedeskapi", routes=service_desk),
        ]
        return [
            Mount("/ex/jira/{cloud}", routes=rest),
            *rest,
            Route("/_edge/tenant_info", self.tenant, methods=["GET"]),
        ]

    async def tenant(self, _: Request) -> Response:
        """Tell the site's cloud ID, as its own address does."""
        return as_response(Answer(200, {"cloudId": self.main.profile.cloud_id}))

    def basic_user(self, request: Request) -> User | None:
        """Return the person behind an e-mail address and API token, when both are right."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            email, _, token = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if self.authorization.api_token_ended:
            return None
        account = self.main.profile.account
        return account if (email, token) == (account.email, self.api_token) else None

    def caller(self, request: Request, operation: Operation) -> tuple[Site, User]:
        """Return the site that is meant and the person who calls, or refuse."""
        cloud = request.path_params.get("cloud")
        if cloud is not None:
            return self._gateway_caller(request, operation, cloud)
        user = self.basic_user(request)
        if user is None and operation.scope is not None:
            if "servicedeskapi" in request.url.path:
                raise jsm_error(401, "The user is not logged in.", "sd.user.not.logged.in")
            raise jira_error(401, "You are not authenticated. Authentication required to perform this operation.")
        return self.main, user or self.main.profile.account

    def _gateway_caller(self, request: Request, operation: Operation, cloud: str) -> tuple[Site, User]:
        site = self.sites.get(cloud)
        if site is None:
            moment = jira_time(self.main.now(), self.main.profile.account)
            raise gateway_unknown_site(request.url.path, moment)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self.authorization.grant_of(token) if scheme.lower() == "bearer" else None
        if grant is None:
            raise gateway_unauthorized()
        if operation.scope is not None and operation.scope not in grant.scopes:
            raise gateway_unauthorized("Unauthorized; scope does not match")
        is_jsm = "/servicedeskapi" in request.url.path
        if not (site.profile.has_jsm if is_jsm else site.profile.has_jira):
            raise Refusal(unknown_path(404, "Not Found", request.url.path))
        return site, grant.user


@dataclass(frozen=True, slots=True)
class _Endpoint:
    api: Api
    operations: tuple[Operation, ...]

    def route(self) -> Route:
        """Return one route for all methods of a path."""
        run: Callable[[Request], Awaitable[Response]] = self.serve
        return Route(self.operations[0].path, run, methods=[one.method for one in self.operations])

    async def serve(self, request: Request) -> Response:
        """Serve one call."""
        body = await request.body()
        return as_response(self._answer(request, body))

    def _answer(self, request: Request, body: bytes) -> Answer:
        if (address := self.api.main.moved(request.headers.get("host", ""))) and "cloud" not in request.path_params:
            return Answer(301, headers={"Location": address + request.url.path})
        if request.path_params.get("version", "3") not in _VERSIONS:
            return unknown_path(404, "Not Found", request.url.path)
        operation = next((one for one in self.operations if one.method == request.method), self.operations[0])
        try:
            check_browser(request)
            site, user = self.api.caller(request, operation)
            path = request.url.path
            path = path[path.index("/rest/") :]
            call = Call(
                site=site,
                user=user,
                path=path,
                params=request.path_params,
                query=request.query_params,
                body=None,
                page_cap=self.api.page_cap,
            )
            call = _with_body(call, body)
            with site.lock:
                return operation.run(call)
        except Refusal as refusal:
            return refusal.answer


def check_browser(request: Request) -> None:
    """Refuse a write that looks as if a page in a browser had been tricked into it."""
    is_write = request.method not in {"GET", "HEAD"}
    is_excused = request.headers.get("x-atlassian-token", "") == "no-check"
    if is_write and not is_excused and request.headers.get("user-agent", "").startswith("Mozilla"):
        raise Refusal(Answer(403, {"errorMessages": ["XSRF check failed"], "errors": {}}))


def _with_body(call: Call, body: bytes) -> Call:
    if not body:
        return call
    try:
        parsed: Any = json.loads(body)
    except ValueError as error:
        text = "There was an error parsing JSON. Check that your request body is valid."
        raise call.refuse(400, text) from error
    return Call(call.site, call.user, call.path, call.params, call.query, parsed, call.page_cap)


def _by_path(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    paths = list(dict.fromkeys(operation.path for operation in operations))
    for path in paths:
        yield tuple(operation for operation in operations if operation.path == path)


def as_response(answer: Answer) -> Response:
    """Turn an answer into what the web framework sends."""
    if answer.body is None:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    text = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status_code=answer.status, media_type=answer.media_type, headers=dict(answer.headers))
