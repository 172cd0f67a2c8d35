"""Run pytest; in CI, run the few tests that failed once more by themselves, and name those that pass then.

    python -m tools.steady -n 6 -q tests/core     as python -m pytest, with the same exit codes

A machine that is slowed down by others ends waits that were long enough on every other day, and one such wait in ten
thousand tests must not cost a release. A fault of the product fails again. Outside CI (`CI` is not set) a failure is a
failure at once; in CI it is, too, when more than a few failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: More than these are no bad luck.
MOST_AGAIN = 6
_TESTS_FAILED = 1
_LAST_FAILED = Path("v") / "cache" / "lastfailed"


def main() -> int:
    """Run what the command line says."""
    return run(sys.executable, sys.argv[1:], cache=ROOT / ".pytest_cache", environ=os.environ)


def run(python: str | Path, arguments: Sequence[str], *, cache: Path, environ: Mapping[str, str]) -> int:
    """Run pytest with a Python; return its exit code, that of the second run where there was one."""
    command = [python, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    first = subprocess.run([*command, "--cache-clear"], cwd=ROOT, check=False)  # noqa: S603 - our own command
    failed = _failed(cache) if first.returncode == _TESTS_FAILED and environ.get("CI") else []
    if not 0 < len(failed) <= MOST_AGAIN:
        return first.returncode
    print(f"Once more, alone: {', '.join(failed)}", flush=True)
    again = [*command, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"]
    second = subprocess.run(again, cwd=ROOT, check=False)  # noqa: S603 - our own command
    if second.returncode == 0:
        print(f"UNSTEADY, passed when run alone: {', '.join(failed)}", flush=True)
    return second.returncode


def _failed(cache: Path) -> list[str]:
    """Return the tests that failed in the last run."""
    try:
        return sorted(json.loads((cache / _LAST_FAILED).read_text()))
    except (OSError, ValueError):
        return []


if __name__ == "__main__":
    sys.exit(main())
