"""Whether single sign-on can work: the provider answers, knows the time, and is told where to send people back to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from connector_core.clock import Clock
from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Finding, Severity
from connector_core.sign_on.provider import Provider
from connector_core.sign_on.settings import is_safe
from connector_core.sign_on.tokens import TOLERANCE, require_library


def sign_on_findings(provider: Provider, redirect_uri: str, clock: Clock) -> list[Finding]:
    """Ask the provider what it says of itself; nobody is signed in."""
    try:
        return list(_findings(provider, redirect_uri, clock))
    except ConnectorError as exc:
        return [Finding(code=exc.code, severity=Severity.PROBLEM, title=exc.message, detail=exc.detail, fix=exc.fix)]


def _findings(provider: Provider, redirect_uri: str, clock: Clock) -> Iterator[Finding]:
    require_library()
    metadata = provider.metadata()
    provider.keys()
    host = provider.settings.host
    yield _ok("sign_on_provider", f"{host} says where to sign in, and which keys it signs with", metadata.issuer)
    if provider.date is not None:
        apart = abs(provider.date - clock.now())
        if apart > TOLERANCE:
            yield Finding(
                code="sign_on_clock",
                severity=Severity.PROBLEM,
                title=f"The clocks of this server and of {host} are {_seconds(apart)} apart",
                detail=f"More than {_seconds(TOLERANCE)} is not taken: sign-ins have expired, or are from the future.",
                fix="Set the clock of this server, with NTP.",
            )
        else:
            yield _ok("sign_on_clock", f"The clocks of this server and of {host} agree")
    if is_safe(redirect_uri):
        yield _ok("sign_on_redirect", f"{host} has to know this address to send people back to", redirect_uri)
    else:
        yield Finding(
            code="sign_on_redirect",
            severity=Severity.WARNING,
            title=f"{host} sends people back without TLS",
            detail=redirect_uri,
            fix="Set server.public_url to the https address of this server, and register the new address there.",
        )


def _ok(code: str, title: str, detail: str = "") -> Finding:
    return Finding(code=code, severity=Severity.OK, title=title, detail=detail)


def _seconds(length: timedelta) -> str:
    return f"{int(length.total_seconds())} seconds"
