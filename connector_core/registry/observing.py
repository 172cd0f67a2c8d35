"""What is measured of calls to the systems on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_core.clock import Clock
from connector_core.kit.limits import RateHeaders
from connector_core.metrics import Metrics

if TYPE_CHECKING:  # slow to load, and most commands call nobody
    import requests

    from connector_core.http.session import Observer

_HEADERS = RateHeaders()


def observer(metrics: Metrics, clock: Clock, plugin: str, place: str) -> Observer:
    """Return what a session tells of its calls to a place: counted, timed, and what is left of the rate limit."""

    def observe(method: str, response: requests.Response | None, took_s: float) -> None:
        metrics.called(plugin, place, method, None if response is None else response.status_code, took_s)
        left = None if response is None else _HEADERS.left(response.headers, clock.now())
        if left is not None:
            metrics.quota_left(place, left)

    return observe
