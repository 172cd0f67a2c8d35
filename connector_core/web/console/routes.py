"""The addresses of the console, and who is let in where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from starlette.routing import Route

from connector_core.app import App
from connector_core.sign_on.flow import BACK
from connector_core.web.console import (
    account_page,
    activity_page,
    audit_page,
    authorize_page,
    deliveries_page,
    delivery_page,
    enable_page,
    front,
    integration_page,
    link_list_page,
    link_pages,
    link_ticket_page,
    names_page,
    notifications_page,
    open_incidents_page,
    overview_page,
    replay_page,
    round_trip_page,
    routing_page,
    rules_page,
    source_page,
    source_steps,
    start_page,
    step_page,
)
from connector_core.web.console.login_page import LoginPage
from connector_core.web.console.logins import Logins
from connector_core.web.console.pages import Pages
from connector_core.web.console.people import People
from connector_core.web.console.setup_link_pages import SetupLinkPages
from connector_core.web.console.sign_on_page import SignOnPage, sign_on_of
from connector_core.web.console.step_page import Button, of_integration, of_source
from connector_core.web.console.visits import (
    Console,
    Handler,
    OpenHandler,
    guarded,
    patient,
    unguarded,
)


def build_console(app: App) -> Console:
    """Put together what the pages work with."""
    people = People(app.config)
    return Console(
        app=app,
        people=people,
        logins=Logins(app.store.sessions, people, app.config, app.clock, app.store.database.box),
        pages=Pages(app.config.server.public_path),
        sign_on=sign_on_of(app),
    )


def setup_link_pages(app: App) -> SetupLinkPages:
    """Return the handlers of set-up links."""
    return SetupLinkPages(app.setup_links)


def static_route(console: Console) -> Route:
    """Return the route of style and script, which the way back from authorizing needs too."""
    return Route("/static/{version}/{name}", console.pages.static, methods=["GET"])


def console_routes(console: Console, setup_links: SetupLinkPages) -> Sequence[Route]:
    """Return every route of the console."""

    def route(path: str, handler: Handler, method: str = "GET", *, name: str = "", anybody: bool = False) -> Route:
        return Route(path, guarded(console, handler, anybody=anybody), methods=[method], name=name or None)

    def calling(path: str, handler: Handler, method: str = "POST", *, name: str = "") -> Route:
        """Make a route whose handler may call vendors."""
        return Route(path, guarded(console, handler, calls=True), methods=[method], name=name or None)

    def open_route(path: str, handler: OpenHandler, method: str = "GET", *, name: str = "") -> Route:
        return Route(path, unguarded(console, handler), methods=[method], name=name or None)

    def steps(
        name: str, base: str, whose: Callable[[Button], Handler], buttons: Mapping[str, Button]
    ) -> Iterator[Route]:
        """Make the routes of a wizard's steps: the page, and below it one for each button."""
        path, show = f"{base}/step/{{step}}", whose(step_page.show)
        yield calling(path, show, "GET", name=f"{name}.step")
        for key, button in buttons.items():
            yield calling(f"{path}/{key}", whose(button), name=f"{name}.step.{key}")
            yield calling(f"{path}/{key}", show, "GET")  # what a button left in the window is looked at again

    login = LoginPage(console.app, console.people)
    sign_on_routes: list[Route] = []
    if console.sign_on is not None:
        sign_on = SignOnPage(console.app, console.sign_on, login.after_sign_on)
        sign_on_routes = [open_route("/login/sign-on", sign_on.start), open_route(BACK, sign_on.finish)]
    one, told = "/integrations/{integration}", "/notifications/{organization}/{notifier}"
    set_up, source_setup = f"{one}/setup", "/sources/{organization}/setup"
    return [
        open_route("/login", login.show),
        Route("/login", patient(console, login.enter), methods=["POST"]),
        *sign_on_routes,
        route("/logout", account_page.sign_out, "POST", anybody=True),
        route("/logout/everywhere", account_page.sign_out_everywhere, "POST", anybody=True),
        route("/account", account_page.show),
        route("/account", account_page.save, "POST", anybody=True),
        open_route("/hand-over/{token}", setup_links.show),
        open_route("/hand-over/{token}", setup_links.save, "POST", name="setup_link"),
        open_route("/hand-over/{token}/reload", setup_links.reload, "POST", name="setup_link.reload"),
        open_route("/hand-over/{token}/reveal", setup_links.reveal, "POST", name="setup_link.reveal"),
        open_route("/hand-over/{token}/generate", setup_links.generate, "POST", name="setup_link.generate"),
        route("/", front.show),
        route("/integrations/new", start_page.show),
        route("/integrations/new", start_page.create, "POST"),
        route(one, integration_page.show, name="integration"),
        calling(f"{one}/check", integration_page.check),
        route(f"{one}/disable", integration_page.ask_disabling),
        calling(f"{one}/disable", integration_page.disable),
        route(f"{one}/remove", integration_page.ask_removal),
        calling(f"{one}/remove", integration_page.remove),
        route(f"{one}/test", round_trip_page.show),
        route(f"{one}/test", round_trip_page.act, "POST"),
        route(f"{one}/name", names_page.ask_integration),
        route(f"{one}/name", names_page.name_integration, "POST"),
        route(f"{one}/duplicate", names_page.ask_duplicate),
        route(f"{one}/duplicate", names_page.duplicate, "POST"),
        route(f"{one}/rules", rules_page.show),
        route(f"{one}/rules", rules_page.save, "POST"),
        route(f"{one}/open-incidents", open_incidents_page.show),
        route(f"{one}/open-incidents", open_incidents_page.begin, "POST"),
        route(f"{one}/open-incidents/undo", open_incidents_page.undo, "POST"),
        route(f"{one}/link-ticket", link_ticket_page.ask),
        calling(f"{one}/link-ticket", link_ticket_page.act),
        route(set_up, enable_page.first, name="setup"),
        route(f"{set_up}/authorize", authorize_page.show, name="setup.authorize"),
        calling(f"{set_up}/authorize", authorize_page.start),
        calling(f"{set_up}/authorize/other", authorize_page.start_with_other, name="setup.authorize.other"),
        calling(f"{set_up}/authorize/site", authorize_page.choose_site, name="setup.authorize.site"),
        calling(f"{set_up}/authorize/take", authorize_page.take, name="setup.authorize.take"),
        calling(f"{set_up}/authorize/drop", authorize_page.drop, name="setup.authorize.drop"),
        *steps("setup", set_up, of_integration, step_page.OF_INTEGRATION),
        route(f"{set_up}/enable", enable_page.show, name="setup.enable"),
        calling(f"{set_up}/enable", enable_page.activate),
        calling(f"{set_up}/enable/check", enable_page.check, name="setup.enable.check"),
        route(f"{set_up}/hand-over", setup_links.make, "POST", name="setup.hand_over"),
        route(f"{set_up}/hand-over/revoke", setup_links.revoke, "POST", name="setup.hand_over.revoke"),
        route("/sources/{organization}", source_page.show, name="source"),
        calling("/sources/{organization}", source_page.test),
        route("/sources/{organization}/name", names_page.ask_organization),
        route("/sources/{organization}/name", names_page.name_organization, "POST"),
        route("/sources/{organization}/reset", source_page.ask_reset),
        calling("/sources/{organization}/reset", source_page.reset),
        route("/sources/{organization}/remove", source_page.ask_removal),
        calling("/sources/{organization}/remove", source_page.remove),
        route(f"{source_setup}/hand-over", setup_links.make_for_source, "POST", name="source.setup.hand_over"),
        route(f"{source_setup}/hand-over/revoke", setup_links.revoke_for_source, "POST"),
        route(source_setup, source_steps.choose, name="source.setup"),
        calling(source_setup, source_steps.begin),
        *steps("source.setup", source_setup, of_source, source_steps.OF_SOURCE),
        route(f"{set_up}/source", source_steps.choose, name="setup.source"),
        calling(f"{set_up}/source", source_steps.begin),
        *steps("setup.source", f"{set_up}/source", of_source, source_steps.OF_SOURCE),
        route("/notifications", notifications_page.choose),
        route("/notifications/{organization}", notifications_page.show),
        route("/notifications/{organization}/new", notifications_page.ask_new),
        route("/notifications/{organization}/new", notifications_page.add, "POST"),
        calling(f"{told}/test", notifications_page.test),
        route(f"{told}/change", notifications_page.ask_change),
        route(f"{told}/change", notifications_page.change, "POST"),
        route(f"{told}/remove", notifications_page.ask_removal),
        route(f"{told}/remove", notifications_page.remove, "POST"),
        route("/routing/{organization}", routing_page.show),
        route("/routing/{organization}", routing_page.act, "POST"),
        route("/links", link_list_page.show),
        route("/links", link_list_page.act, "POST"),
        route("/links/export", link_list_page.export),
        route("/overview", overview_page.show),
        route("/activity", activity_page.show),
        route("/activity/export", activity_page.export),
        route("/deliveries", deliveries_page.show),
        route("/deliveries/export", deliveries_page.export),
        route("/deliveries/replay", replay_page.ask_replay),
        route("/deliveries/replay", replay_page.begin, "POST"),
        route("/deliveries/replays", replay_page.list_all),
        route("/deliveries/replays/{replay}", replay_page.show),
        route("/deliveries/replays/{replay}", replay_page.stop, "POST"),
        route("/deliveries/{entry}", delivery_page.show),
        route("/deliveries/{entry}", delivery_page.act, "POST"),
        route("/links/{link}", link_pages.show),
        calling("/links/{link}", link_pages.act),
        route("/audit", audit_page.show),
        route("/audit/export", audit_page.export),
        route("/unfinished", link_pages.unfinished),
        route("/unfinished", link_pages.retry_all, "POST"),
    ]
