"""The server: routes put together, and uvicorn run around the app's life."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector_core.app import App
from connector_core.config.models import ServerSettings
from connector_core.config.starting import refuse_start
from connector_core.config.values import bracketed
from connector_core.contract.errors import ConfigError
from connector_core.stopping import StopDeadline
from connector_core.web.access_log import AccessLog
from connector_core.web.callback import Callback
from connector_core.web.client_address import ClientAddress
from connector_core.web.connections import Connections
from connector_core.web.console.lost import lost
from connector_core.web.console.routes import build_console, console_routes, setup_link_pages, static_route
from connector_core.web.console.visits import unguarded
from connector_core.web.health import Health
from connector_core.web.limits import Limits
from connector_core.web.metrics import METRICS, BuildInfo, LoopGauges, OwnAddress, StoreGauges
from connector_core.web.orderly_server import OrderlyServer
from connector_core.web.public_path import PublicPath
from connector_core.web.receive import Deliveries, Receiver
from connector_core.web.request_bodies import BodyBudget
from connector_core.web.tidy_paths import TidyPaths

BACKLOG = 1024


def build_web(
    app: App, *, metrics_port: int | None = None, is_leaving: Callable[[], bool] = lambda: False
) -> Starlette:
    """Return the HTTP surface of an app; with a port for /metrics it is served there and nowhere else.

    `/readyz` says no once the process `is_leaving`.
    """
    app.metrics.registry.register(StoreGauges(app.store, app.registry, app.clock, app.statuses))
    app.metrics.registry.register(LoopGauges(app.loops))
    app.metrics.registry.register(BuildInfo(app.plugins, app.config.database))
    receiver = Receiver(
        app.intake,
        metrics=app.metrics,
        nudge=app.engine.nudge,
        clock=app.clock,
        log=app.log,
        delivery_log=app.delivery_log,
    )
    health = Health(app, is_leaving)
    console, setup_links = build_console(app), setup_link_pages(app)
    callback = Callback(console, setup_links, app.engine.nudge)
    routes = [
        Route("/v1/sources/{source}/events", receiver.events, methods=["POST"]),
        Route("/external/{route}/webhook", receiver.webhook, methods=["POST"]),
        Route("/external/{route}/webhook/{integration}", receiver.webhook, methods=["POST"]),
        Route("/oauth/callback", unguarded(console, callback.finish), methods=["GET"]),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route(METRICS, health.metrics),
        static_route(console),
        *(console_routes(console, setup_links) if app.config.console.enabled else ()),
    ]
    middleware = [
        Middleware(ClientAddress, trusted=app.config.server.trusted_proxies),
        Middleware(PublicPath, base=app.config.server.public_path, log=app.log),
        Middleware(AccessLog, clock=app.clock, log=app.log),
        Middleware(BodyBudget, limit=app.config.server.limits.body_mib * 1024 * 1024),
        Middleware(TidyPaths),
    ]
    if metrics_port is not None:
        middleware.append(Middleware(OwnAddress, port=metrics_port))
    middleware.append(Middleware(Deliveries, receiver=receiver))

    async def nowhere(request: Request, exc: Exception) -> Response:
        """Answer where no route takes a request: people with a page, machines as before."""
        shown = None
        if app.config.console.enabled and isinstance(exc, HTTPException) and not _is_for_machines(request):
            shown = await run_in_threadpool(lost, console, request, exc)
        return shown or await receiver.nowhere(request, exc)

    web = Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: nowhere})
    web.router.redirect_slashes = False  # it would lead to the host that the request names; see `TidyPaths`
    return web


def _is_for_machines(request: Request) -> bool:
    """Return whether an address is one of those that no page has."""
    return request.url.path.startswith(("/v1/", "/external/", METRICS, "/healthz", "/readyz", "/static/"))


def serve(app: App, *, ready: Callable[[str], None], leave: Callable[[], None]) -> None:
    """Start the app, serve until SIGTERM or SIGINT, stop the app. `ready` is told the address once it is open.

    For `server.drain` after the signal it serves on. What is not stopped `engine.stop_deadline` later is left behind:
    `leave` ends the process.

    Raises:
        ConfigError: the address cannot be listened on, or the console would be open to the public.
    """
    refuse_start(app.config)
    listeners = _listeners(app.config.server)
    metrics_port = listeners[1].getsockname()[1] if len(listeners) > 1 else None
    limits, drain_s = _limits(app), app.config.server.drain.total_seconds()
    connections = Connections(limits, app.metrics, app.log)
    config = uvicorn.Config(
        build_web(app, metrics_port=metrics_port, is_leaving=lambda: connections.is_leaving),
        http=connections.protocol,  # type: ignore[arg-type]  # is called, no more
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,  # ClientAddress believes whom the configuration says
        backlog=BACKLOG,
        timeout_keep_alive=limits.idle_s,
        timeout_graceful_shutdown=max(1, int(app.config.engine.stop_deadline_s / 2)),  # the rest is for the app
    )
    deadline = StopDeadline(drain_s + app.config.engine.stop_deadline_s, leave)
    try:
        app.start()
        gc.collect()
        gc.freeze()  # what was loaded stays for good: looking through it again and again finds nothing
        host, port = listeners[0].getsockname()[:2]
        if metrics_port is not None:
            app.log.info("serving_metrics", host=app.config.server.metrics.host, port=metrics_port)
        ready(f"http://{bracketed(host)}:{port}")
        OrderlyServer(config, connections, drain_s=drain_s, hang_up=app.hang_up.wake, at_exit=deadline.begin).run(
            sockets=listeners
        )
    finally:
        for listener in listeners:
            listener.close()
        deadline.begin()
        try:
            app.stop(deadline.left_s())
        finally:
            deadline.end()


def _limits(app: App) -> Limits:
    """Return what connections are held to; say when the process has too few descriptors for what is configured."""
    limits, configured = Limits.of(app.config.server.limits), app.config.server.limits.connections
    if limits.connections < configured:
        app.log.info(
            "connections_limited",
            connections=limits.connections,
            configured=configured,
            fix="Allow the process more open files: LimitNOFILE= of the service, or ulimit -n.",
        )
    return limits


def _listeners(server: ServerSettings) -> list[socket.socket]:
    """Listen where the server does, and second where /metrics has an address of its own."""
    listeners = [_listen(server.host, server.port, "server")]
    metrics = server.metrics
    if metrics.port is None:
        return listeners
    try:
        return [*listeners, _listen(metrics.host, metrics.port, "server.metrics")]
    except ConfigError:
        listeners[0].close()
        raise


def _listen(host: str, port: int, section: str) -> socket.socket:
    try:
        return socket.create_server((host, port), family=_family(host), backlog=BACKLOG)
    except OSError as exc:
        raise ConfigError(
            f"Cannot listen on {bracketed(host)}:{port}: {exc.strerror}.",
            code="address_in_use",
            fix=f"Change {section}.host or {section}.port, or stop what uses that address.",
        ) from exc


def _family(host: str) -> socket.AddressFamily:
    """Return the family of a host's addresses: a name that has one of IPv4 is listened at there.

    Raises:
        OSError: there is no such name.
    """
    families = {found[0] for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
