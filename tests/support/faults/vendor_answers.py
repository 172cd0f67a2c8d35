"""Answers that the other side of a call may give, and a transport that gives them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import requests
from hypothesis import strategies as st
from requests.adapters import BaseAdapter

from tests.support.faults.hostile import bodies, headers, spoiled, times, values, written

WAIT_TEXTS = [
    "5",
    "-5",
    "1e400",
    "nan",
    "-inf",
    "9" * 400,
    "9" * 5000,
    "1_0",
    "\u0665",
    "0x10",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Wed, 21 Oct 9999 07:28:00 -2359",
    "Wed, 21 Oct 0001 07:28:00 +2359",
    "Wed, 21 Oct 2015 07:28:00 +99999999999999",
    "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
    "21 Oct 2015 07:28:99999999999999999999999",
    "2026-04-22T10:00Z",
    "0001-01-01T00:00+23:59",
]
WAITS = st.sampled_from(WAIT_TEXTS)
KINDS = st.sampled_from(
    [
        "application/json",
        "text/html",
        "application/json; charset=utf-16",
        "text/plain; charset=\0",
        "text/plain; charset=idna",
        "text/plain; charset=undefined",
        "text/plain; charset=rot13",
        'text/plain; charset="',
        "",
    ]
)
PLACES = st.sampled_from(["http://[", "//", "\xff\xfe", "http://127.0.0.1:99999/", "javascript:alert(1)", "/x", ""])
COMPLAINTS = [
    {"errorMessages": ["Issue does not exist"], "errors": {"summary": "too long"}},
    {"errorMessage": "No such desk", "i18nErrorMessage": {"i18nKey": "x", "parameters": []}},
    {"code": 401, "message": "Unauthorized; scope does not match"},
    {"timestamp": "2026-04-22T10:00Z", "status": 404, "message": "null for uri"},
    {"errors": [{"title": "Bad", "code": "X"}]},
]


@dataclass(frozen=True)
class Answer:
    """One answer: status, headers, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def to(self, request: requests.PreparedRequest) -> requests.Response:
        """Make the answer to a request, as the HTTP library shows it."""
        response = requests.Response()
        response.status_code = self.status
        response.headers.update(self.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = io.BytesIO(self.body)
        response.request = request
        response.url = request.url or ""
        return response


class Answering(BaseAdapter):
    """A transport that gives these answers, whatever is asked; `raw` takes the place of their bodies."""

    def __init__(self, *answers: Answer, raw: io.IOBase | None = None) -> None:
        super().__init__()
        self.answers = list(answers)
        self.raw = raw

    def send(self, request: requests.PreparedRequest, *_args: object, **_: object) -> requests.Response:
        """Give the next answer, the last one again and again."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        response = answer.to(request)
        response.raw = self.raw or response.raw
        return response

    def close(self) -> None:
        """Nothing is open."""


STATUSES = st.sampled_from(
    [200, 201, 204, 302, 307, 400, 401, 403, 404, 405, 408, 409, 410, 422, 425, 429, 500, 503]
) | st.integers(100, 999)


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": WAITS | times | headers,
        "X-RateLimit-Reset": WAITS | times | headers,
        "RateLimit-Reason": headers,
        "Content-Type": KINDS | headers,
        "Location": PLACES | headers,
    },
)


@st.composite
def answers(draw: st.DrawFn, *documents: object, statuses: st.SearchStrategy[int] = STATUSES) -> Answer:
    """Draw answers whose bodies are one of the documents with one thing wrong in it, or anything at all."""
    kind = draw(st.integers(0, 3))
    body = draw(bodies | values.map(written)) if kind == 0 else draw(spoiled(draw(st.sampled_from(documents))))
    return Answer(draw(statuses), draw(HEADERS) if kind < 2 else {}, body)


def good(document: object) -> Answer:
    """Return the answer of a system that works."""
    return Answer(200, {"Content-Type": "application/json"}, written(document))
