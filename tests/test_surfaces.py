"""A command is never said in a browser, a click never in a terminal: each surface has its own words for an advice."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What only a terminal shows: the command line itself, mistakes in the configuration file, the demo.
OF_TERMINAL = ("connector_core/cli/", "connector_core/config/", "connector_core/demo/", "connector_core/testing/")
OF_BROWSER = ("connector_core/web/",)
CATALOGUE = "connector_core/words/"
GROUPS = (
    "config|console|db|demo|discard|doctor|explain|integrations|links|nodes|notifications|plugins|reconcile|recreate"
    "|resolve|retry|routing|rules|run|sources|status|unlink"
)
COMMAND = re.compile(rf"\bconnector ({GROUPS})\b")
CLICK = re.compile(r"\b[Cc]lick(ing)?\b")


def sources() -> Iterator[tuple[str, Path]]:
    """Yield what is shipped, by its path."""
    for top in ("connector_core", "plugins"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "_sandbox/" not in name and "/tests/" not in name:
                yield name, path


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file that are no docstrings."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def found(pattern: re.Pattern[str], without: tuple[str, ...]) -> list[str]:
    """Return where a text has what it should not."""
    return [
        f"{name}: {text[:80]}"
        for name, path in sources()
        if not name.startswith(without)
        for text in texts(path)
        if pattern.search(text)
    ]


@pytest.mark.extended
def test_no_command_is_written_where_a_page_may_show_it():
    """It is an `Advice`, whose command stands in one table."""
    assert found(COMMAND, (*OF_TERMINAL, CATALOGUE)) == []


# Texts of steps, which only pages show: they name the buttons of their page.
STEP_TEXTS = ("plugins/jira_jsm/connector_jira_jsm/sentences.py", "plugins/xyte/connector_xyte/texts.py")


@pytest.mark.extended
def test_no_click_is_written_where_a_terminal_may_show_it():
    """A step has the same name on every surface; a button is on one."""
    assert found(CLICK, (*OF_BROWSER, *STEP_TEXTS)) == []


def test_no_template_names_a_command():
    """Pages have links and buttons."""
    templates = (ROOT / "connector_core/web/console/templates").glob("*.html")

    assert [path.name for path in templates if COMMAND.search(path.read_text())] == []


@pytest.mark.parametrize(
    ("pattern", "text"), [(COMMAND, "Mend it, then: connector retry 7"), (CLICK, "Correct it, then click Update.")]
)
def test_such_a_text_is_seen(pattern, text):
    """The search finds what it looks for."""
    assert pattern.search(text)


#: How it was said before; what is said instead is in the commit that brought each here.
FORMER = (
    "What there is to know",
    "changed it, right is",
    "a person says",
    "Everything is in step",
    "needs you",
    "Mend the cause",
    "It is not asked",
    "It was not asked yet",
    "Like this since",
    "Last asked",
    "Without a choice they are left",
    "Without a choice all matter",
    "Which incidents become requests. Without an answer",
    "How long an incident has to be open before it becomes a request",
    "What is said of a space holds",
    "are filled in with. Required",
    "leaves its place empty",
    "Which priorities are partners",
    "have a partner",
    "Fields on the way",
    "as far as they were seen",
    "When that cannot be done",
    "it is looked for with the first ticket there",
    "people moved tickets this way before",
    "Not of the category Done",
    "travel back",
    "Who creates the webhook",
    "what such a delivery shows is not believed",
    "changes were found by reading that no delivery told of",
    "Forget the former secret",
    "Somebody else has the rights",
    "is good once and for three days",
    "insists on it",
    "Everything is tried first",
    "See how it goes",
    "Nothing changed on the other side",
    "was told of before its creation was answered",
    "stays as each side has it",
    "A person asked for another try",
    "Nothing fits",
    "Make the first integration",
    "The integration was made",
    "Your choice holds",
    "The password is not right",
    "was carried to",
    "Nothing travels",
)


@functools.cache
def shown() -> list[tuple[str, str]]:
    """Return what people may read, by where it stands."""
    return list(_shown())


def _shown() -> Iterator[tuple[str, str]]:
    for name, path in sources():
        if not name.startswith(("connector_core/words/earlier", "connector_core/testing/", "connector_core/demo/")):
            for text in texts(path):
                yield name, text
    for path in (ROOT / "connector_core/web/console/templates").glob("*.html"):
        yield path.name, path.read_text()
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        yield path.name, path.read_text()


@pytest.mark.parametrize("former", FORMER)
def test_a_former_sentence_is_gone(former):
    """From pages, commands, findings, plugins and docs."""
    assert [name for name, text in shown() if former in text] == []


def test_no_hint_names_a_package_that_nobody_owns():
    """What is installed from a name comes from whoever registered it; ours are on no index, so hints name paths."""
    texts = [*ROOT.glob("connector_core/**/*.py"), *ROOT.glob("connector_core/**/*.txt"), *ROOT.glob("plugins/**/*.py")]
    texts += [*ROOT.glob("plugins/*/README.md"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]

    named = [
        f"{path}: {found}"
        for path in texts
        for found in re.findall(r"pip install ['\"]?connector[-_]\S+", path.read_text())
    ]

    assert named == []


#: Words that make the product sound translated, by what is said in their place (docs/glossary.md has the terms).
UNSAID = {
    "someone, or a name": r"\b[Ss]omebody\b|\ba person\b",
    "fix": r"\b[Mm]end(s|ed|ing)?\b",
    "sync": r"\bcarr(y|ies|ied|ying)\b(?! (the|a|its) (mark|reference|rest)|\()|\btravel(s|led|ling)?\b",
    "in sync": r"\b(is|are|stays?|stay|keeps?) in step\b",
    "requires": r"\binsists?\b",
    "mapped to": r"\bpartners?\b",
    "action needed, or needs attention": r"\bneeds? (you|somebody|someone)\b",
}


@pytest.mark.parametrize("instead", UNSAID)
def test_the_product_speaks_as_its_trade_does(instead):
    """On every surface: pages, commands, findings, metrics, plugins' texts and docs."""
    more = (*ROOT.glob("config/*.yaml"), *ROOT.glob("plugins/*/README.md"), *ROOT.glob("docs/reference/*.md"))
    described = [(str(path), path.read_text()) for path in more]

    said = [
        f"{name}: {text[max(0, found.start() - 40) : found.end() + 40]}"
        for name, text in (*shown(), *described)
        for found in re.finditer(UNSAID[instead], text)
    ]

    assert said == []
