"""The demo's sample platform as a person clicks on it."""

from __future__ import annotations

import requests

from connector_core.demo.platform import SamplePlatform


def test_the_sample_platforms_page_works_too():
    """It is the one that a newcomer clicks on with `--source http`."""
    platform = SamplePlatform("whsec_c2VjcmV0")
    platform._server.start()

    answer = requests.post(
        f"{platform.url}/incidents", data={"title": "Display off", "description": "", "priority": "high"}, timeout=10
    )
    platform._server.stop()

    assert answer.status_code == 200
    assert "Display off" in answer.text
