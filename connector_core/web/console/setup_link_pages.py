"""The set-up link: made by an admin, opened by someone without a login, who sees one step and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.contract.setup_steps import Answered, SetupStep
from connector_core.engine.circuits import Circuit
from connector_core.registry.entry import is_settled
from connector_core.setup.authorizing import Initiator, Sent
from connector_core.setup.questionnaire import FoundSeveral
from connector_core.setup.setup_links import AUTHORIZE_STEP, NoLongerGood, SetupLinks
from connector_core.store import Actor, Begun, Overtaken, SetupLink, Via
from connector_core.store.acting import acting, having_seen
from connector_core.web.console import visible
from connector_core.web.console.owners import Crumb, source_named
from connector_core.web.console.questions import changed_answers, questions, unanswered
from connector_core.web.console.step_page import Shown, generated, generated_for
from connector_core.web.console.visits import Calling, Console, Visit, busy, go, version_sent
from connector_core.web.console.wizard_steps import Mark, Way, refuse_in_file, way
from connector_core.web.console.words import Problem, problem_of
from connector_core.web.public_path import PrivateCookie

COOKIE_S = 30 * 60


class SetupLinkPages:
    """Handlers for making and opening set-up links."""

    def __init__(self, setup_links: SetupLinks) -> None:
        self._setup_links = setup_links

    def make(self, visit: Visit) -> Response:
        """Make a link and show it, once."""
        seen = visible.usable(visit, visit.named("integration"))
        step = visit.form.get("step", "")
        if seen.is_in_file and step != AUTHORIZE_STEP:
            raise refuse_in_file(seen.record, seen.place)
        path = self._setup_links.make(seen.id, step, visit.user.name)
        crumb = Crumb(seen.title, visit.at("integration", integration=seen.id))
        return _made(visit, crumb, way(visit, seen.entry).mark(step), path)

    def make_for_source(self, visit: Visit) -> Response:
        """Make a link to a step of a source and show it, once."""
        owner = source_named(visit)
        step = owner.way.step(visit.form.get("step", ""))
        path = self._setup_links.make(owner.name, step.key, visit.user.name, of_source=True)
        return _made(visit, owner.crumb, owner.way.mark(f"{owner.mark}{step.key}"), path)

    def revoke(self, visit: Visit) -> Response:
        """End a link to a step of an integration."""
        seen = visible.usable(visit, visit.named("integration"))
        self._setup_links.revoke(seen.id, visit.form.get("link", ""))
        return _revoked(visit, way(visit, seen.entry))

    def revoke_for_source(self, visit: Visit) -> Response:
        """End a link to a step of a source."""
        owner = source_named(visit)
        self._setup_links.revoke(owner.name, visit.form.get("link", ""), of_source=True)
        return _revoked(visit, owner.way)

    def show(self, console: Console, request: Request, _: Mapping[str, str]) -> Response | Calling:
        """Show the step."""
        return self._shown(console, request, Shown())

    def reload(self, console: Console, request: Request, form: Mapping[str, str]) -> Response | Calling:
        """Fetch the lists anew; what is typed already stays on the page."""
        return self._shown(console, request, Shown(form))

    def reveal(self, console: Console, request: Request, form: Mapping[str, str]) -> Response | Calling:
        """Show the secrets in what is to be copied, on this one page."""
        return self._shown(console, request, Shown(form, is_revealed=True))

    def generate(self, console: Console, request: Request, form: Mapping[str, str]) -> Response | Calling:
        """Make a secret and show it, to be saved by another button."""

        def page(setup_link: SetupLink) -> Response:
            made = "" if _authorizes(setup_link) else generated(self._step(setup_link))
            return self._page(console, request, setup_link, Shown(form, generated=made))

        return self._calling(console, request, page)

    def save(self, console: Console, request: Request, form: Mapping[str, str]) -> Response | Calling:
        """Do the step; the link is used up by that."""

        def done(setup_link: SetupLink) -> Response:
            if _authorizes(setup_link):
                return self._authorize(console, request, setup_link, form)
            return self._answer(console, request, setup_link, form)

        return self._calling(console, request, done, version_sent(form))

    def _shown(self, console: Console, request: Request, shown: Shown) -> Response | Calling:
        return self._calling(console, request, lambda setup_link: self._page(console, request, setup_link, shown))

    def _calling(
        self,
        console: Console,
        request: Request,
        answer: Callable[[SetupLink], Response],
        sent: int | None = None,
    ) -> Response | Calling:
        """Answer by a link that is good where vendors may be called; `sent` is the version that a form was of."""

        def opened() -> Response:
            token = request.path_params["token"]
            try:
                with acting(self.actor(token, console.app.clock.now())), having_seen(sent):
                    return answer(self._setup_links.opened(token))
            except RetryLater:  # the link may be good
                raise
            except ConnectorError as exc:
                return _closed(console, exc)

        try:
            setup_link = self._setup_links.opened(request.path_params["token"])
        except RetryLater:  # as above
            raise
        except ConnectorError as exc:
            return _closed(console, exc)
        name, registry = setup_link.name, console.app.registry
        place = Circuit.of_source(name).site if setup_link.of_source else registry.site_of(name)
        return Calling(place, opened, partial(busy, console))

    def came_back(self, request: Request, integration: str) -> Initiator | None:
        """Return who went to authorize an integration by a link that is still good; None when nobody did here."""
        cookie = self._cookie.read(request)
        try:
            setup_link = self._setup_links.opened(self.token(request))
        except ConfigError:
            return None
        is_theirs = not setup_link.of_source and setup_link.name == integration
        return Initiator(Begun.SETUP_LINK, cookie) if is_theirs and setup_link.step == AUTHORIZE_STEP else None

    def token(self, request: Request) -> str:
        """Return the token of the link that someone went to authorize by, as their browser tells."""
        return self._cookie.read(request).partition(".")[2]

    def actor(self, token: str, now: datetime) -> Actor:
        """Return who acts by a link: whoever has it from the admin who made it."""
        return Actor(f"set-up link of {self._setup_links.opened(token).made_by}", Via.SETUP_LINK, now)

    def _at(self, request: Request) -> Callable[[str], str]:
        """Return what names the addresses of this link's pages."""
        return lambda route: str(request.app.url_path_for(route, token=request.path_params["token"]))

    @property
    def _cookie(self) -> PrivateCookie:
        """Return the cookie that tells the way back."""
        return PrivateCookie("connector_handover", "connector-handover", self._setup_links.setup.config.server)

    def done(self, console: Console, token: str) -> Response:
        """Use the link up, whose step is done, and say thanks."""
        with self._setup_links.using(token):
            return self._thanks(console)

    def _thanks(self, console: Console) -> Response:
        text = "This link no longer works. You can close this page."
        return console.pages.html("closed.html", title="Done, thank you", text=text)

    def _authorize(
        self, console: Console, request: Request, setup_link: SetupLink, form: Mapping[str, str]
    ) -> Response:
        token, authorizing = request.path_params["token"], console.app.authorizing
        if "site" in form:
            if is_settled(console.app.store.grants.get(setup_link.name)):
                raise ConfigError("The site has already been selected.", code="site_chosen")
            authorizing.choose_site(setup_link.name, form["site"])
            console.app.engine.nudge()
            return self.done(console, token)
        # Someone else may hold the same link: a browser brings back only what it began itself.
        proof = f"{secrets.token_urlsafe(32)}.{token}"
        answer = authorizing.start(setup_link.name, Initiator(Begun.SETUP_LINK, proof))
        if not isinstance(answer, Sent):
            return self.done(console, token)
        host = urlsplit(answer.url).netloc
        response = console.pages.html("leaving_closed.html", address=answer.url, host=host)
        self._cookie.put(response, proof, max_age_s=COOKIE_S)
        return response

    def _answer(self, console: Console, request: Request, setup_link: SetupLink, form: Mapping[str, str]) -> Response:
        flow = self._setup_links.flow_of(setup_link)
        step, record = self._step(setup_link), flow.answered(setup_link.name)
        changed = changed_answers(step, record, form)
        if unanswered(step, record, form) or not changed:
            error = Problem("unanswered", "Nothing was entered.", "Fill it in, then click Update.")
            if _is_answered(step, record):
                text = "Nothing is different from what is saved."
                error = Problem("unchanged", text, "Change it, then click Update. If it is right, close this page.")
            return self._page(console, request, setup_link, Shown(form, error, 422))
        try:
            with self._setup_links.using(request.path_params["token"]):
                flow.answer(setup_link.name, changed)
        except (Overtaken, FoundSeveral) as exc:
            return self._page(console, request, setup_link, Shown(form, _without_names(exc), 422))
        except NoLongerGood:
            raise
        except ConnectorError as exc:
            return self._page(console, request, setup_link, Shown(form, replace(problem_of(exc), ways=()), 422))
        return self._thanks(console)

    def _step(self, setup_link: SetupLink) -> SetupStep:
        steps = self._setup_links.flow_of(setup_link).steps(setup_link.name)
        found = next((step for step in steps if step.key == setup_link.step), None)
        if found is None:
            raise ConfigError("This step is no longer part of the set-up.", code="step_unknown")
        return found

    def _page(self, console: Console, request: Request, setup_link: SetupLink, shown: Shown) -> Response:
        whose = self._setup_links.flow_of(setup_link).answered(setup_link.name).organization
        version = console.app.store.audit.version(whose)  # before all that is shown
        record = self._setup_links.flow_of(setup_link).answered(setup_link.name)
        plugin = console.app.plugins.get(record.plugin)
        shared = {
            "title": plugin.info.title,
            "organization": console.app.registry.organization_name(whose),
            "setup_link": setup_link,
            "path": request.url.path,
            "at": self._at(request),
            "error": shown.error,
        }
        if _authorizes(setup_link):
            grant = console.app.store.grants.get(setup_link.name)
            sites = () if grant is None or is_settled(grant) else grant.sites
            return console.pages.html(
                "setup_link_authorize.html",
                shown.status,
                sites=sites,
                consent=plugin.info.consent,
                is_authorized=console.app.registry.entry(setup_link.name).is_authorized(grant),
                **shared,
            )
        step = self._step(setup_link)
        return console.pages.html(
            "setup_link_step.html",
            shown.status,
            form_version=version,
            step=step,
            questions=questions(self._setup_links.flow_of(setup_link), record, step, shown.given, fetch=True),
            generated_for=generated_for(step),
            generated=shown.generated,
            is_revealed=shown.is_revealed,
            **shared,
        )


