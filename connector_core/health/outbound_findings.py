"""How calls go out, said to those who look for why they do not get through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core.contract.models import Finding, Severity
from connector_core.http.outbound import Outbound

# Most programs obey these; this one says that it does not.
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def outbound_findings(outbound: Outbound, environ: Mapping[str, str]) -> list[Finding]:
    """Return what is out of the ordinary about how calls go out, in this environment."""
    found = []
    if outbound.proxy:
        found.append(_ok("outbound_proxy", f"Calls go through the proxy {outbound.proxy}"))
    if outbound.ca_file is not None:
        found.append(_ok("outbound_ca_file", f"The certificate authorities in {outbound.ca_file} are trusted too"))
    return [*found, *unused_variables(outbound, environ)]


def unused_variables(outbound: Outbound, environ: Mapping[str, str]) -> list[Finding]:
    """Warn of variables of the environment that would have calls go out otherwise, and mean nothing here."""
    found = []
    for names, key, is_set in (
        (_PROXIES, "proxy", bool(outbound.proxy)),
        (_AUTHORITIES, "ca_file", outbound.ca_file is not None),
    ):
        given = [name for name in names if environ.get(name)]
        if given and not is_set:
            found.append(_unused(given, key))
    return found


def _unused(given: Sequence[str], key: str) -> Finding:
    are = "is" if len(given) == 1 else "are"
    return Finding(
        code=f"outbound_{key}_unused",
        severity=Severity.WARNING,
        title=f"{' and '.join(given)} {are} set in this environment, and not used",
        detail="Calls go out as the configuration file says, and it says nothing of this.",
        fix=f"Set outbound.{key} in the configuration file if calls need it.",
    )


def _ok(code: str, title: str) -> Finding:
    return Finding(code=code, severity=Severity.OK, title=title)
