"""`connector support-bundle` with secrets of every look: none is in it, however a log writes it."""

from __future__ import annotations

import io
import json
import zipfile
from base64 import b64encode
from urllib.parse import quote, quote_plus, urlencode

import pytest
from click.testing import CliRunner

from connector_core.cli import support_bundle
from connector_core.cli.main import cli

#: What a person or a vendor may have for a secret, by what is odd about it.
SECRETS = {
    "signs of patterns": r".*(secret)+[a-z]{3}$^|\d",
    "quotes": """it's "quoted" `so`""",
    "an address": "https://user:p@ss/word?x=1&y=2#z",
    "spaces": " leading and trailing spaces ",
    "letters of others": "gehéim-пароль-密码",
    "lines": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEA\n-----END PRIVATE KEY-----",
    "backslashes": "C:\\new\\table\\x41\\u0041",
    "a part of another": "https://user:p@ss",
    "signs of a terminal": "\x1b[31mred\x1b[0m-secret",
    "long": "k" * 300,
}


@pytest.fixture(params=["", "no_such_key: 1\n", "console: [unfinished\n"], ids=["fine", "mistaken", "no YAML"])
def bundle(tmp_path, monkeypatch, request):
    """Return a function that makes a bundle with a log, and gives back what is in it, also where the file is wrong."""
    monkeypatch.setattr(support_bundle, "_COMMANDS", {})
    environ = {f"SECRET_{number}": value for number, value in enumerate(SECRETS.values())}
    keys = "".join(f"  - ${{env:{name}}}\n" for name in environ)
    path, target, log = tmp_path / "connector.yaml", tmp_path / "bundle.zip", tmp_path / "some.log"
    path.write_text(f"database: sqlite:///none.db\nserver: {{port: 9}}\n{request.param}secret_key:\n{keys}")

    def made(text):
        log.write_text(text)
        words = ["--config", str(path), "support-bundle", str(target), "--no-doctor", "--log", str(log)]
        done = CliRunner().invoke(cli, words, env=environ, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as packed:
            return {name: packed.read(name).decode() for name in packed.namelist()}

    return made


def spelled(secret):
    """Return how a secret may be written in a log."""
    return {
        "as it is": secret,
        "in an address": quote(secret, safe=""),
        "in a form": urlencode({"x": secret}).removeprefix("x="),
        "in a form, otherwise": quote_plus(secret),
        "in JSON": json.dumps(secret)[1:-1],
        "in JSON with its letters": json.dumps(secret, ensure_ascii=False)[1:-1],
        "in a traceback": repr(secret)[1:-1],
        "as a password of HTTP": "Basic " + b64encode(f"user:{secret}".encode()).decode(),
    }


@pytest.mark.cases_in_test(1)
def test_no_secret_is_in_it_however_it_is_written(bundle):
    """Each look of each secret, in a log that holds them all."""
    looks = {(name, how): text for name, secret in SECRETS.items() for how, text in spelled(secret).items()}

    found = bundle("\n".join(f"before {text} after" for text in looks.values()))

    log = found["log-1-some.log"]
    assert [one for one, text in looks.items() if text.removeprefix("Basic ") in log] == []
    assert log.count("before") == log.count("after") == len(looks)


@pytest.mark.cases_in_test(1)
def test_half_a_secret_is_none(bundle):
    """Neither where a long line is cut, nor where the log begins in the midst of one of several lines."""
    long, lines = SECRETS["long"], SECRETS["lines"].splitlines()
    cut = f"{'x' * (support_bundle._LONGEST_LINE - 100)}{long}"

    log = bundle("\n".join([*lines[1:], *["line"] * (support_bundle.LOG_LINES - len(lines)), cut]))["log-1-some.log"]

    assert "k" * 20 not in log
    assert [line for line in lines[1:] if line in log] == []
    assert log.startswith("***")
