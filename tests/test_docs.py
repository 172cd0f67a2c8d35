"""The pages of the docs: each is in a menu, leads somewhere, and shows commands and configurations that there are."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.config.models import ConfigFile
from connector_core.passwords import hash_password
from tests.support.documented import DOCS, PAGES, ROOT, blocks, command_lines, named_commands
from tools.docs_check import foreign
from tools.release import distributions

SCREEN_LINES = 60  # a screen and a half
ENDS = ("connector", "/opt/connector/bin/connector")
#: Programs that are not ours, beside what the test below looks at: of systemd, PostgreSQL, and the shell.
OTHERS = frozenset(
    {
        "apt-get",
        "cd",
        "chmod",
        "curl",
        "export",
        "for",
        "journalctl",
        "kubectl",
        "mkdir",
        "openssl",
        "pre-commit",
        "pytest",
        "rm",
        "sudo",
        "pass",
        "docker",
        "alias",
    }
    | {"CREATE", "pg_dump", "pg_restore", "systemctl", "systemd-run"}
)
TARGETS = frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
#: What an integration has that a page says little of.
SAMPLES = {
    "jira_jsm": {"plugin": "jira_jsm", "service_desk": "10", "request_type": "25", "close_status": "10002"},
    "servicenow": {"plugin": "servicenow", "instance": "https://dev1.service-now.com", "assignment_group": "it"},
}


def name_of(page: Path) -> str:
    """Name a page in the list of tests."""
    return page.relative_to(ROOT).as_posix()


def in_menu(entry: Any) -> list[str]:  # noqa: ANN401 - what YAML holds
    """Return the pages of a part of the menu."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in in_menu(part)]


