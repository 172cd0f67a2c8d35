"""What a response of Jira means: a status and a body become a value, or an error of the connector's tree.

Four shapes of error bodies exist side by side (observed responses of Jira Cloud, 2026; both OpenAPI descriptions): the
platform's `errorMessages`/`errors`, the service desk's `errorMessage`, the gateway's `message` with a status or code,
and `application/problem+json`. Anything else, HTML above all, was not written by the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from connector_core import (
    AuthError,
    ConfigError,
    ConnectorError,
    PluginError,
    RemoteError,
    RetryLater,
    Scope,
    TicketGone,
)
from connector_jira_jsm.api import limits

CONFLICT_WAIT_S = 2.0
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_NOT_SETTABLE = re.compile(r"Field '([\w-]+)' cannot be set")
_LONGEST_SENTENCE = 200


class Subject(Enum):
    """What a call is about, which decides what 404 means."""

    TICKET = "ticket"
    SETUP = "setup"


class FieldsRefused(RemoteError):
    """Jira refused the values of some fields; `fields` holds its sentence for each field id."""

    def __init__(self, message: str, fields: Mapping[str, str], *, detail: str = "") -> None:
        super().__init__(message, code="fields_refused", detail=detail)
        self.fields = fields


class SetupObjectMissing(ConfigError):
    """Something that settings, or we, ask for by name is not there, or our account may not see it."""

    default_code = "setup_object_missing"


@dataclass(frozen=True)
class Complaint:
    """What an error body says: sentences, sentences by field id, and whether Jira itself wrote it."""

    sentences: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    from_api: bool = False
    from_gateway: bool = False

    def __str__(self) -> str:
        """Return a few sentences for people, never a whole body."""
        every = [*self.sentences, *self.fields.values()]
        return " ".join(every[:3])


def read(response: requests.Response, subject: Subject, now: datetime) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of a good response, None when it has no body; raise what any other response means."""
    if response.ok and response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return _json_of(response)
    raise error_of(response, subject, now)


def error_of(response: requests.Response, subject: Subject, now: datetime) -> ConnectorError:  # noqa: PLR0911 - a table
    """Return the error that a response means."""
    status = response.status_code
    complaint = complaint_of(response)
    detail = f"{status} {complaint}".strip()
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY} or status >= 500:  # noqa: PLR2004 - every server error
        return _later(response, now, detail)
    if status < HTTPStatus.BAD_REQUEST:
        return _redirected(response, detail)
    if status == HTTPStatus.UNAUTHORIZED:
        return unauthorized(complaint)
    if status == HTTPStatus.FORBIDDEN:
        return ConfigError(
            _sentence("Jira does not permit this to the authorized account.", complaint),
            code="permission_missing",
            detail=detail,
            fix="Have a Jira administrator give the account the permission in Project settings > People (or "
            "Permissions), or authorize with another account.",
        )
    if status == HTTPStatus.NOT_FOUND:
        return _not_found(complaint, subject, detail)
    if status == HTTPStatus.CONFLICT:
        return RetryLater(
            "Somebody else changed the ticket at the same moment.",
            after_s=CONFLICT_WAIT_S,
            code="conflict",
            detail=detail,
        )
    if complaint.fields:
        return FieldsRefused(_sentence("Jira refused the request.", complaint), complaint.fields, detail=detail)
    return RemoteError(_sentence("Jira refused the request.", complaint), detail=detail)


def with_outcome(error: RetryLater, *, is_unknown: bool) -> RetryLater:
    """Return the same reason to wait, with another word on whether the call may have taken effect."""
    return RetryLater(
        error.message,
        after_s=error.after_s,
        outcome_unknown=is_unknown,
        scope=error.scope,
        code=error.code,
        detail=error.detail,
        fix=error.fix,
    )


def is_scope_mismatch(response: requests.Response) -> bool:
    """Return whether a 401 complains about scopes: renewing would not cure it, and uses up a rotation."""
    return "scope does not match" in str(complaint_of(response))


def named_in(refusal: RemoteError, names: Mapping[str, str]) -> dict[str, str]:
    """Return which fields a refusal is about, with its sentence; `names` is what people call each, by its id.

    The platform's errors go by id or by name, those of the service desk are a sentence with a name in it.
    """
    found: dict[str, str] = {}
    told = refusal.fields if isinstance(refusal, FieldsRefused) else {}
    by_field = {name.casefold(): text for name, text in told.items()}
    for field_id, name in names.items():
        text = by_field.get(field_id.casefold()) or by_field.get(name.casefold())
        either = "|".join(re.escape(one) for one in dict.fromkeys((field_id, name)) if one)
        # In quotation marks, after the word field, or where a sentence begins: elsewhere it may be any word.
        quoted = rf"['\"\u201c\u2018](?:{either})['\"\u201d\u2019]"
        about = rf"{quoted}|\bfield (?:{either})\b|(?:^|[.:!] |^\d+ )(?:{either})\b"
        if text is None and re.search(about, refusal.detail, re.IGNORECASE):
            text = refusal.detail.partition(" ")[2] or refusal.message
        if text is not None:
            found[field_id] = text
    return found


