"""What cannot be had leaves one group of tests out, with one line and a green run; or fails where all have to run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import need

ROOT = Path(__file__).parents[1]
# Tests of each group, from two files where there are two.
GROUPS = {
    "browser": (
        "tests/console/test_console_from_nothing.py::test_every_sentence_of_the_setup",
        "tests/console/test_setup_links.py::test_somebody_else_authorizes_access",
        "tests/console/test_setup_links.py::test_a_link_that_never_was",
    ),
    "compiler": (
        "tests/faults/test_faults_clock.py::test_clock_set_while_work_waits",
        "tests/faults/test_power_loss.py::test_the_daemon_syncs_before_it_answers",
    ),
    "postgresql": (
        "tests/test_postgresql_at_hand.py::test_a_database_has_nothing_in_it",
        "tests/test_postgresql_at_hand.py::test_a_server_of_ones_own_can_crash_and_start_again",
    ),
    "caddy": ("tests/e2e/test_reverse_proxies.py::test_an_example_is_understood[Caddyfile]",),
    "debootstrap": ("tests/operate/test_container.py::test_the_image_is_built_and_runs_with_a_root_that_is_read_only",),
    "haproxy": ("tests/e2e/test_load_balancers.py::test_its_example_is_understood[haproxy]",),
    "nginx": ("tests/e2e/test_load_balancers.py::test_its_example_is_understood[nginx]",),
    "promtool": ("tests/test_monitoring_files.py::test_alerts_fire_when_they_should_and_once",),
    "pgbouncer": ("tests/e2e/test_pgbouncer.py::test_its_program_is_there",),
    "request-tracker": ("tests/real_servers/test_request_tracker.py::test_what_a_token_opens",),
    "wiki-renderer": ("tests/plugins/jira_jsm/test_wiki_as_atlassian_reads_it.py",),
    "wrk": ("tests/test_benchmarks.py::test_a_tiny_run_of_intake_holds_what_it_acknowledged",),
}
RUNS_ANYWHERE = "tests/faults/test_faults_clock.py::test_small_corrections_of_the_clock_are_no_news"


@pytest.fixture
def run_where_nothing_is():
    """Return a function that runs tests of all groups where no program can be found."""
    nothing = {
        "PATH": "/nowhere",
        "CONNECTOR_CHROMIUM": "/nowhere/chromium",
        "CONNECTOR_POSTGRESQL_BIN": "/nowhere",
        "CONNECTOR_SERVICES_BIN": "/nowhere",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CONNECTOR_"))}
    tests = [test for group in GROUPS.values() for test in group]

    def run(*arguments, **environ):
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(
            [*command, *tests, RUNS_ANYWHERE],
            cwd=ROOT,
            env=kept | nothing | environ,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return run


def group_lines(output):
    """Return the number of tests in each line of the summary about tests that were left out, and what it advises."""
    return re.findall(r"^SKIPPED \[(\d+)\] ([^:]+): (.*)$", output, re.MULTILINE)


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.extended)], ids=["alone", "two"])
def test_a_group_that_cannot_be_had_is_one_line_of_a_green_run(run_where_nothing_is, workers):
    """It says how many tests are left out, and how to get what they need; others run."""
    ended = run_where_nothing_is(*workers)

    lines = {group: (int(count), text) for count, group, text in group_lines(ended.stdout)}
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("SKIPPED") == len(lines)
    assert lines.keys() == GROUPS.keys()
    assert lines["browser"][0] == len(GROUPS["browser"])
    assert all(text.endswith(need.NEEDS[group].advice) for group, (_, text) in lines.items())
    assert f"1 passed, {sum(count for count, _ in lines.values())} skipped" in ended.stdout


@pytest.mark.extended
def test_where_everything_has_to_run_it_is_a_failure(run_where_nothing_is):
    """Each test says what it needs; none is skipped."""
    ended = run_where_nothing_is(CONNECTOR_REQUIRE="all")

    assert ended.returncode == 1
    assert "SKIPPED" not in ended.stdout
    for group, one in need.NEEDS.items():
        assert f"{group}: required and not to be had here. {one.advice}" in ended.stdout


@pytest.mark.extended
def test_where_one_group_has_to_run_others_are_left_out(run_where_nothing_is):
    """They are told apart by name."""
    ended = run_where_nothing_is(CONNECTOR_REQUIRE="compiler")

    assert ended.returncode == 1
    assert {group for _, group, _ in group_lines(ended.stdout)} == GROUPS.keys() - {"compiler"}


@pytest.fixture
def failed(tmp_path, monkeypatch):
    """Remember elsewhere what could not be had."""
    monkeypatch.setattr(need, "FAILED", tmp_path / "failed")
    return tmp_path / "failed"


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(("required", "code"), [("", 0), ("wrk", 0), ("browser", 1), ("all", 1)])
def test_getting_what_cannot_be_had_fails_where_it_is_required_only(monkeypatch, capsys, required, code):
    """The line before the run says the same as the one after it."""
    missing = need.Need(lambda: None, packages=(), download=None, advice="Ask Ada.")
    monkeypatch.setitem(need.NEEDS, "browser", missing)
    monkeypatch.setenv("CONNECTOR_REQUIRE", required)

    ended = need.main(["browser"])

    assert ended == code
    assert capsys.readouterr().out == "browser: not to be had; its tests are left out. Ask Ada.\n"


def test_one_test_does_not_wait_for_what_failed_before(failed, tmp_path, monkeypatch):
    """A run of all tries again, and what is there meanwhile is found."""
    log, place = tmp_path / "log", tmp_path / "browser"
    download = (sys.executable, "-c", f"open({str(log)!r}, 'a').write('tried ')")
    one = need.Need(lambda: place if place.exists() else None, packages=(), download=download, advice="")
    monkeypatch.setitem(need.NEEDS, "browser", one)

    for options in ([], [need.ONCE], []):
        need.main([*options, "browser"])
    tried = log.read_text()
    place.touch()

    assert tried == "tried tried "
    assert [path.name for path in failed.iterdir()] == ["browser"]
    assert need.get("browser", once=True) == place


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a folder that is before all others on PATH; `sudo` is there and lets everybody do everything."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    write_program(folder / "sudo", 'shift\nexec "$@"')
    return folder


def write_program(path, text):
    """Write a program for the shell, and return where it is."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("failed")
