"""Whose certificates are believed: the usual authorities, and those of a file beside them."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from connector_core.contract.errors import ConfigError


@cache
def trusting(ca_file: Path) -> ssl.SSLContext:
    """Return what checks certificates against the usual authorities and those of a file.

    One does for all connections: to load it takes some 20 ms and half a megabyte.

    Raises:
        ConfigError: the file cannot be read, or has no certificate in it.
    """
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    try:
        context.load_verify_locations(ca_file)
    except OSError as exc:
        why = "there is no certificate in it" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise ConfigError(
            f"The certificates of outbound.ca_file cannot be used ({ca_file}): {why}.",
            code="ca_file_unusable",
            fix="Name a file in PEM format that the connector can read.",
        ) from exc
    return context
