"""How thoroughly hostile input is drawn.

`quick`, the default, draws the same inputs every time. `CONNECTOR_CAMPAIGN=long` draws many more, new ones each time,
and prints for each failure what reproduces it.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support import examples, warm

warm.use()

_ALLOWED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "quick", derandomize=True, max_examples=examples.up_to(100), deadline=None, suppress_health_check=_ALLOWED
)
settings.register_profile("campaign", max_examples=5000, deadline=None, print_blob=True, suppress_health_check=_ALLOWED)