def test_what_has_to_stand_in_a_file_is_there_before_packages_come(programs, tmp_path, monkeypatch):
    """Debian's PostgreSQL is told in time that no server of its own is to be made."""
    settings, installed = tmp_path / "made" / "no-main.conf", tmp_path / "installed"
    write_program(programs / "apt-get", f"cat {settings} > {installed}")
    one = need.Need(
        lambda: installed if installed.exists() else None,
        packages=("thing",),
        download=None,
        advice="",
        beforehand=(settings, "create_main_cluster = false"),
    )
    monkeypatch.setitem(need.NEEDS, "postgresql", one)

    found = need.get("postgresql")

    assert found.read_text() == "create_main_cluster = false\n"


def test_the_programs_of_a_server_are_found_where_they_are_named(programs, monkeypatch):
    """A folder without the server, as where only its clients are installed, does not count."""
    monkeypatch.setenv("CONNECTOR_POSTGRESQL_BIN", str(programs))
    for name in ("initdb", "pg_ctl"):
        write_program(programs / name, "exit 0")

    clients_only = need.find_postgresql()
    write_program(programs / "postgres", "exit 0")

    assert clients_only is None
    assert need.find_postgresql() == programs


@pytest.mark.usefixtures("failed")
def test_a_better_one_is_tried_for_once_where_a_lesser_is_there(programs, tmp_path, monkeypatch):
    """Nothing is downloaded for it, and a run of all does not try again: tests run with what is there."""
    lesser, log = tmp_path / "lesser", tmp_path / "log"
    lesser.touch()
    write_program(programs / "apt-get", f'echo "$*" >> {log}')
    download = (sys.executable, "-c", f"open({str(log)!r}, 'a').write('download')")
    one = need.Need(lambda: lesser, packages=("better",), download=download, advice="", is_best=lambda _: False)
    monkeypatch.setitem(need.NEEDS, "browser", one)

    found = [need.get("browser"), need.get("browser"), need.get("browser", once=True)]

    assert found == [lesser] * 3
    assert log.read_text().splitlines() == ["install -y -qq better", "update -qq", "install -y -qq better"]


def test_a_lesser_one_is_got_where_there_is_no_other(failed, programs, tmp_path, monkeypatch):
    """Only after everything else, and then that is remembered."""
    place, log = tmp_path / "place", tmp_path / "log"
    write_program(programs / "apt-get", f'echo "$*" >> {log}\ncase "$*" in *lesser) touch {place};; esac')
    one = need.Need(
        lambda: place if place.exists() else None,
        packages=("better",),
        download=(sys.executable, "-c", f"open({str(log)!r}, 'a').write('download\\n')"),
        advice="",
        is_best=lambda _: False,
        lesser=("lesser",),
    )
    monkeypatch.setitem(need.NEEDS, "browser", one)

    found = need.get("browser")

    better = "install -y -qq better"
    assert found == place
    assert log.read_text().splitlines() == [better, "update -qq", better, "download", "install -y -qq lesser"]
    assert [path.name for path in failed.iterdir()] == ["browser"]


def test_a_browser_without_windows_is_taken_before_a_whole_one(programs, monkeypatch):
    """Nobody sees the windows of tests, and drawing them takes half of the time; who names one gets that."""
    monkeypatch.delenv("CONNECTOR_CHROMIUM", raising=False)
    monkeypatch.setattr(need, "_of_playwright", list)  # it has none, and can drive those that are here
    for name in ("chromium", "chromium-headless-shell"):
        write_program(programs / name, "exit 0")

    found = need.find_browser()
    write_program(programs / "chromium-headless-shell", "exit 1")  # a library is missing
    broken = need.find_browser()
    monkeypatch.setenv("CONNECTOR_CHROMIUM", str(programs / "chromium"))

    assert found == programs / "chromium-headless-shell"
    assert broken.name == "chromium"
    assert need.is_best_browser(need.find_browser())
    monkeypatch.delenv("CONNECTOR_CHROMIUM")
    assert not need.is_best_browser(broken)


def test_no_browser_is_found_where_nothing_can_drive_it(programs, monkeypatch):
    """A bare Debian lacks a library of Playwright's Node.js: the tests are left out, and the run is green."""
    write_program(programs / "chromium", "exit 0")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(write_program(programs / "node", "exit 127")))

    assert need.find_browser() is None

    monkeypatch.setenv("CONNECTOR_CHROMIUM", str(programs / "chromium"))
    assert need.find_browser() is None
