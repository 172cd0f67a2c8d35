"""Trying what a source needs, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connector_core import AuthError, ConnectorError, Finding, RetryLater, Severity, hookspecs, implements
from connector_xyte.client import XyteClient
from connector_xyte.mapping import text
from connector_xyte.polling import AHEAD_S
from connector_xyte.settings import XyteSource
from connector_xyte.spaces import needs_tree, read_tree

KEY = "organization_key"  # a finding of this name belongs to the question of that name


@implements(hookspecs.check_source)
def check(source: XyteSource) -> list[Finding]:
    """Try everything; when the key is not accepted, that alone."""
    client = XyteClient(source)
    try:
        info = client.info()
    except ConnectorError as exc:
        code = KEY if isinstance(exc, AuthError) else "organization"
        return [_problem(code, "The organization cannot be read.", exc)]
    name, count = whose(info)
    detail = "" if count is None else f"{count} open {'incident' if count == 1 else 'incidents'}."
    findings = [Finding(code="organization", severity=Severity.OK, title=f"Connected to {name}.", detail=detail)]
    end = (client.told_time or source.clock.now()).timestamp() + AHEAD_S
    findings += _tried("incidents", "Incidents can be listed.", lambda: client.first_incidents(end), Severity.PROBLEM)
    findings += _tried("devices", "Devices can be read.", client.first_device, Severity.WARNING)
    findings += _spaces(source, client)
    findings.append(_way_back(source))
    return findings


def whose(info: Mapping[str, Any]) -> tuple[str, int | None]:
    """Return the name of the organization, and how many of its incidents are open if it tells."""
    counts = info.get("statistics")
    open_incidents = counts.get("open_incidents") if isinstance(counts, dict) else None
    name = text(info.get("name")) or "an organization without a name"
    return name, open_incidents if isinstance(open_incidents, int) else None


def _tried(code: str, sentence: str, work: Callable[[], object], if_not: Severity) -> Iterator[Finding]:
    try:
        work()
    except ConnectorError as exc:
        yield _problem(code, sentence.replace(" can ", " cannot "), exc, if_not)
    else:
        yield Finding(code=code, severity=Severity.OK, title=sentence)


def _spaces(source: XyteSource, client: XyteClient) -> Iterator[Finding]:
    """Read the spaces, and hold those of the settings against them."""
    settings = source.settings
    choice = settings.spaces
    try:
        tree = read_tree(client.spaces().items)
    except (AuthError, RetryLater) as exc:
        severity = Severity.PROBLEM if needs_tree(choice) else Severity.WARNING
        yield _problem("spaces", "Spaces cannot be read.", exc, severity)
        return
    yield Finding(code="spaces", severity=Severity.OK, title=f"{len(tree.spaces)} spaces can be read.")
    paths = {tree.path(name) for name in tree.spaces}
    unknown = [name for name in (*choice.include, *choice.exclude) if name not in tree.spaces and name not in paths]
    if unknown:
        yield Finding(
            code="spaces_unknown",
            severity=Severity.WARNING,
            title=f"The settings name spaces that there are not: {', '.join(unknown)[:200]}.",
            fix="Name spaces by their id, or by their path from the top.",
        )


def _way_back(source: XyteSource) -> Finding:
    settings = source.settings
    if settings.changes_url is not None:
        title = "Closing goes to Xyte; title, description and priority to the gateway at changes_url."
        return Finding(code="way_back", severity=Severity.OK, title=title, detail="The gateway itself is not tried.")
    kept = "noted on the device" if settings.note_on_device else "kept on the ticket only"
    title = f"Closing goes to Xyte; changes of title, description and priority are {kept}."
    return Finding(code="way_back", severity=Severity.OK, title=title, detail="Xyte has no call that changes them.")


def _problem(code: str, title: str, error: ConnectorError, severity: Severity = Severity.PROBLEM) -> Finding:
    return Finding(code=code, severity=severity, title=title, detail=error.message, fix=error.fix)
