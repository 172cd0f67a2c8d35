"""What a response of Jira means where it is particular to Jira: how errors are worded, and what the gateway means.

Four shapes of error bodies exist side by side (observed responses of Jira Cloud, 2026; both OpenAPI descriptions): the
platform's `errorMessages`/`errors`, the service desk's `errorMessage`, the gateway's `message` with a status or code,
and `application/problem+json`. Anything else, HTML above all, was not written by the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import requests

from connector_core import ConfigError, ConnectorError, RemoteError, hookspecs, implements
from connector_core.kit.answers import Answers, Complaint, FieldsRefused, Fixes, Subject, json_or_none
from connector_core.kit.values import sentence
from connector_jira_jsm.api.limits import LIMITS

GATEWAY = "gateway"  # what wrote a complaint that Jira did not
_NOT_SETTABLE = re.compile(r"Field '([\w-]+)' cannot be set")


@implements(hookspecs.is_curable)
def is_curable(response: requests.Response) -> bool:
    """Return whether a renewed grant may be accepted."""
    return not is_scope_mismatch(response)


def is_scope_mismatch(response: requests.Response) -> bool:
    """Return whether a 401 complains about scopes: renewing would not cure it, and uses up a rotation."""
    return _lacks_scope(complaint_of(response))


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


def complaint_of(response: requests.Response) -> Complaint:
    """Read an error body of any shape."""
    body = json_or_none(response)
    if not isinstance(body, dict):
        return Complaint()
    errors = body.get("errors")
    named = errors if isinstance(errors, dict) else {}
    fields = {sentence(name): sentence(text) for name, text in named.items() if isinstance(text, str)}
    listed = body.get("errorMessages")
    sentences = [sentence(text) for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    if isinstance(errors, list):  # a form's problems, 422 of the service desk API
        sentences += [sentence(e["title"]) for e in errors if isinstance(e, dict) and isinstance(e.get("title"), str)]
    known = isinstance(listed, list) or isinstance(errors, (dict, list)) or "errorMessage" in body
    for name in ("errorMessage", "message", "detail", "title"):
        if not sentences and not fields and isinstance(body.get(name), str):
            sentences.append(sentence(body[name]))
    for text in sentences:
        if found := _NOT_SETTABLE.search(text):
            fields.setdefault(found[1], text)
    is_gateways = not known and ("timestamp" in body or isinstance(body.get("code"), int))
    rest = tuple(text for text in sentences if text not in fields.values())
    return Complaint(rest, fields, from_api=known, code=GATEWAY if is_gateways else "")


def _own(response: requests.Response, complaint: Complaint, _: Subject) -> ConnectorError | None:
    """Return what the gateway means: that a scope lacks, or that it no longer has the site."""
    if response.status_code == HTTPStatus.UNAUTHORIZED and _lacks_scope(complaint):
        return ConfigError(
            "The authorization lacks a scope that this needs.",
            code="scope_missing",
            detail=str(complaint),
            fix='Add the scopes that "Connect Jira" in the documentation lists to the app (developer console > '
            "Permissions), then authorize again.",
        )
    if response.status_code == HTTPStatus.NOT_FOUND and complaint.code == GATEWAY:
        return ConfigError(
            "This authorization does not reach the Jira site any more.",
            code="site_gone",
            detail=f"{response.status_code} {complaint}".strip(),
            fix="Authorize access to Jira again and choose the site.",
        )
    return None


def _lacks_scope(complaint: Complaint) -> bool:
    return "scope does not match" in str(complaint)


RULES = Answers(
    "Jira",
    complaint=complaint_of,
    own=_own,
    limits=LIMITS,
    fixes=Fixes(
        permission="Have a Jira administrator give the account the permission in Project settings > People (or "
        "Permissions), or authorize with another account.",
        authorization="Authorize access to Jira again.",
        setup="Check service desk and request type, and that the authorized account may see them.",
        address="Authorize again; with an API token, correct the site's URL.",
    ),
)
