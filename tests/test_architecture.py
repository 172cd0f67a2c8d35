"""What the pages about the code name is there, and flows stay as short as they are."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.support.flows import FLOWS
from tools.flows.counting import CORE as OF_THE_CORE
from tools.flows.counting import MOST_FILES, MOST_FRAMES, Flow, measure, table

ROOT = Path(__file__).parents[1]
CORE = ROOT / "connector_core"
PAGE = ROOT / "docs" / "architecture.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("2*.md"))
PREFIXES = {
    "": CORE,
    "jira": ROOT / "plugins" / "jira_jsm" / "connector_jira_jsm",
    "xyte": ROOT / "plugins" / "xyte" / "connector_xyte",
}
SPELLED_OUT = frozenset({"connector_core/", *(f"{path.relative_to(ROOT)}/" for path in PREFIXES.values())})
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/*.md")),
    *sorted((ROOT / "examples").glob("*/*.md")),
]
# What a reader is to make.
MADE_UP = frozenset({"tests/core/test_titles.py", "connector.yaml", "tests/test_roundup.py"})
STOP = re.compile(r"`(?:(\w+):)?([\w/]+\.py)::([\w.]+)`")
PATH = re.compile(r"`(?:(\w+):)?((?:[\w.]+/)*(?:\w+\.(?:py|md|toml|yaml)|\w+/))`")


seen = cache(measure)  # a flow runs once for both tests


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the functions, classes and methods of a file."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found.update(
                f"{node.name}.{one.name}"
                for one in node.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            )
    return frozenset(found)


@cache
def present() -> frozenset[str]:
    """Return every file of the repository that a page may name, from its root."""
    folders = ("benchmarks", "config", "connector_core", "docs", "examples", "plugins", "tests", "tools")
    found = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    return frozenset(f"/{path.relative_to(ROOT).as_posix()}" for path in found)


def section(text: str, title: str) -> str:
    """Return one section of a page."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_stop_of_the_architecture_is_there():
    """Each file has the function that the page names at that stop."""
    stops = STOP.findall(PAGE.read_text())
    missing = [
        f"{prefix}:{file}::{name}"
        for prefix, file, name in stops
        if not (path := PREFIXES[prefix] / file).is_file() or name not in names_in(path)
    ]

    assert missing == []
    assert len(stops) > len(FLOWS) * 3
    assert PAGE.read_text().count("::") == len(stops) + 1  # and the one that says how they are written


def test_every_path_of_the_architecture_is_there():
    """Files and folders that it names without a function are there too."""
    named = [(prefix, path) for prefix, path in PATH.findall(PAGE.read_text()) if path not in SPELLED_OUT]

    assert [path for prefix, path in named if not any((root / path).exists() for root in PREFIXES.values())] == []
    assert [path for prefix, path in named if prefix and not (PREFIXES[prefix] / path).exists()] == []


@pytest.mark.parametrize(("wings", "title"), [("connector_core", "Core"), ("connector_jira_jsm", "Layers")])
def test_the_page_has_every_wing(wings: str, title: str):
    """Each entry of a floor that import-linter holds stands in the section about them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == [wings] and title in one["name"])
    shown = section(PAGE.read_text(), "Wings and floors")
    entries = [name.strip() for layer in layers for name in layer.split("|") if not name.startswith("_")]

    assert entries
    assert [name for name in entries if f"`{name}/`" not in shown and f"`{name}.py`" not in shown] == []


def test_every_path_of_where_things_are_is_there():
    """Each folder and file is where the tables of CONTRIBUTING say."""
    named = PATH.findall(section(CONTRIBUTING.read_text(), "Where things are"))
    folders = [(PREFIXES[prefix] if prefix else ROOT, path) for prefix, path in named if prefix or "/" in path]

    assert len(folders) > len(FLOWS)
    assert [path for folder, path in folders if not (folder / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_of_a_page_is_there(page: Path):
    """A file that a page names, with some of its folders or none, is a file of the repository."""
    named = {path for _, path in PATH.findall(page.read_text()) if not path.endswith("/")}

    assert sorted(path for path in named - MADE_UP if not any(one.endswith(f"/{path}") for one in present())) == []


def test_every_decision_is_in_the_index():
    """With its date and its title, oldest first."""
    index = (DECISIONS[0].parent / "README.md").read_text()
    rows = re.findall(r"^\| ([\d-]{10}) \| \[(.+)\]\((.+)\) \|$", index, re.MULTILINE)

    assert [name for _, _, name in rows if not (DECISIONS[0].parent / name).is_file()] == []
    assert {name for _, _, name in rows} == {path.name for path in DECISIONS}
    assert [day for day, _, _ in rows] == sorted(name[:10] for _, _, name in rows)
    for _, title, name in rows:
        assert (DECISIONS[0].parent / name).read_text().startswith(f"# {title}\n")


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_a_flow_keeps_the_budget(flow: Flow):
    """No stack of a flow goes through more files and frames of ours than allowed."""
    trace = seen(flow)
    sys.stdout.write(table([trace]))  # seen with -rP

    assert trace.passed
    assert trace.keeps_the_budget, "\n".join(map(str, (*trace.deepest, "and", *trace.widest)))


@pytest.mark.parametrize("flow", [flow for flow in FLOWS if flow.ours == OF_THE_CORE], ids=lambda flow: flow.name)
def test_the_core_reaches_what_a_flow_is_for_within_the_budget(flow: Flow):
    """The effect that it is for, such as the hook that creates the ticket, is near its entry in every flow."""
    aimed = seen(flow).aimed

    assert len({hop.file for hop in aimed}) <= MOST_FILES, "\n".join(map(str, aimed))
    assert len(aimed) <= MOST_FRAMES, "\n".join(map(str, aimed))
