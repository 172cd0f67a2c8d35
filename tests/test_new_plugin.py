"""`connector plugins new`, and the page *Write a plugin* that leads on from there to a ticket.

Both in an empty folder, with an environment that has the core and nothing else of ours.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from connector_core.cli.new_plugin import write_plugin
from connector_core.contract.errors import ConfigError
from connector_core.plugins import load_plugins

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "write-a-plugin.md").read_text()
WRITTEN = ROOT / "tests" / "support" / "written_plugin.txt"
EXAMPLE = ROOT / "examples" / "roundup"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Make a virtual environment with the core, as `pip install` would, from what is here."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    libraries = place / "libraries"
    libraries.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("connector_", "_connector_", "__editable__")) and path.suffix != ".pth":
            (libraries / path.name).symlink_to(path)
    (core,) = Path(sysconfig.get_path("purelib")).glob("connector_core-*.dist-info")
    (libraries / core.name).symlink_to(core)
    (libraries / "connector_core").symlink_to(ROOT / "connector_core")
    (found,) = place.glob("lib/python*/site-packages")
    (found / "libraries.pth").write_text(f"{libraries}\n")
    return place / "bin" / "python"


@pytest.fixture
def run(environment, tmp_path):
    """Return a function that runs a command in an empty folder; what it needs is installed, so that none is fetched."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
    environ = {**kept, "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}

    def run(*command, folder=tmp_path):
        return subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=2400, check=False
        )

    return run


@pytest.mark.extended
def test_its_tests_are_green_from_the_first_minute(run, environment, tmp_path):
    """They say what is still to be written; what was written is found by the connector."""
    made = run(environment, "-m", "connector_core", "plugins", "new", "acme_desk")
    folder = tmp_path / "connector-acme-desk"

    tested = run("make", "test", f"PYTHON={environment}", folder=folder)
    listed = run(environment, "-m", "connector_core", "plugins", "list", folder=folder)

    assert made.returncode == 0, made.stderr
    assert "Next: cd connector-acme-desk && make test" in made.stdout
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "failed" not in tested.stdout
    (left,) = [line for line in tested.stdout.splitlines() if "still to be written: " in line]
    parts = ("look", "fetch", "read", "create", "find", "edit", "steps", "check")
    assert [part for part in parts if f"{part}: " not in left] == []
    assert "acme_desk" in listed.stdout
    assert "ready" in next(line for line in listed.stdout.splitlines() if line.startswith("acme_desk"))


@pytest.mark.extended
def test_a_plugin_that_is_written_lives_at_the_stand_in_that_came_with_it(run, environment, tmp_path):
    """All of its life; what is left out is what the stand-in, or the plugin, has no hook for."""
    run(environment, "-m", "connector_core", "plugins", "new", "city_desk")
    folder = tmp_path / "connector-city-desk"
    write_whole(folder / "connector_city_desk", WRITTEN.read_text())

    tested = run("make", "test", f"PYTHON={environment}", folder=folder)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert left_out(tested.stdout) >= {"cannot comments: the plugin has no hook write_comment"}


@pytest.mark.extended
def test_the_webhooks_of_the_page_are_taken(run, environment, tmp_path):
    """The stand-in that came with a plugin signs and tells as the page says; the two hooks are the page's."""
    made = run(environment, "-m", "connector_core", "plugins", "new", "bell_desk")
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "connector-bell-desk"
    stand_in = folder / "connector_bell_desk_sandbox" / "__init__.py"
    section = PAGE.split("## A stand-in of your own")[1]
    signing_part, hooks = re.findall(r"```python\n(.*?)```\n", section, re.DOTALL)
    signature, change = signing_part.split("\n", 1)[1].split("\n\n")
    (tell,) = re.findall(r" +self\.tell\(.*\n", change)
    shown = "            return self.ticket(ticket_id)\n"
    text = stand_in.read_text().replace(shown, tell + shown)
    gone = "            del self._tickets[ticket_id]\n"
    text = text.replace(gone, gone + tell).replace('"deletes"})', '"deletes", "webhooks"})')
    text = text.replace("    def plugin_settings", f"{signature}\n\n    def plugin_settings")
    stand_in.write_text(text.replace("from collections", "import hashlib\nimport hmac\nfrom collections", 1))
    said = re.findall(r"`(webhook_route=.*?)` and `(signature_headers=.*?)`", section)[0]
    plugin = WRITTEN.read_text().replace("city_desk", "bell_desk").replace("CityDesk", "BellDesk")
    plugin = plugin.replace("core.PluginInfo(", f"core.PluginInfo({', '.join(said)}, ")
    write_whole(folder / "connector_bell_desk", f"{plugin}\n\n{hooks}")

    tested = run("make", "test", f"PYTHON={environment}", folder=folder)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert not [reason for reason in left_out(tested.stdout) if "webhook" in reason]


