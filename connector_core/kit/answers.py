"""What an answer of a REST API means: a status and a body become a value, or an error of the connector's tree.

The table is the same for all; what differs is how a vendor words its errors, and the few cases that it has beside it.

    RULES = Answers("Helpdesk", complaint=complaint_of)
    tickets = Rest(integration, base_url, RULES).get("/tickets")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from connector_core.contract.errors import (
    AuthError,
    ConfigError,
    ConnectorError,
    PluginError,
    RemoteError,
    RetryLater,
    Scope,
    TicketGone,
)
from connector_core.kit.limits import RateHeaders
from connector_core.kit.values import as_object, sentence

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import Response

CONFLICT_WAIT_S = 2.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SHOW_SOMETHING = frozenset({"GET", "POST"})
_NOT_CARRIED_OUT = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.TOO_EARLY})  # RFC 6585, RFC 8470
_LATER = _NOT_CARRIED_OUT | {HTTPStatus.REQUEST_TIMEOUT}
_CONFLICTS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
_TOO_LARGE = frozenset(
    {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE}
)


class Subject(Enum):
    """What a call is about, which decides what the status 404 means."""

    #: One ticket: it is gone, `TicketGone`.
    TICKET = "ticket"
    #: Anything that settings name: a person has to look at them, `SetupObjectMissing`.
    SETUP = "setup"


class FieldsRefused(RemoteError):
    """The values of some fields were refused; `fields` holds the other side's sentence for each field id.

    except FieldsRefused as refusal:
        without = {name: value for name, value in values.items() if name not in refusal.fields}
    """

    def __init__(self, message: str, fields: Mapping[str, str], *, detail: str = "") -> None:
        super().__init__(message, code="fields_refused", detail=detail)
        self.fields = fields


class TooLarge(RemoteError):
    """The request was larger than the other side takes (413, 414, 431): fewer at once may pass."""

    default_code = "request_too_large"


class SetupObjectMissing(ConfigError):
    """Something that settings, or we, ask for by name is not there, or our account may not see it."""

    default_code = "setup_object_missing"


class Conflict(RetryLater):
    """Nothing was written: the ticket is not at the version that the request named (409, 412).

    Read the ticket and raise `TicketChanged` with it where a person may have changed it meanwhile.
    """

    default_code = "conflict"


@dataclass(frozen=True)
class Complaint:
    """What the body of an error says.

    Complaint(("The field is too long.",), {"short_description": "The field is too long."}, from_api=True)
    """

    #: What it says in general, each one printable line: see `sentence`.
    sentences: tuple[str, ...] = ()
    #: What it says of fields, by the vendor's name of each.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Whether the API itself wrote it: a proxy or a page in its place proves nothing of a ticket.
    from_api: bool = False
    #: The vendor's name of the error, if it has one.
    code: str = ""

    def __str__(self) -> str:
        """Return a few sentences for people, never a whole body."""
        every = [*self.sentences, *self.fields.values()]
        return " ".join(every[:3])


@dataclass(frozen=True)
class Fixes:
    """What a person can do after an error, each as a sentence; none is shown where it is empty."""

    #: The account lacks a permission.
    permission: str = "Have an administrator give the account the permission, or authorize with another account."
    #: The authorization is not accepted any more.
    authorization: str = "Authorize access again."
    #: Something that settings name is not there.
    setup: str = "Check in set-up what is chosen there, and that the authorized account may see it."
    #: The site answers from another address.
    address: str = "Correct the address in set-up."
    #: Something else than the API answers.
    page: str = ""


_WORDS = ("message", "msg", "detail", "description", "title", "error_description")


def complaint_of(response: Response) -> Complaint:
    """Read what many APIs write: `{"error": {"message", "detail"}}`, `{"message"}`, `{"errors": {field: sentence}}`.

    A JSON object that has one of these counts as written by the API.
    """
    body = as_object(json_or_none(response))
    shown = body["error"] if isinstance(body.get("error"), dict) else body
    errors = as_object(body.get("errors"))
    fields = {sentence(name): sentence(text) for name, text in errors.items() if isinstance(text, str)}
    said = [sentence(shown.get(name)) for name in _WORDS]
    if isinstance(body.get("error"), str):
        said.insert(0, sentence(body["error"]))
    sentences = tuple(dict.fromkeys(one for one in said if one))
    return Complaint(sentences, fields, from_api=bool(sentences or fields))


def _none_of_its_own(_response: Response, _complaint: Complaint, _about: Subject) -> ConnectorError | None:
    return None


@dataclass(frozen=True)
class Answers:
    """What the answers of one vendor's API mean.

    RULES = Answers("Helpdesk", complaint=complaint_of, own=own_cases)
    """

    #: The ticketing system as people call it; it stands in sentences.
    vendor: str
    #: Reads the body of an error: all that a vendor must have of its own.
    complaint: Callable[[Response], Complaint] = complaint_of
    #: What an answer means that the table would read wrongly; None for any other.
    own: Callable[[Response, Complaint, Subject], ConnectorError | None] = _none_of_its_own
    #: How it tells of rate limits.
    limits: RateHeaders = field(default_factory=RateHeaders)
    #: What a person can do.
    fixes: Fixes = field(default_factory=Fixes)

    def read(self, response: Response, about: Subject, now: datetime) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a good answer, None when it has no body.

        Raises:
            ConnectorError: what any other answer means, `error_of`.
            RetryLater: `answer_unreadable`: a page in place of JSON, or half of it, also under a good status, as
                instances answer that sleep; `outcome_unknown` after a write.
        """
        if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return self._body(response)
        raise self.error_of(response, about, now)

    def error_of(self, response: Response, about: Subject, now: datetime) -> ConnectorError:  # noqa: PLR0911 - a table
        """Return the error that an answer means."""
        status, complaint = response.status_code, self.complaint(response)
        detail = f"{status} {complaint}".strip()
        if (own := self.own(response, complaint, about)) is not None:
            return own
        if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._later(response, now, detail)
        if status < HTTPStatus.BAD_REQUEST:
            return self._redirected(response, detail)
        if status == HTTPStatus.UNAUTHORIZED:
            return AuthError(
                f"{self.vendor} no longer accepts the authorization.",
                detail=str(complaint),
                fix=self.fixes.authorization,
            )
        if status == HTTPStatus.FORBIDDEN:
            return ConfigError(
                _said(f"{self.vendor} does not permit this to the authorized account.", complaint),
                code="permission_missing",
                detail=detail,
                fix=self.fixes.permission,
            )
        if status == HTTPStatus.NOT_FOUND:
            return self._not_found(complaint, about, detail)
        if status in _CONFLICTS:
            return Conflict(
                "Someone else changed the ticket at the same moment.", after_s=CONFLICT_WAIT_S, detail=detail
            )
        refused = _said(f"{self.vendor} refused the request.", complaint)
        if status in _TOO_LARGE:
            return TooLarge(refused, detail=detail)
        if complaint.fields:
            return FieldsRefused(refused, complaint.fields, detail=detail)
        return RemoteError(refused, detail=detail)

    def _body(self, response: Response) -> Any:  # noqa: ANN401 - JSON
        # What was asked for or created is shown, or the status says that it is not: an empty 200 is someone's between.
        is_odd = response.status_code == HTTPStatus.OK and response.request.method in _SHOW_SOMETHING
        if response.status_code == HTTPStatus.NO_CONTENT or not (response.content or is_odd):
            return None
        try:
            return json_of(response)
        except ValueError as exc:
            page = f"{self.vendor} answers with a page in place of data: it sleeps, or something else is in its place."
            is_page = _is_page(response)
            raise RetryLater(
                page if is_page else f"{self.vendor}'s answer is not readable.",
                outcome_unknown=_may_have_changed(response),
                scope=Scope.SITE,
                code="answer_unreadable",
                detail=f"{response.status_code} {sentence(response.headers.get('Content-Type', ''))}",
                fix=self.fixes.page if is_page else "",
            ) from exc

    def _later(self, response: Response, now: datetime, detail: str) -> RetryLater:
        limited = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        reason = response.headers.get(self.limits.reason, "") if limited else ""
        ours = "asks us to slow down." if limited else "cannot answer at the moment."
        return RetryLater(
            f"{self.vendor} {ours}",
            after_s=self.limits.wait_of(response.headers, now),
            scope=self.limits.scope_of(reason),
            # Over the limit means that nothing was done; after anything else a write may have happened all the same.
            outcome_unknown=response.status_code not in _NOT_CARRIED_OUT and _may_have_changed(response),
            code="rate_limited" if limited else "unavailable",
            detail=f"{detail} {sentence(reason)}".strip(),
        )

    def _redirected(self, response: Response, detail: str) -> ConnectorError:
        """Tell a site that moved, which has the same path elsewhere, from a page in its place: log-in, maintenance."""
        address = response.request.url or ""
        asked, target = _parts(address), _parts(address, response.headers.get("Location", ""))
        is_same_api = len(asked[2]) > 1 and target[2] == asked[2]
        if response.status_code != HTTPStatus.NOT_MODIFIED and is_same_api and target[:2] != asked[:2]:
            return ConfigError(
                f"The {self.vendor} site answers from another address now.",
                code="site_moved",
                detail=f"{detail} {target[1]}",
                fix=self.fixes.address,
            )
        return self._unavailable(
            "something else answers in its place", detail, outcome_unknown=_may_have_changed(response)
        )

    def _not_found(self, complaint: Complaint, about: Subject, detail: str) -> ConnectorError:
        if not complaint.from_api:
            # A page in place of an API's answer: a suspended site, a proxy. Never proof that a ticket is gone.
            if complaint.sentences:
                text = f"{self.vendor} does not know this API address."
                return PluginError(text, code="endpoint_unknown", detail=detail)
            return self._unavailable("", detail)
        if about is Subject.TICKET:
            return TicketGone("The ticket was deleted, or the authorized account may not see it.", detail=detail)
        return SetupObjectMissing(
            _said("Something that the settings name is not there (any more).", complaint),
            detail=detail,
            fix=self.fixes.setup,
        )

    def _unavailable(self, why: str, detail: str, *, outcome_unknown: bool = False) -> RetryLater:
        reason = f": {why}." if why else "."
        return RetryLater(
            f"The {self.vendor} site is not available{reason}",
            outcome_unknown=outcome_unknown,
            scope=Scope.SITE,
            code="site_unavailable",
            detail=detail,
            fix=self.fixes.page,
        )


