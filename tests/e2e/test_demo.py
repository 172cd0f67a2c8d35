"""The demo as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys


def test_demo_tells_the_whole_story_and_ends_well():
    """`connector demo --once` shows eight steps and exits with 0."""
    ended = subprocess.run(
        [sys.executable, "-m", "connector_core", "demo", "--once"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("→") == 8
    assert "Every step was seen on both sides" in ended.stdout
