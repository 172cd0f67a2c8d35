"""A source plugin at its platform's stand-in, with the core's part of polling: cursor, and what is followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from connector_core.contract.errors import ConnectorError, PluginError
from connector_core.contract.handles import Source
from connector_core.contract.models import EventType, Incident, IncidentEvent, Poll
from connector_core.contract.sandboxes import SourceSandbox
from connector_core.testing.conformance.faults import FaultySession
from connector_core.testing.conformance.system import Caller, MovingClock
from connector_core.testing.handle import make_source


@dataclass
class SourceGround:
    """What one check stands on: a fresh handle at the shared platform, and what was told of it so far."""

    platform: SourceSandbox
    caller: Caller
    clock: MovingClock
    source: Source[Any, Any]
    session: FaultySession
    shares_clock: bool
    cursor: str | None = None
    told: list[IncidentEvent] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    active_since: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.active_since = self.clock.now()

    def call(self, hook: str, **arguments: Any) -> Any:  # noqa: ANN401 - each hook has its own types
        """Call a hook; whatever it raises is of our tree, and tells no secret.

        Raises:
            AssertionError: it is not, or it does.
        """
        try:
            return self.caller.call(hook, source=self.source, **arguments)
        except PluginError as exc:
            raise AssertionError(f"{hook} raised what is not of our tree: {exc.detail or exc.message}") from exc
        except ConnectorError as exc:
            told = f"{exc.message} {exc.fix} {exc.detail}"
            settings = self.source.settings
            values = ((name, getattr(settings, name)) for name in type(settings).model_fields)
            leaked = [
                name for name, value in values if isinstance(value, SecretStr) and value.get_secret_value() in told
            ]
            assert not leaked, f"the error of {hook} tells {', '.join(leaked)}"
            raise

    def look(self) -> list[IncidentEvent]:
        """Look once, as the core does: the cursor goes on where the look went well."""
        poll: Poll = self.call("poll_incidents", cursor=self.cursor, active_since=self.active_since)
        self.cursor = poll.cursor
        self.told += poll.events
        return list(poll.events)

    def looks(self, until: Callable[[], bool], *, most: int = 8) -> None:
        """Look again and again until something is so, or it never will be."""
        for _ in range(most):
            self.look()
            if until():
                return
            self.pass_time(1)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, where the platform goes by our clock."""
        if self.shares_clock:
            self.clock.forward(seconds)

    def followed(self) -> Sequence[Incident]:
        """Return the incidents that were told of and are not over, as the core follows them."""
        latest = {event.incident.id: event for event in self.told}
        return [event.incident for event in latest.values() if event.type is not EventType.RESOLVED]

    def kinds(self, incident_id: str) -> list[EventType]:
        """Return what was told of an incident, in order."""
        return [event.type for event in self.told if event.incident.id == incident_id]

    def some_title(self) -> str:
        """Return a title that is found nowhere else."""
        return f"Fan {uuid4().hex[:8]} failed"


def make_source_ground(
    platform: SourceSandbox, caller: Caller, clock: MovingClock, *, reads: Sequence[str], shares_clock: bool
) -> SourceGround:
    """Return a fresh handle at a platform."""
    source = make_source(caller.plugin.info, platform.source_settings(), clock=clock)
    ground = SourceGround(platform, caller, clock, source, FaultySession(source.session, reads), shares_clock)
    ground.source = replace(source, followed=ground.followed)
    return ground
