"""`connector support-bundle`: what those need to know who help, in one file, without secrets.

It holds what commands say that show no secret, each run by a process of its own, so that one that fails or hangs is a
line of the file and no more. Every secret of the configuration and of the database is taken out of all of it once more.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from time import monotonic

import click
import requests

from connector_core.cli.opening import chosen_path, config_option, viewed
from connector_core.cli.output import counted, waiting
from connector_core.config import Config, peek, read_leniently
from connector_core.config.values import bracketed
from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.secrets import MASK, Masker
from connector_core.store.version import LATEST

COMMAND_WITHIN_S = 300.0
LOG_LINES = 2000
_ASKED_WITHIN_S = 10.0
_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
_LONGEST_LINE = 10_000
_SHORTEST_LINE = 12
_READ_AT_ONCE = 1_000_000
_AT_ONCE = 3
#: What is written, by the name of its file. None of them shows a secret, nor what incidents and tickets say.
_COMMANDS: dict[str, tuple[str, ...]] = {
    "configuration.json": ("config", "show", "--json"),
    "configuration-not-taken-over.json": ("config", "diff", "--json"),
    "status.json": ("status", "--json"),
    "nodes.json": ("nodes", "--json"),
    "integrations.json": ("integrations", "list", "--json"),
    "sources.json": ("sources", "list", "--json"),
    "plugins.json": ("plugins", "list", "--json"),
    "database.txt": ("db", "check"),
}
_DOCTOR = ("doctor", "--json")
# What may be secret although nobody here knows it, such as a token that was renewed since a line was written.
_LIKE_SECRETS = re.compile(
    r"(?i)\b(?P<before>(?:bearer|basic|token)\s+|(?:code|state|access_token|refresh_token|client_secret|password)=)"
    r"(?P<secret>[\w.~+/%=-]{6,})|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
)


@dataclass(frozen=True)
class _Said:
    """What a command said, and how it ended."""

    command: str
    code: int | None
    took_s: float
    out: str
    err: str


@click.command("support-bundle")
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option(
    "--log",
    "logs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help=f"A log file, whose last {LOG_LINES} lines are put in; may be given several times.",
)
@click.option("--no-doctor", is_flag=True, help="Call no vendor.")
@config_option
def support_bundle(target: Path | None, logs: Sequence[Path], config_path: str | None, *, no_doctor: bool) -> None:
    """Write a zip file for those who help: TARGET, by default connector-support-TIME.zip here.

    In it are versions, configuration, status, findings of the doctor, metrics and ends of logs. Secrets are not, nor
    what incidents and tickets say, but for what a log says of them. Names of organizations, accounts and hosts are.

    With systemd: journalctl -u connector -n 2000 -o cat > connector.log, then --log connector.log
    """
    target = target or Path(f"connector-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip")
    if target.exists():
        raise ConfigError(f"{target} is there already.", code="file_exists", fix="Name another file.")
    path = chosen_path(config_path)
    with waiting("Asking everything …"):
        masker, config, problems = _known(config_path)
        wanted = _COMMANDS if no_doctor else {**_COMMANDS, "doctor.json": _DOCTOR}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            said = dict(zip(wanted, pool.map(lambda words: _run(path, words), wanted.values()), strict=True))
        members = {
            "versions.json": _json(_versions()),
            **{name: one.out for name, one in said.items()},
            "commands.json": _json([_row(name, one) for name, one in said.items()]),
            **(_of_daemon(config) if config is not None else {}),
            **{f"log-{number}-{log.name}": _end_of(log, masker) for number, log in enumerate(logs, start=1)},
        }
        if problems:
            members["not-masked.txt"] = "\n".join(problems)
        _write(target, members, masker)
    click.echo(f"{target}: {counted(len(members), 'file')}. Look through it before you send it.")


def _known(config_path: str | None) -> tuple[Masker, Config | None, list[str]]:
    """Return what masks every secret that is known here, the configuration, and why some may not be known."""
    path = chosen_path(config_path)
    masker, config, problems = Masker(), None, []
    try:
        found = peek(path)
        masker.add(*(key.get_secret_value() for key in found.secret_keys))
        config, _ = read_leniently(found)
        masker.add(*(one for secret in config.secrets for one in _with_lines(secret.get_secret_value())))
    except ConnectorError as exc:
        problems.append(f"configuration: {exc.message}")
        masker.add(*(one for value in _referenced(path) for one in _with_lines(value)))
    try:
        with viewed(config_path) as view:
            masker.add(*(one for secret in view.store.secrets.in_clear() for one in _with_lines(secret)))
    except ConnectorError as exc:
        problems.append(f"database: {exc.message}")
    return masker, config, problems


def _referenced(path: Path) -> Iterator[str]:
    """Yield what a file refers to that is not understood: which of it are secrets it does not say."""
    with suppress(OSError, UnicodeDecodeError):
        for kind, name in _REFERENCE.findall(path.read_text(encoding="utf-8")):
            with suppress(OSError, UnicodeDecodeError, ValueError):
                value = os.environ.get(name, "") if kind == "env" else (path.parent / name).read_text(encoding="utf-8")
                yield from {value, value.strip()}


def _with_lines(secret: str) -> tuple[str, ...]:
    """Return a secret, and each of its lines: a log may begin in the midst of it."""
    return (secret, *(line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE))


def _run(path: Path, words: Sequence[str]) -> _Said:
    began = monotonic()
    command = [sys.executable, "-m", "connector_core", "--config", str(path), *words]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMMAND_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        return _Said(" ".join(words), None, monotonic() - began, "", "It did not end in time.")
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return _Said(" ".join(words), done.returncode, monotonic() - began, out, err)


def _row(name: str, said: _Said) -> dict[str, object]:
    return {
        "file": name,
        "command": f"connector {said.command}",
        "exit_code": said.code,
        "seconds": round(said.took_s, 2),
        "errors": said.err.splitlines()[-100:],
    }


def _versions() -> dict[str, object]:
    installed = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
    return {
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "connector": installed.get("connector-core"),
        "schema": LATEST,
        "python": platform.python_version(),
        "system": platform.platform(),
        "distributions": dict(sorted(installed.items())),
    }


def _of_daemon(config: Config) -> dict[str, str]:
    """Ask the daemon that runs on this host, if one does."""
    server = config.server
    metrics_host, metrics_port = (server.host, server.port)
    if server.metrics.port is not None:
        metrics_host, metrics_port = (server.metrics.host, server.metrics.port)
    token = server.metrics.token[0].get_secret_value() if server.metrics.token else ""
    return {
        "healthz.txt": _asked(server.host, server.port, "/healthz"),
        "readyz.txt": _asked(server.host, server.port, "/readyz"),
        "metrics.txt": _asked(metrics_host, metrics_port, "/metrics", token),
    }


def _asked(host: str, port: int, path: str, token: str = "") -> str:
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False
        try:
            url = f"http://{bracketed(here)}:{port}{path}"
            answer = session.get(url, headers=headers, timeout=_ASKED_WITHIN_S, allow_redirects=False)
        except requests.RequestException as exc:
            return f"No daemon answers on {here}:{port}: {type(exc).__name__}\n"
    return f"{answer.text}\n# status {answer.status_code}\n"


def _end_of(log: Path, masker: Masker) -> str:
    """Return the last lines of a log; what is cut off is masked before, for half a secret is not known as one."""
    with log.open(errors="replace") as file:
        lines = deque(iter(lambda: file.readline(_READ_AT_ONCE), ""), LOG_LINES)
    kept = (line.rstrip("\n")[:_LONGEST_LINE] for line in masker.mask("".join(lines)).splitlines(keepends=True))
    return "".join(f"{line}\n" for line in kept)


def _write(target: Path, members: dict[str, str], masker: Masker) -> None:
    with target.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in members.items():
            bundle.writestr(name, "".join(_masked(text, masker)))


def _masked(text: str, masker: Masker) -> Iterator[str]:
    for line in masker.mask(text).splitlines(keepends=True):
        yield _LIKE_SECRETS.sub(lambda found: f"{found['before'] or ''}{MASK}", line)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