def _without_names(error: Overtaken | FoundSeveral) -> Problem:
    """Say what stands in the way; who changed something, or fits, is not for someone without a login."""
    if isinstance(error, FoundSeveral):
        return Problem(error.code, error.message, "Type the whole e-mail address or the account id.")
    return Problem(
        "overtaken",
        "Someone else answered this step meanwhile. Your answer is not saved yet.",
        "Look at the answers, enter secrets again, then click Update to save yours.",
    )


def _is_answered(step: SetupStep, record: Answered) -> bool:
    """Return whether somebody has answered a step already."""
    return any(asked.key in record.answers or asked.key in record.secret_answers for asked in step.fields)


def _authorizes(setup_link: SetupLink) -> bool:
    return setup_link.step == AUTHORIZE_STEP and not setup_link.of_source


def _made(visit: Visit, crumb: Crumb, mark: Mark, path: str) -> Response:
    address = f"{visit.app.config.server.public_url}{path}"
    return visit.page("setup_link_shown.html", crumb=crumb, mark=mark, address=address)


def _revoked(visit: Visit, whose: Way) -> Response:
    """Go back to the step whose page the button stood on."""
    wanted = f"{whose.prefix}{visit.form.get('step', '')}"
    back = next((mark for mark in whose.marks if mark.key == wanted), whose.first_open())
    return go(back.address, "setup_link_revoked")


def _closed(console: Console, error: ConnectorError) -> Response:
    return console.pages.html("closed.html", 410, title="Nothing to do here", text=f"{error.message} {error.fix}")
