"""In CI a few tests that fail run once more by themselves; everywhere else, and for more than a few, red is red."""

from __future__ import annotations

import sys

import pytest

from tools import steady

pytestmark = pytest.mark.extended

BAD_LUCK = """
from pathlib import Path
def test_steady(): Path("{folder}/ran").open("a").write("s")
def test_unlucky():
    file = Path("{folder}/seen")
    file.touch() if (was_there := file.exists()) is False else None
    assert was_there
"""
FAULT = """
import pytest
@pytest.mark.parametrize("number", range({number}))
def test_fault(number): assert False
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run one file of tests; return the exit code."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setattr(steady, "ROOT", tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # those of our other tests take seconds to load

    def run(text, **environ):
        (tmp_path / "test_one.py").write_text(text.format(folder=tmp_path, number=environ.pop("number", 1)))
        return steady.run(sys.executable, ["-q", "-pxdist", "test_one.py"], cache=tmp_path / "cache", environ=environ)

    return run


def test_what_failed_by_bad_luck_passes_when_it_runs_alone(run, tmp_path, capfd):
    """It alone is run again, and named."""
    assert run(BAD_LUCK, CI="true") == 0

    said = capfd.readouterr().out
    assert "UNSTEADY, passed when run alone: test_one.py::test_unlucky\n" in said
    assert (tmp_path / "ran").read_text() == "s"


def test_without_ci_a_failure_is_a_failure(run, capfd):
    """Whoever works on it sees it at once."""
    assert run(BAD_LUCK) == 1
    assert "UNSTEADY" not in capfd.readouterr().out


def test_a_fault_fails_again(run, capfd):
    """And fails the run."""
    assert run(FAULT, CI="true") == 1
    assert "Once more, alone: test_one.py::test_fault[0]" in capfd.readouterr().out


def test_many_failures_are_no_bad_luck(run, capfd):
    """They are not run again."""
    assert run(FAULT, CI="true", number=steady.MOST_AGAIN + 1) == 1
    assert "Once more" not in capfd.readouterr().out


def test_what_cannot_be_collected_fails_at_once(run, capfd):
    """So does a run without tests."""
    assert run("import nothing_of_that_name", CI="true") == 2
    assert run("", CI="true") == 5
    assert "Once more" not in capfd.readouterr().out


def test_what_an_earlier_run_left_counts_for_nothing(run):
    """A failure of another day is not run again."""
    assert run(FAULT, CI="true") == 1
    assert run(BAD_LUCK, CI="true") == 0
