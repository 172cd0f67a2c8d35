"""A machine with nothing of ours on it: an empty root, in which commands run as its users, and its service manager.

The root has the system's /usr and its Python, read-only, and what was installed in it; nothing of the checkout and of
its virtual environment is seen inside. It takes root on Linux; no package index is asked.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from email.parser import HeaderParser
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ROOT_USER, ADA, SERVICE_USER = 0, 4711, 61184
WITHIN_S = 300
_USERS = f"root:x:0:0:root:/root:/bin/sh\nada:x:{ADA}:{ADA}::/home/ada:/bin/sh\n"
_ETC = {
    "passwd": _USERS,
    "group": f"root:x:0:\nada:x:{ADA}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


class Machine:
    """An empty root in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("dev", "etc", "home/ada", "opt", "proc", "root", "run", "srv", "tmp", "usr", "var/lib", "var/log"):
            self.at(name).mkdir(parents=True)
        root.chmod(0o755)
        self.at("tmp").chmod(0o1777)
        os.chown(self.at("home/ada"), ADA, ADA)
        for name, text in _ETC.items():
            self.at(f"etc/{name}").write_text(text)
        shutil.copy("/etc/ld.so.cache", self.at("etc"))
        self._lent = ["/usr"]
        for name in ("bin", "sbin", "lib", "lib64"):
            if (found := Path("/", name)).is_symlink():
                self.at(name).symlink_to(found.readlink())
            elif found.is_dir():
                self._lend(found)
        if not Path(sys.base_prefix).is_relative_to("/usr"):
            self._lend(Path(sys.base_prefix))

    def _lend(self, folder: Path) -> None:
        self.at(folder).mkdir(parents=True)
        self._lent.append(str(folder))

    def at(self, path: str | Path) -> Path:
        """Return where a path of the machine is, seen from outside."""
        return self.root / str(path).lstrip("/")

    def start(
        self,
        command: Sequence[str],
        *,
        user: int = ROOT_USER,
        environ: Mapping[str, str] | None = None,
        writable: Iterable[str] | None = None,
        **options: object,
    ) -> subprocess.Popen[str]:
        """Start a command that sees the machine only; where `writable` is given, it writes nowhere else but in /tmp."""
        root = shlex.quote(str(self.root))
        mounts = [f"mount --bind {root} {root}"]
        for path in self._lent:
            mounts += [f"mount --rbind {path} {root}{path}", f"mount -o remount,bind,ro {root}{path}"]
        mounts += [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
        if writable is not None:
            mounts += [f"mount --bind {root}{path} {root}{path}" for path in writable]
            mounts.append(f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp")  # noqa: S108 - inside
            mounts.append(f"mount -o remount,bind,ro {root}")
        inside = ["chroot", f"--userspec={user}:{user}", str(self.root), *command]
        script = " && ".join([*mounts, f"exec {shlex.join(inside)}"])
        path = f"{sys.base_prefix}/bin:{PATH}"
        return subprocess.Popen(  # type: ignore[call-overload]  # as Popen takes them
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script],
            env={"PATH": path, "LANG": "C.UTF-8", "HOME": "/root" if user == ROOT_USER else "/", **(environ or {})},
            **options,
        )

    def run(
        self, *command: str, user: int = ROOT_USER, environ: Mapping[str, str] | None = None, said: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of somebody to its end; `said` is what its standard input says."""
        pipe, stdin = subprocess.PIPE, subprocess.DEVNULL if said is None else subprocess.PIPE
        with self.start(
            command, user=user, environ=environ, stdin=stdin, stdout=pipe, stderr=pipe, text=True, umask=0o022
        ) as process:
            try:
                out, err = process.communicate(said, timeout=WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess(command, process.returncode, out, err)

    def must(self, *command: str, **options: object) -> str:
        """Run a command that has to succeed; return what it printed."""
        done = self.run(*command, **options)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


class Unit:
    """What systemd does with a unit, as far as ours asks for it: a user, folders, variables, a read-only rest."""

    def __init__(self, machine: Machine, path: Path) -> None:
        section = path.read_text().partition("[Service]\n")[2].partition("\n[")[0]
        lines = [line for line in section.splitlines() if "=" in line and not line.startswith("#")]
        self.service = dict(line.split("=", 1) for line in lines)
        self._machine = machine

    def start(self, log: Path) -> subprocess.Popen[str]:
        """Start the service."""
        assert self.service["DynamicUser"] == self.service["PrivateTmp"] == "yes"
        assert self.service["ProtectSystem"] == "strict"
        state, runtime = f"/var/lib/{self.service['StateDirectory']}", f"/run/{self.service['RuntimeDirectory']}"
        for folder, mode in ((state, 0o755), (runtime, int(self.service["RuntimeDirectoryMode"], 8))):
            place = self._machine.at(folder)
            place.mkdir(exist_ok=True)
            place.chmod(mode)
            for one in (place, *place.rglob("*")):  # as systemd does where the owner is another one
                os.chown(one, SERVICE_USER, SERVICE_USER, follow_symlinks=False)
        lines = self._machine.at(self.service["EnvironmentFile"]).read_text().splitlines()
        environ = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        with log.open("ab") as file:
            return self._machine.start(
                shlex.split(self.service["ExecStart"]),
                user=SERVICE_USER,
                environ=environ,
                writable=(state, runtime),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                umask=int(self.service["UMask"], 8),
            )

    def starts_again(self, code: int) -> bool:
        """Return whether a service that ended by itself with a code is started again."""
        return self.service["Restart"] == "always" and str(code) not in self.service["RestartPreventExitStatus"].split()


def lay_dependencies(site: Path, wheels: Iterable[Path]) -> None:
    """Put what wheels need of others into a site-packages, as an install of an earlier day left it, and no more."""
    waiting = [requirement for wheel in wheels for requirement in _required(wheel)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        key = (one.name.lower().replace("_", "-"), frozenset(one.extras))
        if key in seen or key[0].startswith("connector-"):
            continue
        seen.add(key)
        found = distribution(one.name)
        for file in found.files or ():
            source, target = Path(str(found.locate_file(file))), site / file
            if ".." not in file.parts and not target.exists() and source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        waiting += _applicable(found.requires or (), one.extras)


def _required(wheel: Path) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        headers = HeaderParser().parsestr(packed.read(metadata).decode())
    return _applicable(headers.get_all("Requires-Dist") or (), ())


def _applicable(lines: Iterable[str], extras: Iterable[str]) -> list[Requirement]:
    named = ("", *extras)
    read = [Requirement(line) for line in lines]
    return [one for one in read if one.marker is None or any(one.marker.evaluate({"extra": name}) for name in named)]
