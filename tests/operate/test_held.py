"""What was found once is held by a step or a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.operate.held import HELD, STEPS

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("finding", HELD)
def test_what_holds_a_finding_is_there(finding):
    """A test that was renamed or removed leaves no finding without one."""
    for one in HELD[finding]:
        file, _, name = one.partition("::")
        if not name:
            assert one in STEPS
        else:
            assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE), one


def test_each_step_is_done():
    """And none is done that has no name here."""
    text = (TESTS / "operate" / "test_operated.py").read_text()

    assert set(re.findall(r'with step\("([^"]+)"\)', text)) == STEPS
