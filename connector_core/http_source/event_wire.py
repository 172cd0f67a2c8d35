"""The wire of events and changes: signed as the Standard Webhooks specification says, whoever the platform is.

The built-in `http` source speaks it, and so may any source plugin whose platform has a gateway in front of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from pydantic import Field, SecretStr, TypeAdapter, ValidationError
from pydantic_core import to_json

from connector_core.contract.errors import (
    AuthError,
    ConfigError,
    ConnectorError,
    RemoteError,
    RetryLater,
    Scope,
    WebhookRejected,
)
from connector_core.contract.handles import Source
from connector_core.contract.models import (
    BYTE_ORDER_MARK,
    AddComment,
    CommentOutcome,
    FieldName,
    InboundRequest,
    IncidentEvent,
    IncidentUpdate,
    Push,
    RefusedEvent,
    TicketComment,
    UpdateOutcome,
    WriteIncident,
)
from connector_core.http_source.signatures import sign, signing_keys, verify

if TYPE_CHECKING:  # the face of the core is imported by every command; this would double its start-up
    import requests

EVENT_UNREADABLE = "event_unreadable"
MAX_EVENTS = 1000
MAX_WAIT_S = 24 * 3600.0
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
MAX_ID_CHARS = 255

_OK = range(200, 300)
_NO_CHANGES_TAKEN = frozenset({405, 501})
_TRY_AGAIN = frozenset({408, 425, 429})
_REFUSALS = {
    400: ("request_refused", "The platform did not understand the change."),
    403: ("forbidden", "The platform does not allow us to change the incident."),
    404: ("incident_gone", "The platform does not know the incident."),
    409: ("conflict", "The change does not fit the state of the incident on the platform."),
    410: ("incident_gone", "The incident was deleted on the platform."),
    422: ("value_refused", "The platform does not accept a value of the change."),
}
_SENTENCE_CHARS = 200

# Made when events come in: most commands read none, and to make them takes a while.
_one_event = cache(lambda: TypeAdapter(IncidentEvent))
_many_events = cache(lambda: TypeAdapter(Annotated[list[IncidentEvent], Field(min_length=1, max_length=MAX_EVENTS)]))
_pieces = cache(lambda: TypeAdapter(Annotated[list[Any], Field(min_length=1, max_length=MAX_EVENTS)]))


def usable_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Return the secrets if each can sign; for validators of settings.

    Raises:
        ValueError: one cannot; the message says why.
    """
    try:
        _keys(secrets)
    except ConfigError as exc:
        raise ValueError(exc.message) from exc
    return secrets


def read_signed_events(secrets: Iterable[SecretStr], request: InboundRequest) -> Push:
    """Verify the signature, then read one event or a list of them.

    Raises:
        WebhookRejected: nobody who knows a secret signed it, or none of it can be read.
    """
    body, *forms = request.signable
    verify(_keys(secrets), request.headers, body, request.received_at, forms=forms)
    return _read_events(body.removeprefix(BYTE_ORDER_MARK))


def send_signed_change(
    source: Source, base_url: str, secrets: Iterable[SecretStr], update: IncidentUpdate
) -> UpdateOutcome:
    """Send a change or a comment to `base_url`; fields declared unsupported are left out and the others sent again."""
    url = f"{base_url}/{_path_segment(update.incident_id)}"
    signing = _keys(secrets)
    if isinstance(update, AddComment):
        return UpdateOutcome(comment=_send_comment(source, url, signing, update.comment, update.idempotency_key))
    values, unsupported = _values(update)
    key = update.idempotency_key
    applied_at = None
    while values:
        by_name = {name.value: value for name, value in values.items()}
        response = _send(source, url, signing, by_name, key)
        refused = {FieldName(name): reason for name, reason in _unsupported(response, by_name).items()}
        applied_at = None if refused else _time_of(response)
        unsupported |= refused
        if not refused:
            break
        if key != update.idempotency_key and refused.keys() != values.keys():
            raise RemoteError("The platform refused the change, and again what was left of it.", code="value_refused")
        values = {name: value for name, value in values.items() if name not in refused}
        key = f"{update.idempotency_key}-rest"
    return UpdateOutcome(unsupported=unsupported, applied_at=applied_at)


