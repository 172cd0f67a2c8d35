"""Xyte's organization API: the only module that knows its addresses, parameters and answers."""

from __future__ import annotations

import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import requests

from connector_core import AuthError, ConnectorError, RemoteError, RetryLater, Scope, retry_after_s
from connector_xyte.mapping import identifier
from connector_xyte.pages import MAX_PAGES, Listing, items_of, read_all
from connector_xyte.settings import XyteSource

PAGE_SIZE = 100
# Limits are counted over half a minute, and the answer rarely says how long to wait.
RATE_LIMIT_WAIT_S = 30.0

_PREFIX = "/core/v1/organization"
_KEY_FIX = "An admin of the organization makes a key in Xyte under Settings > API Keys."
_NOT_ACCEPTED = {
    HTTPStatus.UNAUTHORIZED: ("key_refused", "Xyte does not accept the organization key."),
    HTTPStatus.FORBIDDEN: ("key_not_allowed", "Xyte does not allow this with the organization key."),
}
_REDIRECTED = "Xyte's address answers with a redirect, which is not followed."
_URL_FIX = "Check base_url; is there a proxy in between?"


class XyteClient:
    """One organization's hub, through the source's session."""

    def __init__(self, source: XyteSource) -> None:
        settings = source.settings
        self._source = source
        self._settings = settings
        self._base = f"{settings.base_url}{_PREFIX}"
        self.told_time: datetime | None = None

    def info(self) -> dict[str, Any]:
        """Return who the key belongs to."""
        answer = self._read("GET", "/info")
        if not isinstance(answer, dict):
            raise _odd("Xyte's answer does not say whose key this is.", "not_an_organization")
        return answer

    def incidents(self, status: str, start: float, end: float, max_pages: int = MAX_PAGES) -> Listing:
        """List incidents of a status; the bounds are always sent, since without them only a week is listed."""
        query = {"status": status, "from": max(0, int(start)), "to": int(end)}
        return self._list("/incidents", query, max_pages)

    def first_incidents(self, end: float) -> list[object]:
        """List the first page of open incidents."""
        query = {"status": "active", "from": 0, "to": int(end), "page": 1, self._settings.page_size_parameter: 1}
        return items_of(self._read("GET", "/incidents", query))

    def close(self, incident_id: str) -> bool:
        """Close an incident; False when there is none of that id that is open."""
        if incident_id in {".", ".."}:  # would be taken for a way up, however they are written
            raise RemoteError("The incident's id cannot be part of an address.", code="request_refused")
        return self._send("DELETE", f"/incidents/{quote(incident_id, safe='')}") is not None

    def device(self, device_id: str) -> dict[str, Any] | None:
        """Return a device; None when it is gone."""
        answer = self._read("GET", f"/devices/{quote(device_id, safe='')}", may_be_gone=True)
        return answer if isinstance(answer, dict) else None

    def devices(self) -> Listing:
        """List all devices."""
        return self._list("/devices", {})

    def first_device(self) -> list[object]:
        """List one device."""
        return items_of(self._read("GET", "/devices", {"page": 1, self._settings.page_size_parameter: 1}))

    def spaces(self) -> Listing:
        """List all spaces."""
        return self._list("/spaces", {})

    def notes(self, device_id: str) -> Listing:
        """List the notes on a device."""
        return self._list(f"/devices/{quote(device_id, safe='')}/notes", {})

    def add_note(self, device_id: str, content: str) -> bool:
        """Write a note on a device; False when the device is gone."""
        return self._send("POST", f"/devices/{quote(device_id, safe='')}/notes", body={"content": content}) is not None

    # Private

    def _list(self, path: str, query: dict[str, Any], max_pages: int = MAX_PAGES) -> Listing:
        def fetch(number: int) -> object:
            paging = {"page": number, self._settings.page_size_parameter: PAGE_SIZE}
            return self._read("GET", path, {**query, **paging})

        return read_all(fetch, _name, max_pages)

    def _read(
        self, method: str, path: str, query: dict[str, Any] | None = None, *, may_be_gone: bool = False
    ) -> object:
        """Send a request and return the JSON of its answer, None for what may be gone and is."""
        response = self._send(method, path, query)
        if response is None:
            if may_be_gone:
                return None
            raise _odd("Xyte does not know this address.", "address_unknown")
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError) as exc:
            raise _odd("Xyte's answer is not JSON.", "not_json") from exc

    def _send(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: object = None
    ) -> requests.Response | None:
        """Send a request; None when what it is about is not there."""
        # The bare key: Xyte knows no scheme in front of it.
        headers = {"Authorization": self._settings.organization_key.get_secret_value(), "Accept": "application/json"}
        response = self._source.session.request(method, f"{self._base}{path}", params=query, json=body, headers=headers)
        self._note_time(response)
        if response.status_code in range(200, 300):
            return response
        if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return None
        raise self._refusal(response, method)

    def _note_time(self, response: requests.Response) -> None:
        """Remember the hub's own time: what bounds a list is compared with that, not with this machine's clock."""
        try:
            told = parsedate_to_datetime(response.headers.get("Date", ""))
        except ValueError:
            return
        if told.tzinfo is not None:
            self.told_time = told

    def _refusal(self, response: requests.Response, method: str) -> ConnectorError:
        """Return what an answer means that is no success."""
        status, detail = response.status_code, f"{response.status_code} {response.reason}"
        is_safe = method == "GET"
        if status in _NOT_ACCEPTED:
            code, sentence = _NOT_ACCEPTED[HTTPStatus(status)]
            return AuthError(sentence, code=code, detail=detail, fix=_KEY_FIX)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return self._pause(response, detail)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}:
            return RetryLater(
                "Xyte cannot answer at the moment.", outcome_unknown=not is_safe, scope=Scope.SITE, detail=detail
            )
        if is_safe or status in range(300, 400):  # a look is simply repeated: no person has to have it resumed
            is_redirect = status in range(300, 400)
            return _odd(_REDIRECTED if is_redirect else "Xyte refuses the request.", "request_refused", detail)
        return RemoteError("Xyte refuses the change.", code="refused", detail=detail)

    def _pause(self, response: requests.Response, detail: str) -> RetryLater:
        asked_s = retry_after_s(response.headers.get("Retry-After", ""), self._source.clock.now())
        return RetryLater(
            "Xyte asks for a pause: too many calls.",
            after_s=asked_s or RATE_LIMIT_WAIT_S,  # a wait of nothing is none that was named
            scope=Scope.SITE,
            code="rate_limited",
            detail=detail,
        )


def _odd(sentence: str, code: str, detail: str = "") -> RetryLater:
    return RetryLater(sentence, code=code, scope=Scope.SITE, detail=detail, fix=_URL_FIX)


def _name(item: object) -> object:
    if not isinstance(item, dict):
        return None
    return identifier(item.get("uuid")) or identifier(item.get("id"))
