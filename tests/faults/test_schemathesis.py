"""Our HTTP surface against its own description, by a tester that knows nothing but that.

The tester runs in a process of its own: loaded into this one, it takes the values out of what Hypothesis prints when
another test fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.faults.strangers_app import open_app

ROOT = Path(__file__).parents[2]
DESCRIPTION = ROOT / "docs" / "openapi.yaml"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
# Without what covers every value of the description one by one: that takes three times as long as the rest.
QUICK = ("--max-examples=10", "--generation-deterministic", "--phases=examples,fuzzing")
LONG = ("--generation-database=none", "--max-examples=1500", "--phases=examples,coverage,fuzzing,stateful")


@pytest.mark.extended
def test_the_surface_keeps_to_its_description(tmp_path):
    """Whatever is sent to the documented addresses, signed or not, is answered as documented, and never with 5xx."""
    with open_app(tmp_path, working=True) as surface:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", DESCRIPTION),
                *("--url", surface.url, "--no-color", "--warnings=off", "--suppress-health-check=all"),
                *("--request-timeout=20", f"--checks={','.join(CHECKS)}"),
                *(LONG if os.environ.get("CONNECTOR_CAMPAIGN") == "long" else QUICK),
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.faults.signing_hooks", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        received = surface.session.get(f"{surface.url}/metrics", timeout=10).text

    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    # The tester got beyond the door, or it would have shown little.
    assert 'connector_received_total{kind="events",outcome="ignored"}' in received
    assert 'connector_received_total{kind="webhook",outcome="ignored"}' in received
