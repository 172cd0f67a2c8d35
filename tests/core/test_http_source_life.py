"""The life of an incident that is pushed, at the sample platform."""

from __future__ import annotations

from base64 import b64encode

from connector_core.demo.platform import SamplePlatform
from connector_core.testing import SourceLife
from connector_core.testing.conformance.system import MovingClock


class TestHTTPSourceLife(SourceLife):
    """The built-in source and the platform that speaks its language."""

    plugin = "http"

    @classmethod
    def open_system(cls, clock: MovingClock) -> SamplePlatform:  # noqa: ARG003 - it goes by the clock of the machine
        """Start the sample platform."""
        platform = SamplePlatform(f"whsec_{b64encode(b'a secret of the sample platform').decode()}")
        platform.start()
        return platform
