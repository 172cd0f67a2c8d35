"""How calls go out: through a proxy, past it, with a private authority, and never to where they may not."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from itertools import chain, repeat

import pytest

from connector_core import ConfigError, RemoteError, RetryLater
from connector_core.config import load_config
from connector_core.health.outbound_findings import outbound_findings
from connector_core.http.outbound import Outbound, Places
from connector_core.http.session import DIRECT, HTTPSession, connections
from tests.support.forward_proxy import ForwardProxy
from tests.support.private_ca import PrivateCA, Target

PUBLIC = Outbound(allowed=Places.of(["public"]))


@pytest.fixture
def opening():
    """Return a function that has what is opened stopped afterwards."""
    opened = []

    def keep(one):
        opened.append(one)
        return one

    yield keep
    for one in opened:
        one.stop()


@pytest.fixture
def call():
    """Return a function that makes a call, going out in one way."""
    sessions = []

    def get(url, outbound=DIRECT, **options):
        session = HTTPSession("test", adapter=connections(outbound=outbound))
        sessions.append(session)
        return session.get(url, **options)

    yield get
    for session in sessions:
        session.close()


@pytest.fixture
def resolving(monkeypatch):
    """Return a function that has a name mean one list of addresses after the other, the last for ever."""
    real = socket.getaddrinfo

    def mean(name, *answers):
        following = chain(answers, repeat(answers[-1]))

        def getaddrinfo(host, port, *args, **kwargs):
            if host != name:
                return real(host, port, *args, **kwargs)
            return list(chain.from_iterable(real(one, port, *args, **kwargs) for one in next(following)))

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return mean


def test_a_plain_request_goes_through_the_proxy(opening, call):
    """The proxy is handed the whole address."""
    target, proxy = opening(Target()), opening(ForwardProxy())

    answer = call(f"http://127.0.0.1:{target.port}/a?b=c", Outbound(proxy=proxy.url))

    assert answer.status_code == 200
    assert proxy.requests == [("GET", f"http://127.0.0.1:{target.port}/a?b=c")]
    assert target.paths == ["/a?b=c"]


def test_a_request_over_tls_goes_through_a_tunnel_to_a_name_that_only_the_proxy_knows(opening, call, tmp_path):
    """The certificate is checked against the name that is meant, by the authority of the file."""
    authority = PrivateCA(tmp_path)
    target = opening(Target(authority.server_context("desk.example.test")))
    proxy = opening(ForwardProxy(names={"desk.example.test": "127.0.0.1"}))

    answer = call(f"https://desk.example.test:{target.port}/", Outbound(proxy=proxy.url, ca_file=authority.ca_file))

    assert answer.status_code == 200
    assert proxy.tunnels == [f"desk.example.test:{target.port}"]


def test_a_proxy_may_speak_tls_itself(opening, call, tmp_path):
    """Its certificate is of the private authority too."""
    authority = PrivateCA(tmp_path)
    target = opening(Target(authority.server_context("127.0.0.1")))
    proxy = opening(ForwardProxy(trust=authority.server_context("127.0.0.1")))

    answer = call(f"https://127.0.0.1:{target.port}/", Outbound(proxy=proxy.url, ca_file=authority.ca_file))

    assert (answer.status_code, len(proxy.tunnels)) == (200, 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_told_user_and_password(opening, call, tmp_path, scheme):
    """Only the proxy is told, not the server behind it."""
    authority = PrivateCA(tmp_path)
    target = opening(Target(authority.server_context("127.0.0.1") if scheme == "https" else None))
    proxy = opening(ForwardProxy(user="ada", password="pass: word"))
    url = f"{scheme}://127.0.0.1:{target.port}/"
    way = {"proxy": proxy.url, "ca_file": authority.ca_file}

    answer = call(url, Outbound(**way, proxy_user="ada", proxy_password="pass: word"))

    assert (answer.status_code, proxy.refused) == (200, 0)


def test_a_tunnel_that_the_proxy_refuses_was_never_used(opening, call):
    """A write is not taken for one that may have been carried out."""
    proxy = opening(ForwardProxy(user="ada", password="right"))
    adapter = connections(outbound=Outbound(proxy=proxy.url))
    with closing(HTTPSession("test", adapter=adapter)) as session, pytest.raises(RetryLater) as caught:
        session.post("https://127.0.0.1:9/")

    assert (caught.value.code, caught.value.outcome_unknown) == ("proxy_failed", False)


@pytest.mark.parametrize("exempt", ["127.0.0.1", "127.0.0.0/8", "localhost", "*.localhost", "0.0.0.0/0"])
def test_what_is_exempt_is_called_directly(opening, call, exempt):
    """By name, below a name, by address, by network."""
    target, proxy = opening(Target()), opening(ForwardProxy())
    host = "localhost" if "localhost" in exempt else "127.0.0.1"

    call(f"http://{host}:{target.port}/", Outbound(proxy=proxy.url, no_proxy=Places.of([exempt])))

    through = ["127.0.0.1"] if exempt == "*.localhost" else []
    assert len(proxy.requests) == len(through)
    assert target.paths == ["/"]


def test_a_private_authority_is_believed_only_when_it_is_named(opening, call, tmp_path):
    """And never another one's certificate."""
    authority, other = PrivateCA(tmp_path), PrivateCA(_folder(tmp_path / "other"))
    target = opening(Target(authority.server_context("127.0.0.1")))
    url = f"https://127.0.0.1:{target.port}/"

    refused = []
    for outbound in (Outbound(), Outbound(ca_file=other.ca_file)):
        with pytest.raises(RetryLater) as caught:
            call(url, outbound)
        refused.append(caught.value.code)

    assert refused == ["tls_failed", "tls_failed"]
    assert call(url, Outbound(ca_file=authority.ca_file)).status_code == 200