def anchors(page: Path) -> set[str]:
    """Return the places of a page that links may lead to."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_page_is_in_the_menu():
    """A new page of docs/ has a place in mkdocs.yml, once, and nothing is named there that is not here."""
    menu = in_menu(YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text())["nav"])
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    taken_along = set(
        re.findall(r'"((?:helpdesks|platforms)/[\w-]+\.md|[a-z]+\.md)"', (ROOT / "tools/docs_site.py").read_text())
    )
    made = {
        f"helpdesks/{name}{end}.md"
        for name in ("jira_jsm", "servicenow", "request_tracker")
        for end in ("", "-quality")
    }

    assert pages - set(menu) == set()
    assert set(menu) - pages - taken_along - made == set()
    assert len(menu) == len(set(menu))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    """Files, folders and headings that a page links to are there, in the repository as on the site."""
    text = re.sub(r"^( *)```.*?^\1```$|`[^`\n]+`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]

    lost = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_readme_is_short():
    """What it is, a picture, how to try it, and links."""
    text = (ROOT / "README.md").read_text()

    assert len(text.splitlines()) <= SCREEN_LINES
    assert "    make demo\n" in text
    assert "![" in text


@cache
def a_hash() -> str:
    """Return the hash of a password."""
    return hash_password("a password of many letters")


def whole_file(page: Path, shown: dict[str, Any]) -> dict[str, Any]:
    """Put what a page shows where it belongs in a file, and give the file what else it has to have."""
    if "plugin" not in shown and "service_desk" in shown:  # the settings of one integration
        shown = {"plugin": "jira_jsm", **shown}
    if "plugin" in shown:
        shown = {"integrations": {"one": shown}}
    if not shown.keys() & ConfigFile.model_fields.keys():
        shown = {"organizations": {"acme": shown}}
    for organization in shown.get("organizations", {}).values():
        for name, integration in organization.get("integrations", {}).items():
            left_out = "…" in integration or "plugin" not in integration
            sample = SAMPLES[integration.get("plugin", "jira_jsm")] if left_out else {}
            organization["integrations"][name] = sample | {key: one for key, one in integration.items() if key != "…"}
    return {"secret_key": "a passphrase that is long enough", "organizations": {"acme": {}}, **shown}


YAMLS = [
    pytest.param(block.page, block.text, id=f"{name_of(block.page)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page))
    if block.language == "yaml" and not block.text.startswith("groups:")  # alert rules: test_monitoring_docs.py
]


@pytest.mark.parametrize(("page", "text"), YAMLS)
def test_every_configuration_loads(tmp_path, page, text):
    """The YAML of a page is a configuration, or a part of one in its place."""
    path = tmp_path / "connector.yaml"
    with path.open("w") as file:
        YAML().dump(whole_file(page, YAML(typ="safe").load(text)), file)
    names = set(re.findall(r"\$\{env:(\w+)\}", text))
    environ = {name: a_hash() if name.endswith("_HASH") else "a-value-of-thirty-two-characters" for name in names}

    config, _ = read_config(path, environ=environ)

    assert config.path == path


def parsed(words: list[str], *, whole: bool) -> str:
    """Let click read a command line without doing anything; return what it has against it."""
    command: click.Command = cli
    context = click.Context(cli, info_name="connector")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return f"there is no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, parent=context, info_name=command.name)
    if not whole:
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        return " ".join(one for one in words if one.startswith("-") and one not in options | {"--help"})
    try:
        command.make_context(command.name, list(words), parent=context.parent)
    except click.ClickException as exc:
        is_readers_own = isinstance(exc, click.BadParameter) and re.search("not exist|No such file", exc.message)
        return "" if is_readers_own else exc.format_message()
    except click.exceptions.Exit:  # --help, --version
        pass
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_one(page):
    """Commands of the connector exist, with their options and arguments; so do make targets, files and modules."""
    wrong = {line: said for line in command_lines(page) if (said := what_is_wrong(line))}
    wrong |= {line: said for line in named_commands(page) if (said := parsed(shlex.split(line)[1:], whole=False))}

    assert wrong == {}


def what_is_wrong(line: str) -> str:
    """Return what is wrong with a command line, as far as that can be told without running it."""
    words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
    if not words:
        return ""
    program, *rest = words
    if program in ENDS:
        return parsed([word for word in rest if word != "…"], whole=True)
    name = Path(program).name
    if name == "make":
        return " ".join(word for word in rest if "=" not in word and word not in TARGETS)
    if name in {"pip", "install", "cp"}:
        return files_missing(name, rest)
    if name in {"python", "python3"}:
        return "" if rest[1] in {"venv", "pytest"} or module_exists(rest[1]) else f"there is no {rest[1]}"
    return "" if name in OTHERS else f"{name} is not known here"


def files_missing(program: str, words: list[str]) -> str:
    """Return the files of the repository that a command line names and that are not there, and what has no path."""
    given = [word for word in words if not word.startswith("-") and word not in {"install", "600", "644"}]
    if program == "pip":
        wheels = {f"{name.replace('-', '_')}-*.whl" for name in distributions()}
        given = [word for word in given if word not in wheels]
        strangers = [word for word in given if not re.match(r"\.|constraints\.txt$", word)]
        missing = [word for word in given if not (ROOT / re.sub(r"\[\w+\]$", "", word)).exists()]
        return " ".join(strangers + missing)
    return " ".join(word for word in given[:-1] if not word.startswith("/") and not (ROOT / word).exists())


def module_exists(name: str) -> bool:
    """Return whether a module of ours can be run by its name."""
    path = name.replace(".", "/")
    return any((folder / path).is_dir() or (folder / f"{path}.py").is_file() for folder in (ROOT, *ROOT.glob("*/*/")))


def test_what_is_loaded_from_elsewhere_is_seen(tmp_path):
    """A script, a style, a font or a picture of another host in the finished site; not a link to click on."""
    (tmp_path / "one.html").write_text(
        '<a href="https://a.example.com"></a><link rel="canonical" href="https://b.example.com">'
        '<script src="https://c.example.com/x.js"></script><link rel="stylesheet" href=//d.example.com/x.css>'
        '<img alt="x" src="https://e.example.com/x.png"><script src="assets/own.js"></script>'
    )
    (tmp_path / "one.css").write_text("@font-face {src: url(https://f.example.com/x.woff2)} b {background: url(x.png)}")

    found = {line.partition("//")[2].partition("/")[0] for line in foreign(tmp_path)}

    assert found == {f"{letter}.example.com" for letter in "cdef"}


def test_mistakes_in_command_lines_are_seen():
    """A misspelt command, option, target, file or package is not passed over."""
    for line in (
        "connector statsu",
        "connector links --failled",
        "connector explain",
        "make tset",
        "pip install connector-jira-jsm",
        "pip install connector_jira-*.whl",
        "pip install ./plugins/gone",
        "install -m 644 deploy/gone.service /etc/systemd/system/",
        "python -m connector_core.gone",
        "conector status",
    ):
        assert what_is_wrong(line), line
    assert parsed(["db", "--gone"], whole=False) == "--gone"


def _said_to_users():
    """Yield the texts of the product, without its docstrings, and the configuration that `config init` writes."""
    for path in [*(ROOT / "connector_core").rglob("*.py"), *ROOT.glob("plugins/*/connector_*/**/*.py")]:
        if "_sandbox" in path.as_posix():
            continue
        tree = ast.parse(path.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.value
    for path in [*(ROOT / "connector_core").rglob("*.html"), *ROOT.glob("plugins/*/connector_*/**/*.md")]:
        yield path.read_text()
    yield (ROOT / "config" / "connector.example.yaml").read_text().replace("\n  # ", " ").replace("\n# ", " ")


def test_messages_name_pages_of_the_docs_by_their_titles():
    """An installed host has neither the files of the docs nor those of the repository."""
    texts = list(_said_to_users())
    named = {name for text in texts for name in re.findall(r'"([^"\n]+)"\.? in the documentation', text)}
    titles = {page.read_text().partition("\n")[0].removeprefix("# ") for page in DOCS.glob("*.md")}
    titles |= set(re.findall(r"^ +- ([\w ]+): \[", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))

    assert [text for text in texts if re.search(r"\b(docs|deploy)/\w|README of|'s README", text)] == []
    assert named >= {"Backup and restore", "Database, limits and faults", "Install as a service"}
    assert named - titles == set()


def test_the_readme_leads_to_every_page():
    """Its table is where somebody looks first; the reference pages and decisions have lists of their own."""
    readme = (ROOT / "README.md").read_text()

    assert {one.name for one in DOCS.glob("*.md") if f"docs/{one.name}" not in readme} == {"index.md"}
