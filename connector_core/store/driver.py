"""What PostgreSQL is reached with: an extra, which most do without."""

from __future__ import annotations

from connector_core.contract.errors import ConfigError


def require_driver() -> None:
    """Load what PostgreSQL is reached with.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - only who has PostgreSQL needs it
        import psycopg_pool  # noqa: F401, PLC0415 - as above
    except ImportError as exc:
        raise ConfigError(
            f"database names PostgreSQL, and what reaches it cannot be loaded here: {exc}.",
            code="database_driver_missing",
            fix="Install it from the folder of connector-core: pip install '.[postgresql]'",
        ) from exc