def retry_after_s(header: str, now: datetime) -> float | None:
    """Read a wait in seconds or a date, at most a day; None when it is neither."""
    if re.fullmatch(r"[0-9]{1,9}", header):
        return min(float(header), MAX_WAIT_S)
    try:
        moment = parsedate_to_datetime(header)
        wait_s = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), MAX_WAIT_S)


def _keys(secrets: Iterable[SecretStr]) -> list[bytes]:
    return [key for secret in secrets for key in signing_keys(secret.get_secret_value())]


def _without_nul(body: bytes) -> bytes:
    """Leave U+0000 out of a body: no database of all can hold it; an escaped backslash before it is none of it."""
    return _NUL.sub(rb"\1", body) if rb"\u0000" in body else body


def _read_events(body: bytes) -> Push:
    """Parse a body strictly: no numbers for times, no text for numbers. What is unknown is left out, and counted.

    A list is read event by event, so that one that cannot be taken keeps nobody else's out.
    """
    body = _without_nul(body)
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        return Push.of([_read_event(body, 0)], is_list=False)
    try:
        events = _many_events().validate_json(body, strict=True)
        for index, event in enumerate(events):
            _check_event(index, event)
    except (ValidationError, WebhookRejected):
        return _read_one_by_one(body)
    return Push.of([(event, 0) for event in events], is_list=True)


def _read_one_by_one(body: bytes) -> Push:
    """Read a list of which not every event is as it should be.

    Raises:
        WebhookRejected: it is no list of a length that is taken, or none of its events can be taken.
    """
    try:
        pieces = _pieces().validate_json(body, strict=True)
    except ValidationError as exc:
        raise _invalid(exc) from exc
    read: list[tuple[IncidentEvent, int] | RefusedEvent] = []
    first: WebhookRejected | None = None
    for index, piece in enumerate(pieces):
        try:
            read.append(_read_event(to_json(piece), index, f"event {index}: "))
        except WebhookRejected as exc:
            first = first or exc
            name = piece.get("id") if isinstance(piece, dict) else None
            shown = _one_line(name, MAX_ID_CHARS) if isinstance(name, str) else ""
            read.append(RefusedEvent(position=index, id=shown, reason=exc.reply))
    if first is not None and all(isinstance(one, RefusedEvent) for one in read):
        raise first
    return Push.of(read, is_list=True)


def _read_event(piece: bytes, index: int, lead: str = "") -> tuple[IncidentEvent, int]:
    """Read one event, and count the fields of it that nobody here knows.

    Raises:
        WebhookRejected: it cannot be read.
    """
    unknown = 0
    try:
        event = _one_event().validate_json(piece, strict=True)
    except ValidationError as exc:
        unknown = sum(error["type"] == "extra_forbidden" for error in exc.errors(include_url=False))
        if not unknown:
            raise _invalid(exc, lead) from exc
        try:
            event = _one_event().validate_json(piece, strict=True, extra="ignore")
        except ValidationError as rest:
            raise _invalid(rest, lead) from rest
    _check_event(index, event)
    return event, unknown


def _invalid(exc: ValidationError, lead: str = "") -> WebhookRejected:
    """Say what is wrong; `lead` names the event of a list that it is wrong with."""
    errors = exc.errors(include_url=False, include_input=False, include_context=False)
    reasons = [f"{_place(error['loc'], lead)}{error['msg']}" for error in errors[:5]]
    status = 400 if errors[0]["type"] == "json_invalid" else 422
    return _unreadable(reasons[0], status, f"{len(errors)} found, first: {'; '.join(reasons)}")


def _check_event(index: int, event: IncidentEvent) -> None:
    """Refuse what JSON allows and the rest of the world does not: times beyond the calendar."""
    incident = event.incident
    written = event.comment.created_at if event.comment is not None else None
    for moment in filter(None, (event.occurred_at, incident.opened_at, incident.updated_at, written)):
        try:
            moment.astimezone(UTC)
        except OverflowError as exc:
            raise _unreadable(f"event {index}: a time lies beyond the calendar", 422) from exc


def _place(loc: Sequence[str | int], lead: str) -> str:
    """Name an event and a field of it; a field's name may be the sender's own, so it is cut and made harmless."""
    if not loc:
        return lead
    return f"{lead or 'event 0: '}{'.'.join(_one_line(str(name), 40) for name in loc)}: "


def _unreadable(reason: str, status: int, detail: str = "") -> WebhookRejected:
    return WebhookRejected(
        f"authentic, but not readable: {detail or reason}", status=status, reply=reason, code=EVENT_UNREADABLE
    )


