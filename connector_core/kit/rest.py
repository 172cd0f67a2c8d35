"""Calls to a REST API that speaks JSON: where it is, who asks, and what comes back.

    rest = Rest(integration, "https://desk.example.com/api", RULES)
    ticket = whole(rest.get(f"/tickets/{segment(ticket_id)}", about=Subject.TICKET))
    rest.patch(f"/tickets/{segment(ticket_id)}", {"title": title}, about=Subject.TICKET)

The session behind it ends each call in time, reads no endless answer, follows no redirect, renews the grant after a
401, and raises errors of our tree only.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit

from pydantic import SecretStr

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Grant
from connector_core.kit.answers import Answers, Subject, TooLarge, with_outcome
from connector_core.kit.paging import MOST_PAGES, Paging, Place, paged
from connector_core.kit.reply import Reply
from connector_core.kit.values import Json, listed, unreadable

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import PreparedRequest

T = TypeVar("T")

#: Puts on a request what proves who asks; None lets the session send the grant of the integration.
Auth = Callable[["PreparedRequest"], "PreparedRequest"] | None

_ACCEPT = {"Accept": "application/json"}


@dataclass(frozen=True)
class Rest:
    """One API for one integration; cheap, so that a hook makes its own.

    Of each method: `about` says what a 404 means. `may_repeat` marks a call that may be made again whatever became of
    it, such as a search by POST: its `RetryLater` never has `outcome_unknown`.

    rest = Rest(integration, settings.url, RULES, auth=carrying(bearer(settings.token)))
    open_ones = list(rest.pages("/tickets", "items", PageNumber("page"), params={"state": "open"}))

    Raises:
        ConnectorError: as `Answers.read` says, and `RetryLater` where no answer came; `outcome_unknown` is set when a
            write may have been carried out all the same.
    """

    integration: AnyIntegration
    #: Where the API begins: scheme, host, and path without a slash at its end. No link leads away from there.
    base_url: str
    #: What answers mean.
    rules: Answers
    #: Who asks, when it is not whoever authorized the integration: `carrying(...)`, or `no_grant`.
    auth: Auth = None
    #: Headers of each request.
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(
        self,
        path: str,
        *,
        about: Subject = Subject.SETUP,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Read: return the JSON at a path.

        rest.get("/user/self")
        """
        return self.call("GET", path, about=about, params=params, headers=headers).body

    def post(self, path: str, body: object = None, *, about: Subject = Subject.SETUP, **more: Any) -> Any:  # noqa: ANN401 - JSON; `call` has the rest
        """Create or ask: return the JSON that comes back; `more` is of `call`.

        rest.post("/ticket", {"Queue": queue, "Subject": title})
        """
        return self.call("POST", path, body=body, about=about, **more).body

    def put(self, path: str, body: object = None, *, about: Subject = Subject.TICKET, **more: Any) -> Any:  # noqa: ANN401 - as above
        """Write the whole: return the JSON that comes back; `more` is of `call`.

        rest.put(path, {"Subject": title}, headers={"If-Match": etag})
        """
        return self.call("PUT", path, body=body, about=about, **more).body

    def patch(self, path: str, body: object = None, *, about: Subject = Subject.TICKET, **more: Any) -> Any:  # noqa: ANN401 - as above
        """Write a part: return the JSON that comes back; `more` is of `call`.

        rest.patch(path, {"state": "6"})
        """
        return self.call("PATCH", path, body=body, about=about, **more).body

    def delete(self, path: str, body: object = None, *, about: Subject = Subject.TICKET, **more: Any) -> Any:  # noqa: ANN401 - as above
        """Remove: return the JSON that comes back, mostly None; `more` is of `call`.

        rest.delete(f"/webhooks/{segment(number)}", about=Subject.SETUP)
        """
        return self.call("DELETE", path, body=body, about=about, **more).body

    def call(  # noqa: PLR0913 - the parts of a request, by keyword
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        about: Subject = Subject.SETUP,
        may_repeat: bool = False,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make a call and return the answer with its headers.

        `body` is sent as JSON. `path` begins with a slash and lies below `base_url`; a whole address is taken too, as
        `linked` does.

        rest.call("POST", "/table/incident", body=values).location
        """
        integration = self.integration
        try:
            response = integration.session.request(
                method,
                self._address(path),
                json=body,
                params=params,
                auth=self.auth,
                headers={**_ACCEPT, **self.headers, **(headers or {})},
            )
            now = integration.clock.now()
            if (until := self.rules.limits.near_until(response.headers, now)) is not None:
                integration.core.near_limit(until)
            return Reply.of(response, self.rules.read(response, about, now))
        except RetryLater as exc:
            if not (may_repeat and exc.outcome_unknown):
                raise
            raise with_outcome(exc, is_unknown=False) from exc

    def pages(  # noqa: PLR0913 - the parts of a request, by keyword
        self,
        path: str,
        items: str | Callable[[Any], Sequence[Json]],
        paging: Paging,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        about: Subject = Subject.SETUP,
        headers: Mapping[str, str] | None = None,
        most_pages: int = MOST_PAGES,
    ) -> Iterator[Json]:
        """Yield the entries of all pages of a list, in order; with a `body`, one that is asked for by POST.

        `items` is where in the body the entries are, such as `data.items`, empty for a body that is the list itself;
        or a function that takes them out.

        rest.pages("/tickets", "items", LinkHeader(), params={"per_page": "100"})

        Raises:
            TooManyPages: the list has more than `most_pages`.
            RetryLater: a page has no such list, or leads to itself.
        """

        def request(place: Place | str) -> Reply:
            if isinstance(place, str):  # a link has all parameters in it
                return self.call("GET", self.linked(place), about=about, headers=headers)
            if body is None:
                return self.call("GET", path, params={**(params or {}), **place}, about=about, headers=headers)
            asked = {**body, **place}
            return self.call("POST", path, body=asked, params=params, about=about, may_repeat=True, headers=headers)

        taken = items if callable(items) else lambda page: listed(page, items)
        return paged(request, taken, paging, most_pages)

    def by_chunks(
        self,
        name: str,
        ids: Iterable[str],
        size: int | Sequence[int],
        read: Callable[[Sequence[str]], Iterable[T]],
        *,
        too_many: type[RemoteError] = TooLarge,
    ) -> Iterator[T]:
        """Yield what a function reads of many ids, as many at once as the other side takes.

        Where it refuses so many with `too_many` (413, 414, 431), half as many are tried, down to one; or, of several
        sizes, the next. What it takes is kept under `name` while the process lives.

        rest.by_chunks("tickets", ids, 100, lambda some: rest.pages("/tickets", "items", LinkHeader(), params=of(some)))

        Raises:
            RemoteError: it does not take the fewest either.
        """
        sizes = [size // 2**n for n in range(size.bit_length())] if isinstance(size, int) else list(size)
        cache, key = self.integration.cache, name
        left = list(ids)
        while left:
            most = min(int(cache.get(key, sizes[0])), len(left))
            try:
                found = list(read(left[:most]))
            except too_many as exc:
                fewer = next((one for one in sizes if one < most), None)
                if fewer is None:
                    raise
                self.integration.log.info("reads_are_smaller", what=name, ids=most, detail=exc.detail)
                cache[key] = fewer
                continue
            yield from found
            left = left[most:]

    def linked(self, link: str) -> str:
        """Return the path of what an API links to, as `get` takes it: of a `Location`, or of a link in a body.

        A link's host is not looked at: behind a proxy an API may know itself by another name, and what is sent along
        is for `base_url` only.

        rest.get(rest.linked(reply.location))

        Raises:
            RetryLater: the link leads out of the API.
        """
        base = urlsplit(self.base_url)
        try:
            target = urlsplit(urljoin(f"{self.base_url}/", link))
        except ValueError as exc:
            raise unreadable() from exc
        below = target.path[len(base.path) :]
        leads_up = ".." in unquote(target.path).split("/")
        if not f"{target.path}/".startswith(f"{base.path}/") or leads_up:
            raise unreadable()
        return f"{below}?{target.query}" if target.query else below

    def _address(self, path: str) -> str:
        return self.base_url + (path if path.startswith("/") or not path else self.linked(path))


def segment(value: str) -> str:
    """Make one segment of a path of a value, whatever it holds.

    rest.get(f"/tickets/{segment(ticket_id)}")

    Raises:
        RemoteError: it is nothing, or leads up: nothing is called so, and another address would be asked.
    """
    if value in {"", ".", ".."}:
        raise RemoteError("Nothing can have this name.", code="name_impossible", detail=repr(value))
    return quote(value, safe="", errors="replace")


def carrying(headers: Mapping[str, SecretStr]) -> Auth:
    """Return the `auth` of a request that proves itself with these headers, and with nothing of the core's.

    Rest(integration, url, RULES, auth=carrying(basic(user, password)))

    Raises:
        ConfigError: one cannot be sent: only visible ASCII and blanks can, as in a token that was copied whole.
    """
    sent = {name: secret.get_secret_value() for name, secret in headers.items()}
    if not all(value.isascii() and value.isprintable() for value in sent.values()):
        raise ConfigError(
            "The token or password has a character that cannot be sent.",
            code="secret_unusable",
            fix="Copy it once more, without a line end or a blank around it.",
        )

    def put_on(request: PreparedRequest) -> PreparedRequest:
        request.headers.update(sent)
        return request

    return put_on


def of_grant(grant: Grant) -> Auth:
    """Return the `auth` of a request that proves itself with a grant that the core does not have yet.

    Rest(integration, grant.base_url, RULES, auth=of_grant(grant)).get("/user/self")
    """
    return carrying(grant.headers)


def basic(user: str, password: SecretStr) -> dict[str, SecretStr]:
    """Return the header of basic authentication (RFC 7617), in UTF-8.

    carrying(basic("connector", settings.password))
    """
    pair = f"{user}:{password.get_secret_value()}"
    return {"Authorization": SecretStr("Basic " + b64encode(pair.encode("utf-8", "replace")).decode("ascii"))}


def bearer(token: SecretStr, scheme: str = "Bearer") -> dict[str, SecretStr]:
    """Return the header of a token (RFC 6750), or of one that a vendor calls otherwise.

    carrying(bearer(settings.token, scheme="token"))
    """
    return {"Authorization": SecretStr(f"{scheme} {token.get_secret_value()}")}
