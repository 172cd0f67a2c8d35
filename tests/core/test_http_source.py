"""The built-in incident source: what it accepts, what it sends, and what it makes of answers."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests_mock
import standardwebhooks
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connector_core import (
    AddComment,
    AuthError,
    CommentOutcome,
    FieldName,
    InboundRequest,
    Priority,
    RemoteError,
    RetryLater,
    Source,
    TicketComment,
    WebhookRejected,
    WriteIncident,
)
from connector_core.clock import SystemClock
from connector_core.http.session import HTTPSession
from connector_core.http_source import HttpSourceSettings, apply_change, describe_plugin, on_source_push
from connector_core.http_source.signatures import sign, signing_keys, verify
from connector_core.testing import FrozenClock

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SECRET = "a secret for events"
URL = "https://platform.example.com/api/incidents"
EVENT = {
    "id": "evt_01",
    "type": "incident.opened",
    "occurred_at": "2026-11-23T10:00:00Z",
    "incident": {"id": "inc-1", "title": "Display offline", "priority": "high", "status": "active"},
}


KNOWN_TYPES = "'incident.opened', 'incident.updated', 'incident.resolved' or 'incident.commented'"
ONLY_COMMENTED = "Value error, an event incident.commented has a comment, and no other has"


def source(*, clock=None, **settings):
    """Make a source with these settings beside the secret."""
    return Source(
        organization="acme",
        settings=HttpSourceSettings.model_validate({"secret": SECRET, **settings}),
        plugin_settings=None,
        session=HTTPSession("test"),
        clock=clock or FrozenClock(NOW),
        log=structlog.get_logger(),
    )


def request(body, secret=SECRET):
    """Make a signed request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return InboundRequest(headers=sign(signing_keys(secret), "msg_1", NOW, raw), body=raw, received_at=NOW)


@pytest.mark.parametrize("signs", ["body", "packed", "bare"])
def test_what_proxies_do_to_events_is_undone(signs):
    """Compressed before or after it was signed, with a byte order mark before or after."""
    bare = json.dumps(EVENT).encode()
    forms = {"bare": bare, "body": b"\xef\xbb\xbf" + bare, "packed": b"packed"}
    headers = sign(signing_keys(SECRET), "msg_1", NOW, forms[signs])
    sent = InboundRequest(headers=headers, body=forms["body"], packed=forms["packed"], received_at=NOW)

    assert [event.id for event in on_source_push(source(), sent)] == [EVENT["id"]]


def update(*fields, **values):
    """Make an update of these fields."""
    return WriteIncident(
        incident_id=values.pop("incident_id", "inc-1"),
        fields=frozenset(fields),
        idempotency_key=values.pop("idempotency_key", "key-1"),
        **values,
    )


def changed(path, value):
    """Return the event with one value replaced; `...` removes it."""
    event = json.loads(json.dumps(EVENT))
    place = event
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return event


def commented(**values):
    """Return the event of a comment, with one value of it, or the event's type, replaced."""
    comment = {"id": "com-1", "author": "Ada", "text": "Plugged in?", "created_at": "2026-11-23T10:00:00Z"}
    kind = values.pop("type", "incident.commented")
    return {**EVENT, "type": kind, "comment": {**comment, **values}}


# What comes in


def test_a_comment():
    """An event may bring what somebody wrote."""
    (event,) = on_source_push(source(), request(commented()))

    assert (event.comment.id, event.comment.author, event.comment.text) == ("com-1", "Ada", "Plugged in?")


def test_plugin_says_who_it_is():
    """The name is the entry point's."""
    info = describe_plugin()

    assert (info.name, info.settings) == ("http", HttpSourceSettings)


def test_one_event():
    """A body may be a single event."""
    events = on_source_push(source(), request(EVENT))

    assert [event.id for event in events] == ["evt_01"]
    assert events[0].incident.priority is Priority.HIGH


def test_list_of_events():
    """A body may be a list, whose order is kept."""
    events = on_source_push(source(), request([{**EVENT, "id": f"evt_{number}"} for number in range(1000)]))

    assert [event.id for event in events] == [f"evt_{number}" for number in range(1000)]


def test_white_space_around_is_fine():
    """How JSON is laid out does not matter."""
    assert len(on_source_push(source(), request(b" \r\n\t[" + json.dumps(EVENT).encode() + b"]\n"))) == 1


