"""What documents and layout claim, checked."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

import connector_core
from connector_core.cli.exit_codes import ExitCode
from connector_core.cli.main import _COMMANDS, cli
from connector_core.config import read_config
from connector_core.config.models import EngineSettings
from connector_core.plugins import load_plugins

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = (ROOT, *sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml")))
MOST_HIDDEN_LINES = 0
SOURCES = [
    path
    for path in (ROOT / "connector_core").rglob("*")
    if path.suffix in {".py", ".yaml", ".html", ".css", ".js", ".svg"}
]


def test_the_core_names_no_vendor():
    """No vendor's name stands anywhere in the core."""
    named = [path for path in SOURCES if re.search(r"(?i)jira|atlassian|\bjsm\b|xyte|servicenow", path.read_text())]

    assert named == []


def test_sql_is_spoken_in_the_store_only():
    """No other module knows the database."""
    speaking = [
        path
        for path in SOURCES
        if "store" not in path.parts
        and re.search(r"sqlite3|sqlite_utils|\bSELECT .+ FROM\b|INSERT INTO", path.read_text())
    ]

    assert speaking == []


def test_the_face_is_what_it_says():
    """`__all__` is sorted, constants first, and every name in it exists."""
    names = connector_core.__all__

    assert list(names) == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert [name for name in names if not hasattr(connector_core, name)] == []


def test_importing_the_core_loads_no_heavy_layer():
    """Neither web framework, scheduler nor database is loaded by `import connector_core`."""
    code = "import sys, connector_core; print([m for m in ('starlette', 'apscheduler', 'sqlite3') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_the_list_of_commands_is_true(name):
    """The text in the list of commands begins like the command's own help."""
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    own = (command.help or "").partition("\n")[0]
    assert own.split(" ")[0].rstrip(":") == _COMMANDS[name][2].split(" ")[0]


def test_all_distributions_carry_the_licence():
    """Each names the licence that it brings along, and it is the same text."""
    projects = [tomllib.loads((path / "pyproject.toml").read_text())["project"] for path in DISTRIBUTIONS]

    assert {project["license"] for project in projects} == {"Apache-2.0"}
    assert all(project["license-files"] == ["LICENSE"] for project in projects)
    assert len({(path / "LICENSE").read_bytes() for path in DISTRIBUTIONS}) == 1


def test_a_commit_is_checked_like_the_project():
    """The hooks before a commit run what `make lint` runs, in the same order, with the tools installed here."""
    recipe = re.search(r"^lint:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    commands = [line.strip().removeprefix("@").replace("$(BIN)/", ".venv/bin/") for line in recipe.splitlines()]
    repositories = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]

    assert [repository["repo"] for repository in repositories] == ["local"]
    assert [hook["entry"] for hook in hooks] == commands
    assert all(hook["language"] == "system" and not hook["pass_filenames"] and hook["always_run"] for hook in hooks)


def test_every_dependency_has_a_floor():
    """Each dependency names its lowest version, which `make test-lowest` installs."""
    projects = [tomllib.loads((path / "pyproject.toml").read_text())["project"] for path in DISTRIBUTIONS]
    named = [
        one
        for project in projects
        for group in (project["dependencies"], *project.get("optional-dependencies", {}).values())
        for one in group
        if not one.startswith("connector-core[")  # extras of ours within another one
    ]

    assert [one for one in named if not re.match(r"[\w.-]+(\[\w+\])?>=\d", one)] == []


@pytest.mark.parametrize("name", ["jira_jsm", "xyte"])
def test_the_page_of_a_plugin_has_every_option(name):
    """Each setting stands in its README."""
    info = load_plugins().get(name).info
    text = (ROOT / "plugins" / name / "README.md").read_text()

    missing = [
        key for model in (info.settings, info.plugin_settings) for key in model.model_fields if f"{key}:" not in text
    ]

    assert missing == []


def test_the_unit_for_systemd_calls_what_there_is():
    """Its command exists with its option, it waits longer than the daemon does, and no mistake is started again."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "deploy" / "connector.service")
    service = unit["Service"]
    _, command, *options = service["ExecStart"].split()

    run = cli.get_command(click.Context(cli), command)
    assert run is not None
    assert options[0] in {name for parameter in run.params for name in parameter.opts}
    assert int(service["TimeoutStopSec"].rstrip("s")) > EngineSettings().stop_deadline_s
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == {
        ExitCode.USAGE,
        ExitCode.SETTINGS,
        ExitCode.AUTHORIZATION,
    }


def test_hardly_any_line_is_hidden_from_the_measure_of_coverage():
    """What is marked as not to be covered is counted: one more mark is a decision, made here."""
    shipped = [path for folder in ("connector_core", "plugins") for path in (ROOT / folder).rglob("*.py")]
    marks = sum(
        path.read_text().count("pragma: no cover") + path.read_text().count("pragma: no branch") for path in shipped
    )

    assert marks <= MOST_HIDDEN_LINES


def test_the_configuration_of_the_page_about_clusters_is_valid(tmp_path):
    """The YAML in it loads, beside a real secret key."""
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "cluster.md").read_text(), re.DOTALL)[1]
    path = tmp_path / "connector.yaml"
    path.write_text(text)

    config, _ = read_config(path, environ={"CONNECTOR_SECRET_KEY": "a-value-of-thirty-two-characters"})

    assert str(config.database).startswith("postgresql://connector@db.example.com/connector?sslmode=verify-full")


def test_alert_rules_that_the_page_about_clusters_names_exist():
    """And the error codes are those of the code."""
    page = (ROOT / "docs" / "cluster.md").read_text()
    rules = (ROOT / "deploy" / "monitoring" / "connector.rules.yml").read_text()
    sources = "".join(path.read_text() for path in SOURCES if path.suffix == ".py")

    assert {name for name in re.findall(r"`(Connector\w+)`", page) if name not in rules} == set()
    assert {code for code in re.findall(r"\(`([a-z]+_[a-z_]+)`", page) if f'"{code}"' not in sources} == set()
