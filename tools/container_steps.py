"""Does what the Containerfile says where there is no engine: each step in an empty root of Debian, then a trial of it.

    python -m tools.container_steps [--base FOLDER]      # as root, on Linux, with debootstrap

The base image is made by debootstrap; FOLDER keeps it for the next time. Each `RUN` runs by chroot in a mount and a PID
namespace of its own. The trial starts the entry point as the user that is named, as PID 1, with the root mounted
read-only but for the volume and /tmp, waits for the health check, asks a command beside it, and sends SIGTERM.

What an engine adds is not tried: layers, networks, seccomp, and what is in Debian's image beside its base system.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 120
STOPPED_WITHIN_S = 60
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)
_SHELL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What this machine needs to reach package registries is lent to a step, and taken back.
_LENT_FILES = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/xdg/pip")
_LENT_VARIABLE = re.compile(r"PIP_.*|.*_proxy|.*_PROXY")
_CONFIG = """\
database: sqlite:////var/lib/connector/connector.db
secret_key: ${env:CONNECTOR_SECRET_KEY}
server: {host: 0.0.0.0, port: 8080}
console: {password: "the password of the trial"}
organizations: {acme: {name: Acme}}
"""


@dataclass
class Image:
    """What the steps of a stage have made."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": _SHELL_PATH})
    workdir: str = "/"
    user: str = "0:0"
    volume: str = ""
    healthcheck: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)


