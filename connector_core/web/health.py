"""Whether the process lives, whether it can work, and its figures."""

from __future__ import annotations

from hmac import compare_digest

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector_core.app import App
from connector_core.contract.errors import ConnectorError
from connector_core.plugins import PluginStatus

_BROKEN = frozenset({PluginStatus.LOAD_FAILED, PluginStatus.CONFIG_INVALID})


class Health:
    """Handlers that monitoring calls; none shows a secret or a tenant's data."""

    def __init__(self, app: App) -> None:
        self._app = app

    def healthz(self, _: Request) -> Response:
        """Say that the process answers."""
        return JSONResponse({"status": "ok"})

    def readyz(self, _: Request) -> Response:
        """Say whether the engine works and the store takes changes; broken plugins are only named."""
        parts: dict[str, object] = {"engine": self._app.engine.is_alive}
        try:
            self._app.store.database.prove_writable()
            parts["store"] = True
        except ConnectorError as exc:
            parts["store"] = False
            parts["reason"] = exc.message
        ready = all(parts[name] is True for name in ("engine", "store"))
        parts["broken_plugins"] = [record.name for record in self._app.plugins.records if record.status in _BROKEN]
        return JSONResponse({"ready": ready, **parts}, status_code=200 if ready else 503)

    def metrics(self, request: Request) -> Response:
        """Give the figures to Prometheus; to nobody else where a token is asked for."""
        if not self._may_read(request):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(generate_latest(self._app.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _may_read(self, request: Request) -> bool:
        tokens = self._app.config.server.metrics.token
        if tokens is None:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # All are compared, so that the time does not tell which of them was nearly right.
        fitting = [compare_digest(given.strip().encode(), token.get_secret_value().encode()) for token in tokens]
        return scheme.casefold() == "bearer" and any(fitting)
