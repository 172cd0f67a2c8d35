"""An organization for a whole module, emptied before each test; the time stands until it is moved."""

from __future__ import annotations

import pytest

from connector_core.testing import FrozenClock
from connector_xyte_sandbox import Quirks, XyteSandbox


@pytest.fixture(scope="module")
def served():
    """Serve a sandbox."""
    with XyteSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def clock():
    """Stop the time of the organization."""
    return FrozenClock()


@pytest.fixture
def sandbox(served, clock):
    """Return the sandbox as new."""
    served.renew(Quirks(), clock.now)
    return served
