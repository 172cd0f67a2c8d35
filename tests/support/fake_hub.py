"""A platform that is polled and set up step by step, and told by tests which keys to accept."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connector_core import (
    AuthError,
    Choice,
    FieldKind,
    Finding,
    PolledSettings,
    SetupField,
    SetupStep,
    Severity,
    hookimpl,
)
from connector_core.testing import Call, MemoryPlatform, recorded


class HubSettings(PolledSettings):
    """Settings with everything that set-up can ask for."""

    key: SecretStr = Field(description="Key.")
    region: str = Field("eu", description="Region.")
    host: str = Field("hub.example.com", description="Host that the key is sent to.")
    places: dict[str, str] = Field(default_factory=dict, description="Places.")


class Hub(MemoryPlatform):
    """A platform with one open incident, that takes the key `right` or `other` only."""

    settings_model = HubSettings

    def __init__(self) -> None:
        super().__init__(name="hub", title="Hub")
        self.accepts = {"right", "other"}
        self.listed: list[str | None] = []
        self.is_broken = False
        self.open("Offline")

    @property
    def cursors(self) -> list[str | None]:
        """Where the looks so far began."""
        return [call.about[0] for call in self.called("poll_incidents")]

    def before(self, call: Call) -> None:
        """Refuse to be looked at with another key."""
        super().before(call)
        if call.hook == "poll_incidents" and not self._accepts(call.handle):
            raise AuthError("The key is refused.", code="key_refused")

    @hookimpl
    def configure_source(self, source):
        """Ask for one answer of each kind."""
        if self.is_broken:
            raise KeyError("a fault of the plugin")
        key = SetupField("key", "Key", "", FieldKind.SECRET)
        region = SetupField("region", "Region", "", FieldKind.CHOICE, required=False, load=self._regions)
        host = SetupField("host", "Host", "", required=False, needs_again=frozenset({"key"}))
        every = SetupField("poll_every", "Interval", "", required=False)
        rows = lambda: self._places(source)  # noqa: E731 - short
        places = SetupField("places", "Places", "", FieldKind.GROUP, required=False, rows=rows)
        return (
            SetupStep("connect", "Connect Hub", "", (key, region, host)),
            SetupStep("more", "More", "", (every, places), needs=frozenset({"key"}), optional=True),
        )

    @hookimpl
    @recorded
    def check_source(self, source):
        """Say whether the key is accepted."""
        if self._accepts(source):
            return [Finding(code="organization", severity=Severity.OK, title="Connected to Acme.")]
        return [Finding(code="key", severity=Severity.PROBLEM, title="No.", detail="It is not accepted.", fix="Ask.")]

    def _accepts(self, source):
        return source.settings.key.get_secret_value() in self.accepts

    def _regions(self):
        return [Choice("eu", "Europe"), Choice("us", "America")]

    def _places(self, source):
        self.listed.append(source.answers.get("host"))
        return [SetupField(name, name, "", required=False) for name in ("hall", "yard")]
