"""What the delivery log keeps of headers and bodies: no secret."""

import json
from unittest.mock import Mock
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core.delivery_log.masking import BINARY, FILES, MOST_FOUND, TOO_LARGE, Masking
from connector_core.http.calls import MOST_BODY
from connector_core.secrets import spellings

SECRET = "Zk9-secret/value+1"
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_SECRETS = st.text(st.sampled_from('abcXYZ019-_/+="\\ü '), min_size=8, max_size=30).filter(
    lambda text: text.strip() == text and len(set(text)) > 3
)
_KEYS = st.sampled_from(["password", "client_secret", "accessToken", "X-Api-Key", "refresh_token", "webhookSecret"])


def _kept(masking: Masking, *texts: str) -> str:
    return "\n".join(masking.finished(text) for text in texts)


def _documents(secret: str) -> st.SearchStrategy[object]:
    """Draw JSON in which a secret stands under the names that secrets have, and elsewhere."""
    leaves = st.none() | st.booleans() | st.integers() | _TEXTS | st.just(secret) | st.just(f"see {secret} there")
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(_TEXTS | _KEYS | st.just(secret), inner, max_size=4)
            | inner.map(json.dumps)
        ),
        max_leaves=20,
    )


@given(st.data(), _SECRETS)
def test_no_known_secret_survives_in_json(data, secret):
    """Wherever a secret stands in a body, and however deep, it is not in what is kept."""
    document = data.draw(_documents(secret))
    masking = Masking(known=[secret])

    text, why = masking.body(json.dumps(document).encode(), "application/json")

    kept = masking.finished(text)
    assert why or _is_free_of(kept, secret)


@given(_KEYS, _SECRETS, st.booleans())
def test_a_secret_that_nobody_knew_is_found_by_its_name(key, secret, is_form):
    """What stands under a name of secrets is taken out there, and at every other place of the same entry."""
    masking = Masking()
    fields = {"note": f"it was {secret}", key: secret, "scope": "read"}
    body = urlencode(fields) if is_form else json.dumps(fields)

    text, _ = masking.body(body, "application/x-www-form-urlencoded" if is_form else "application/json")
    other, _ = masking.body(json.dumps({"echo": secret}), "application/json")

    assert _is_free_of(_kept(masking, text, other), secret)


@given(_SECRETS)
def test_no_secret_survives_in_headers_and_addresses(secret):
    """Headers that carry secrets and all values of a query are masked."""
    masking = Masking()
    headers = masking.headers({"Authorization": f"Bearer {secret}", "X-Hub-Signature": secret, "Cookie": f"s={secret}"})
    address = masking.address(f"https://user:{quote(secret, safe='')}@desk.example/a?token={quote(secret, safe='')}")

    assert _is_free_of(_kept(masking, json.dumps(headers, ensure_ascii=False), address), secret)
    assert headers["Authorization"] == "Bearer ***"
    assert address == "desk.example/a?token=***"


def _is_free_of(kept: str, secret: str) -> bool:
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return not any(form in kept for form in forms)


@pytest.mark.parametrize(
    "body",
    [
        '{"url": "https://c.example/external/jira/webhook?token=Zk9secretvalue1"}',
        '{"broken": "password": "Zk9secretvalue1"',
        "user: someone\npass: Zk9secretvalue1\n",
        "<login><password>Zk9secretvalue1</password></login>",
        '{"payload": "{\\"secret\\": \\"Zk9secretvalue1\\"}"}',
        '{"auth": {"kind": "x", "deep": ["Zk9secretvalue1"]}}',
        "Authorization: Bearer Zk9secretvalue1",
        '{"where": "https://me:Zk9secretvalue1@desk.example/"}',
        '{"payload": "\\n {\\"secret\\": \\"Zk9secretvalue1\\"}"}',
        '{"text": "password: Zk9secretvalue1"}',
        '{"headers": [{"name": "Authorization", "value": "Zk9secretvalue1"}]}',
        '{"post_to": "https://hooks.chat.example/services/T0001/B0002/Zk9secretvalue1"}',
        '{"post_to": "https://chat.example:8443/hooks/aZk9secretvalue1"}',
        '{"post_to": "https://acme.webhook.office.example/webhookb2/5e5f@77/Incoming/Zk9secretvalue1/0a"}',
        '{"post_to": "https://chat.example/api/v10/webhooks/112233445566/aZk9secretvalue1?wait=true"}',
        "tell https:\\/\\/hooks.chat.example\\/services\\/T0001\\/Zk9secretvalue1 of it",
        "https://api.chat.example/bot1122334455:AAAA-Zk9secretvalue1_BBB/sendMessage",
        "https://me:p@Zk9secretvalue1@desk.example/",
        "https:\\/\\/me:Zk9secretvalue1@desk.example\\/",
        "https://aaaa-Zk9secretvalue1@errors.example/1",
    ],
)
def test_secrets_at_odd_places_are_found(body):
    """An address, a broken body, plain lines, XML, and JSON within JSON have theirs taken out, too."""
    masking = Masking()

    text, why = masking.body(body, "application/json")

    assert not why
    assert "Zk9secretvalue1" not in masking.finished(text)


