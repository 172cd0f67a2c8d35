"""What stands in the way of an organization's incidents coming in at all: no source, or one that does not work."""

from __future__ import annotations

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.models import Finding, Severity
from connector_core.registry.integrations import Registry
from connector_core.registry.sources import SourceUnknown

SOURCE_MISSING = "source_missing"


def source_findings(registry: Registry, organization: str) -> list[Finding]:
    """Try an organization's platform beside one of its integrations.

    What is wrong there is a warning: incidents come once it is mended, and nobody has to activate anything again.
    """
    if organization not in registry.sources.usable():
        return []
    plugin, source = registry.sources.handle(organization)
    if not plugin.implements("check_source"):
        return []
    try:
        found = plugin.check_source(source)
    except ConnectorError as exc:
        found = [
            Finding(
                code=exc.code,
                severity=Severity.PROBLEM,
                title=exc.message,
                detail=exc.detail,
                fix=exc.fix,
                advice=exc.advice,
            )
        ]
    return [_of_source(finding, plugin.info.title) for finding in found]


def source_missing(registry: Registry, organization: str, severity: Severity) -> list[Finding]:
    """Say that an organization has no source that can be used, so that its integrations are of no use."""
    if organization in registry.sources.usable():
        return []
    title, fix = f"No incidents come in: {organization} has no source", ""
    advice: Advice | None = Advice(Remedy.SET_UP_SOURCE, organization)
    try:
        plugin = registry.sources.plugin(organization)
    except SourceUnknown:
        pass
    except ConfigError as exc:
        title, fix, advice = exc.message, exc.fix, exc.advice
    else:
        title = f"No incidents come in: {plugin.info.title} is not connected to the end"
    return [Finding(code=SOURCE_MISSING, severity=severity, title=title, fix=fix, advice=advice)]


def _of_source(finding: Finding, title: str) -> Finding:
    severity = Severity.WARNING if finding.severity is Severity.PROBLEM else finding.severity
    update = {"code": f"source_{finding.code}", "severity": severity, "title": f"{title}: {finding.title}"}
    return finding.model_copy(update=update)