def unauthorized(complaint: Complaint) -> ConnectorError:
    """Return what a 401 means that renewing did not cure."""
    if "scope does not match" in str(complaint):
        return ConfigError(
            "The authorization lacks a scope that this needs.",
            code="scope_missing",
            detail=str(complaint),
            fix="Add the scopes listed in the plugin's README to the app (developer console > Permissions), then "
            "authorize again.",
        )
    return AuthError(
        "Jira no longer accepts the authorization.", detail=str(complaint), fix="Authorize access to Jira again."
    )


def complaint_of(response: requests.Response) -> Complaint:
    """Read an error body of any shape."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return Complaint()
    if not isinstance(body, dict):
        return Complaint()
    errors = body.get("errors")
    fields = {_clean(k): _clean(v) for k, v in errors.items() if isinstance(v, str)} if isinstance(errors, dict) else {}
    listed = body.get("errorMessages")
    sentences = [_clean(text) for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    if isinstance(errors, list):  # a form's problems, 422 of the service desk API
        sentences += [_clean(e["title"]) for e in errors if isinstance(e, dict) and isinstance(e.get("title"), str)]
    known = isinstance(listed, list) or isinstance(errors, (dict, list)) or "errorMessage" in body
    for name in ("errorMessage", "message", "detail", "title"):
        if not sentences and not fields and isinstance(body.get(name), str):
            sentences.append(_clean(body[name]))
    for sentence in sentences:
        if found := _NOT_SETTABLE.search(sentence):
            fields.setdefault(found[1], sentence)
    gateway = not known and ("timestamp" in body or isinstance(body.get("code"), int))
    return Complaint(tuple(s for s in sentences if s not in fields.values()), fields, known, gateway)


def _json_of(response: requests.Response) -> Any:  # noqa: ANN401 - JSON
    # Jira says 204 where a POST has no answer: an empty 200 is somebody's in between.
    is_odd = response.status_code == HTTPStatus.OK and response.request.method == "POST"
    if response.status_code == HTTPStatus.NO_CONTENT or not (response.content or is_odd):
        return None
    try:
        return response.json()
    except (ValueError, RecursionError) as exc:
        raise RetryLater(
            "Jira's answer is not readable.",
            outcome_unknown=response.request.method not in _SAFE_METHODS,
            scope=Scope.SITE,
            code="answer_unreadable",
            detail=f"{response.status_code} {response.headers.get('Content-Type', '')}",
        ) from exc


def _later(response: requests.Response, now: datetime, detail: str) -> RetryLater:
    limited = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    reason = response.headers.get("RateLimit-Reason", "") if limited else ""
    return RetryLater(
        "Jira asks us to slow down." if limited else "Jira cannot answer at the moment.",
        after_s=limits.wait_of(response, now),
        scope=limits.scope_of(reason),
        # Over the limit means that nothing was done; after anything else a write may have happened all the same.
        outcome_unknown=not limited and response.request.method not in _SAFE_METHODS,
        code="rate_limited" if limited else "unavailable",
        detail=f"{detail} {_clean(reason)}".strip(),
    )


def _redirected(response: requests.Response, detail: str) -> ConnectorError:
    """Tell a site that moved, whose API has the same path elsewhere, from a page in its place: log-in, maintenance."""
    method, address = response.request.method, response.request.url or ""
    asked, target = _parts(address), _parts(address, response.headers.get("Location", ""))
    is_same_api = target[2] == asked[2] and "/rest/" in asked[2]
    if response.status_code != HTTPStatus.NOT_MODIFIED and is_same_api and target[:2] != asked[:2]:
        return ConfigError(
            "The Jira site answers from another address now.",
            code="site_moved",
            detail=f"{detail} {target[1]}",
            fix="Authorize again; with an API token, correct the site's URL.",
        )
    return RetryLater(
        "The Jira site is not available: something else answers in its place.",
        outcome_unknown=method not in _SAFE_METHODS,
        scope=Scope.SITE,
        code="site_unavailable",
        detail=detail,
    )


def _parts(address: str, link: str = "") -> tuple[str, str, str]:
    """Return scheme, host and path of an address, or of where a link leads from there; nothing for what is none."""
    try:
        parts = urlsplit(urljoin(address, link))
    except ValueError:
        return "", "", ""
    return parts.scheme, parts.netloc.rpartition("@")[2].casefold(), parts.path


def _not_found(complaint: Complaint, subject: Subject, detail: str) -> ConnectorError:
    if complaint.from_gateway:
        return ConfigError(
            "This authorization does not reach the Jira site any more.",
            code="site_gone",
            detail=detail,
            fix="Authorize access to Jira again and choose the site.",
        )
    if not complaint.from_api:
        # A page in place of an API response: a suspended site, a proxy. Never proof that a ticket is gone.
        if complaint.sentences:
            return PluginError("Jira does not know this API address.", code="endpoint_unknown", detail=detail)
        return RetryLater("The Jira site is not available.", scope=Scope.SITE, code="site_unavailable", detail=detail)
    if subject is Subject.TICKET:
        return TicketGone("The ticket was deleted, or the authorized account may not see it.", detail=detail)
    return SetupObjectMissing(
        _sentence("Something that the settings name is not there (any more).", complaint),
        detail=detail,
        fix="Check service desk and request type, and that the authorized account may see them.",
    )


def _sentence(ours: str, complaint: Complaint) -> str:
    theirs = str(complaint)
    return f"{ours} It says: {theirs}" if theirs else ours


def _clean(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_LONGEST_SENTENCE]
