"""ID tokens and claims: what is not signed by the provider, for us and for this attempt, names nobody."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from connector_core.sign_on.errors import NotLetIn, SignOnRefused
from connector_core.sign_on.roles import identity, values_of
from connector_core.sign_on.settings import OidcSettings
from connector_core.sign_on.tokens import Expected, read_keys, verify
from tests.support.oidc import ROLES, keyed_with, unsigned

ISSUER, NOW = "https://login.example.com", 1_800_000_000
EXPECTED = Expected(ISSUER, "connector", "a nonce")
KEY = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})
PUBLIC = KeySet([RSAKey.import_key(KEY.as_dict(private=False))])
GOOD = {
    "iss": ISSUER,
    "sub": "1",
    "aud": "connector",
    "nonce": "a nonce",
    "iat": NOW,
    "exp": NOW + 300,
}


def signed(key=KEY, alg="RS256", header=None, **claims):
    """Return a token that is good but for what is said; None leaves a claim out."""
    told = {name: value for name, value in {**GOOD, **claims}.items() if value is not None}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = 8192
    return jwt.encode({"alg": alg, "kid": "one", **(header or {})}, told, key, registry=registry)


def accepted(token, keys=PUBLIC, expected=EXPECTED):
    """Return the subject that a token names."""
    return verify(token, keys, expected, NOW)["sub"]


def settings(**changes):
    """Return what a file says."""
    return OidcSettings.model_validate({"issuer": ISSUER, "client_id": "connector", "roles": ROLES, **changes})


def test_a_good_token_is_taken():
    """Also for several clients if it says that we are meant, and with headers that nobody here knows."""
    assert accepted(signed()) == "1"
    assert accepted(signed(aud=["connector", "another"], azp="connector")) == "1"
    assert accepted(signed(header={"x5c": ["A" * 4000], "pi.atm": "x"})) == "1"


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"nonce": ["a nonce", "b"]},
        {"nonce": ""},
        {"aud": "another client"},
        {"aud": None},
        {"aud": []},
        {"aud": ["connector", "another client"]},
        {"aud": {"connector": 1}},
        {"azp": "another client"},
        {"azp": ["connector"]},
        {"azp": {}},
        {"iss": "https://login.example.org"},
        {"iss": [ISSUER]},
        {"iss": f"{ISSUER}/"},
        {"sub": None},
        {"sub": ""},
        {"sub": ["1"]},
        {"sub": "s" * 256},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"iat": [NOW]},
    ],
    ids=str,
)
def test_a_token_for_something_else_is_refused(lie):
    """Each claim is held against what was asked."""
    with pytest.raises(SignOnRefused):
        accepted(signed(**lie))


def test_a_subject_that_no_database_holds_is_refused(monkeypatch):
    """JSON may have half a sign in it."""
    lied = SimpleNamespace(claims={**GOOD, "sub": "\ud800"})
    monkeypatch.setattr(jwt, "decode", lambda *_, **__: lied)

    with pytest.raises(SignOnRefused):
        accepted("token")


@pytest.mark.parametrize("claims", [{"exp": -59}, {"iat": 60}, {"nbf": 60}], ids=str)
def test_clocks_may_be_a_minute_apart(claims):
    """Of either side."""
    assert accepted(signed(**{name: NOW + seconds for name, seconds in claims.items()})) == "1"


@pytest.mark.parametrize("claims", [{"exp": -60}, {"iat": 61}, {"nbf": 61}], ids=str)
def test_clocks_may_not_be_further_apart(claims):
    """What is older has expired, what is from the future is none; either may be a clock that is wrong."""
    with pytest.raises(SignOnRefused, match="clock is wrong") as caught:
        accepted(signed(**{name: NOW + seconds for name, seconds in claims.items()}))

    assert caught.value.code == "sign_on_expired"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: unsigned(GOOD), id="none"),
        pytest.param(lambda: keyed_with(KEY, GOOD), id="keyed with what everybody can read"),
        pytest.param(lambda: signed(RSAKey.generate_key(2048)), id="another key by the same name"),
        pytest.param(lambda: signed(header={"kid": "two"}), id="an unknown key"),
        pytest.param(lambda: signed()[:-8], id="cut"),
        pytest.param(lambda: signed() + "A" * 70_000, id="huge"),
        pytest.param(lambda: "", id="nothing"),
        pytest.param(lambda: "eyJ", id="no token"),
        pytest.param(lambda: "e30.e30.e30", id="no header"),
        pytest.param(lambda: "é.é.é", id="no letters"),
        pytest.param(lambda: "..", id="dots"),
        pytest.param(lambda: signed(header={"crit": ["b64"], "b64": False}), id="a header that has to be known"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(token):
    """Whatever it says; and it is always the one error."""
    with pytest.raises(SignOnRefused):
        accepted(token())


def test_keys_of_a_provider():
    """Those that are none, or of a kind nobody knows, are left out; without any there is nothing to verify with."""
    ec = ECKey.generate_key("P-256", parameters={"kid": "one"})
    odd = [None, 7, [], {}, {"kty": "RSA"}, {"kty": "AKP"}, {"kty": "EC", "crv": "P-999"}, {"kty": "RSA", "n": "é"}]
    found = read_keys({"keys": [*odd, ec.as_dict(private=False)]})

    assert accepted(signed(ec, "ES256"), found) == "1"
    for nothing in (None, [], {}, {"keys": {}}, {"keys": odd}, {"keys": "x" * 100}):
        with pytest.raises(ValueError, match="no usable key"):
            read_keys(nothing)


def test_a_key_for_secrets_signs_nothing():
    """A symmetric key among those of the provider is no reason to take its algorithm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keys = read_keys({"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "one"}]})
    with pytest.raises(SignOnRefused):
        accepted(keyed_with(KEY, GOOD), keys)


@pytest.mark.parametrize(
    ("groups", "is_admin", "organizations"),
    [
        (["desk-admins"], True, None),
        ("acme-support", False, {"acme"}),
        (["acme-support", "globex-support"], False, {"acme", "globex"}),
        (["acme-support", "all"], False, None),
        (["acme-admins", "all"], True, {"acme"}),
        (["acme-admins", "globex-support"], True, {"acme"}),
    ],
)
def test_what_somebody_may_do(groups, is_admin, organizations):
    """Of several entries those of admins count first, so that nobody changes what they may only look at."""
    roles = {
        **ROLES,
        "globex-support": {"organizations": ["globex"]},
        "acme-admins": {"role": "admin", "organizations": ["acme"]},
        "all": {"role": "viewer"},
    }

    found = identity({"sub": "1", "groups": groups}, settings(roles=roles))

    assert (found.is_admin, found.organizations) == (is_admin, organizations)


def test_a_claim_is_found_by_its_name_or_by_a_path():
    """A name with dots in it is the claim of that name first."""
    claims = {"realm_access": {"roles": ["a"]}, "https://example.com/roles": ["b"], "x": {"y": "c"}, "x.y": "d"}

    assert values_of(claims, "realm_access.roles") == ("a",)
    assert values_of(claims, "https://example.com/roles") == ("b",)
    assert values_of(claims, "x.y") == ("d",)
    assert [values_of(claims, one) for one in ("realm_access", "x.y.z", "", ".", "realm_access.roles.0")] == [()] * 5


@pytest.mark.parametrize(
    ("claims", "is_let_in"),
    [
        ({"email": "ada@Example.com", "email_verified": True}, True),
        ({"email": "ada@example.com", "email_verified": "true"}, True),
        ({"email": "ada@example.com", "email_verified": False}, False),
        ({"email": "ada@example.com"}, False),
        ({"email": "ada@example.com.evil.example", "email_verified": True}, False),
        ({"email": "example.com", "email_verified": True}, True),
        ({"email": ["eve@evil.example", "ada@example.com"], "email_verified": True}, False),
        ({}, False),
    ],
)
def test_only_verified_addresses_of_the_domains(claims, is_let_in):
    """Whoever may write any address into their profile is not let in by it."""
    told = {"sub": "1", "groups": "desk-admins", **claims}
    if is_let_in:
        assert identity(told, settings(allowed_domains=["EXAMPLE.com"])).is_admin
    else:
        with pytest.raises(NotLetIn, match="verified e-mail"):
            identity(told, settings(allowed_domains=["example.com"]))


def test_roles_by_address_need_a_verified_one():
    """Providers without groups say no more than the address."""
    by_address = settings(roles_claim="email", roles={"ada@example.com": {"role": "admin"}})
    claims = {"sub": "1", "email": "ada@example.com"}

    assert identity({**claims, "email_verified": True}, by_address).name == "ada@example.com"
    with pytest.raises(NotLetIn):
        identity(claims, by_address)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "grace"}, "grace"),
        ({"preferred_username": " \n ", "email": "g@example.com"}, "g@example.com"),
        ({"preferred_username": 7}, "1"),
        ({"preferred_username": "a\u202eb\x00c\r\nd"}, "a b c d"),
        ({"preferred_username": "x" * 5000}, "x" * 100),
    ],
)
def test_names_are_one_line_that_can_be_read(claims, name):
    """Whatever the provider lets people write into their profile."""
    assert identity({"sub": "1", "groups": ["desk-admins"], **claims}, settings()).name == name


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"issuer": "http://login.example.com"}, "https"),
        ({"issuer": "login.example.com"}, "expected an address"),
        ({"issuer": "https://login.example.com/?a=1"}, "expected an address"),
        ({"roles": {}}, "roles"),
        ({"roles": {"x": {"role": "owner"}}}, "admin"),
        ({"allowed_domains": ["@example.com"]}, "domain"),
        ({"scopes": ["two words"]}, "scope"),
        ({"client_id": " "}, "client_id"),
    ],
)
def test_settings_that_make_no_sense(changes, complaint):
    """They are refused when the file is read."""
    with pytest.raises(ValueError, match=complaint):
        settings(**changes)


def test_settings_are_completed():
    """The scope openid is asked for in any case, and a provider on this machine may do without TLS."""
    assert settings(scopes=["email"]).scopes == ("openid", "email")
    assert settings(issuer="http://127.0.0.1:8081").host == "127.0.0.1:8081"
    assert settings(issuer="http://[::1]:8081/realms/a").host == "[::1]:8081"
