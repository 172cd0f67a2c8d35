"""Why a daemon would not start with a configuration that is valid: told by `run` and by `config check` alike."""

from __future__ import annotations

from ipaddress import ip_address

from connector_core.config.loaded import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.sign_on.tokens import require_library


def refuse_start(config: Config) -> None:
    """Refuse what no daemon starts with, whatever the database and the network say.

    Raises:
        ConfigError: others would reach the console and nobody could be asked for a password, or the library for single
            sign-on is not installed.
    """
    _refuse_unprotected(config)
    if config.console.oidc is not None:
        require_library()


def _refuse_unprotected(config: Config) -> None:
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
