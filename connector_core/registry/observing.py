"""What is measured of calls to the systems on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.http.calls import Call
from connector_core.kit.limits import RateHeaders
from connector_core.metrics import Metrics

if TYPE_CHECKING:  # slow to load, and most commands call nobody
    from connector_core.http.session import Observer

_HEADERS = RateHeaders()


def observer(
    metrics: Metrics, clock: Clock, plugin: str, place: str, tell: Callable[[Call], None] | None = None
) -> Observer:
    """Return what a session tells of its calls to a place: counted, timed, and what is left of the rate limit.

    `tell` is what else wants to know of them: the delivery log.
    """

    def observe(call: Call) -> None:
        answer = call.answer
        metrics.called(plugin, place, call.method, None if answer is None else answer.status, call.took_s)
        left = None if answer is None else _HEADERS.left(answer.headers, clock.now())
        if left is not None:
            metrics.quota_left(place, left)
        if tell is not None:
            tell(call)

    return observe


def known_secrets(config: Config, *values: object) -> tuple[str, ...]:
    """Return the secrets among some values, and those of this connector: what the delivery log must not show."""
    ours = (config.secret_keys, config.console.password, config.outbound.proxy_password, config.server.metrics.token)
    return tuple(secrets_in(*values, *ours))


def secrets_in(*values: object) -> Iterator[str]:
    """Yield every secret among some values: settings, answers, and whatever holds them."""
    for value in values:
        match value:
            case SecretStr():
                yield value.get_secret_value()
            case BaseModel():
                yield from secrets_in(*(inner for _, inner in value))
            case Mapping():
                yield from secrets_in(*value.values())
            case list() | tuple():
                yield from secrets_in(*value)
