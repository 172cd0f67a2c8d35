"""Settings of notifiers: in the file, with what is wrong and where; and as answers of a form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core.config import load_config
from connector_core.config.mistakes import ConfigInvalid
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.notify.conditions import Kind
from connector_core.notify.settings import plain_settings, read_notifier, secret_settings
from connector_core.setup.notifiers import answers_of, read_answers

FILE = """
secret_key: a passphrase that is long enough
organizations:
  acme:
    notifications:
      ops:
        {line}
"""
MAIL = "{channel: email, host: smtp.example.com, sender: a@example.com, recipients: [b@example.com]"
HOOK = '{channel: webhook, url: "https://example.com/T0K3N", secret: s3cret of many letters'


def load(tmp_path, line):
    """Read a file with one notifier."""
    path = tmp_path / "connector.yaml"
    path.write_text(FILE.format(line=line))
    return load_config(path, None)


def test_a_notifier_is_read_with_its_defaults(tmp_path):
    """All conditions, once, at any time."""
    config = load(tmp_path, f"{MAIL}}}")

    written = config.organizations["acme"].notifications["ops"]
    assert written.line == 6
    assert written.settings.conditions == tuple(Kind)
    assert (written.settings.security, written.settings.remind_every, written.settings.quiet_hours) == (
        "starttls",
        None,
        None,
    )


@pytest.mark.parametrize(("line", "said"), [
    ("{channel: pigeon}", "notifications.ops: channel: expected 'email', 'slack', 'teams', 'webhook'"),
    ("{host: smtp.example.com}", "notifications.ops: channel is required"),
    (f"{MAIL}, recipient: x@example.com}}", "notifications.ops.recipient: unknown key"),
    (f'{MAIL}, quiet_hours: {{start: "22", end: "07:00"}}}}', "notifications.ops.quiet_hours.start"),
    (f'{MAIL}, quiet_hours: {{start: "22:00", end: "07:00", zone: Mars}}}}', "expected the name of a time zone"),
    (f"{MAIL}, remind_every: 12}}", "a duration needs a unit"),
    (f"{MAIL}, user: me}}", "user and password belong together"),
    (f"{MAIL}, security: none, user: me, password: secret}}", "not sent over a connection that is not encrypted"),
    (f"{MAIL}, conditions: [authorization_lots]}}", "did you mean authorization_lost?"),
    ('{channel: slack, url: "hooks.slack.example/T0K3N"}', "notifications.ops.url: expected an address like https://"),
    ('{channel: slack, url: "https://me:T0K3N@example.com/"}', "notifications.ops.url: expected an address like https://"),
    (f"{HOOK.replace('s3cret of many letters', 'short')}}}", "a secret has at least 8 characters"),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_never_with_a_secret(tmp_path, line, said):
    """As for everything else in the file."""
    with pytest.raises(ConfigInvalid) as wrong:
        load(tmp_path, line)

    assert said in wrong.value.message
    assert "connector.yaml:" in wrong.value.message
    assert "T0K3N" not in wrong.value.message


def test_secrets_of_the_file_are_known_as_such(tmp_path):
    """They are masked in the log, warned of, and hidden where the file is compared."""
    config = load(tmp_path, f"{HOOK}}}")

    assert {"https://example.com/T0K3N", "s3cret of many letters"} <= {one.get_secret_value() for one in config.secrets}
    warned = " ".join(map(str, config.warnings))
    assert "notifications.ops.url: this secret is written in plain text" in warned
    hidden = {path[-1] for path in config.snapshot.secrets if path[0] == "organizations"}
    assert hidden == {"url", "secret"}


SETTINGS = st.fixed_dictionaries(
    {
        "conditions": st.sets(st.sampled_from(list(Kind)), min_size=1).map(sorted),
        "backlog_after": st.integers(1, 10_000).map("{}m".format),
        "all_clear": st.booleans(),
    },
    optional={
        "remind_every": st.integers(1, 90_000).map("{}s".format),
        "quiet_hours": st.fixed_dictionaries(
            {"let_urgent_through": st.booleans()}, optional={"zone": st.just("Europe/Berlin")}
        ).map({"start": "22:00", "end": "07:00"}.__or__),
    },
)


@given(chosen=SETTINGS)
def test_settings_survive_the_form_and_the_database(chosen):
    """What is read back from its answers, or from what is stored, is what was set."""
    people = {"sender": "a@example.com", "recipients": ["b@example.com", "c@example.com"]}
    signed_in = {"host": "smtp.example.com", "user": "me", "password": "secret"}
    settings = read_notifier({"channel": "email", **people, **signed_in, **chosen})

    stored = json.loads(json.dumps(plain_settings(settings)))

    assert "secret" not in json.dumps(stored)
    assert read_notifier({**stored, **secret_settings(settings)}) == settings
    assert read_answers(answers_of(settings), secret_settings(settings)) == settings


@pytest.mark.parametrize(
    "address", ["a@b@c", "a b@c.example", "a@c.example\nBcc: x@y", "ä@c.example", "@c.example", "a@", "<a@c>"]
)
def test_what_is_no_address_is_refused(address):
    """None of it can add a header or a command."""
    answers = {"channel": "email", "host": "smtp.example.com", "sender": address, "recipients": "b@example.com"}

    with pytest.raises(AnswerUnfit) as wrong:
        read_answers(answers)

    assert wrong.value.key == "sender"


@pytest.mark.parametrize("host", ["", "smtp example", "smtp.example.com\r\nX", "http://smtp", "a/b", "::1]:25"])
def test_what_is_no_mail_server_is_refused(host):
    """A name or an address only."""
    answers = {"channel": "email", "host": host, "sender": "a@example.com", "recipients": "b@example.com"}

    with pytest.raises(AnswerUnfit) as wrong:
        read_answers(answers)

    assert wrong.value.key == "host"


def test_a_wrong_key_is_named_before_what_is_missing():
    """It may be what was meant by it."""
    with pytest.raises(AnswerUnfit, match="There is no setting hots"):
        read_answers({"channel": "email", "hots": "smtp.example.com"})
