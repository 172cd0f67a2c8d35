"""The life of an incident as tests of a source plugin: against its platform's stand-in, with faults in the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
import requests

from connector_core.contract.errors import ConnectorError, RetryLater, WebhookRejected
from connector_core.contract.models import EventType, FieldName, IncidentEvent, Severity, WriteIncident
from connector_core.contract.sandboxes import SourceSandbox
from connector_core.demo.sandboxes import open_sandbox
from connector_core.plugins import Plugin, load_plugins
from connector_core.testing.conformance.catcher import Catcher, Caught
from connector_core.testing.conformance.checks import PROPERTY
from connector_core.testing.conformance.faults import OF_A_READ, THROTTLED_FOR_7_S, Fault, Rule, Send
from connector_core.testing.conformance.source_ground import SourceGround, make_source_ground
from connector_core.testing.conformance.system import Caller, MovingClock

MORE_THAN_A_PAGE = 130
DAY_S = 86_400.0
_HOOKS = MappingProxyType(
    {"poll": "poll_incidents", "push": "on_source_push", "write": "apply_change", "checks": "check_source"}
)


def _needs(ability: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def mark(check: Callable[..., None]) -> Callable[..., None]:
        check.needs = ability  # type: ignore[attr-defined]  # read again in `_stand`
        return check

    return mark


class SourceLife:
    """Inherit, name the plugin, run pytest.

    class TestMyPlatform(SourceLife):
        plugin = "my_platform"

    `cannot` has a reason for each of `poll`, `push`, `write` and `checks` that is not to be tried; what the plugin has
    no hook for is not. `reads` are patterns of calls that ask with POST. Where `shares_clock` is set the stand-in goes
    by the clock given to `open_system`. Pushes are tried where the stand-in has an `events_url` to be set.
    """

    plugin: ClassVar[str]
    cannot: ClassVar[Mapping[str, str]] = MappingProxyType({})
    reads: ClassVar[Sequence[str]] = ()
    shares_clock: ClassVar[bool] = False

    ground: SourceGround

    @classmethod
    def open_system(cls, clock: MovingClock) -> SourceSandbox:  # noqa: ARG003 - for those that can go by it
        """Start the stand-in of the platform."""
        platform: SourceSandbox = open_sandbox(cls.installed())
        return platform

    @classmethod
    def installed(cls) -> Plugin:
        """Return the plugin."""
        return load_plugins().get(cls.plugin)

    @classmethod
    def begin(cls, caller: Caller) -> SourceGround:
        """Start a platform and a source that reads it."""
        clock = MovingClock()
        platform = cls.open_system(clock)
        return make_source_ground(platform, caller, clock, reads=cls.reads, shares_clock=cls.shares_clock)

    @classmethod
    def missing_for(cls, check: Callable[..., Any]) -> str:
        """Return why a check cannot be made, nothing where it can."""
        ability = getattr(check, "needs", "")
        if ability in cls.cannot:
            return f"cannot {ability}: {cls.cannot[ability]}"
        if ability and not cls.installed().implements(_HOOKS[ability]):
            return f"cannot {ability}: the plugin has no hook {_HOOKS[ability]}"
        return ""

    @pytest.fixture(autouse=True)
    def _stand(self, request: pytest.FixtureRequest) -> Iterator[None]:
        told: dict[str, Any] = {"plugin": self.plugin, "life": type(self).__name__}
        request.node.user_properties.append((PROPERTY, told))
        if why := self.missing_for(request.function):
            pytest.skip(why)
        self.ground = self.begin(Caller(self.installed()))
        yield
        self.ground.platform.stop()
        told |= {"calls": len(self.ground.session.calls), "figures": self.ground.figures}

    # It is looked

    @_needs("poll")
    def test_source_tells_an_incident_from_opening_to_close(self) -> None:
        """Opened, changed, resolved: each once, with what the platform shows."""
        self.ground.look()
        title = self.ground.some_title()
        incident = self.ground.platform.open(title, priority="high")
        self.ground.looks(lambda: bool(self.ground.kinds(incident)))
        self.ground.pass_time(5)
        self.ground.platform.change(incident, title=f"{title} and smokes")
        self.ground.looks(lambda: EventType.UPDATED in self.ground.kinds(incident))
        self.ground.pass_time(5)
        self.ground.platform.resolve(incident)
        self.ground.looks(lambda: EventType.RESOLVED in self.ground.kinds(incident))
        self.ground.looks(lambda: False, most=2)

        told = [event for event in self.ground.told if event.incident.id == incident]
        assert [event.type for event in told] == [EventType.OPENED, EventType.UPDATED, EventType.RESOLVED]
        assert (told[0].incident.title, told[0].incident.priority) == (title, "high")
        assert told[1].incident.title == f"{title} and smokes"

    @_needs("poll")
    def test_source_tells_the_same_from_the_same_cursor(self) -> None:
        """A look whose result was lost is made again: its events have the same names, so that none counts twice."""
        self.ground.look()
        self.ground.platform.open(self.ground.some_title())
        before = self.ground.cursor

        first = self.ground.look()
        self.ground.cursor = before
        again = self.ground.look()

        assert [event.id for event in first] == [event.id for event in again]
        assert first
        assert self.ground.look() == [], "it is told once more from the next cursor"

    @_needs("poll")
    def test_source_tells_nothing_of_before_it_was_active(self) -> None:
        """What was opened before is not new at the first look."""
        self.ground.platform.open(self.ground.some_title())
        self.ground.clock.forward(3600)
        self.ground.active_since = self.ground.clock.now()

        self.ground.look()

        assert [event for event in self.ground.told if event.type is EventType.OPENED] == []

    @_needs("poll")
    def test_source_reads_all_pages(self) -> None:
        """More incidents than one answer holds are all told, each once."""
        self.ground.look()
        opened = {self.ground.platform.open(self.ground.some_title()) for _ in range(MORE_THAN_A_PAGE)}

        self.ground.figures[f"calls for {MORE_THAN_A_PAGE}"] = -len(self.ground.session.calls)
        self.ground.looks(lambda: opened <= {event.incident.id for event in self.ground.told})
        self.ground.figures[f"calls for {MORE_THAN_A_PAGE}"] += len(self.ground.session.calls)

        assert sorted(event.incident.id for event in self.ground.told) == sorted(opened)

    @_needs("poll")
    @pytest.mark.parametrize("what", ["open", "resolve"])
    def test_source_loses_nothing_when_pages_shift(self, what: str) -> None:
        """Incidents come and go between two pages: none is told as closed that is open, none is left out for good."""
        self.ground.look()
        opened = [self.ground.platform.open(self.ground.some_title()) for _ in range(MORE_THAN_A_PAGE)]
        leaving = iter(opened[:20])
        resolved: list[str] = []

        def shift(request: requests.PreparedRequest, send: Send) -> requests.Response:
            if what == "open":
                opened.append(self.ground.platform.open(self.ground.some_title()))
            elif (gone := next(leaving, None)) is not None:
                self.ground.platform.resolve(gone)
                resolved.append(gone)
            return send(request)

        self.ground.session.strike(Fault("pages shift", shift), Rule.reads(times=20))
        self.ground.look()
        self.ground.session.heal()
        self.ground.looks(lambda: self._all_told(set(opened) - set(resolved)))

        assert self._all_told(set(opened) - set(resolved)), "an open incident is never told"
        closed = {event.incident.id for event in self.ground.told if event.type is EventType.RESOLVED}
        assert closed <= set(resolved), "an incident is told as closed that is open"
        names = [event.id for event in self.ground.told]
        assert len(names) == len(set(names)), "something is told twice"

    @_needs("poll")
    @pytest.mark.parametrize("nth", [1, 2])
    @pytest.mark.parametrize("fault", OF_A_READ, ids=lambda fault: fault.name)
    def test_source_closes_nothing_because_a_look_failed(self, fault: Fault, nth: int) -> None:
        """A look that fails says so, or tells nothing wrong; what it missed is told by a later one."""
        self.ground.look()
        there = self.ground.platform.open(self.ground.some_title())
        self.ground.looks(lambda: bool(self.ground.kinds(there)))
        missed = self.ground.platform.open(self.ground.some_title())
        self.ground.session.strike(fault, Rule.reads(nth=nth, times=None))

        for _ in range(2):
            try:
                self.ground.look()
            except ConnectorError:
                continue
        self.ground.session.heal()
        self.ground.looks(lambda: bool(self.ground.kinds(missed)))

        assert self.ground.kinds(there) == [EventType.OPENED], f"{fault.name} was taken for news"
        assert self.ground.kinds(missed) == [EventType.OPENED]

    @_needs("poll")
    def test_source_waits_as_long_as_it_is_told(self) -> None:
        """A 429 is a wait, of the length that the answer names."""
        self.ground.look()
        self.ground.session.strike(THROTTLED_FOR_7_S, Rule.calls())

        with pytest.raises(RetryLater) as raised:
            self.ground.look()

        assert raised.value.after_s == pytest.approx(7, abs=3)

    @_needs("poll")
    def test_source_writes_nothing_when_it_looks(self) -> None:
        """Not one call of a look changes anything."""
        self.ground.platform.open(self.ground.some_title())
        self.ground.looks(lambda: False, most=2)

        assert self.ground.session.written == []

    # It is written to

    @_needs("write")
    def test_source_closes_an_incident_once(self) -> None:
        """It is closed on the platform; the same change once more is no error, and leaves it closed."""
        incident = self.ground.platform.open(self.ground.some_title())
        update = WriteIncident(
            incident_id=incident, close=True, fields=frozenset({FieldName.STATUS}), idempotency_key="chg-1"
        )

        outcomes = [self.ground.call("apply_change", update=update) for _ in range(2)]

        if FieldName.STATUS not in outcomes[0].unsupported:
            assert self.ground.platform.incident(incident)["status"] != "active"
        assert outcomes[0].unsupported.keys() == outcomes[1].unsupported.keys()

    @_needs("write")
    def test_source_writes_what_it_says(self) -> None:
        """A title that is not called unsupported is on the platform, and no other field is touched."""
        title = self.ground.some_title()
        incident = self.ground.platform.open(title, priority="high")
        update = WriteIncident(
            incident_id=incident, title=f"{title} again", fields=frozenset({FieldName.TITLE}), idempotency_key="chg-2"
        )

        outcome = self.ground.call("apply_change", update=update)

        shown = self.ground.platform.incident(incident)
        assert shown["title"] == (title if FieldName.TITLE in outcome.unsupported else f"{title} again")
        assert (shown["priority"], shown["status"]) == ("high", "active")
        assert all(outcome.unsupported.values()), "what is not supported needs a sentence"

    # It is checked

    @_needs("checks")
    def test_source_is_checked_without_writing(self) -> None:
        """A working source has no problem, and its check changes nothing."""
        findings = self.ground.call("check_source")

        assert findings
        assert not [finding for finding in findings if finding.severity is Severity.PROBLEM]
        assert self.ground.session.written == []

    @_needs("checks")
    @pytest.mark.parametrize("fault", OF_A_READ, ids=lambda fault: fault.name)
    def test_source_tells_what_a_check_could_not_ask(self, fault: Fault) -> None:
        """Where nothing can be read not all is well."""
        self.ground.session.strike(fault, Rule.reads(times=None))
        try:
            findings = self.ground.call("check_source")
        except ConnectorError:
            return
        assert not self.ground.session.calls or any(finding.severity is not Severity.OK for finding in findings)

    # It tells by itself

    @_needs("push")
    def test_source_believes_its_platform_only(self) -> None:
        """A push is taken as it came; with another body, without a header, or with one spoiled it is refused."""
        title, caught = self._pushed()

        taken = self._take(caught)

        assert [event.incident.title for event in taken or ()] == [title]
        assert self._take(caught.with_body(caught.body.replace(title.encode(), title[::-1].encode()))) is None
        refused = 0
        for header in caught.telling_headers:
            refused += self._take(caught.spoiled(header)) is None
            refused += self._take(caught.without(header)) is None
        assert refused, "nothing of what goes with a push proves who sent it"

    @_needs("push")
    def test_source_knows_a_push_again(self) -> None:
        """The same push has the same names for its events; a day later it is refused, or has them still."""
        _, caught = self._pushed()

        names = [[event.id for event in self._take(caught) or ()] for _ in range(2)]
        later = self._take(caught, ahead_s=DAY_S)

        assert names[0] == names[1] != []
        assert later is None or [event.id for event in later] == names[0]

    def _all_told(self, opened: set[str]) -> bool:
        return opened <= {event.incident.id for event in self.ground.told if event.type is EventType.OPENED}

    def _pushed(self) -> tuple[str, Caught]:
        """Have the platform tell of an incident, and catch it."""
        if not hasattr(self.ground.platform, "events_url"):
            pytest.skip("cannot push: the stand-in pushes nothing")
        catcher = Catcher()
        try:
            self.ground.platform.events_url = catcher.url
            title = self.ground.some_title()
            self.ground.platform.open(title)
            return title, catcher.wait_for(lambda caught: caught.mentions(title))[0]
        finally:
            catcher.stop()

    def _take(self, caught: Caught, *, ahead_s: float = 0.0) -> Sequence[IncidentEvent] | None:
        """Hand a push to the plugin, some seconds after it came; None where it is refused."""
        request = caught.request(self.ground.clock.now() + timedelta(seconds=ahead_s))
        clock = MovingClock()
        clock.forward(ahead_s)
        source, self.ground.source = self.ground.source, replace(self.ground.source, clock=clock)
        try:
            events: Sequence[IncidentEvent] = self.ground.call("on_source_push", request=request)
        except WebhookRejected:
            return None
        finally:
            self.ground.source = source
        return events