def test_unknown_priority_is_read_as_none():
    """The incident matters more than its label."""
    events = on_source_push(source(), request(changed(["incident", "priority"], "apocalyptic")))

    assert events[0].incident.priority is None


@pytest.mark.parametrize("signer", ["the old secret", "the new secret"])
def test_two_secrets_are_accepted_at_once(signer):
    """While a secret is replaced, both are good."""
    events = on_source_push(source(secret=["the new secret", "the old secret"]), request(EVENT, signer))

    assert len(events) == 1


def test_signature_comes_first():
    """Somebody without the secret learns nothing about how a body is read."""
    with pytest.raises(WebhookRejected) as caught:
        on_source_push(source(), request(b"no json", "another secret"))

    assert (caught.value.status, caught.value.reply) == (401, "signature not accepted")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"{",
        b"[" * 100_000,
        b'{"id": "\xff"}',
        json.dumps(EVENT).encode("utf-16"),
        b'{"id": "\\ud800"}',
        b'{"id": ' + b"9" * 10_000 + b"}",
        b'{"id": "a\nb"}',
    ],
    ids=["empty", "text", "open", "deep", "not utf-8", "utf-16", "lone surrogate", "huge number", "raw line end"],
)
def test_unreadable_body(body):
    """Whatever is not JSON is refused with 400 and a line that says where."""
    with pytest.raises(WebhookRejected) as caught:
        on_source_push(source(), request(body))

    assert caught.value.status == 400
    assert caught.value.reply.startswith("Invalid JSON: ")
    assert "\n" not in caught.value.reply


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (changed(["incident", "title"], ...), "event 0: incident.title: Field required"),
        (changed(["incident", "title"], 5), "event 0: incident.title: Input should be a valid string"),
        (
            changed(["incident", "title"], "  "),
            "event 0: incident.title: String should have at least 1 character",
        ),
        (changed(["id"], 10**400), "event 0: id: Input should be a valid string"),
        (changed(["id"], "x" * 256), "event 0: id: String should have at most 255 characters"),
        (
            changed(["type"], "incident.exploded"),
            f"event 0: type: Input should be {KNOWN_TYPES}",
        ),
        (commented(type="incident.updated"), ONLY_COMMENTED),
        (changed(["type"], "incident.commented"), ONLY_COMMENTED),
        (commented(text=" \n"), "event 0: comment.text: String should have at least 1 character"),
        (commented(text="x" * 100_001), "event 0: comment.text: String should have at most 100000 characters"),
        (commented(author="x" * 256), "event 0: comment.author: String should have at most 255 characters"),
        (commented(id=""), "event 0: comment.id: String should have at least 1 character"),
        (commented(created_at="0001-01-01T00:00:00+23:00"), "event 0: a time lies beyond the calendar"),
        (changed(["occurred_at"], "2026-11-23T10:00:00"), "event 0: occurred_at: Input should have timezone info"),
        (changed(["occurred_at"], 1764000000), "event 0: occurred_at: Input should be a valid datetime"),
        (changed(["occurred_at"], "9999-12-31T23:59:59-05:00"), "event 0: a time lies beyond the calendar"),
        (changed(["incident", "title"], "\0"), "event 0: incident.title: String should have at least 1 character"),
        ([changed(["incident"], None), 5], "event 0: incident: Input should be an object"),
        ([changed(["x"], 1) | {"id": 5}], "event 0: id: Input should be a valid string"),
        ([], "List should have at least 1 item after validation, not 0"),
        ([EVENT] * 1001, "List should have at most 1000 items after validation, not 1001"),
        (5, "Input should be an object"),
        ("text", "Input should be an object"),
        (None, "Input should be an object"),
    ],
)
def test_wrong_content(body, reply):
    """What is JSON but no event is refused with 422 and the place, never with the value."""
    with pytest.raises(WebhookRejected) as caught:
        on_source_push(source(), request(body))

    assert (caught.value.status, caught.value.reply) == (422, reply)
    assert caught.value.message.startswith("authentic, but not readable: ")


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (EVENT, 0),
        (changed(["incident", "severity"], "x"), 1),
        (changed(["a\r\nb: <c>"], 1), 1),
        (commented(visible=True), 1),
        (changed(["incident", "device"], {"name": "Lobby display", "colour": {"any": ["thing"]}}), 1),
        ({**changed(["incident", "x"], 1), "y": float("nan"), "z": "\0"}, 3),
        ([EVENT, changed(["x"], 1), changed(["incident", "x"], None)], 2),
    ],
)
def test_fields_that_nobody_knows_are_left_out_and_counted(body, count):
    """A platform that tells more than it has to is understood; what it tells beside is no reason to lose the event."""
    pushed = on_source_push(source(), request(body))

    assert (pushed.unknown_fields, pushed.refused) == (count, ())
    assert len(pushed) == (len(body) if isinstance(body, list) else 1)


