"""A made-up platform that is polled and set up step by step, told by tests what to accept."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connector_core import (
    AuthError,
    Choice,
    EventType,
    FieldKind,
    Finding,
    Incident,
    IncidentEvent,
    PluginInfo,
    Poll,
    PolledSettings,
    SetupField,
    SetupStep,
    Severity,
    hookimpl,
)
from connector_core.testing import FrozenClock
from tests.support.fake_plugins import FakeEntryPoint, apply_change, module_of


class HubSettings(PolledSettings):
    """Settings of a made-up platform."""

    key: SecretStr = Field(description="Key.")
    region: str = Field("eu", description="Region.")
    host: str = Field("hub.example.com", description="Host that the key is sent to.")
    places: dict[str, str] = Field(default_factory=dict, description="Places.")


class Hub:
    """A platform that is polled, and that takes the key `right` or `other` only."""

    def __init__(self):
        self.looks = []
        self.accepts = {"right", "other"}
        self.during = None
        self.proved = []
        self.listed = []
        self.is_broken = False

    def entry_point(self):
        """Return the plugin `hub`."""

        @hookimpl
        def configure_source(source):
            if self.is_broken:
                raise KeyError("a fault of the plugin")
            regions = lambda: [Choice("eu", "Europe"), Choice("us", "America")]  # noqa: E731 - short

            def rows():
                self.listed.append(source.answers.get("host"))
                return [SetupField(name, name, "", required=False) for name in ("hall", "yard")]

            key = SetupField("key", "Key", "", FieldKind.SECRET)
            region = SetupField("region", "Region", "", FieldKind.CHOICE, required=False, load=regions)
            host = SetupField("host", "Host", "", required=False, needs_again=frozenset({"key"}))
            every = SetupField("poll_every", "Interval", "", required=False)
            places = SetupField("places", "Places", "", FieldKind.GROUP, required=False, rows=rows)
            return (
                SetupStep("connect", "Connect Hub", "", (key, region, host)),
                SetupStep("more", "More", "", (every, places), needs=frozenset({"key"}), optional=True),
            )

        @hookimpl
        def check_source(source):
            self.proved.append(source.settings.host)
            if source.settings.key.get_secret_value() in self.accepts:
                return [Finding(code="organization", severity=Severity.OK, title="Connected to Acme.")]
            return [
                Finding(code="key", severity=Severity.PROBLEM, title="No.", detail="It is not accepted.", fix="Ask.")
            ]

        @hookimpl
        def poll_incidents(source, cursor, active_since):
            self.looks.append((source.organization, cursor))
            source.cache.setdefault("looks", []).append(cursor)
            if source.settings.key.get_secret_value() not in self.accepts:
                raise AuthError("The key is refused.", code="key_refused")
            if self.during is not None:
                self.during()
            event = IncidentEvent(
                id=f"evt-{len(self.looks)}",
                type=EventType.OPENED,
                occurred_at=FrozenClock().now(),
                incident=Incident(id="inc-1", title="Offline"),
            )
            return Poll(cursor=f"{cursor or ''}+", events=(event,), open_incidents=1)

        info = PluginInfo(name="hub", title="Hub", settings=HubSettings)
        functions = (apply_change, configure_source, check_source, poll_incidents)
        return FakeEntryPoint("hub", lambda: module_of(*functions, info=info))