def _path_segment(incident_id: str) -> str:
    """Return an id as one segment of an address; dots alone would be taken for a way up, however they are written."""
    if incident_id in {".", ".."}:
        raise RemoteError("The incident's id cannot be part of an address.", code="request_refused")
    return quote(incident_id, safe="")


def _values(update: WriteIncident) -> tuple[dict[FieldName, Any], dict[FieldName, str]]:
    """Return what to send by field, and what cannot be sent: a closed incident is never opened again from here."""
    known = {
        FieldName.TITLE: update.title,
        FieldName.DESCRIPTION: update.description,
        FieldName.PRIORITY: update.priority,
    }
    values: dict[FieldName, Any] = {name: value for name, value in known.items() if name in update.fields}
    if update.close:
        values[FieldName.STATUS] = "closed"
        return values, {}
    reopened = {FieldName.STATUS: "The platform cannot be told to open an incident again."}
    return values, reopened if FieldName.STATUS in update.fields else {}


def _send_comment(
    source: Source, url: str, signing: Iterable[bytes], comment: TicketComment, key: str
) -> CommentOutcome:
    """Send one comment; the platform may answer with a name of its own for it."""
    values = {"comment": comment.model_dump(mode="json", exclude={"own"})}
    response = _send(source, url, signing, values, key)
    refused = _unsupported(response, values)
    if refused:
        return CommentOutcome(unsupported=refused["comment"] or "The platform does not say why.")
    return CommentOutcome(id=_comment_id(response))


def _comment_id(response: requests.Response) -> str:
    """Read `{"comment": {"id": "..."}}` from an answer; empty for any other."""
    try:
        name = json.loads(response.content)["comment"]["id"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
    return name if isinstance(name, str) and len(name) <= MAX_ID_CHARS and name.isprintable() else ""


def _send(source: Source, url: str, signing: Iterable[bytes], values: Mapping[str, Any], key: str) -> requests.Response:
    """Send one request; return an answer that is a success, or says what the platform does not support."""
    body = json.dumps(values, separators=(",", ":")).encode()
    headers = sign(signing, key, source.clock.now(), body)
    headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
    response = source.session.request("PATCH", url, data=body, headers=headers)
    if response.status_code in _OK or _unsupported(response, values):
        return response
    raise _refusal(response, source.clock.now())


def _time_of(response: requests.Response) -> datetime | None:
    """Read `updated_at` from the incident that a platform may answer with: its own time of the change."""
    try:
        answer = json.loads(response.content)
        moment = datetime.fromisoformat(answer["updated_at"])
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return moment if moment.tzinfo is not None else None


def _unsupported(response: requests.Response, values: Mapping[str, Any]) -> dict[str, str]:
    """Read `{"unsupported": {"title": "reason"}}` from an answer 422; nothing for most others."""
    if response.status_code in _NO_CHANGES_TAKEN:
        return {str(name): "The platform takes no changes at this address." for name in values}
    if response.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
        return {}
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    named = answer.get("unsupported") if isinstance(answer, dict) else None
    if not isinstance(named, dict):
        return {}
    return {str(name): _one_line(str(named[name]), _SENTENCE_CHARS) for name in values if name in named}


def _refusal(response: requests.Response, now: datetime) -> ConnectorError:
    """Say what an answer means that is no success."""
    status = response.status_code
    detail = f"{status} {response.reason}"
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthError(
            "The platform did not accept our signature.",
            code="callback_unauthorized",
            detail=detail,
            fix="Compare callback_secret with the secret on the platform, and this machine's clock with a right one.",
        )
    if status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryLater(
            "The platform cannot take the change at the moment.",
            after_s=retry_after_s(response.headers.get("Retry-After", ""), now),
            outcome_unknown=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
            scope=Scope.SITE,
            detail=detail,
        )
    if status in range(300, 400):
        return RemoteError(
            "The platform answers with a redirect, which is not followed.",
            code="redirected",
            detail=detail,
            fix="Set callback_url to the final address.",
        )
    code, sentence = _REFUSALS.get(status, ("refused", "The platform refused the change."))
    return RemoteError(sentence, code=code, detail=detail)


def _one_line(text: str, length: int) -> str:
    """Return a text of others so that it fits in one line of ours."""
    line = " ".join(re.sub(r"[^\w .,;:()'/+-]+", " ", text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
