"""The distributions as they are published: built, unpacked beside the libraries of others, and started."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from connector_core.cli.exit_codes import ExitCode
from connector_core.demo.sandboxes import ENTRY_POINT_GROUP
from tools.release import build, distributions
from tools.version import present

ROOT = Path(__file__).parents[1]
PLUGINS = ("jira_jsm", "xyte")
SANDBOXES = {path.name.removesuffix("_sandbox"): path for path in ROOT.glob("*/*_sandbox") if path.is_dir()}
FOLDERS = {
    "connector_core": ROOT,
    **{f"connector_{name}": ROOT / "plugins" / name for name in PLUGINS},
    **{f"connector_{name}_sandbox": folder for name, folder in SANDBOXES.items()},
}
PRODUCT = ("connector_core", *(f"connector_{name}" for name in PLUGINS))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Build every wheel; return where each is."""
    place = tmp_path_factory.mktemp("wheels")
    for folder in FOLDERS.values():
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return {path.name.partition("-")[0]: path for path in place.glob("*.whl")}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Return a folder with all that is installed here but our own distributions."""
    place = tmp_path_factory.mktemp("libraries")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("connector_", "_connector_", "__editable__")) and path.suffix != ".pth":
            (place / path.name).symlink_to(path)
    return place


@pytest.fixture
def run(wheels, libraries, tmp_path):
    """Return a function that runs a command where only these of our distributions are installed."""

    def with_only(names, *command):
        for name in names:
            with zipfile.ZipFile(wheels[name]) as wheel:
                wheel.extractall(tmp_path / "installed")
        return subprocess.run(
            [sys.executable, "-S", "-m", *command],
            env={**os.environ, "PYTHONPATH": f"{tmp_path / 'installed'}{os.pathsep}{libraries}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return with_only


@pytest.mark.extended
def test_each_holds_its_own_package_and_nothing_else(wheels):
    """With the licence and the mark of types."""
    found = {}
    for name, path in wheels.items():
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
        found[name] = {one.partition("/")[0] for one in names if ".dist-info/" not in one}
        assert f"{name}/py.typed" in names
        assert any(one.endswith("/licenses/LICENSE") for one in names)

    assert found == {name: {name} for name in FOLDERS}


@pytest.mark.parametrize("name", PLUGINS)
def test_no_stand_in_goes_to_production(wheels, name):
    """Neither as a package beside the plugin nor as a folder inside it."""
    with zipfile.ZipFile(wheels[f"connector_{name}"]) as wheel:
        assert [one for one in wheel.namelist() if "sandbox" in one] == []


@pytest.mark.extended
def test_the_product_alone_says_what_the_demo_needs(run):
    """One sentence and a command, with the exit code of a mistake in settings."""
    ended = run(PRODUCT, "connector_core", "demo", "--once")

    assert ended.returncode == ExitCode.SETTINGS
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        "Error: No sandbox of Jira Service Management is installed.",
        "  Install connector-jira-jsm-sandbox from its folder or wheel: pip install ./path/to/sandbox",
    ]


@pytest.mark.parametrize("name", PLUGINS)
def test_the_extra_of_a_plugin_brings_its_stand_in(wheels, name):
    """What the demo says to install is what the wheel offers."""
    with zipfile.ZipFile(wheels[f"connector_{name}"]) as wheel:
        (metadata,) = [one for one in wheel.namelist() if one.endswith(".dist-info/METADATA")]
        lines = wheel.read(metadata).decode().splitlines()

    assert "Provides-Extra: demo" in lines
    assert any(
        one.startswith(f"Requires-Dist: connector-{name.replace('_', '-')}-sandbox<") and "'demo'" in one
        for one in lines
    )


@pytest.mark.parametrize("name", SANDBOXES)
def test_a_stand_in_says_which_plugin_it_is_for(wheels, name):
    """By that name the demo finds it."""
    points = configparser.ConfigParser()
    with zipfile.ZipFile(wheels[f"connector_{name}_sandbox"]) as wheel:
        (listed,) = [one for one in wheel.namelist() if one.endswith(".dist-info/entry_points.txt")]
        points.read_string(wheel.read(listed).decode())

    assert dict(points[ENTRY_POINT_GROUP]) == {name: f"connector_{name}_sandbox:open_sandbox"}


@pytest.mark.parametrize(
    "name", ["jira_jsm", *(pytest.param(one, marks=pytest.mark.extended) for one in SANDBOXES if one != "jira_jsm")]
)
def test_a_stand_in_needs_neither_core_nor_plugin(run, name):
    """It is imported whole, and says how it is started, where nothing else of ours is installed."""
    ended = run([f"connector_{name}_sandbox"], f"connector_{name}_sandbox", "--help")

    assert ended.returncode == 0, ended.stderr
    assert f"python -m connector_{name}_sandbox" in ended.stdout


@pytest.mark.extended
def test_with_the_stand_ins_the_demo_tells_its_story(run):
    """Found by their entry points, as installed from an index."""
    ended = run(FOLDERS, "connector_core", "demo", "--once")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Every step was seen on both sides" in ended.stdout
    assert "Xyte sandbox" in ended.stdout


@pytest.mark.extended
def test_what_is_installed_from_sdists_has_every_plugin(libraries, tmp_path):
    """Pip builds each wheel out of what is in its archive alone, and the commands find all of it."""
    place, installed = tmp_path / "sdists", tmp_path / "installed"
    archives = build(place, ("sdist",))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--target", installed, *archives], check=True, capture_output=True, cwd=tmp_path)
    environ = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{libraries}"}

    def connector(*words):
        command = [sys.executable, "-S", "-m", "connector_core", *words]
        return subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    listed = {
        row["name"]: (row["status"], row["version"]) for row in json.loads(connector("plugins", "list", "--json"))
    }
    published = {name.removeprefix("connector-").replace("-", "_") for name in distributions()} - {"core"}

    assert len(archives) == len(distributions())
    assert listed == dict.fromkeys(
        {"http", *(name for name in published if not name.endswith("_sandbox"))}, ("ready", str(present()))
    )
    connector("config", "init", "made.yaml")
    assert (tmp_path / "made.yaml").is_file()