BAD = {
    "no object": 5,
    "no title": changed(["incident", "title"], ...),
    "unknown type": changed(["type"], "incident.exploded"),
    "nothing but NUL": changed(["incident", "title"], "\0\0"),
    "beyond the calendar": changed(["occurred_at"], "9999-12-31T23:59:59-05:00"),
    "odd id": {"id": "a\r\nb" * 100},
}


some_of_each = st.lists(st.sampled_from([None, "more", *BAD]), min_size=1, max_size=8)


@given(drawn=some_of_each.filter(lambda kinds: not set(kinds) <= BAD.keys()))
def test_bad_events_of_a_list_keep_no_good_ones_out(drawn):
    """Each is taken or refused for itself, at its place; the good ones are read as they would be alone."""
    kinds = [BAD.get(kind, {**EVENT, "id": f"evt_{place}"}) for place, kind in enumerate(drawn)]
    body = [{**one, "more": 1} if kind == "more" else one for kind, one in zip(drawn, kinds, strict=True)]
    pushed = on_source_push(source(), request(body))
    good = [place for place, kind in enumerate(drawn) if kind not in BAD]

    assert [event.id for event in pushed] == [f"evt_{place}" for place in good]
    assert [one.position for one in pushed.refused] == [place for place, kind in enumerate(drawn) if kind in BAD]
    assert pushed.unknown_fields == drawn.count("more")
    for one in pushed.refused:
        assert one.reason.startswith(f"event {one.position}: ")
        assert one.id.isprintable()
        assert len(one.id) <= 255
    alone = [on_source_push(source(), request(body[place]))[0] for place in good]
    assert list(pushed) == alone


@pytest.mark.parametrize("body", [changed(["incident", "title"], "a\0b\0\0"), commented(text="\0a\\\\\0b")])
def test_nul_is_left_out(body):
    """A platform that has it in a text is no reason to lose the event, and nobody else can hold it."""
    for sent in (body, [body]):
        (event,) = on_source_push(source(), request(sent))

        assert (event.incident.title == "ab") != (event.comment is not None and event.comment.text == "a\\\\b")


def test_escaped_backslash_before_u0000_is_no_nul():
    r"""The text \u0000, written with an escaped backslash, is harmless."""
    events = on_source_push(source(), request(changed(["incident", "title"], "see \\u0000")))

    assert events[0].incident.title == "see \\u0000"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(body=st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_rejected_or_read(body):
    """A platform that has gone mad raises nothing but a rejection."""
    with pytest.raises(WebhookRejected) as caught:
        on_source_push(source(), request(body))

    assert caught.value.status in {400, 422}


@given(
    path=st.sampled_from(
        [
            ("id",),
            ("type",),
            ("occurred_at",),
            ("incident",),
            ("incident", "title"),
            ("incident", "opened_at"),
            ("incident", "device"),
            ("incident", "x"),
        ]
    ),
    value=json_values,
)
def test_any_value_is_rejected_or_read(path, value):
    """Whatever stands in one field, the event is read or rejected."""
    try:
        on_source_push(source(), request(changed(path, value)))
        status, reply = 200, ""
    except WebhookRejected as exc:
        status, reply = exc.status, exc.reply

    assert status in {200, 400, 422}
    assert "\n" not in reply


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"secret": ""},
        {"secret": []},
        {"secret": ["a", "b", "c"]},
        {"secret": "whsec_not base64!"},
        {"callback_secret": ""},
        {"callback_secret": "whsec_!"},
        {"callback_url": "platform.example.com"},
        {"callback_url": "ftp://platform.example.com"},
        {"callback_url": "https://"},
        {"callback_url": "https://user:password@platform.example.com"},
        {"callback_url": "https://platform.example.com?x=1"},
        {"callback_url": "https://platform.example.com:port"},
        {"callback_url": "https://[::1"},
    ],
)
def test_wrong_settings_are_refused(settings):
    """What cannot work is refused when the file is read."""
    with pytest.raises(ValidationError):
        HttpSourceSettings.model_validate({"secret": SECRET, **settings})


