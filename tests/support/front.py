"""Programs that stand before others, with a configuration of a test: PgBouncer, HAProxy, nginx."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from connector_core.demo.stage import until
from tests.support import postgres_guard
from tests.support.needed import require
from tests.support.postgres_guard import as_server

_PROXY = Path(__file__).parents[2] / "deploy" / "proxy"
_PGBOUNCER = """
[databases]
* = host={host} port=5432
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = 60
max_client_conn = 200
"""


@contextmanager
def pgbouncer(url: str, folder: Path, mode: str) -> Iterator[str]:
    """Put PgBouncer before a server whose URL names a socket; return the URL that goes through it."""
    program, parts = require("pgbouncer"), urlsplit(url)
    folder.mkdir()
    folder.chmod(0o755)
    host = parse_qs(parts.query)["host"][0]
    (folder / "users").write_text('"connector" ""\n')
    (folder / "ini").write_text(_PGBOUNCER.format(host=host, folder=folder, mode=mode))
    if os.geteuid() == 0:
        shutil.chown(folder, postgres_guard.USER)
    with _running([program, folder / "ini"], folder, **as_server()):
        until(lambda: _listens(folder / ".s.PGSQL.6432"))
        yield f"{parts.scheme}://{parts.netloc}{parts.path}?host={quote(str(folder), safe='')}&port=6432"


@contextmanager
def load_balancer(name: str, config: str, folder: Path, port: int) -> Iterator[None]:
    """Run HAProxy, nginx or Caddy in the foreground with a configuration that it understands, until it listens."""
    program, path = require(name), folder / f"{name}.conf"
    path.write_text(config)
    if name == "haproxy":
        command = [program, "-f", path, "-db"]
        check = [*command, "-c"]
    elif name == "caddy":
        command = [program, "run", "--adapter", "caddyfile", "--config", path]
        check = [program, "validate", *command[2:]]
    else:
        command = [program, "-c", path, "-p", folder]
        check = [*command, "-t"]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with _running(command, folder, env={**os.environ, "XDG_CONFIG_HOME": str(folder)}):  # where Caddy writes to
        until(lambda: _listens(("127.0.0.1", port)))
        yield


def nginx_at_hand(text: str, folder: Path) -> str:
    """Return a configuration of nginx for a process that anybody may start: its files are in a folder of the test."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    return f"daemon off;\npid {folder}/pid;\nerror_log {folder}/errors;\n" + text.replace(
        "http {\n", f"http {{\naccess_log off;\n{own}"
    )


def proxy_example(
    name: str, file: str, ports: tuple[int, int], folder: Path, changes: Mapping[str, str] | None = None
) -> str:
    """Return an example of deploy/proxy/ that listens at a port of this host, without TLS, before one at another."""
    port, daemon_port = ports
    text = (_PROXY / file).read_text()
    for before, after in (changes or {}).items():
        assert before in text
        text = text.replace(before, after)
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{daemon_port}")
    if name == "nginx":
        return nginx_at_hand(without_tls(text, port), folder)
    own = f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\n"
    return own + re.sub(r"^(tools|connector)\.example\.com", f"http://127.0.0.1:{port}", text, flags=re.MULTILINE)


def without_tls(text: str, port: int) -> str:
    """Return an example of nginx or HAProxy that listens on this host, at a port without TLS, and at no other."""
    text = text.replace(":443 ssl crt /etc/haproxy/connector.pem", f"127.0.0.1:{port}")
    text = re.sub(r"  server \{\n    listen 80;.*?\n  \}\n", "", text, flags=re.DOTALL)
    text = text.replace("443 ssl;", f"127.0.0.1:{port};")
    return re.sub(r" *(ssl_certificate|server_name).*\n", "", text)


def _listens(address: Path | tuple[str, int]) -> bool:
    """Return whether a connection is taken; a socket's file is there a moment before."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as asked:
        return asked.connect_ex(str(address) if isinstance(address, Path) else address) == 0


@contextmanager
def _running(command: Sequence[Path | str], folder: Path, **options: object) -> Iterator[None]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, **options)  # type: ignore[call-overload]  # as Popen takes them
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
