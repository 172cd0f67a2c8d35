"""Whether the console may be served where it is told to listen."""

from __future__ import annotations

from ipaddress import ip_address

from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError


def refuse_unprotected(config: Config) -> None:
    """Refuse to serve on an address that others reach while nobody could be asked for a password.

    Raises:
        ConfigError: there is neither a password nor a user.
    """
    console = config.console
    if not console.enabled or console.can_sign_in or _is_loopback(config.server.host):
        return
    raise ConfigError(
        f"The console would be served on {config.server.host} without a password.",
        code="console_unprotected",
        fix=f"In {config.path}, set console.password, console.users or console.oidc, listen"
        " on 127.0.0.1, or leave the console out with console: {enabled: false}.",
        advice=Advice(Remedy.MAKE_HASH),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