def test_secrets_stay_hidden():
    """Settings can be printed."""
    settings = HttpSourceSettings.model_validate({"secret": SECRET, "callback_secret": "another one"})

    assert SECRET not in repr(settings)
    assert "another one" not in repr(settings)
    assert settings.secret == (SecretStr(SECRET),)


# What goes out


@dataclass
class Platform:
    """A platform on loopback that notes what it gets and gives the answers that it was told to."""

    url: str
    answers: list = field(default_factory=list)
    seen: list = field(default_factory=list)


@contextmanager
def platform_server():
    """Run a platform for the time of a test."""

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self):
            """Note the request, give the next answer."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            running.seen.append((self.path, headers, body))
            status, headers, answer = running.answers.pop(0) if running.answers else (204, {}, b"")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args):
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = Platform(f"http://127.0.0.1:{server.server_port}/api/incidents")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def platform():
    """Run a platform."""
    with platform_server() as running:
        yield running


@pytest.fixture
def connected(platform):
    """Make a source whose changes go to the platform."""
    made = source(callback_url=platform.url)
    yield made
    made.session.close()


def test_change_arrives_signed(platform, connected):
    """The platform gets the fields that changed, the idempotency key, and a signature that it can check."""
    outcome = apply_change(
        connected,
        update(FieldName.TITLE, FieldName.PRIORITY, title="Off", priority=Priority.LOW, description="not sent"),
    )

    path, headers, body = platform.seen[0]
    assert outcome.unsupported == {}
    assert path == "/api/incidents/inc-1"
    assert json.loads(body) == {"title": "Off", "priority": "low"}
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == headers["webhook-id"] == "key-1"
    assert verify(signing_keys(SECRET), headers, body, NOW) == "key-1"


def test_change_is_accepted_by_another_implementation(platform):
    """A platform that verifies with the specification's library accepts our changes."""
    secret = "whsec_plJ3nmyCDGBKInavdOK15jsl"
    sender = source(callback_url=platform.url, callback_secret=secret, clock=SystemClock())
    with sender.session:
        apply_change(sender, update(FieldName.STATUS, close=True))

    _, headers, body = platform.seen[0]
    assert standardwebhooks.Webhook(secret).verify(body, headers) == {"status": "closed"}


def test_during_rotation_changes_carry_both_signatures(platform):
    """A platform that knows only one of the two secrets can check the change."""
    sender = source(callback_url=platform.url, secret=["the new secret", "the old secret"])
    with sender.session:
        apply_change(sender, update(FieldName.TITLE, title="x"))

    _, headers, body = platform.seen[0]
    for secret in ("the new secret", "the old secret"):
        assert verify(signing_keys(secret), headers, body, NOW) == "key-1"


def test_description_may_be_emptied(platform, connected):
    """A description that was removed is sent as null."""
    apply_change(connected, update(FieldName.DESCRIPTION, description=None))

    assert json.loads(platform.seen[0][2]) == {"description": None}


@pytest.mark.parametrize(
    ("incident_id", "path"),
    [
        ("a/b", "/api/incidents/a%2Fb"),
        ("../x", "/api/incidents/..%2Fx"),
        ("a?b#c", "/api/incidents/a%3Fb%23c"),
        ("ä b", "/api/incidents/%C3%A4%20b"),
        ("100%", "/api/incidents/100%25"),
    ],
)
def test_incident_id_is_one_segment(platform, connected, incident_id, path):
    """An id never leads to another address."""
    apply_change(connected, update(FieldName.TITLE, title="x", incident_id=incident_id))

    assert platform.seen[0][0] == path


@pytest.mark.parametrize("incident_id", [".", ".."])
def test_incident_id_of_dots_is_refused(platform, connected, incident_id):
    """Dots alone would be taken for the folder, or the one above, on the way."""
    with pytest.raises(RemoteError):
        apply_change(connected, update(FieldName.TITLE, title="x", incident_id=incident_id))

    assert platform.seen == []


