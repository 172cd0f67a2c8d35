"""One version: of all distributions, of what names it, and of what is installed; raised by one command."""

from __future__ import annotations

import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.version import Version

from connector_core.cli.main import cli
from connector_core.cli.new_plugin import write_plugin
from connector_core.http.session import user_agent
from connector_core.plugins import load_plugins
from tools import version
from tools.release import distributions

ROOT = Path(__file__).parents[1]
TODAY = "2027-01-05"


@pytest.fixture
def tree(tmp_path):
    """Return a copy of the files that name the version."""
    for name in {"CHANGELOG.md", *(name for name, _ in version.carried())}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_everything_names_one_version():
    """Distributions, the described HTTP surface, images, and what one distribution asks of another."""
    said = dict(version.carried())
    one = version.present()

    assert set(said.values()) == {str(one)}
    plugins = {str(path.relative_to(ROOT)) for path in ROOT.glob("*/*/pyproject.toml") if "_sandbox/" not in str(path)}
    assert dict(version.asked()) == dict.fromkeys(plugins, version.bounds(one))


def test_between_releases_the_tree_is_later_than_the_last():
    """So that what is built of it upgrades the release, and the next release upgrades it."""
    one, last = version.present(), version.last_release()

    assert one == last or (one.is_devrelease and one > last)
    assert Version(one.base_version) >= one


def test_what_is_installed_says_the_same(tmp_path):
    """The command, user agents, and what a new plugin asks for; where this fails, `make lint` installs again."""
    one = str(version.present())
    write_plugin("acme_desk", tmp_path / "made", plugins=load_plugins())
    made = tmp_path / "made" / "pyproject.toml"
    needed = [Requirement(line) for line in tomllib.loads(made.read_text())["project"]["dependencies"]]
    (core,) = [line for line in needed if line.name == "connector-core"]

    assert {name: metadata.version(name) for name in distributions()} == dict.fromkeys(distributions(), one)
    assert CliRunner().invoke(cli, ["--version"]).output == f"connector, version {one}\n"
    assert user_agent("jira_jsm", one).startswith(f"connector-core/{one} ")
    assert core.specifier.contains(one)


@pytest.mark.parametrize(
    ("one", "taken", "refused"),
    [
        ("0.3.0.dev0", ("0.3.0.dev0", "0.3.0", "0.3.7"), ("0.2.0", "0.4.0", "0.4.0.dev0")),
        ("0.3.1", ("0.3.1", "0.3.2"), ("0.3.0", "0.3.1.dev0", "0.4.0.dev0")),
    ],
)
def test_a_plugin_takes_a_core_of_its_release_or_of_the_tree_before_it(one, taken, refused):
    """It takes a development version where a bound names one, and the bound above keeps out the next one's."""
    asked = Requirement(f"connector-core{version.bounds(Version(one))}").specifier

    assert [name for name in (*taken, *refused) if asked.contains(name)] == list(taken)


def test_one_command_raises_all_of_it(tree):
    """To a release, whose changes get a heading and a date; then to what comes after it."""
    before = (tree / "CHANGELOG.md").read_text()
    release = Version(version.present(tree).base_version)
    after = Version(f"{release.major}.{release.minor + 1}.0.dev0")

    version.raise_to(release, tree, today=TODAY)
    told = (tree / "CHANGELOG.md").read_text()
    released = (version.present(tree), version.last_release(tree), {bounds for _, bounds in version.asked(tree)})
    version.raise_to(after, tree, today=TODAY)

    assert released == (release, release, {version.bounds(release)})
    assert f"## Unreleased\n\n## {release} ({TODAY})\n\n### " in told
    assert told.replace(f"## {release} ({TODAY})\n\n", "", 1) == before
    assert version.present(tree) == after
    assert {bounds for _, bounds in version.asked(tree)} == {version.bounds(after)}
    assert (tree / "CHANGELOG.md").read_text() == told


@pytest.mark.parametrize(("next_one", "said"), [("0.1.0", "not later"), ("0.2.0", "not later")])
def test_no_step_back(tree, next_one, said):
    """A version that is out is never made again, and nothing is written."""
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}

    with pytest.raises(ValueError, match=said):
        version.raise_to(Version(next_one), tree, today=TODAY)
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_no_release_of_nothing(tree):
    """Users are told what changed."""
    path = tree / "CHANGELOG.md"
    path.write_text(re.sub(r"(?s)## Unreleased\n.*?\n## ", "## Unreleased\n\n## ", path.read_text(), count=1))

    with pytest.raises(ValueError, match="nothing under Unreleased"):
        version.raise_to(Version("99.0.0"), tree, today=TODAY)


def test_files_that_do_not_agree_are_named(tree):
    """Before anything is raised."""
    path = tree / "docs" / "openapi.yaml"
    path.write_text(path.read_text().replace(f"version: {version.present()}", "version: 0.0.1"))

    with pytest.raises(ValueError, match="do not agree"):
        version.present(tree)
