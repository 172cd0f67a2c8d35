"""The steps of the Containerfile in an empty root of Debian, and a trial of what they made: `tools/container_steps.py`.

With `make test-container` only: it gets packages of Debian and of Python, as an engine would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.needed import require

ROOT = Path(__file__).parents[2]
WITHIN_S = 1800


@pytest.mark.container
def test_the_image_is_built_and_runs_with_a_root_that_is_read_only():
    """As the user that the file names, healthy, asked by a command beside it, and ended by a signal."""
    require("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("an empty root takes root: mounts and chroot")
    command = [sys.executable, "-m", "tools.container_steps"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads(done.stdout[done.stdout.rindex("\n{") :])
    assert (seen["uid"], seen["healthy"], seen["ended"]) == ("10001", True, 0)
    assert "Read-only file system" in seen["root"]
    assert "connector.db" in seen["volume"]
