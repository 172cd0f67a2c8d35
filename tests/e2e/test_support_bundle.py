"""`connector support-bundle`: what is in it, and that no secret is."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from base64 import b64encode
from urllib.parse import quote

import pytest

from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import INTEGRATION
from tests.support.linking import open_incident


def members_of(path):
    """Return every file of a zip file, also of those in it."""
    found = {}
    with zipfile.ZipFile(path) as bundle:
        for name in bundle.namelist():
            content = bundle.read(name)
            found[name] = content
            if zipfile.is_zipfile(io.BytesIO(content)):
                found |= {f"{name}/{inner}": text for inner, text in members_of(io.BytesIO(content)).items()}
    return found


def secrets_of(stage):
    """Return every secret of the configuration and of the database, and how it may be written."""
    with stage.opened_store() as store:
        kept = store.secrets.in_clear()
        grant = store.grants.get(INTEGRATION)
    tokens = {one.get_secret_value() for one in (*grant.headers.values(), *grant.secrets.values())}
    assert tokens
    assert tokens <= kept
    plain = {one for one in {*stage.environ.values(), *kept} if len(one) >= 6}
    return {form for one in plain for form in (one, quote(one, safe=""), json.dumps(one)[1:-1])} | {
        b64encode(one.encode()).decode().rstrip("=") for one in plain
    }


def test_it_says_everything_but_secrets(stage, tmp_path):
    """Also where a log holds them, with the daemon's own answers, for its user only."""
    open_incident(stage, "The title of a tenant's incident")
    with stage.opened_store() as store:
        grant = store.grants.get(INTEGRATION)
    token = next(iter(grant.headers.values())).get_secret_value()
    log, target = tmp_path / "some.log", tmp_path / "bundle.zip"
    log.write_text(
        f"first\nAuthorization: {token}\nGET /oauth/callback?code=abcdefgh12345&state=xyz\n"
        f"{stage.environ['DEMO_WEBHOOK_SECRET']} {quote(stage.environ['DEMO_EVENTS_SECRET'], safe='')}\n"
        "Authorization: Bearer of-somebody-else-entirely\n"
    )

    done = stage.daemon.command("support-bundle", str(target), "--log", str(log), "--log", str(stage.daemon.log_path))

    assert done.returncode == 0, done.stderr
    members = members_of(target)
    whole = b"\n".join(members.values()).decode()
    assert [one for one in secrets_of(stage) if one in whole] == []
    assert "of-somebody-else" not in whole
    assert "abcdefgh12345" not in whole
    assert "The title of a tenant's incident" not in whole
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    told = {name: json.loads(text) for name, text in members.items() if name.endswith(".json")}
    assert told["versions.json"]["connector"]
    assert told["versions.json"]["schema"].startswith("m")
    assert told["configuration.json"]["server"]["public_url"] == stage.public_url
    assert {one["name"] for one in told["plugins.json"]} >= {"jira_jsm", "xyte"}
    assert [one["integration"] for one in told["status.json"]["integrations"]] == [INTEGRATION]
    assert [one["severity"] for one in told["doctor.json"]]
    assert all(one["exit_code"] in {0, 1} for one in told["commands.json"]), told["commands.json"]
    assert "connector_build_info" in members["metrics.txt"].decode()
    assert '"ready":true' in members["readyz.txt"].decode()
    assert members["log-1-some.log"].startswith(b"first\nAuthorization: ***")
    assert "not-masked.txt" not in members


@pytest.mark.extended
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("secret_key: [unfinished", "configuration"),
        ("secret_key: a passphrase of many letters\ndatabase: sqlite:///none.db\n", "database"),
    ],
)
def test_it_is_written_where_hardly_anything_works(tmp_path, text, expected):
    """A file that cannot be read, or no database: that is when somebody asks for help."""
    path, target = tmp_path / "connector.yaml", tmp_path / "bundle.zip"
    path.write_text(text)

    done = Daemon(path, "http://127.0.0.1:1", tmp_path / "log", {}).command("support-bundle", str(target))

    assert done.returncode == 0, done.stderr
    members = members_of(target)
    assert members["not-masked.txt"].decode().startswith(f"{expected}: ")
    codes = {one["file"]: one["exit_code"] for one in json.loads(members["commands.json"])}
    assert codes["status.json"] != 0
    assert json.loads(members["versions.json"])["python"]


def test_a_file_that_is_there_stays(tmp_path):
    """Nothing is written over."""
    path, target = tmp_path / "connector.yaml", tmp_path / "bundle.zip"
    path.write_text("secret_key: a passphrase of many letters\n")
    target.write_text("of before")

    done = Daemon(path, "http://127.0.0.1:1", tmp_path / "log", {}).command("support-bundle", str(target))

    assert done.returncode == 3
    assert "is there already" in done.stderr
    assert target.read_text() == "of before"
