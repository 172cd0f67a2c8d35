"""Signing in by a code (OpenID Connect Core, 3.1), with PKCE, a state that the browser keeps, and a nonce.

    attempt, address = sign_on.begin("/links")     # the browser keeps the attempt, and goes to the address
    signed = sign_on.finish(attempt, parameters)   # it is back, with a code

What is not sealed by us for this browser is no attempt, so nobody is signed in as somebody else by an address that they
were sent.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

from connector_core.clock import Clock
from connector_core.sign_on.errors import ProviderDown, ProviderUnfit, SignOnRefused
from connector_core.sign_on.provider import Metadata, Provider
from connector_core.sign_on.roles import Identity, identity, lacks
from connector_core.sign_on.settings import OidcSettings
from connector_core.sign_on.tokens import Expected, may_be_rotated, verify

#: Where the provider sends people back to, below the public address.
BACK = "/login/callback"
#: How long somebody may take at the provider.
LASTS = timedelta(minutes=15)
LONGEST_CODE = 4096
LONGEST_HINT = 4096
_SAID_NO = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})


@dataclass(frozen=True)
class Attempt:
    """One try to sign in, which the browser that began it keeps."""

    state: str
    nonce: str
    verifier: str
    wanted: str
    begun_at: datetime


@dataclass(frozen=True)
class SignedOn:
    """Somebody whom the provider named; the token goes back to it when they sign out there."""

    identity: Identity
    id_token: str


@dataclass(frozen=True)
class SignOn:
    """Signs people in by a provider. `redirect_uri` is where it sends them back to."""

    provider: Provider
    redirect_uri: str
    clock: Clock

    @property
    def settings(self) -> OidcSettings:
        """What is configured."""
        return self.provider.settings

    def begin(self, wanted: str) -> tuple[Attempt, str]:
        """Return a new attempt and the address to send the browser to.

        Raises:
            ProviderDown: the provider does not answer.
            ProviderUnfit: what answers is not the provider that is configured.
        """
        address = self.provider.metadata().authorization_endpoint
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, wanted, self.clock.now())
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return attempt, with_query(address, asked)

    def finish(self, attempt: Attempt | None, parameters: Mapping[str, str]) -> SignedOn:
        """Return who came back.

        Raises:
            SignOnRefused: this browser did not begin it, too long ago, or the provider's answer is not good.
            NotLetIn: they may do nothing here.
            ProviderDown: the provider does not answer.
            ProviderUnfit: it does not accept us.
        """
        attempt = self._own(attempt, parameters.get("state", ""))
        metadata = self.provider.metadata()
        if parameters.get("iss", metadata.issuer) != metadata.issuer:  # RFC 9207
            raise SignOnRefused("The answer is not from the provider that was asked.", fix="Sign in again.")
        if "error" in parameters:
            raise self._declined(parameters["error"])
        given = parameters.get("code", "")
        if not given or len(given) > LONGEST_CODE:
            raise SignOnRefused("The provider sent no usable answer.", fix="Sign in again.")
        tokens = self.provider.tokens(given, attempt.verifier, self.redirect_uri)
        claims = dict(self._verified(tokens.id_token, metadata, attempt.nonce))
        if lacks(claims, self.settings):
            claims = {**self.provider.userinfo(tokens.access_token, claims["sub"]), **claims}
        return SignedOn(identity(claims, self.settings), tokens.id_token)

    def ending(self, id_token: str, back_to: str) -> str:
        """Return where somebody ends the provider's session (RP-Initiated Logout); nothing where it has no such place.

        What is known of the provider is enough: whoever signs out does not wait for it.
        """
        try:
            address = self.provider.metadata().end_session_endpoint
        except (ProviderDown, ProviderUnfit):
            return ""
        hint = {"id_token_hint": id_token} if id_token and len(id_token) <= LONGEST_HINT else {}
        told = {**hint, "client_id": self.settings.client_id, "post_logout_redirect_uri": back_to}
        return with_query(address, told) if address else ""

    def _own(self, attempt: Attempt | None, state: str) -> Attempt:
        if attempt is None or not compare_digest(attempt.state.encode(), state.encode()):
            raise SignOnRefused(
                "This sign-in was started in another browser or tab, or is finished already.",
                code="sign_on_elsewhere",
                fix="Sign in again.",
            )
        if not timedelta(0) <= self.clock.now() - attempt.begun_at < LASTS:
            raise SignOnRefused(
                "This sign-in was started too long ago.", code="sign_on_elsewhere", fix="Sign in again."
            )
        return attempt

    def _declined(self, error: str) -> SignOnRefused:
        why = error[:100] if error.isascii() and error.isprintable() else ""
        text = f"{self.settings.host} did not sign you in."
        fix = "Sign in again." if why in _SAID_NO else "Sign in again. If it stays like this, see the connector's log."
        return SignOnRefused(text, code="sign_on_declined", detail=why, fix=fix)

    def _verified(self, token: str, metadata: Metadata, nonce: str) -> Mapping[str, Any]:
        expected = Expected(metadata.issuer, self.settings.client_id, nonce)
        now = self.clock.now().timestamp()
        try:
            return verify(token, self.provider.keys(), expected, now)
        except SignOnRefused as exc:
            if not may_be_rotated(exc):
                raise
        return verify(token, self.provider.keys(anew=True), expected, now)


def redirect_uri(public_url: str) -> str:
    """Return the address that the provider has to know."""
    return f"{public_url}{BACK}"


def with_query(address: str, values: Mapping[str, str]) -> str:
    """Return an address with parameters behind those that it has."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values)}"