def test_a_certificate_for_another_name_is_not_believed(opening, call, tmp_path):
    """That the authority is known is not enough."""
    authority = PrivateCA(tmp_path)
    target = opening(Target(authority.server_context("other.example.test")))

    with pytest.raises(RetryLater, match="certificate"):
        call(f"https://127.0.0.1:{target.port}/", Outbound(ca_file=authority.ca_file))


def test_the_environment_means_nothing(opening, call, monkeypatch):
    """No proxy and no authority of the environment is used."""
    target, proxy = opening(Target()), opening(ForwardProxy())
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")

    call(f"http://127.0.0.1:{target.port}/")

    assert (target.paths, proxy.requests) == (["/"], [])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"),  # noqa: S104 - called
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]"),
        *("[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[fec0::1]", "224.0.0.1", "[ff02::1]"),
        *("[64:ff9b:1::7f00:1]", "[64:ff9b:1:fffe::1]", "[::10.0.0.1]", "[::127.0.0.1]", "[::8.8.8.8]"),
        *("[::ffff:0:127.0.0.1]", "[::ffff:0:8.8.8.8]", "[5f00::1]", "[3fff::1]", "[100:0:0:1::1]", "[8000::1]"),
        *("192.0.0.9", "192.0.0.10", "192.88.99.1", "168.63.129.16", "[::ffff:192.0.0.9]", "[64:ff9b::c058:6301]"),
        *("[2002:a83f:8110::1]", "[2001:0:a00:1::f5ff:fffe]"),
    ],
)
def test_no_call_to_what_is_not_public(opening, call, host):
    """Not to loopback, link-local, private or reserved addresses, however they are written."""
    target = opening(Target())

    with pytest.raises(ConfigError) as caught:
        call(f"http://{host}:{target.port}/", PUBLIC)

    assert caught.value.code == "address_not_allowed"
    assert target.paths == []


