"""Why somebody is not signed in, each with a sentence for them."""

from __future__ import annotations

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater


class ProviderDown(RetryLater):
    """The provider does not answer, or not with what its specification asks for; passwords go on."""

    default_code = "sign_on_unavailable"


class ProviderUnfit(ConfigError):
    """What is configured does not fit the provider, or the other way round: somebody has to correct it."""

    default_code = "sign_on_misconfigured"


class SignOnRefused(RemoteError):
    """What came back proves nobody's name; beginning again is safe."""

    default_code = "sign_on_refused"


class NotLetIn(RemoteError):
    """The provider said who it is, and that person may do nothing here."""

    default_code = "sign_on_no_role"