def steps(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Containerfile with what stands behind them."""
    lines = _COMMENT.sub("", text).replace("\\\n", " ").splitlines()
    found = [line.split(None, 1) for line in lines if line.strip()]
    return [(name.upper(), rest.strip()) for name, rest in found]


def build(containerfile: Path, base: Path, folder: Path) -> Image:
    """Do the steps; return what the last stage made."""
    builder = _Builder(base, folder)
    for name, rest in steps(containerfile.read_text()):
        print(f"{name} {' '.join(rest.split())}", flush=True)
        builder.do(name, rest)
    return builder.image


class _Builder:
    """Does one step after the other."""

    def __init__(self, base: Path, folder: Path) -> None:
        self._base = base
        self._folder = folder
        self._stages: dict[str, Image] = {}
        self.image = Image(folder)

    def do(self, name: str, rest: str) -> None:
        """Do a step; what only an engine makes use of is left out."""
        match name:
            case "FROM":
                self._begin(rest)
            case "RUN":
                _run(self.image, rest)
            case "COPY":
                _copy(self.image, self._stages, rest)
            case "ENV":
                pairs = (word.partition("=") for word in shlex.split(rest))
                self.image.env |= {key: value for key, _, value in pairs}
            case "WORKDIR" | "USER" | "VOLUME":
                setattr(self.image, name.lower(), rest)
                if name == "WORKDIR":
                    (self.image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                setattr(self.image, name.lower(), json.loads(rest.rpartition("CMD ")[2]))
            case "EXPOSE" | "LABEL" | "STOPSIGNAL":
                pass
            case _:
                raise SystemExit(f"{name} is not known here")

    def _begin(self, rest: str) -> None:
        source, _, alias = rest.partition(" AS ")
        self.image = self._stages[alias] = Image(self._folder / (alias or "image"))
        _debian(source, self._base)
        _call("cp", "-a", self._base, self.image.root)


def _call(program: str, *words: Path | str) -> str:
    found = _program(program)
    return subprocess.run([found, *words], check=True, capture_output=True, text=True).stdout  # noqa: S603 - found there


def _program(name: str) -> str:
    found = shutil.which(name, path=_SHELL_PATH)
    if found is None:
        raise SystemExit(f"{name} is needed and not here.")
    return found


def _debian(source: str, base: Path) -> None:
    """Make the base system that an image of Debian holds, once."""
    suite = re.fullmatch(r"debian:([a-z]+)-slim", source)
    if suite is None:
        raise SystemExit(f"{source}: only debian:…-slim can be made here")
    if not (base / "bin").exists():
        _call("debootstrap", "--variant=minbase", suite[1], base)


def _run(image: Image, line: str) -> None:
    lent = []
    for name in _LENT_FILES:
        source, target = Path(name), image.root / name.lstrip("/")
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
            lent.append(target)
    environ = {key: value for key, value in os.environ.items() if _LENT_VARIABLE.fullmatch(key)} | image.env
    script = f"cd {shlex.quote(image.workdir)} && {line}"
    _namespaced(image.root, ["chroot", str(image.root), "/bin/sh", "-c", script], environ).check_returncode()
    for target in lent:
        shutil.rmtree(target) if target.is_dir() else target.unlink()


def _namespaced(root: Path, command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    mounts = f"mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev"
    if (root / "etc/ssl/certs/ca-certificates.crt").exists():  # whom this machine trusts: a registry may be near it
        mounts += f" && mount -o bind,ro /etc/ssl/certs {root}/etc/ssl/certs"
    whole = f"{mounts} && exec {shlex.join(command)}"
    unshared = [_program("unshare"), "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", whole]
    return subprocess.run(unshared, env={"PATH": _SHELL_PATH, **environ}, check=False)  # noqa: S603 - made here


def _copy(image: Image, stages: dict[str, Image], rest: str) -> None:
    words = rest.split()
    stage = next((stages[word.removeprefix("--from=")] for word in words if word.startswith("--from=")), None)
    source, target = (word for word in words if not word.startswith("--"))
    place = image.root / str(PurePosixPath(image.workdir) / target).lstrip("/")
    if stage is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        _call("cp", "-a", stage.root / source.lstrip("/"), place)
        return
    left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
    for line in (ROOT / ".dockerignore").read_text().splitlines():  # it says what is taken: all else is left out
        if line.startswith("!"):
            taken = ROOT / line[1:]
            target_path = place / line[1:]
            target_path.parent.mkdir(parents=True, exist_ok=True)
            if taken.is_dir():
                shutil.copytree(taken, target_path, ignore=left_out)
            else:
                shutil.copy(taken, target_path)


def trial(image: Image, folder: Path) -> dict[str, object]:
    """Start what was built as an engine would; return what was seen.

    Raises:
        SystemExit: it did not get healthy, or did not end by itself.
    """
    volume, config = folder / "volume", folder / "connector.yaml"
    volume.mkdir()
    config.write_text(_CONFIG)
    config.chmod(0o644)
    (image.root / "etc/connector/connector.yaml").touch()
    # As engines do with a new volume: it begins with what the image has there, and belongs to whom it belonged.
    at = image.root / image.volume.lstrip("/")
    shutil.copystat(at, volume)
    os.chown(volume, at.stat().st_uid, at.stat().st_gid)
    root = image.root
    mounts = " && ".join(
        [
            f"mount --bind {root} {root}",
            f"mount --bind {volume} {root}{image.volume}",
            f"mount --bind {config} {root}/etc/connector/connector.yaml",
            f"mount -t proc proc {root}/proc",
            f"mount -t tmpfs tmpfs {root}/tmp",  # noqa: S108 - inside
            f"mount --rbind /dev {root}/dev",
            f"mount -o remount,bind,ro {root}",
        ]
    )
    inside = [
        _program("chroot"),
        f"--userspec={image.user}",
        str(root),
        *_in_workdir(image, [*image.entrypoint, *image.cmd]),
    ]
    command = [_program("unshare"), "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c"]
    mounts = mounts.replace("mount ", f"{_program('mount')} ")
    secret = {"CONNECTOR_SECRET_KEY": os.urandom(24).hex()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - made here
            [*command, f"{mounts} && exec {shlex.join(inside)}"], env={**image.env, **secret}, stdout=log, stderr=log
        )
    try:
        return _seen(image, process, secret, folder)
    finally:
        process.kill()
        process.wait()


def _in_workdir(image: Image, command: list[str]) -> list[str]:
    return ["/bin/sh", "-c", f"cd {image.workdir} && exec {shlex.join(command)}"]


def _seen(image: Image, process: subprocess.Popen[bytes], secret: dict[str, str], folder: Path) -> dict[str, object]:
    until = time.monotonic() + READY_WITHIN_S
    first = _child(process)
    while time.monotonic() < until and process.poll() is None:
        first = first or _child(process)
        if first and _inside(image, first, image.healthcheck, {}).returncode == 0:
            break
        time.sleep(0.5)
    else:
        raise SystemExit(f"It did not get healthy:\n{(folder / 'log').read_text()[-3000:]}")
    status = Path(f"/proc/{first}/status").read_text()
    touched = _inside(image, first, ["python3", "-c", "open('/opt/connector/x', 'w')"], {})
    asked = _inside(image, first, [*image.entrypoint, "status"], secret)
    os.kill(first, signal.SIGTERM)
    code = process.wait(STOPPED_WITHIN_S)
    if code != 0 or asked.returncode != 0 or touched.returncode == 0:
        raise SystemExit(f"code {code}; status {asked}; writing to the root {touched}")
    return {
        "uid": re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)[1],  # type: ignore[index]  # as Linux writes it
        "healthy": True,
        "root": touched.stderr.decode().strip().splitlines()[-1],
        "status": asked.stdout.decode().strip().splitlines()[:3],
        "volume": sorted(path.name for path in (folder / "volume").iterdir()),
        "ended": code,
        "size_mb": int(_call("du", "-sm", image.root).split()[0]),
    }


def _child(process: subprocess.Popen[bytes]) -> int:
    """Return the id, seen from here, of what is PID 1 in its namespace."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else 0


def _inside(image: Image, first: int, command: list[str], more: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command beside the first one, as `exec` of an engine does."""
    entered = [
        _program("nsenter"),
        f"--target={first}",
        "--mount",
        "--pid",
        _program("chroot"),
        f"--userspec={image.user}",
        str(image.root),
    ]
    return subprocess.run(  # noqa: S603 - made here
        [*entered, *_in_workdir(image, command)], env={**image.env, **more}, capture_output=True, check=False
    )


def main() -> None:
    """Do the steps, try what they made, and say what was seen."""
    parser = argparse.ArgumentParser(description="Do what the Containerfile says in an empty root, and try it.")
    parser.add_argument("--base", type=Path, help="Folder that keeps the base system for the next time.")
    given = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("It takes root.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        image = build(ROOT / "Containerfile", given.base or folder / "base", folder)
        json.dump(trial(image, folder), sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