@pytest.mark.parametrize("address", ["104.192.142.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_addresses_may_be_called(address):
    """Of either kind, also where one wraps the other."""
    assert Places.of(["public"]).have_address(address)


NO_NAMES = ["a..b", f"{'x' * 64}.example", "under_score..example:8443", "a.example:99999", "[::1"]


@pytest.mark.parametrize("host", NO_NAMES)
@pytest.mark.parametrize("outbound", [DIRECT, PUBLIC, replace(PUBLIC, proxy="http://127.0.0.1:9")])
def test_what_can_be_no_name_is_said_to_be_none(call, host, outbound):
    """Whatever library stumbles over it: the error is one of ours, and a person has to correct the address."""
    with pytest.raises(ConfigError) as said:
        call(f"https://{host}/", outbound)

    assert said.value.code == "address_invalid"


@pytest.mark.parametrize("value", ["\N{EURO SIGN}", "\ud800", "a\r\nX-Other: b", " a"])
def test_what_can_be_no_header_is_never_sent(opening, value):
    """A value of the other side's, such as the version of a ticket, may be anything; it adds no header of its own."""
    target = opening(Target())
    with HTTPSession("test") as session, pytest.raises(RemoteError) as said:
        session.get(f"http://127.0.0.1:{target.port}/", headers={"If-Match": value})

    assert said.value.code == "header_invalid"
    assert target.paths == []


def test_a_name_that_means_a_private_address_is_not_called(opening, call, resolving):
    """It is the address that counts."""
    target = opening(Target())
    resolving("desk.example.test", ["127.0.0.1"])

    with pytest.raises(ConfigError) as caught:
        call(f"http://desk.example.test:{target.port}/", PUBLIC)

    assert caught.value.code == "address_not_allowed"
    assert "127.0.0.1" not in caught.value.message
    assert target.paths == []


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_a_name_that_changes_its_meaning_leads_where_it_was_looked_at(opening, call, resolving):
    """The address that was found allowed is the one that is called."""
    right = opening(Target(host="127.0.0.2"))
    wrong = opening(Target(port=right.port))
    resolving("desk.example.test", ["127.0.0.2"], ["127.0.0.1"])

    answer = call(f"http://desk.example.test:{right.port}/", Outbound(allowed=Places.of(["127.0.0.2/32"])))

    assert answer.text == "127.0.0.2"
    assert wrong.paths == []


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("order", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]])
def test_of_several_addresses_only_those_that_are_allowed_are_called(opening, call, resolving, order):
    """In whatever order they come, and although the others would answer."""
    right = opening(Target(host="127.0.0.2"))
    wrong = opening(Target(port=right.port))
    resolving("desk.example.test", order)

    answer = call(f"http://desk.example.test:{right.port}/", Outbound(allowed=Places.of(["127.0.0.2/32"])))

    assert answer.text == "127.0.0.2"
    assert wrong.paths == []


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_over_tls_the_certificate_is_that_of_the_name_although_the_address_is_pinned(
    opening, call, resolving, tmp_path
):
    """A name is resolved once, and asked for by its name."""
    authority = PrivateCA(tmp_path)
    target = opening(Target(authority.server_context("desk.example.test"), host="127.0.0.2"))
    resolving("desk.example.test", ["127.0.0.2"], ["127.0.0.1"])
    way = Outbound(allowed=Places.of(["127.0.0.2/32"]), ca_file=authority.ca_file)

    assert call(f"https://desk.example.test:{target.port}/", way).text == "127.0.0.2"


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("follow", [False, True])
def test_a_redirect_leads_nowhere(opening, call, follow):
    """It is not followed, whoever asks for that."""
    hidden = opening(Target())
    open_one = opening(Target(host="127.0.0.2", elsewhere=f"http://127.0.0.1:{hidden.port}/secret"))
    way = Outbound(allowed=Places.of(["127.0.0.2/32"]))

    answer = call(f"http://127.0.0.2:{open_one.port}/away", way, allow_redirects=follow)

    assert answer.status_code == 302
    assert hidden.paths == []


def test_a_name_that_is_allowed_may_mean_anything(opening, call, resolving):
    """Who runs the connector named it."""
    target = opening(Target())
    resolving("jira.corp.test", ["127.0.0.1"])
    way = Outbound(allowed=Places.of(["public", "*.corp.test"]))

    assert call(f"http://jira.corp.test:{target.port}/", way).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "localhost"])
