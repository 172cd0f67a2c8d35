"""Notifications of the daemon as a process: set up by command and in the file, sent once, also across a kill."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from ruamel.yaml import YAML

from connector_core.clock import SystemClock
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.notify.changes import Notice
from connector_core.notify.conditions import Kind
from connector_core.plugins import load_plugins
from connector_core.store import NEEDS_AUTHORIZATION
from tests.support.mail_server import mail_server
from tests.support.receivers import receiver
from tests.support.telling import told

SECRET = "s3cret of many letters"
PASSWORD = "a password of many letters"


@pytest.fixture
def stage(tmp_path):
    """Open a stage that works."""
    opened = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path)
    opened.open()
    yield opened
    opened.close()


def notifications(stage, *arguments):
    """Run a command about notifications."""
    return stage.daemon.command("notifications", *arguments)


def rows(stage):
    """Return what is listed."""
    return json.loads(notifications(stage, "list", "--json").stdout)


def add_hook(stage, url):
    """Add a webhook by command."""
    sets = (f"--set=url={url}/T0K3N", f"--set=secret={SECRET}")
    return notifications(stage, "add", ORGANIZATION, "ops", "--channel", "webhook", *sets)


@contextmanager
def stopped(stage):
    """Stop the daemon; yield the store and the time; start it again."""
    stage.daemon.stop()
    with stage.opened_store() as store:
        yield store, SystemClock().now()
    stage.daemon.start()


@pytest.mark.extended
def test_a_notifier_is_added_tested_and_removed_by_command_beside_the_daemon(stage):
    """No secret is printed, by no command and in no log."""
    with receiver() as hook:
        added = add_hook(stage, hook.url)
        assert (added.returncode, added.stdout) == (
            0,
            f"Saved. Try it: connector notifications test {ORGANIZATION} ops\n",
        )
        assert add_hook(stage, hook.url).returncode == 3  # it is there already
        with stage.opened_store() as store:
            until(lambda: store.notifiers.sending(ORGANIZATION, "ops"))  # the daemon has taken it up

        tested = notifications(stage, "test", ORGANIZATION, "ops")
        assert (tested.returncode, tested.stdout) == (0, f"The test message was taken. It goes to {hook.url}/….\n")
        (row,) = rows(stage)
        assert (row["state"], row["channel"], row["to"]) == ("ok", "webhook", f"{hook.url}/…")

        hook.status = 403
        refused = notifications(stage, "test", ORGANIZATION, "ops")
        assert refused.returncode == 1
        assert "does not accept this address or secret (HTTP 403)" in refused.stderr
        status, doctor = stage.daemon.command("status"), stage.daemon.command("doctor")
        assert "does not accept this address or secret" in status.stdout
        assert "Notifications by ops (webhook) do not arrive" in doctor.stdout

        shown = [
            added,
            tested,
            refused,
            status,
            doctor,
            notifications(stage, "list"),
            stage.daemon.command("config", "show"),
        ]
        texts = "".join(one.stdout + one.stderr for one in shown) + stage.daemon.log_path.read_text()
        assert "T0K3N" not in texts
        assert SECRET not in texts

        assert "would be removed" in notifications(stage, "remove", ORGANIZATION, "ops").stdout
        assert len(rows(stage)) == 1
        assert notifications(stage, "remove", ORGANIZATION, "ops", "--yes").returncode == 0
        assert rows(stage) == []


@pytest.mark.extended
def test_a_lost_authorization_is_sent_once_although_the_daemon_is_killed(stage):
    """It is sent, the daemon is killed and started, access is authorized: two messages in all."""
    with receiver() as hook:
        add_hook(stage, hook.url)
        with stopped(stage) as (store, now):
            store.integrations.note_problem(INTEGRATION, NEEDS_AUTHORIZATION, "Access was revoked.")
            earlier = now - timedelta(minutes=5)  # as if it had waited for others in the meantime
            seen = Notice(Kind.AUTHORIZATION_LOST, earlier, earlier, INTEGRATION)
            store.notifiers.note(ORGANIZATION, "ops", [seen], ())
        until(lambda: hook.got)
        with stage.opened_store() as store:
            until(lambda: store.notifiers.notices(ORGANIZATION, "ops")[0].told_at)
        stage.daemon.kill()
        stage.daemon.start()

        stage.authorize()
        with stopped(stage) as (store, now):
            (notice,) = store.notifiers.notices(ORGANIZATION, "ops")
            over = replace(notice, ended_at=now - timedelta(minutes=5))
            store.notifiers.note(ORGANIZATION, "ops", [over], ())
        until(lambda: len(hook.got) > 1)

        assert told(hook.got) == [
            [("started", "authorization_lost", INTEGRATION)],
            [("ended", "authorization_lost", INTEGRATION)],
        ]
        assert hook.got[0].json["conditions"][0]["url"] == (
            f"{stage.public_url}/integrations/{INTEGRATION}/setup/authorize"
        )
        assert [request.json["all_clear"] for request in hook.got] == [False, True]


@pytest.mark.extended
def test_a_receiver_that_hangs_holds_up_nobody(stage):
    """While a message is on its way to nowhere, incidents become requests, and another notifier sends."""
    with receiver() as hook, receiver() as hanging:
        hanging.gate.clear()
        add_hook(stage, hook.url)
        sets = (f"--set=url={hanging.url}/x", f"--set=secret={SECRET}")
        notifications(stage, "add", ORGANIZATION, "slow", "--channel", "webhook", *sets)
        with stopped(stage) as (store, now):
            store.integrations.note_problem(INTEGRATION, "settings_incomplete", "Close status is missing.")
            earlier = now - timedelta(minutes=5)
            for name in ("ops", "slow"):
                seen = Notice(Kind.INCIDENTS_BLOCKED, earlier, earlier, INTEGRATION, told_at=earlier, ended_at=earlier)
                store.notifiers.note(ORGANIZATION, name, [seen], ())
            store.integrations.note_problem(INTEGRATION, "", "")
        until(lambda: hanging.got)

        until(lambda: hook.got)
        incident = stage.platform.open("Fan failed")
        until(lambda: stage.ticket_of(incident))

        assert told(hook.got) == [[("ended", "incidents_blocked", INTEGRATION)]]


@pytest.mark.extended
def test_the_file_sets_up_e_mail_and_apply_takes_it_over(stage):
    """What is written there is listed with its place, tested, and its password masked."""
    with mail_server() as box:
        tree = YAML().load(stage.config_path)
        tree["organizations"][ORGANIZATION]["notifications"] = {
            "mail": {
                "channel": "email", "host": "127.0.0.1", "port": box.port, "security": "none",
                "sender": "connector@example.com", "recipients": ["ops@example.com"],
            },
            "hook": {"channel": "webhook", "url": "https://hooks.example.com/T0K3N", "secret": PASSWORD},
        }  # fmt: skip
        YAML().dump(tree, stage.config_path)
        applied = stage.daemon.command("config", "apply")
        assert f"organizations.{ORGANIZATION}.notifications.mail.channel" in applied.stdout

        listed = {row["notifier"]: row for row in rows(stage)}
        assert set(listed) == {"mail", "hook"}
        assert listed["mail"]["from"].startswith(f"{stage.config_path}:")
        assert notifications(stage, "test", ORGANIZATION, "mail").returncode == 0
        assert notifications(stage, "remove", ORGANIZATION, "mail", "--yes").returncode == 3

        shown = stage.daemon.command("config", "show").stdout + applied.stdout + stage.daemon.log_path.read_text()
        assert "ops@example.com" in shown
        assert "T0K3N" not in shown
        assert PASSWORD not in shown
    assert [letter["To"] for letter in box.letters] == ["ops@example.com"]