def test_unsupported_fields_are_left_out_and_the_rest_is_sent_again(platform, connected):
    """The platform names what it cannot take; the others still arrive, under a key of their own."""
    answer = json.dumps({"unsupported": {"priority": "set by\nrules", "colour": "no such thing"}}).encode()
    platform.answers = [(422, {}, answer), (200, {}, b"{}")]

    outcome = apply_change(connected, update(FieldName.TITLE, FieldName.PRIORITY, title="Off", priority=Priority.LOW))

    assert outcome.unsupported == {FieldName.PRIORITY: "set by rules"}
    assert [json.loads(body) for _, _, body in platform.seen] == [{"title": "Off", "priority": "low"}, {"title": "Off"}]
    assert [headers["idempotency-key"] for _, headers, _ in platform.seen] == ["key-1", "key-1-rest"]


def test_nothing_is_sent_again_when_nothing_is_left(platform, connected):
    """When no field is supported, one request is enough."""
    platform.answers = [(422, {}, b'{"unsupported": {"title": "fixed"}}')]

    outcome = apply_change(connected, update(FieldName.TITLE, title="Off"))

    assert outcome.unsupported == {FieldName.TITLE: "fixed"}
    assert len(platform.seen) == 1


def test_platform_that_changes_its_mind_is_refused(platform, connected):
    """A second list of unsupported fields is no reason to go on for ever, nor to claim success."""
    platform.answers = [
        (422, {}, b'{"unsupported": {"priority": "x"}}'),
        (422, {}, b'{"unsupported": {"title": "x"}}'),
    ]

    with pytest.raises(RemoteError):
        apply_change(
            connected,
            update(FieldName.TITLE, FieldName.PRIORITY, FieldName.DESCRIPTION, title="Off", description="d"),
        )

    assert len(platform.seen) == 2


@pytest.mark.parametrize("status", [405, 501])
def test_platform_that_takes_no_changes(platform, connected, status):
    """All fields are unsupported, with a reason."""
    platform.answers = [(status, {}, b"")]

    outcome = apply_change(connected, update(FieldName.TITLE, FieldName.STATUS, title="x", close=True))

    assert set(outcome.unsupported) == {FieldName.TITLE, FieldName.STATUS}
    assert outcome.unsupported[FieldName.TITLE] == "The platform takes no changes at this address."


def test_without_callback_url_nothing_is_sent():
    """All fields are unsupported, and the reason names the missing setting."""
    outcome = apply_change(source(), update(FieldName.TITLE, FieldName.STATUS, title="x", close=True))

    assert set(outcome.unsupported) == {FieldName.TITLE, FieldName.STATUS}
    assert "callback_url" in outcome.unsupported[FieldName.TITLE]


def test_incident_is_never_opened_again(platform, connected):
    """A status other than closed cannot be sent; the other fields are."""
    outcome = apply_change(connected, update(FieldName.TITLE, FieldName.STATUS, title="x"))

    assert set(outcome.unsupported) == {FieldName.STATUS}
    assert json.loads(platform.seen[0][2]) == {"title": "x"}


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (301, RemoteError, "redirected"),
        (307, RemoteError, "redirected"),
        (400, RemoteError, "request_refused"),
        (401, AuthError, "callback_unauthorized"),
        (403, RemoteError, "forbidden"),
        (404, RemoteError, "incident_gone"),
        (408, RetryLater, "temporarily_unavailable"),
        (409, RemoteError, "conflict"),
        (410, RemoteError, "incident_gone"),
        (418, RemoteError, "refused"),
        (422, RemoteError, "value_refused"),
        (425, RetryLater, "temporarily_unavailable"),
        (429, RetryLater, "temporarily_unavailable"),
        (500, RetryLater, "temporarily_unavailable"),
        (502, RetryLater, "temporarily_unavailable"),
        (503, RetryLater, "temporarily_unavailable"),
        (504, RetryLater, "temporarily_unavailable"),
        (599, RetryLater, "temporarily_unavailable"),
    ],
)
def test_status_table(platform, connected, status, error, code):
    """Every answer has one meaning; a redirect is not followed, and the answer's body is in no text."""
    platform.answers = [(status, {"Location": platform.url}, b"<secret-body>")]

    with pytest.raises(error) as caught:
        apply_change(connected, update(FieldName.TITLE, title="x"))

    assert caught.value.code == code
    assert "secret-body" not in caught.value.message + caught.value.detail
    assert len(platform.seen) == 1


