"""Judge the tests of the heart by mutants: `python -m tools.mutants [--sample N] [--seed S] [FILE ...]`.

It fails when the tests beside a file see less than the floor of `files.toml`, and when a mutant lives on that
`explained.toml` gives no reason for. In a sample such ones are told, and it fails when they are too many for chance.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from math import comb
from pathlib import Path
from random import Random

import pytest

from tools.mutants.judging import Judge, Verdict
from tools.mutants.making import Mutant, mutants

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FILES, EXPLAINED = HERE / "files.toml", HERE / "explained.toml"
# What repeats under other values may be what sees a mistake.
WHOLE = ("-m", "not request_tracker and not container")
QUIET = ("no:terminal", "no:cacheprovider", "no:randomly", "no:xdist")
PYTEST = (*(f"-p{one}" for one in QUIET), "--capture=no", "-Wignore::pytest.PytestAssertRewriteWarning")
REPORTS = "-r"

#: Of the samples that are drawn where just the floor is seen, so many pass.
_NEARLY_ALL = 0.99

Explained = Mapping[str, Mapping[str, str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, report, and return the exit code."""
    options = _options(arguments)
    table = tomllib.loads(FILES.read_text())
    beside: dict[str, list[str]] = table["beside"]
    explained: Explained = tomllib.loads(EXPLAINED.read_text())
    names = [name for name in beside if not options.files or any(name.endswith(one) for one in options.files)]
    by_file = [(name, mutants(ROOT / name)) for name in names]
    made = [mutant for _, those in by_file for mutant in those]
    chosen = made
    if options.only:
        chosen = [one for one in made if options.only in one.name]
    if options.sample is not None:
        chosen = Random(options.seed).sample(made, min(options.sample, len(made)))  # noqa: S311 - a sample
    since = time.monotonic()
    judge = _judged(chosen, {name: beside[name] for name in names}, options)
    if judge.failed:
        for name, text in judge.failed.items():
            print(f"Without any mutant {name} fails:\n{text}\n")
        return 2
    if len(judge.verdicts) < len(chosen):
        print(f"Only {len(judge.verdicts)} of {len(chosen)} mutants were judged.")
        return 2
    print(f"{len(chosen)} of {len(made)} mutants in {time.monotonic() - since:.0f} s")
    verdicts = [(chosen[number], verdict) for number, verdict in sorted(judge.verdicts.items())]
    return report(
        verdicts, explained, stale(explained, by_file), floor=table["floor"], is_sample=len(chosen) < len(made)
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("files", nargs="*", help="ends of paths; all files without any")
    parser.add_argument("--sample", type=int, help="judge as many mutants, drawn by the seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="judge those whose name has this text")
    parser.add_argument("--verbose", action="store_true", help="tell of every mutant which test saw it")
    return parser.parse_args(arguments)


def _judged(chosen: Sequence[Mutant], beside: Mapping[str, Sequence[str]], options: argparse.Namespace) -> Judge:
    def tell(mutant: Mutant, verdict: Verdict) -> None:
        if options.verbose:
            word = "caught" if verdict.caught else "LIVES "
            print(word, _file(mutant), mutant.line, mutant.name, "|", verdict.by, flush=True)

    def is_beside(mutant: Mutant, test: str) -> bool:
        return test.startswith(tuple(beside[_file(mutant)]))

    judge = Judge(chosen, is_beside, options.workers, tell)
    tests = sorted({test for mutant in chosen for test in beside[_file(mutant)]})
    os.environ["CONNECTOR_EXAMPLES"] = "all"
    places = (str(ROOT / test) for test in tests)
    pytest.main([*PYTEST, _addopts(), *WHOLE, f"--rootdir={ROOT}", *places], plugins=[judge])
    return judge


def _addopts() -> str:
    """Return the project's options of pytest, without those that a run without a terminal does not know."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    given: list[str] = project["tool"]["pytest"]["ini_options"]["addopts"]
    return f"--override-ini=addopts={shlex.join(one for one in given if not one.startswith(REPORTS))}"


def report(
    verdicts: Sequence[tuple[Mutant, Verdict]],
    explained: Explained,
    outdated: Sequence[str],
    *,
    floor: float,
    is_sample: bool,
) -> int:
    """Print the table and what is wrong; return the exit code."""
    unexplained: list[str] = []
    wrong = list(outdated)
    for name in dict.fromkeys(_file(mutant) for mutant, _ in verdicts):
        those = [(mutant, verdict) for mutant, verdict in verdicts if _file(mutant) == name]
        lives = [mutant for mutant, verdict in those if not verdict.caught]
        reasons = explained.get(name, {})
        caught = len(those) - len(lives)
        share = 100 * caught / len(those)
        known = sum(mutant.name in reasons for mutant in lives)
        print(f"{caught:4}/{len(those):<4} {share:5.1f} %  {known:2} explained  {name}")
        unexplained += [f"{name}:{one.line} lives: {one.name}" for one in lives if one.name not in reasons]
        if share < floor and not is_sample:
            wrong.append(f"{name}: {share:.1f} % is below the floor of {floor} %")
        for mutant, verdict in those:
            if verdict.caught and mutant.name in reasons:
                print(f"  explained, but seen by {verdict.by}: {mutant.name}")
    total = sum(verdict.caught for _, verdict in verdicts)
    print(f"{total:4}/{len(verdicts):<4} {100 * total / max(len(verdicts), 1):5.1f} %")
    for line in (*unexplained, *wrong):
        print(line)
    # Each that lives in a sample is told, and is a test to be written.
    allowed = most_by_chance(len(verdicts), 1 - floor / 100) if is_sample else 0
    return 1 if wrong or len(unexplained) > allowed else 0


def most_by_chance(drawn: int, share: float) -> int:
    """Return how many of so many drawn may be of a kind that has this share, but for one sample in a hundred."""
    likely = 0.0
    for number in range(drawn):
        likely += comb(drawn, number) * share**number * (1 - share) ** (drawn - number)
        if likely >= _NEARLY_ALL:
            return number
    return drawn


def stale(explained: Explained, made: Sequence[tuple[str, Sequence[Mutant]]]) -> list[str]:
    """Return what is explained although it is no mutant of its file any more."""
    return [
        f"{EXPLAINED.name} explains what is no mutant of {name} any more: {one}"
        for name, those in made
        for one in explained.get(name, {})
        if one not in {mutant.name for mutant in those}
    ]


def _file(mutant: Mutant) -> str:
    return mutant.path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
