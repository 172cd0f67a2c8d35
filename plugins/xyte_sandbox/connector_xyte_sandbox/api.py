"""The organization API as documented, beside the gateway that takes changes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector_xyte_sandbox.organization import Organization

PREFIX = "/core/v1/organization"
WEEK_S = 7 * 24 * 3600.0
MOST_INCIDENTS, MOST_DEVICES = 1000, 100
_CHANGEABLE = frozenset({"title", "description", "priority"})

Fault = Callable[[Request], Response | None]


class Api:
    """Handlers of the API; `fault` may answer in place of any of them, `keys` are those that are good."""

    def __init__(self, organization: Organization, key: str, changes_secret: str) -> None:
        self.organization = organization
        self.changes_secret = changes_secret
        self.renew(key)

    def renew(self, key: str) -> None:
        """Forget all calls and troubles; only this key is good."""
        self.keys = {key}
        self.takes_changes = True
        self.comments: dict[str, Any] = {}  # what the gateway took, by key
        self.fault: Fault = lambda _request: None
        self.calls: list[tuple[str, str]] = []

    def routes(self) -> list[Route]:
        """Return all routes."""

        def route(path: str, handler: Callable[[Request], Response], method: str = "GET") -> Route:
            return Route(f"{PREFIX}{path}", self._guarded(handler), methods=[method])

        return [
            route("/info", self._info),
            route("/incidents", self._incidents),
            route("/incidents/{id}", self._close, "DELETE"),
            route("/devices", self._devices),
            route("/devices/{id}", self._device),
            route("/devices/{id}/notes", self._notes),
            Route(f"{PREFIX}/devices/{{id}}/notes", self._add_note, methods=["POST"]),
            route("/spaces", self._spaces),
            Route("/gateway/incidents/{id}", self._change, methods=["PATCH"]),
        ]

    def _guarded(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            response = self._refused(request) or handler(request)
            response.headers["Date"] = format_datetime(self.organization.now(), usegmt=True)
            return response

        return answer

    def _refused(self, request: Request) -> Response | None:
        self.calls.append((request.method, request.url.path))
        fault = self.fault(request)
        if fault is not None:
            return fault
        # The bare key, without a scheme in front of it.
        if request.headers.get("authorization") not in self.keys:
            return JSONResponse({"error": "Unauthorized"}, status_code=401)
        return None

    # Handlers

    def _info(self, _: Request) -> Response:
        organization = self.organization
        counts = {
            "devices": len(organization.devices),
            "spaces": len(organization.spaces),
            "open_incidents": organization.count("active"),
        }
        return JSONResponse({"id": organization.id, "name": organization.name, "statistics": counts})

    def _incidents(self, request: Request) -> Response:
        query, now = request.query_params, self.organization.now().timestamp()
        try:
            start = float(query["from"]) if "from" in query else now - WEEK_S
            end = float(query["to"]) if "to" in query else now
            paging = self._paging(request, MOST_INCIDENTS)
        except ValueError:
            return _invalid()
        status = query.get("status")
        if end < start or status not in {None, "active", "closed"}:
            return _invalid()
        found = self.organization.listed(status, start, end)
        return self._page(found, paging, self._spelled)

    def _close(self, request: Request) -> Response:
        name = request.path_params["id"]
        if not self.organization.resolve(name):
            return JSONResponse({"error": "Incident not found"}, status_code=404)
        return JSONResponse({"ok": True, "id": name, "status": "closed"})

    def _devices(self, request: Request) -> Response:
        try:
            paging = self._paging(request, MOST_DEVICES)
        except ValueError:
            return _invalid()
        return self._page(list(self.organization.devices.values()), paging, _without_secrets)

    def _device(self, request: Request) -> Response:
        device = self.organization.devices.get(request.path_params["id"])
        if device is None:
            return JSONResponse({"error": "Device not found"}, status_code=404)
        return JSONResponse(device)

    def _notes(self, request: Request) -> Response:
        notes = self.organization.notes.get(request.path_params["id"], [])
        return JSONResponse({"items": notes, "has_next_page": False})

    async def _add_note(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        name = request.path_params["id"]
        if name not in self.organization.devices:
            return JSONResponse({"error": "Device not found"}, status_code=404)
        notes = self.organization.notes.setdefault(name, [])
        notes.append({"id": len(notes) + 1, "content": (await request.json())["content"], "created_by": None})
        return JSONResponse(notes[-1], status_code=201)

    def _spaces(self, request: Request) -> Response:
        try:
            paging = self._paging(request, MOST_DEVICES)
        except ValueError:
            return _invalid()
        return self._page(list(self.organization.spaces.values()), paging, dict)

    async def _change(self, request: Request) -> Response:
        """Take a signed change, as a gateway of the customer would; Xyte itself has no such call."""
        self.calls.append((request.method, request.url.path))
        fault = self.fault(request)
        if fault is not None:
            return fault
        body = await request.body()
        if not self.takes_changes:
            return JSONResponse({"error": "not here"}, status_code=405)
        if not _is_signed(self.changes_secret, request.headers, body):
            return JSONResponse({"error": "signature"}, status_code=401)
        fields = json.loads(body)
        comment, key = fields.pop("comment", None), request.headers.get("idempotency-key", "")
        if comment is not None:
            self.comments[key] = comment
        if unknown := fields.keys() - _CHANGEABLE:
            return JSONResponse({"error": f"unknown fields {sorted(unknown)}"}, status_code=400)
        shown = self.organization.apply(request.path_params["id"], key, fields)
        if shown is None:
            return JSONResponse({"error": "no such incident"}, status_code=404)
        return JSONResponse(shown)

    # Paging and spelling

    def _paging(self, request: Request, most: int) -> tuple[int, int]:
        """Return which page is wanted, and how long one is."""
        quirks = self.organization.quirks
        size = int(request.query_params.get(quirks.size_parameter, quirks.default_size))
        page = int(request.query_params.get("page", 1))
        if not 0 < size <= most or page < 1:
            raise ValueError("page or size out of bounds")
        return page, size

    def _page(
        self,
        found: list[dict[str, Any]],
        paging: tuple[int, int],
        spelled: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> Response:
        quirks = self.organization.quirks
        page, size = paging
        items = [spelled(one) for one in found[(page - 1) * size : page * size]]
        has_more = page * size < len(found)
        if quirks.envelope is None:
            return JSONResponse([spelled(one) for one in found])
        told: dict[str, Any] = {quirks.envelope: items}
        if quirks.paging in {"has_next_page", "both"}:
            told["has_next_page"] = has_more
        if quirks.paging in {"next_page", "both"}:
            told["next_page"] = page + 1 if has_more else None
        return JSONResponse(told)

    def _spelled(self, incident: Mapping[str, Any]) -> dict[str, Any]:
        spelling = self.organization.quirks.id_spelling
        shown = dict(incident)
        if spelling in {"uuid", "both"}:
            shown["uuid"] = shown["id"]
        if spelling == "uuid":
            del shown["id"]
        return shown


def _invalid() -> Response:
    return JSONResponse({"error": "Invalid parameter"}, status_code=422)


def _without_secrets(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return a device as the list shows it: without its state and parameters."""
    return {name: value for name, value in device.items() if name not in {"state", "custom_parameters"}}


def _is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Check a signature of Standard Webhooks, by a reading of its specification other than the core's."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, signature) for signature in given)