@pytest.mark.parametrize(
    ("header", "after_s"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("999999999", 86400.0),
        ("Mon, 23 Nov 2026 10:02:00 GMT", 120.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 10:02:00", 120.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 400, None),
        ("Mon, 99 Nov 99999 10:02:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header, after_s):
    """The wait that the platform asks for is handed on, seconds or a date, within a day."""
    with requests_mock.Mocker() as mocker:
        mocker.patch(f"{URL}/inc-1", status_code=503, headers={"Retry-After": header} if header is not None else {})

        with pytest.raises(RetryLater) as caught:
            apply_change(source(callback_url=URL), update(FieldName.TITLE, title="x"))

    assert caught.value.after_s == after_s


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no json",
        b"[]",
        b"5",
        b'{"unsupported": []}',
        b'{"unsupported": {}}',
        b'{"unsupported": {"x": 1}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_422_without_a_list_of_fields_is_a_refusal(platform, connected, answer):
    """An answer that does not name fields of ours is read as a refusal of the whole."""
    platform.answers = [(422, {}, answer)]

    with pytest.raises(RemoteError) as caught:
        apply_change(connected, update(FieldName.TITLE, title="x"))

    assert caught.value.code == "value_refused"


def test_reasons_of_others_are_cut():
    """A reason is shown to people: one line, no markup, not a novel."""
    with requests_mock.Mocker() as mocker:
        mocker.patch(f"{URL}/inc-1", status_code=422, json={"unsupported": {"title": "<b>\n" + "x" * 5000}})

        outcome = apply_change(source(callback_url=URL), update(FieldName.TITLE, title="x"))

    reason = outcome.unsupported[FieldName.TITLE]
    assert len(reason) == 200
    assert "<" not in reason
    assert "\n" not in reason


def comment_update():
    """Make an update that is a comment of the ticket."""
    comment = TicketComment(id="desk:7", author="Ben", text="It was not. \u2028 <b>", created_at=NOW, internal=True)
    return AddComment(incident_id="inc-1", comment=comment, idempotency_key="key-1")


def test_a_comment_is_sent_whole(platform, connected):
    """One request with its own key; whether customers see it is said, and the answer may name it."""
    platform.answers = [(200, {}, b'{"comment": {"id": "com-9"}}')]

    outcome = apply_change(connected, comment_update())

    path, headers, body = platform.seen[0]
    assert (path, headers["idempotency-key"]) == ("/api/incidents/inc-1", "key-1")
    assert json.loads(body) == {
        "comment": {
            "id": "desk:7",
            "author": "Ben",
            "text": "It was not. \u2028 <b>",
            "created_at": "2026-11-23T10:00:00Z",
            "internal": True,
        }
    }
    assert verify(signing_keys(SECRET), headers, body, NOW) == "key-1"
    assert outcome.comment == CommentOutcome(id="com-9")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{",
        b'{"comment": 5}',
        b'{"comment": {"id": 5}}',
        b'{"comment": {"id": "%s"}}' % (b"x" * 256),
        b'{"comment": {"id": "\\ud800"}}',
    ],
)
def test_an_answer_that_names_no_comment_is_fine(platform, connected, answer):
    """The comment keeps our name."""
    platform.answers = [(200, {}, answer)]

    assert apply_change(connected, comment_update()).comment == CommentOutcome()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((422, {}, b'{"unsupported": {"comment": "no comments here"}}'), "no comments here"),
        ((405, {}, b""), "The platform takes no changes at this address."),
    ],
)
def test_a_platform_without_comments_says_so(platform, connected, answer, reason):
    """That is an answer, and no failure."""
    platform.answers = [answer]

    assert apply_change(connected, comment_update()).comment == CommentOutcome(unsupported=reason)
    assert len(platform.seen) == 1


def test_a_refused_comment_is_an_error(platform, connected):
    """Whatever else is refused waits for a person."""
    platform.answers = [(422, {}, b'{"error": "too rude"}')]

    with pytest.raises(RemoteError):
        apply_change(connected, comment_update())


def test_without_an_address_comments_stay_on_the_ticket():
    """As fields do."""
    assert apply_change(source(), comment_update()).comment.unsupported


@pytest.mark.parametrize("reason", [b'""', b'"***"', b"null"])
def test_a_comment_that_is_refused_without_a_reason_was_not_taken(platform, connected, reason):
    """It is not told as synced."""
    platform.answers = [(422, {}, b'{"unsupported": {"comment": %s}}' % reason)]

    assert apply_change(connected, comment_update()).comment.unsupported
