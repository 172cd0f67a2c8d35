"""The door: who comes in, what they may do, and what happens when something goes wrong behind it.

Every page passes here. A change needs the form's token and a request that began on one of our own pages.
"""

from __future__ import annotations

from asyncio import wrap_future
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from hmac import compare_digest
from math import ceil
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from connector_core.app import App
from connector_core.config.models import ServerSettings
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater, WebhookRejected
from connector_core.engine.circuits import Circuit
from connector_core.polling.statuses import NEED_SOMEBODY
from connector_core.sign_on.flow import SignOn
from connector_core.store import Actor, Overtaken
from connector_core.store.acting import acting, having_seen
from connector_core.store.failures import shortage
from connector_core.web.access_log import without_tokens
from connector_core.web.console.dates import zone_of
from connector_core.web.console.logins import Login, Logins
from connector_core.web.console.overtaken import values as overtaken_values
from connector_core.web.console.pages import HEADERS, Pages
from connector_core.web.console.people import People, User
from connector_core.web.console.words import problem_of
from connector_core.web.public_path import inside
from connector_core.web.request_bodies import read_body

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 200
FORM_VERSION = "form_version"
_DIGITS = 18
AGAIN_AFTER_S = 5.0
BUSY = "The other side answers slowly"
BUSY_FIX = "Too many pages are waiting for it. Nothing was changed. Try again in a minute."
BUSY_S = 60


class NotVisible(ConfigError):
    """There is no such thing, or it is not for this person's eyes: both look the same."""

    default_code = "not_found"


@dataclass(frozen=True)
class Console:
    """What the pages work with."""

    app: App
    people: People
    logins: Logins
    pages: Pages
    sign_on: SignOn | None = None


