"""One commit against another on SQLite, in turn on the same machine: how long the same writes, reads and lanes take.

    python -m benchmarks.paired f119af6 HEAD

Each commit is checked out into a folder of its own, whose code is run by this environment's Python with its packages;
what it was installed from does not count. Rounds alternate, so that whatever else the machine does meets both alike;
what is told is the median of the ratios of rounds that ran one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.figures import PartFailed, require

ROUNDS = 7
WORK = Path(__file__).with_name("paired_work.py")


def main() -> int:
    """Compare two commits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paired", description=__doc__)
    parser.add_argument("before")
    parser.add_argument("after", nargs="?", default="HEAD")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folders = [_checked_out(commit, Path(place)) for commit in (chosen.before, chosen.after)]
        rounds = []
        for number in range(chosen.rounds):
            order = 1 if number % 2 else -1  # whoever comes first finds the machine as the other left it
            rounds.append([_round(folder) for folder in folders[::order]][::order])
    print(f"{'':<42}{chosen.before[:12]:>14}{chosen.after[:12]:>14}{'after/before':>14}{'rounds':>24}")
    for name in rounds[0][0]:
        before, after = ([one[side][name] for one in rounds] for side in (0, 1))
        ratios = [new / old for old, new in zip(before, after, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{name:<42}{median(before):>12.0f}/s{median(after):>12.0f}/s{median(ratios):>14.2f}{spread:>24}")
    return 0


def _checked_out(commit: str, place: Path) -> Path:
    folder = place / f"{len(list(place.iterdir()))}"
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], capture_output=True, check=False)  # noqa: S603, S607 - of this checkout
    require(archive.returncode == 0, f"there is no {commit}: {archive.stderr.decode()}")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)  # noqa: S603, S607 - what git made
    return folder


def _round(folder: Path) -> Mapping[str, float]:
    """Run the work on the code of a folder; return how much of each is done in a second."""
    path = os.pathsep.join(map(str, (folder, *sorted((folder / "plugins").iterdir()))))
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(  # noqa: S603 - our own file
            [sys.executable, str(WORK), str(folder)],
            cwd=place,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise PartFailed(f"the work failed:\n{done.stderr[-2000:]}")
    figures: Mapping[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    sys.exit(main())
