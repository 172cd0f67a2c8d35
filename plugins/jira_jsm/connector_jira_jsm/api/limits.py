"""What Jira's answers say about rate limits beside what all say: whom a refusal is about.

Three limits run side by side (Atlassian, "Rate limiting", October 2026): points per hour for an app, a burst of calls
per second for a site, and writes per issue. `RateLimit-Reason` tells which one refused; its values are not stable.
A 429 of the gateway may lack `Retry-After` and only tell the moment of the reset (Atlassian status, 2026-04-22). The
hourly quota starts anew at the top of each hour.
"""

from __future__ import annotations

from connector_core import Scope
from connector_core.kit.limits import RateHeaders


def scope_of(reason: str) -> Scope:
    """Return whom a refusal is about; an unknown reason is taken for the site's."""
    known = reason.casefold()
    if "per-issue" in known:
        return Scope.LINK
    return Scope.APP if "global" in known else Scope.SITE


LIMITS = RateHeaders(reason="RateLimit-Reason", scope_of=scope_of, longest_wait_s=3600.0)
