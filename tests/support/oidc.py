"""Providers of single sign-on: a real one on loopback, and one that lies in whatever way a test wants."""

from __future__ import annotations

import hmac
import json
import time
import warnings
from base64 import b64decode, urlsafe_b64encode
from contextlib import contextmanager
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector_core.local_server import LocalServer

CLIENT, SECRET = "connector", "the client's: secret"
ROLES = {"desk-admins": {"role": "admin"}, "acme-support": {"role": "viewer", "organizations": ["acme"]}}


def settings(issuer, **changes):
    """Return `console.oidc` as a file has it, on one line."""
    return json.dumps(
        {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET, "label": "Example", "roles": ROLES, **changes}
    )


@contextmanager
def real_provider(**users):
    """Run the provider from PyPI with these users: their claims by name. Yield its issuer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what its own library gives up
        from oidc_provider_mock import User, run_server_in_thread  # noqa: PLC0415 - a second to load

        people = [User(sub=name, claims=claims) for name, claims in users.items()]
        with run_server_in_thread(user_claims=people, require_nonce=True) as server:
            issuer = f"http://localhost:{server.server_port}"
            requests.get(f"{issuer}/jwks", timeout=60)  # it makes its key when it is first needed
            yield issuer


class Forger:
    """A provider at `url`. What a test sets of it is a lie, from the next answer on.

    `claims` are put over those of a good token (None leaves one out); `key` signs, and `published` is what the keys'
    address shows. `answers` replaces whole answers, by path. `asked` counts.
    """

    def __init__(self):
        self.published = [_key("one")]
        self.key = self.published[0]
        self.claims, self.userinfo, self.header, self.document = {}, None, {}, {}
        self.answers, self.asked, self.used = {}, {}, set()
        self.token = None
        self.request = {}
        self.form = {}
        self.now = time.time
        routes = [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/keys", self._keys),
            Route("/token", self._token, methods=["POST"]),
            Route("/me", self._me),
        ]
        self._server = LocalServer(Starlette(routes=routes))
        self._server.start()
        self.url = self._server.url

    def stop(self):
        """End it."""
        self._server.stop()

    def rotate(self):
        """Sign with a new key, and publish it beside the former one."""
        self.key = _key("two")
        self.published = [*self.published, self.key]

    def _answer(self, request: Request) -> Response | None:
        path = request.url.path
        self.asked[path] = self.asked.get(path, 0) + 1
        return self.answers.get(path)

    def _discovery(self, request: Request) -> Response:
        known = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/me",
        }
        return self._answer(request) or JSONResponse({**known, **self.document})

    def _keys(self, request: Request) -> Response:
        shown = {"keys": [key.as_dict(private=False) for key in self.published]}
        return self._answer(request) or JSONResponse(shown)

    def _me(self, request: Request) -> Response:
        return self._answer(request) or JSONResponse(self.userinfo or {})

    async def _token(self, request: Request) -> Response:
        if (given := self._answer(request)) is not None:
            return given
        self.form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.form["authorization"] = b64decode(request.headers.get("authorization", "Basic ").split()[-1]).decode()
        challenge = urlsafe_b64encode(sha256(self.form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        is_good = challenge == self.request["code_challenge"] and self.form["code"] not in self.used
        self.used.add(self.form["code"])
        if not is_good:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "access", "token_type": "Bearer", "id_token": self.token or self.signed()})

    def signed(self):
        """Return an ID token for the last request, with the lies that are set."""
        now = int(self.now())
        good = {
            "iss": self.url,
            "sub": "248289761001",
            "aud": self.request.get("client_id"),
            "nonce": self.request.get("nonce"),
            "iat": now,
            "exp": now + 300,
            "preferred_username": "grace",
            "groups": ["desk-admins"],
        }
        claims = {name: value for name, value in {**good, **self.claims}.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        return jwt.encode(header, claims, self.key, algorithms=[header["alg"]])


def query_of(address):
    """Return the parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def unsigned(claims):
    """Return a token that nobody signed."""
    return ".".join(_encoded(part) for part in ({"alg": "none"}, claims)) + "."


def _encoded(part):
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _key(kid):
    return RSAKey.generate_key(2048, parameters={"kid": kid, "use": "sig"})


def keyed_with(public_key, claims):
    """Return a token by a symmetric algorithm whose secret is what the provider publishes."""
    signed = f"{_encoded({'alg': 'HS256', 'kid': public_key.kid})}.{_encoded(claims)}"
    made = hmac.digest(public_key.as_pem(private=False), signed.encode(), sha256)
    return f"{signed}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"