def test_a_known_secret_is_found_in_base64():
    """As headers and platforms write it."""
    masking = Masking(known=["a secret of ours"])
    text, _ = masking.body('{"a": "YSBzZWNyZXQgb2Ygb3Vycw=="}', "application/json")

    assert masking.finished(text) == '{"a": "***=="}'


def test_what_is_no_secret_stays():
    """Keys of tickets, titles and error codes are kept as they are."""
    body = {"issue": {"key": "SUP-1", "fields": {"summary": "Token ring is down", "code": 4}}, "expires_in": 3600}

    text, _ = Masking(known=["short"]).body(json.dumps(body), "application/json")

    assert json.loads(text) == body


def test_addresses_without_a_secret_stay():
    """Our own address of webhooks, pages about hooks and those of tickets are what people look for in a body."""
    body = {
        "ours": "https://c.example/base/external/desk/webhook/acme-helpdesk-2026",
        "self": "https://desk.example/rest/webhooks/1.0/webhook/5",
        "page": "https://docs.example/webhooks/how-to-begin-with-them",
        "ticket": "https://desk.example/browse/SUP-1?focused=1",
        "mail": "ask ada@acme.example",
    }

    text, _ = Masking().body(json.dumps(body), "application/json")

    assert json.loads(text) == body


def test_each_secret_is_spelled_once_however_many_texts_there_are(monkeypatch):
    """A stranger sends hundreds of secrets and a hundred headers: that took seconds."""
    spelling = Mock(wraps=spellings)
    monkeypatch.setattr("connector_core.delivery_log.masking.spellings", spelling)
    masking = Masking()
    text, _ = masking.body("&".join(f"token{one}=secret{one:08}" for one in range(500)), "text/plain")

    for _ in range(100):
        masking.finished(text)

    assert spelling.call_count == 500


def test_of_a_crowd_of_secrets_nothing_is_kept():
    """Looking for each of them at every place would take too long."""
    masking = Masking()
    text, _ = masking.body(json.dumps([{"token": f"secret{one:08}"} for one in range(MOST_FOUND + 1)]), "")

    assert masking.finished(text) == masking.finished("of secret00000007") == "***"
    assert masking.finished("") == ""


def test_the_body_of_an_oauth_request_has_no_secret():
    """Codes, verifiers and refresh tokens of a form are masked; what kind of request it is stays."""
    sent = urlencode({"grant_type": "authorization_code", "code": "abc123", "code_verifier": "xyz", "client_id": "me"})

    text, _ = Masking().body(sent, "application/x-www-form-urlencoded")

    assert text == "grant_type=authorization_code&code=***&code_verifier=***&client_id=me"


def test_the_same_sent_as_json_has_no_secret():
    """Some systems take it as JSON: there a code is one, and elsewhere in JSON it is none."""
    sent = {"grant_type": "authorization_code", "code": "abc123", "client_secret": "xyz", "client_id": "me"}

    text, _ = Masking().body(json.dumps(sent), "application/json")

    assert json.loads(text) == {**sent, "code": "***", "client_secret": "***"}


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"x" * (MOST_BODY + 1), "", TOO_LARGE),
        (b"\xff\xfe\x00", "", BINARY),
        (b"a\x00b", "text/plain", BINARY),
        (b"--x\r\n", "multipart/form-data; boundary=x", FILES),
    ],
)
def test_what_cannot_be_searched_for_secrets_is_not_kept(body, kind, why):
    """Too large, binary, and files: of those only that they were there is kept."""
    assert Masking().body(body, kind) == ("", why)


def test_a_hostile_body_ends_in_no_error():
    """One that is nested very deep, or has a number of thousands of digits, is kept in part or not at all."""
    masking = Masking(known=["Zk9secretvalue1"])

    for body in ("[" * 100_000, '{"a":' * 5_000 + '"Zk9secretvalue1"' + "}" * 5_000, "[" + "9" * 50_000 + "]"):
        text, _ = masking.body(body, "application/json")

        assert "Zk9secretvalue1" not in masking.finished(text)
