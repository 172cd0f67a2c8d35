"""The one HTTP session that plugins get: bounded in time and size, never redirected, errors from our own tree.

Nothing here waits and repeats: a call that should be made later is rescheduled by the engine. Only a connection that
could not be opened, or a read that was cut off, is tried once more at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any, cast

import requests
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry

from connector_core.contract.errors import ConfigError, ConnectorError, RemoteError, RetryLater, Scope
from connector_core.http import calls
from connector_core.http.answers import MOST, AnswerBudget, Holding, Holdings, weight
from connector_core.http.calls import Answer, Call, Part
from connector_core.http.deadlines import TimedAdapter
from connector_core.http.outbound import CALL_DEADLINE_S, Outbound
from connector_core.http.patience import timeouts
from connector_core.version import VERSION

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
#: A page of a hundred tickets or incidents of a hundred kilobytes each fits.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DIRECT = Outbound()

_TARGET = re.compile(r"(?<=with url: )\S+")

# Raises `RetryLater` when nobody may be called at present.
Permission = Callable[[], None]

# Told of every call.
Observer = Callable[[Call], None]

_CHUNK_BYTES = 64 * 1024
#: Smaller answers weigh nothing that would be counted, whatever is in them.
_LIGHT_BYTES = 1024
_RETRY_AFTER_S = 5.0
_NOT_READ = frozenset({"answer_too_large", "answers_too_many"})
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    LocationParseError,
)
# An answer that names a wait is an answer; urllib3 would take it for a failure and lose it.
_AT_ONCE = Retry(
    total=1,
    connect=1,
    read=1,
    redirect=0,
    status=0,
    other=0,
    allowed_methods=SAFE_METHODS,
    respect_retry_after_header=False,
)


class HTTPSession(requests.Session):
    """A requests session whose every call ends within `CALL_DEADLINE_S` and raises only errors of our tree.

    Answers come back whatever their status: what a status means is for the plugin's client to say.
    """

    def __init__(  # noqa: PLR0913 - all but the first by keyword
        self,
        user_agent: str,
        *,
        deadline_s: float = CALL_DEADLINE_S,
        verify_tls: bool = True,
        observe: Observer | None = None,
        permit: Permission | None = None,
        adapter: TimedAdapter | None = None,
        answers: AnswerBudget | None = None,
    ) -> None:
        super().__init__()
        #: What its answers weigh, by thread.
        self.holdings = Holdings(answers or AnswerBudget(), object())
        self.permit = permit or _permitted
        self.observe = observe or _unobserved
        self.headers["User-Agent"] = user_agent
        self.trust_env = False  # no proxy, netrc or CA bundle that nobody configured here; see `Outbound`
        self.verify = verify_tls
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = adapter or connections(deadline_s)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        """Send a request and read the whole answer within the deadline.

        Raises:
            RetryLater: no answer, or one that is too large, or too large for now; `outcome_unknown` when the request
                may have been carried out all the same. Or nobody may be called at present, and nobody was.
            ConfigError: the address is no HTTP address, or may not be called.
            RemoteError: a header cannot be sent.
        """
        verb = method.decode() if isinstance(method, bytes) else method
        kwargs.setdefault("timeout", timeouts(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
        kwargs.setdefault("allow_redirects", False)
        kwargs["stream"] = True
        self.permit()
        began = monotonic()
        try:
            response = super().request(verb, url, *args, **kwargs)
            read_whole(response, self.holdings.own)
        except (requests.RequestException, HTTPError, UnicodeError) as exc:  # some of the libraries below pass through
            error = translate(exc, verb)
            request = getattr(exc, "request", None)
            self.observe(_lost(verb, url, request, monotonic() - began, code=error.code))
            raise error from exc
        except RetryLater as exc:
            if exc.code in _NOT_READ:
                self.observe(_lost(verb, url, None, monotonic() - began, code=exc.code))
            raise
        self.observe(answered(response, monotonic() - began))
        return response

    def let_go(self) -> None:
        """Count the answers that this thread asked for no longer: they are worked off."""
        self.holdings.own.let_go()

    def close(self) -> None:
        """Close the connections, and count no answers any longer."""
        self.let_go()
        super().close()

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' own signature
        """Return none: to look for one, requests would read the whole body, without limit, and trip over odd ones."""
        return None


class SilentSession(requests.Session):
    """A session that calls nobody: for what is looked at only."""

    def request(self, method: str | bytes, url: str | bytes, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401, ARG002 - requests' own signature
        """Refuse.

        Raises:
            RetryLater: always.
        """
        raise RetryLater("Nobody is asked where someone only looks.", code="not_asked")


def connections(deadline_s: float = CALL_DEADLINE_S, outbound: Outbound = DIRECT) -> TimedAdapter:
    """Return what holds connections open; sessions may share it."""
    return TimedAdapter(deadline_s, outbound, pool_connections=4, pool_maxsize=64, max_retries=_AT_ONCE)


def read_whole(response: requests.Response, holding: Holding | None = None) -> None:
    """Read a body in pieces, so that one that is too large is not read to its end.

    Raises:
        RetryLater: it is larger than `MAX_ANSWER_BYTES`, or would take more memory than one may once it is read as
            JSON; or all together would.
    """
    holding = holding or Holding(AnswerBudget(), None)
    whole = bytearray()  # of pieces a byte each a list would take fifty times as much
    counted = 0
    for piece in response.iter_content(_CHUNK_BYTES):
        whole += piece
        if len(whole) > MAX_ANSWER_BYTES:
            raise _too_large(response, f"The answer is larger than {MAX_ANSWER_BYTES // 1024**2} MiB.")
        if 2 * len(whole) > counted:  # twice: it is copied when it is there
            counted = 4 * len(whole)
            _hold(response, holding, counted)
    content = bytes(whole)
    del whole
    if len(content) > _LIGHT_BYTES:
        heavy = weight(content)
        if heavy > MOST:
            raise _too_large(response, f"The answer would take more than {MOST // 1024**2} MiB of memory.")
        _hold(response, holding, heavy)
    response._content = content  # noqa: SLF001 - where requests keeps a body that was read


def _hold(response: requests.Response, holding: Holding, heavy: int) -> None:
    if holding.grow(min(heavy, MOST)):
        return
    response.close()
    raise RetryLater(
        "Too many large answers are being read at once.",
        after_s=_RETRY_AFTER_S,
        outcome_unknown=_may_have_changed(response),
        code="answers_too_many",
    )


def _too_large(response: requests.Response, message: str) -> RetryLater:
    response.close()
    return RetryLater(message, outcome_unknown=_may_have_changed(response), scope=Scope.SITE, code="answer_too_large")


def _may_have_changed(response: requests.Response) -> bool:
    return (response.request.method or "").upper() not in SAFE_METHODS


def _permitted() -> None:
    """Permit every call."""


def _unobserved(call: Call) -> None:
    """Count nothing."""


def answered(response: requests.Response, took_s: float) -> Call:
    """Return a call that was answered, whose answer was read; it took so many seconds."""
    request, content = response.request, response.content
    size = len(content)
    return Call(
        method=request.method or "",
        url=request.url or "",
        took_s=took_s,
        sent=_sent(request),
        answer=Answer(response.headers, content if size <= calls.MOST_BODY else None, size, response.status_code),
    )


def _lost(method: str, url: str | bytes, request: requests.PreparedRequest | None, took_s: float, *, code: str) -> Call:
    address = url.decode("latin-1") if isinstance(url, bytes) else url
    sent = _sent(request) if isinstance(request, requests.PreparedRequest) else Part()
    return Call(method=method, url=address, took_s=took_s, sent=sent, code=code)


def _sent(request: requests.PreparedRequest) -> Part:
    body = cast("object", request.body or b"")  # a stream, too
    if not isinstance(body, bytes | str):
        return Part(request.headers, None)
    return Part(request.headers, body if len(body) <= calls.MOST_BODY else None, len(body))


def user_agent(plugin: str, plugin_version: str) -> str:
    """Name core and plugin, as operators of the other side want to see them."""
    return f"connector-core/{VERSION} {plugin}/{plugin_version}"


def translate(exc: requests.RequestException | HTTPError | UnicodeError, method: str) -> ConnectorError:
    """Turn any error of the HTTP library, and of those below it, into one of ours.

    What it says of the path is left out: of some addresses that is the secret.
    """
    said = _TARGET.sub("/…", str(exc))
    if isinstance(exc, _NO_ADDRESS):
        return ConfigError("The address is not a valid HTTP address.", code="address_invalid", detail=said)
    if isinstance(exc, (requests.exceptions.InvalidHeader, UnicodeError)):  # nothing but ASCII is left in addresses
        return RemoteError("The request has a header that cannot be sent.", code="header_invalid", detail=said)
    if isinstance(exc, requests.exceptions.SSLError):
        return RetryLater(
            "The other side's certificate was not accepted.",
            code="tls_failed",
            scope=Scope.SITE,
            detail=said,
            fix="Check the address and the certificate of the other side. One of a private authority is trusted with "
            "outbound.ca_file.",
        )
    if isinstance(exc, requests.exceptions.ProxyError):
        return RetryLater(
            "The proxy does not let the call through.",
            code="proxy_failed",
            scope=Scope.SITE,
            detail=said,
            fix="Check outbound.proxy, its user and password, and what the proxy allows.",
        )
    never_sent = isinstance(exc, requests.ConnectTimeout) or _refused(exc)
    return RetryLater(
        "The other side cannot be reached." if never_sent else "The other side did not answer in time or hung up.",
        code="unreachable" if never_sent else "answer_lost",
        outcome_unknown=not never_sent and method.upper() not in SAFE_METHODS,
        scope=Scope.SITE,
        detail=said,
    )


def _refused(exc: Exception) -> bool:
    text = str(exc)
    return isinstance(exc, requests.ConnectionError) and ("NewConnectionError" in text or "NameResolutionError" in text)
