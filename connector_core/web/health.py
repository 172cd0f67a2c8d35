"""Whether the process lives, whether it can work, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hmac import compare_digest

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector_core.app import App
from connector_core.contract.errors import ConnectorError
from connector_core.loops import Loop, Watched
from connector_core.plugins import PluginStatus
from connector_core.store.failures import shortage
from connector_core.web.public_path import ASKED_AT

_BROKEN = frozenset({PluginStatus.LOAD_FAILED, PluginStatus.CONFIG_INVALID})


class Health:
    """Handlers that monitoring calls; none shows a secret or a tenant's data."""

    def __init__(self, app: App, is_leaving: Callable[[], bool]) -> None:
        self._app, self._is_leaving = app, is_leaving

    async def healthz(self, request: Request) -> Response:
        """Say that the process answers and its loops go on; one that does not is a reason to restart it.

        It takes no thread and no look at the database: where those are short, it still has to answer.
        """
        # A crew that gets no thread is not ready; a process that is restarted would get none either.
        ailing = _ailing(loop for loop in self._app.loops if isinstance(loop, Loop))
        if ailing:
            return JSONResponse({"status": "failing", "loops": ailing}, status_code=503)
        asked = {"path": request.scope[ASKED_AT]} if ASKED_AT in request.scope else {}
        return JSONResponse({"status": "ok", **asked})

    async def readyz(self, _: Request) -> Response:
        """Say whether loops go on, the engine works and the store can be used; broken plugins are only named.

        A process that was told to stop says no, whatever still works: it is to be sent nothing more.
        """
        if self._is_leaving():
            return JSONResponse({"ready": False, "stopping": True}, status_code=503)
        ailing = _ailing(self._app.loops)
        engine = self._app.engine
        parts: dict[str, object] = {"engine": engine.is_alive, "store": True, "node": engine.node.may_work}
        if ailing:
            parts["loops"] = ailing
        try:
            await run_in_threadpool(self._app.store.database.prove_writable)
        except Exception as exc:
            trouble = _trouble(exc)
            if trouble is None:
                raise
            parts["store"] = False
            parts["reason"] = trouble.message
        ready = not ailing and all(parts[name] is True for name in ("engine", "store", "node"))
        parts["broken_plugins"] = [record.name for record in self._app.plugins.records if record.status in _BROKEN]
        return JSONResponse({"ready": ready, **parts}, status_code=200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Give the figures to Prometheus; to nobody else where a token is asked for."""
        if not self._may_read(request):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            figures = await run_in_threadpool(generate_latest, self._app.metrics.registry)
        except Exception as exc:
            trouble = _trouble(exc)
            if trouble is None:
                raise
            return Response(trouble.message, status_code=503)
        return Response(figures, media_type=CONTENT_TYPE_LATEST)

    def _may_read(self, request: Request) -> bool:
        tokens = self._app.config.server.metrics.token
        if tokens is None:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # All are compared, so that the time does not tell which of them was nearly right.
        fitting = [compare_digest(given.strip().encode(), token.get_secret_value().encode()) for token in tokens]
        return scheme.casefold() == "bearer" and any(fitting)


def _trouble(exc: Exception) -> ConnectorError | None:
    """Return what is wrong with the store, or what the process has too little of; None when it is another error."""
    return exc if isinstance(exc, ConnectorError) else shortage(exc)


def _ailing(loops: Iterable[Watched]) -> dict[str, str]:
    """Return what is wrong with loops, by their names."""
    return {loop.name: trouble for loop in loops if (trouble := loop.trouble())}