def with_outcome(error: RetryLater, *, is_unknown: bool) -> RetryLater:
    """Return the same reason to wait, with another word on whether the call may have taken effect.

    raise with_outcome(exc, is_unknown=True) from exc
    """
    return RetryLater(
        error.message,
        after_s=error.after_s,
        outcome_unknown=is_unknown,
        scope=error.scope,
        code=error.code,
        detail=error.detail,
        fix=error.fix,
    )


def json_of(response: Response) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of a body: in UTF-8, 16 or 32 as RFC 8259 says, else in the encoding that it names.

    Raises:
        ValueError: it is none.
    """
    try:
        return _parsed(response.content)
    except UnicodeDecodeError:
        named = response.encoding if "charset" in response.headers.get("Content-Type", "").casefold() else None
        if not named:
            raise
        try:
            return _parsed(response.content.decode(named))
        except LookupError as exc:
            raise ValueError("the encoding is not known") from exc


def json_or_none(response: Response) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of a body, None when it is none: for errors, whose bodies may be anything."""
    try:
        return json_of(response)
    except ValueError:
        return None


def _parsed(body: bytes | str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(body)
    except RecursionError as exc:
        raise ValueError("it is too deep") from exc


def _is_page(response: Response) -> bool:
    return "html" in response.headers.get("Content-Type", "").casefold() or response.content.lstrip()[:1] == b"<"


def _may_have_changed(response: Response) -> bool:
    return (response.request.method or "") not in _SAFE_METHODS


def _parts(address: str, link: str = "") -> tuple[str, str, str]:
    """Return scheme, host and path of an address, or of where a link leads from there; nothing for what is none."""
    try:
        parts = urlsplit(urljoin(address, link))
    except ValueError:
        return "", "", ""
    return parts.scheme, parts.netloc.rpartition("@")[2].casefold(), parts.path


def _said(ours: str, complaint: Complaint) -> str:
    theirs = str(complaint)
    return f"{ours} It says: {theirs}" if theirs else ours