def write_whole(package, text):
    """Write a plugin as one file, in place of what says what is still to be written."""
    (package / "__init__.py").write_text(text)
    (test,) = (package.parent / "tests").glob("test_*.py")
    reason = "the stand-in has neither versions nor a history"
    cannot = dict.fromkeys(("told_writes", "conditional_writes"), reason)
    test.write_text(test.read_text().replace("cannot = {}", f"cannot = {cannot}"))
    for name in ("desk.py", "setup.py", "later.py"):
        (package / name).unlink()


def left_out(printed):
    """Return why checks were left out, each of which has to say what cannot be."""
    reasons = set(re.findall(r"^SKIPPED \[\d+\] \S+: (.*)$", printed, re.MULTILINE))
    assert all(reason.startswith("cannot ") for reason in reasons), reasons
    return reasons


@pytest.mark.parametrize("name", ["", "Acme", "9desk", "acme-desk", "acme__desk", "desk_", "ü", "a" * 41, "../x"])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    """Nothing is written."""
    with pytest.raises(ConfigError) as caught:
        write_plugin(name, tmp_path / "new", load_plugins())

    assert caught.value.code == "plugin_name_unfit"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(tmp_path):
    """By the name of its entry point, also one of the core's."""
    for name in ("roundup", "http"):
        with pytest.raises(ConfigError) as caught:
            write_plugin(name, tmp_path / "new", load_plugins())
        assert caught.value.code == "plugin_name_taken"

    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(tmp_path):
    """Not even an empty folder."""
    with pytest.raises(ConfigError) as caught:
        write_plugin("acme_desk", tmp_path, load_plugins())

    assert caught.value.code == "folder_exists"
    assert list(tmp_path.iterdir()) == []


def blocks():
    """Return the code of each file on the page: its blocks, one below the other."""
    found: dict[str, list[str]] = {}
    for name, code in re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```\n", PAGE, re.DOTALL):
        found.setdefault(name, []).append(code)
    return {name: "\n\n".join(parts) for name, parts in found.items()}


def test_its_code_is_the_examples():
    """All of it, file by file."""
    files = EXAMPLE.glob("connector_roundup/*.py")

    assert blocks() == {str(path.relative_to(EXAMPLE)): path.read_text() for path in files}


@pytest.fixture
def stand_in(environment):
    """Install the real tracker beside the core, as the page says."""
    libraries = environment.parents[1] / "libraries"
    package = libraries / "connector_roundup_sandbox"
    if not package.exists():
        package.symlink_to(EXAMPLE.parent / "roundup_sandbox" / "connector_roundup_sandbox")
        info = libraries / "connector_roundup_sandbox-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.4\nName: connector-roundup-sandbox\nVersion: 1\n")
        point = "[connector_core.sandboxes]\nroundup = connector_roundup_sandbox:open_sandbox\n"
        (info / "entry_points.txt").write_text(point)
        (libraries / "share").symlink_to(Path(sys.prefix) / "share")  # Roundup's templates


@pytest.mark.extended
@pytest.mark.usefixtures("stand_in")
def test_whoever_follows_it_has_a_plugin_that_works(run, environment, tmp_path):
    """From an empty folder: first green with what is missing, then with nothing missing, then the whole story."""
    folder = tmp_path / "connector-roundup"
    assert run(environment, "-m", "connector_core", "plugins", "new", "roundup").returncode == 0
    first = run("make", "test", f"PYTHON={environment}", folder=folder)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "still to be written" in first.stdout

    (removed,) = re.findall(r"^rm (connector_roundup/.*)$", PAGE, re.MULTILINE)
    for name in removed.split():
        (folder / name).unlink()
    (about,) = re.findall(r"```markdown\n(.*?)```\n", PAGE, re.DOTALL)
    (folder / "README.md").write_text(about)
    for name, code in blocks().items():
        (folder / name).write_text(code)
    tests = folder / "tests" / "test_roundup.py"
    text = tests.read_text()
    for name in ("settings", "cannot"):
        (line,) = re.findall(rf"```python\n( {{4}}{name} = .*)\n```", PAGE)
        text = re.sub(rf"^ {{4}}{name} = .*$", line, text, flags=re.MULTILINE)
    tests.write_text(text)
    tested = run("make", "test", f"PYTHON={environment}", folder=folder)
    told = run(
        environment,
        "-m",
        "connector_core",
        "demo",
        "--helpdesk",
        "roundup",
        "--source",
        "http",
        "--once",
        folder=folder,
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "cannot description: reading it takes a call more" in " ".join(left_out(tested.stdout))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "Every other step was seen on both sides" in told.stdout