@dataclass(frozen=True)
class FormToken:
    """What each form carries: proof that it stands on one of our pages, and which version of settings it shows."""

    token: str
    version: int | None


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is logged in; `form` holds what was sent."""

    console: Console
    request: Request
    login: Login
    form: Mapping[str, str]
    may_ask: bool = False
    """Vendors may be called for this page: it is one that needs them, and whoever asked for it may change something."""
    version: int | None = None
    """Which version of an organization's settings the page shows that is looked at, or that the form was sent from."""

    @property
    def app(self) -> App:
        """The connector."""
        return self.console.app

    @property
    def user(self) -> User:
        """Who is asking."""
        return self.login.user

    @property
    def zone(self) -> tzinfo:
        """The time zone that they chose, in which days begin; UTC where they chose none."""
        return zone_of(self.login.preferences.zone)

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address."""
        return self.request.query_params

    def named(self, name: str) -> str:
        """Return a part of the address."""
        return str(self.request.path_params[name])

    def at(self, route: str, **parts: str) -> str:
        """Return the address of a page by the name of its route and what stands in the braces of its path."""
        return str(self.request.app.url_path_for(route, **parts))

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """Render a page for this person."""
        return self.console.pages.html(
            template,
            status,
            user=self.user,
            form_token=FormToken(self.login.form_token, self.version),
            path=self.request.url.path,
            called=self.app.registry.title_of,
            organization_called=self.app.registry.organization_name,
            at=self.at,
            here=_page_of(self.app.config.server, self.request),
            theme=self.login.preferences.theme,
            zone=self.login.preferences.zone,
            said_code=self.query.get("said", ""),
            attention=self.app.store.overview.count(NEED_SOMEBODY, self.user.organizations),
            **values,
        )


@dataclass(frozen=True)
class Calling:
    """An answer that takes calls to a vendor: what makes it, and the place that is called."""

    place: str
    answer: Callable[[], Response]
    busy: Callable[[], Response]


Handler = Callable[[Visit], Response]
OpenHandler = Callable[[Console, Request, Mapping[str, str]], Response | Calling]
PatientHandler = Callable[[Console, Request, Mapping[str, str]], Awaitable[Response]]


def go(address: str, said: str = "") -> Response:
    """Send the browser on after a change, so that reloading does not do it again."""
    mark = "&" if "?" in address else "?"
    return RedirectResponse(f"{address}{mark}said={said}" if said else address, status_code=303, headers=HEADERS)


def safe_next(address: str) -> str:
    """Return an address of ours to go on to; the front page for any other."""
    parts = _parts(address)
    is_ours = parts is not None and not (parts.scheme or parts.netloc)
    return address if is_ours and address.startswith("/") and not address.startswith(("//", "/\\")) else "/"


def guarded(
    console: Console, handler: Handler, *, anybody: bool = False, calls: bool = False
) -> Callable[[Request], object]:
    """Make an endpoint for people who are logged in; only an admin changes anything, unless `anybody` may.

    A page that `calls` vendors does so for admins only, on threads of which each site has a share.
    """

    def answer(request: Request, form: Mapping[str, str]) -> Response | Calling:
        login = console.logins.current(request)
        if login is None:
            wanted = quote(_page_of(console.app.config.server, request))
            return go(f"/login?next={wanted}", "ended" if console.logins.was_begun(request) else "")
        visit = Visit(console, request, login, form)
        visit = replace(visit, version=_version_seen(visit))
        refused = _refused(visit, anybody=anybody) if request.method == "POST" else None
        if refused is not None:
            return refused
        if calls and login.user.is_admin:
            asking = replace(visit, may_ask=True)
            return Calling(place_of(asking), partial(_shown, handler, asking), partial(_busy, asking))
        return _shown(handler, visit)

    async def on_a_thread(request: Request, form: Mapping[str, str]) -> Response:
        return await answered(console.app, partial(answer, request, form))

    return _endpoint(console, on_a_thread)


def _refused(visit: Visit, *, anybody: bool) -> Response | None:
    """Return why a form is not taken, None when it is."""
    given = visit.form.get("form_token", "").encode()
    if not _is_ours(visit.app.config.server, visit.request) or not compare_digest(
        given, visit.login.form_token.encode()
    ):
        return visit.page("out_of_date.html", 403, back=_page_of(visit.app.config.server, visit.request))
    if not (visit.user.is_admin or anybody):
        return visit.page("message.html", 403, title="Not for viewers", text="You have view-only access.")
    return None


def _version_seen(visit: Visit) -> int | None:
    """Return the version that a form was sent from, or that a page is about to show; it is read before all else."""
    if visit.request.method == "POST":
        return version_sent(visit.form)
    return present_version(visit) if visit.user.is_admin else None


def version_sent(form: Mapping[str, str]) -> int | None:
    """Return the version that a form was sent from; None where it does not say."""
    given = form.get(FORM_VERSION, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= _DIGITS else None


def present_version(visit: Visit) -> int | None:
    """Return the present version of the settings that an address is about; None where it is about none."""
    named, registry = visit.request.path_params, visit.app.registry
    organization = named.get("organization")
    if "integration" in named:
        known = registry.usable(named["integration"])
        organization = registry.entry(named["integration"]).record.organization if known else None
    if organization is None or not visit.user.sees(organization):
        return None
    return visit.app.store.audit.version(organization)


def show_overtaken(visit: Visit, overtaken: Overtaken) -> Response:
    """Show what somebody else changed since the form was opened; nothing is saved before it was seen.

    What was sent is kept on the page but for secrets, which are asked for again.
    """
    names = {name.replace(" ", "_") for name in overtaken.secrets}
    kept = {name: value for name, value in visit.form.items() if name not in {*names, "form_token", FORM_VERSION}}
    fresh = replace(visit, version=present_version(visit))
    return fresh.page(
        "overtaken.html",
        409,
        entries=overtaken.entries,
        changes=overtaken_values(visit.app, visit.form, overtaken),
        kept=kept,
        secrets=sorted(name for name in names if visit.form.get(name)),
        address=visit.request.url.path,
    )


def _shown(handler: Handler, visit: Visit) -> Response:
    """Return a page, or what stood in its way."""
    try:
        sent = visit.version if visit.request.method == "POST" else None
        with acting(Actor(visit.user.name, visit.user.via, visit.app.clock.now())), having_seen(sent):
            return handler(visit)
    except Overtaken as exc:
        return show_overtaken(visit, exc)
    except NotVisible as exc:
        return visit.page("message.html", 404, title="Not found", text=exc.message)
    except ConnectorError as exc:
        return _told(visit.page, "message.html", exc)


def unguarded(console: Console, handler: OpenHandler) -> Callable[[Request], object]:
    """Make an endpoint for those who are not logged in; what is sent must come from our own pages all the same."""

    async def on_a_thread(console: Console, request: Request, form: Mapping[str, str]) -> Response:
        return await answered(console.app, partial(handler, console, request, form))

    return patient(console, on_a_thread)


def patient(console: Console, handler: PatientHandler) -> Callable[[Request], object]:
    """Make an endpoint as `unguarded` does, for a handler that waits and holds no thread meanwhile."""

    async def answer(request: Request, form: Mapping[str, str]) -> Response:
        if request.method == "POST" and not _is_ours(console.app.config.server, request):
            return console.pages.html("closed.html", 403, title="Not accepted", text="Open the page again, and retry.")
        return await handler(console, request, form)

    return _endpoint(console, answer)


async def answered(app: App, answer: Callable[[], Response | Calling]) -> Response:
    """Answer on a thread; with calls to a vendor on one of those that sites share, if its share is not used up."""
    begun = await run_in_threadpool(answer)
    if isinstance(begun, Response):
        return begun
    if not app.page_calls.has_room(begun.place):  # nobody else submits: this runs on the loop
        return await run_in_threadpool(begun.busy)
    return await wrap_future(app.page_calls.submit(begun.place, begun.answer))


def place_of(visit: Visit) -> str:
    """Name the place that is called for a page: a site, or the source or the notifiers of an organization."""
    named = visit.request.path_params
    if "link" in named and named["link"].isdecimal() and len(named["link"]) <= _DIGITS:
        link = visit.app.store.links.get(int(named["link"]))
        return "" if link is None else visit.app.registry.site_of(link.integration_id)
    if "notifier" in named:
        return f"notify:{named['organization']}"
    if "integration" in named:
        return visit.app.registry.site_of(named["integration"])
    return Circuit.of_source(named.get("organization", "")).site


def _busy(visit: Visit) -> Response:
    response = visit.page("message.html", 503, title=BUSY, text=BUSY_FIX)
    response.headers["Retry-After"] = str(BUSY_S)
    return response


def busy(console: Console) -> Response:
    """Say to somebody without a login that the other side answers slowly."""
    response = console.pages.html("closed.html", 503, title=BUSY, text=BUSY_FIX)
    response.headers["Retry-After"] = str(BUSY_S)
    return response


def _endpoint(
    console: Console, answer: Callable[[Request, Mapping[str, str]], Awaitable[Response]]
) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            form = await _form(request) if request.method == "POST" else {}
            return await answer(request, form)
        except WebhookRejected as exc:
            return Response(exc.reply, status_code=exc.status, headers=HEADERS)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as exc:
            short = exc if isinstance(exc, RetryLater) else shortage(exc)
            if short is not None:
                return _told(console.pages.html, "closed.html", short)
            # One of the places that catch everything: one page that fails must not look like a broken server.
            console.app.log.exception("page_failed", path=without_tokens(request.url.path))
            text = "The log has the details. Going back and trying again is safe."
            return console.pages.html("closed.html", 500, title="This page could not be made", text=text)

    return endpoint


def _told(page: Callable[..., Response], template: str, error: ConnectorError) -> Response:
    """Say on a page what is wrong; where the same may work later, also when to come again."""
    shown = problem_of(error)
    if not isinstance(error, RetryLater):
        return page(template, 422, title=shown.message, text=shown.fix)
    response = page(template, 503, title=shown.message, text=shown.fix or "Try again in a few seconds.")
    response.headers["Retry-After"] = str(ceil(error.after_s or AGAIN_AFTER_S))
    return response


async def _form(request: Request) -> Mapping[str, str]:
    body = await read_body(request, MAX_FORM_BYTES)
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        return {name: value.replace("\0", "") for name, value in fields}
    except ValueError as exc:
        raise WebhookRejected("The form has too many fields.") from exc


def _is_ours(server: ServerSettings, request: Request) -> bool:
    """Return whether a request began on our own pages, as browsers say themselves."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None:
        return True
    parts = _parts(origin)
    return parts is not None and parts.netloc in _hosts(server, request)


def _hosts(server: ServerSettings, request: Request) -> tuple[str | None, str]:
    """Return the names that this server has: the one asked for, and the one that people know.

    They differ where a proxy does not pass on the name that it was asked for.
    """
    return request.headers.get("host"), urlsplit(server.public_url).netloc


def _page_of(server: ServerSettings, request: Request) -> str:
    """Name the page that somebody is on: the one asked for, or the one that a form was sent from."""
    if request.method == "GET":
        address = request.url.path
        return f"{address}?{request.url.query}" if request.url.query else address
    referer = _parts(request.headers.get("referer", ""))
    if referer is None or referer.netloc not in _hosts(server, request):
        return "/"
    return inside(server.public_path, referer.path) or "/"


def _parts(address: str) -> SplitResult | None:
    """Take an address of a visitor's apart; None for what is none."""
    try:
        return urlsplit(address)
    except ValueError:  # brackets without an end, or around what is no address
        return None