def test_a_proxy_is_not_asked_for_what_is_not_allowed(opening, call, host):
    """It would reach what we may not."""
    target, proxy = opening(Target()), opening(ForwardProxy())
    way = Outbound(proxy=proxy.url, allowed=Places.of(["public"]))

    with pytest.raises(ConfigError) as caught:
        call(f"http://{host}:{target.port}/", way)

    assert caught.value.code == "address_not_allowed"
    assert (proxy.requests, target.paths) == ([], [])


def test_the_proxy_itself_may_be_private(opening, call):
    """It is the choice of who runs the connector."""
    target = opening(Target())
    proxy = opening(ForwardProxy(names={"desk.example.test": "127.0.0.1"}))
    way = Outbound(proxy=proxy.url, allowed=Places.of(["public", "desk.example.test"]))

    assert call(f"http://desk.example.test:{target.port}/", way).status_code == 200


def _folder(path):
    path.mkdir()
    return path


# What the configuration makes of it

HASH = '"$argon2id$v=19$m=65536,t=3,p=4$b3RoZXJzYWx0$QW5vdGhlciBoYXNoIHRoYW4gYmVmb3JlIGl0IHdhcw"'
SECRET = "a passphrase of many letters"
USERS = """
console:
  users:
    ada: {password_hash: HASH, role: admin}
    gus: {password_hash: HASH, role: admin, organizations: [globex]}
    vic: {password_hash: HASH, organizations: [acme]}
organizations: {acme: {}, globex: {}}
""".replace("HASH", HASH)


def _config(tmp_path, text):
    path = tmp_path / "connector.yaml"
    path.write_text(f"secret_key: {SECRET}\n{text}")
    return load_config(path, None)


def test_organizations_with_admins_of_their_own_may_enter_public_addresses_only(tmp_path):
    """One with viewers of its own may enter any, and so may the file."""
    config = _config(tmp_path, USERS)

    assert config.calls_of_setup("globex", "desk").allowed == Places.of(["public"])
    assert config.calls_of_setup("acme", "desk").allowed is None
    assert config.calls().allowed is None


def test_what_is_allowed_holds_for_all_of_set_up(tmp_path):
    """Where it is said, it takes the place of the default."""
    config = _config(tmp_path, USERS + 'outbound: {allow: ["*.atlassian.net", 10.0.0.0/8]}')

    expected = Places.of(["*.atlassian.net", "10.0.0.0/8"])
    assert {config.calls_of_setup(name, "desk").allowed for name in ("acme", "globex")} == {expected}


def test_the_file_says_how_calls_go_out(tmp_path):
    """A relative path starts at the file's folder, and the password is a secret."""
    config = _config(
        tmp_path,
        "outbound: {proxy: 'http://proxy.test:3128', proxy_user: ada, proxy_password: secret of ada, ca_file: ca.pem}",
    )

    calls = config.calls()
    assert (calls.proxy, calls.proxy_user, calls.proxy_password) == ("http://proxy.test:3128", "ada", "secret of ada")
    assert calls.ca_file == tmp_path / "ca.pem"
    assert "secret of ada" in {secret.get_secret_value() for secret in config.secrets}


def test_variables_that_mean_nothing_are_named():
    """By name, and only those that would have been needed."""
    environ = {"HTTPS_PROXY": "http://proxy:1", "REQUESTS_CA_BUNDLE": "/ca.pem", "NO_PROXY": "localhost"}

    found = {one.code: one.title for one in outbound_findings(Outbound(), environ)}
    with_proxy = {one.code for one in outbound_findings(Outbound(proxy="http://proxy:1"), environ)}

    assert found["outbound_proxy_unused"].startswith("HTTPS_PROXY is set")
    assert found["outbound_ca_file_unused"].startswith("REQUESTS_CA_BUNDLE is set")
    assert with_proxy == {"outbound_proxy", "outbound_ca_file_unused"}
