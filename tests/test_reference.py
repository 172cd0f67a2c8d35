"""The generated pages of the docs are up to date, and the one about codes is complete."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from connector_core.config.schema import config_schema
from connector_core.contract.models import AbsenceKind
from connector_core.health.refusals import EVENT_REASONS, REASONS
from connector_core.plugins import load_plugins
from tools.reference.code_page import SECTIONS, fix_of, meaning_of, with_computed
from tools.reference.codes import Reader, Source, read, supplement
from tools.reference.pages import FOLDER, pages

ROOT = Path(__file__).parents[1]
NAMES = ("codes.md", "commands.md", "configuration.md", "http.md", "metrics.md")
OWN_WAY = frozenset({"later", "fine", "plugin", "connection"})  # whose way out is that of the section
MADE_UP = frozenset({"own"})  # by a test, for an error of its own


@pytest.fixture(scope="module")
def made():
    """Make every page anew."""
    return pages()


@pytest.fixture(scope="module")
def reader():
    """Read the codes of the product."""
    return read()


@pytest.fixture(scope="module")
def codes(reader):
    """Return every code of the product."""
    return with_computed(reader.codes, supplement())


@pytest.mark.parametrize("name", NAMES)
def test_a_generated_page_is_up_to_date(made, name):
    """It says what the code says now; if not, run: make reference."""
    assert (FOLDER / name).read_text() == made[name]


def test_no_page_is_left_over(made):
    """All pages in the folder are made, and no other ones are."""
    assert {path.name for path in FOLDER.iterdir()} == set(made) == set(NAMES)


def test_every_key_of_the_configuration_is_on_the_page(made):
    """An independent look: each key that the schema has anywhere stands in a table."""
    waiting, keys = [config_schema(load_plugins())], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            keys |= set(part["properties"]) if isinstance(part.get("properties"), dict) else set()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    shown = set(re.findall(r"^\| `(\w+)` \|", made["configuration.md"], re.MULTILINE))

    assert len(keys) > 100
    # What a plugin shares stands in a section of its own, and most plugins share nothing.
    assert keys - shown - {plugin.name for plugin in load_plugins().ready} == set()


def test_where_a_code_comes_from_is_known(reader):
    """A code that is not written where it is raised is in codes.toml, with all that it may be."""
    assert reader.untraced == set(supplement().computed)
    for place, names in supplement().computed.items():
        source = (ROOT / place.partition(":")[0]).read_text()
        assert [name for name in names if f'"{name}"' not in source] == []


def test_every_code_has_a_meaning_and_a_way_out(codes):
    """In the source, or in codes.toml."""
    more = supplement()
    unexplained = [
        (name, kind)
        for name, code in sorted(codes.items())
        for kind in sorted(code.kinds)
        if kind not in SECTIONS
        or not meaning_of(code, kind, more)
        or (kind not in OWN_WAY and not fix_of(code, kind, more))
    ]

    assert unexplained == []


def test_nothing_is_explained_that_there_is_not(codes):
    """Each line of codes.toml is about a code, and one whose way out is not in the source already."""
    more = supplement()

    assert set(more.meaning) | set(more.fix) <= set(codes)
    assert [name for name in more.fix if any(fix.strip("… .") for fix in codes[name].fixes)] == []


def test_codes_that_other_lists_have_are_on_the_page(codes):
    """What the console explains, and why tickets are gone, are codes that were found."""
    assert set(REASONS) | set(EVENT_REASONS) | set(AbsenceKind) <= set(codes)


@pytest.mark.extended
def test_codes_that_tests_expect_are_on_the_page(codes):
    """An independent look: what tests of the product compare an error's code with is a code of the product."""
    expected = {
        code
        for folder in ("core", "plugins", "console", "e2e")
        for path in (ROOT / "tests" / folder).rglob("test_*.py")
        for code in re.findall(r'(?:value|error|exc|caught\.value)\.code == "([a-z_]+)"', path.read_text())
    }

    assert len(expected) > 50
    patterns = [re.compile(name.replace("…", "[a-z_]+")) for name in codes]
    assert {code for code in expected if not any(one.fullmatch(code) for one in patterns)} <= MADE_UP


def read_source(text: str) -> Reader:
    """Read the codes of a made-up module."""
    return Reader([Source(ROOT / "connector_core" / "made_up.py", ast.parse(text))])


def test_a_code_is_found_wherever_it_is_written():
    """In place, by a constant, by a helper, by position; and one that cannot be told is not passed over."""
    found = read_source(
        'GONE = "by_constant"\n'
        'FIX = "Do this."\n'
        "def _short(code, title, fix):\n    return Finding(code=code, title=title, fix=fix)\n"
        "def work(rows, name):\n"
        '    raise ConfigError(f"No {name} here.", code="in_place", fix=FIX)\n'
        '    raise RemoteError("It is gone.", code=GONE)\n'
        '    _short("by_helper", "It is short", "Make it longer.")\n'
        '    raise RetryLater("Later.", code=rows[name].upper())\n'
    )

    assert {name: (sorted(code.kinds), code.meanings, code.fixes) for name, code in found.codes.items()} == {
        "in_place": (["settings"], ["No … here."], ["Do this."]),
        "by_constant": (["refused"], ["It is gone."], []),
        "by_helper": (["finding"], ["It is short"], ["Make it longer."]),
    }
    assert found.untraced == {"connector_core/made_up.py: rows[name].upper()"}
