"""One source: how it stands, what was found, and *Test connection*."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from connector_core.models import Finding, Severity
from connector_core.web.console import visible
from connector_core.web.console.enable_page import Checked
from connector_core.web.console.visits import Visit

TONES = {"ok": "good", "told": "good", "idle": "fair", "waiting": "fair", "warning": "fair", "problem": "bad"}
_ORDER = (Severity.PROBLEM, Severity.WARNING, Severity.OK)


def show(visit: Visit) -> Response:
    """Show everything about one source."""
    return _page(visit, None)


def test(visit: Visit) -> Response:
    """Try everything the source needs, and show what was found."""
    organization = visible.source(visit, visit.named("organization")).organization
    return _page(visit, visit.app.poller.check(organization))


def _page(visit: Visit, findings: Sequence[Finding] | None) -> Response:
    standing = visible.source(visit, visit.named("organization"))
    noticed = standing.last.findings if standing.last is not None else ()
    plugin, _ = visit.app.registry.source(standing.organization)
    return visit.page(
        "source.html",
        standing=standing,
        tone=TONES[standing.word],
        name=visible.organizations(visit)[standing.organization],
        noticed=[_shown(finding) for finding in noticed],
        findings=None if findings is None else sorted(map(_shown, findings), key=_rank),
        can_test=plugin.implements("check_source"),
        config_path=str(visit.app.config.path),
    )


def _shown(finding: Finding) -> Checked:
    return Checked(finding, finding.fix, None)


def _rank(shown: Checked) -> int:
    return _ORDER.index(shown.finding.severity)
