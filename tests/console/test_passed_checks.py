"""What was checked and is fine stands back behind what is wrong."""

from __future__ import annotations

import re

import pytest

from connector_core import Finding, Severity
from connector_core.store.records import Checkup
from tests.support.pages import shown
from tests.support.served import Served

PAGE = "/integrations/acme-desk"
WRONG = (
    Finding(code="closing", severity=Severity.PROBLEM, title="The close status is gone", fix="Choose another."),
    Finding(code="webhook", severity=Severity.WARNING, title="No webhook secret is set"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console with one integration."""
    made = Served(tmp_path_factory.mktemp("checks"))
    made.add("acme-desk", "acme")
    yield made
    made.stop()


def page(served, admin, number, wrong=()):
    """Store so many passed checks, and what is wrong; return the page of the integration."""
    fine = [Finding(code=f"c{one}", severity=Severity.OK, title=f"Check {one} is fine") for one in range(number)]
    served.app.store.checkups.record(Checkup("acme-desk", served.clock.now(), (*fine, *wrong)))
    return admin.get(PAGE).text


def folded(text):
    """Return the line that stands for what is folded, and how many checks are behind it."""
    found = re.search(r"<details class=\"passed\"><summary>([^<]*)</summary>(.*?)</details>", text, re.DOTALL)
    return None if found is None else (found[1], found[2].count("is fine"))


@pytest.mark.parametrize(
    ("number", "wrong", "said"),
    [
        (3, WRONG, None),
        (12, (), ("All 12 checks passed", 12)),
        (12, WRONG, ("12 other checks passed", 12)),
        (0, WRONG, None),
    ],
)
def test_many_passed_checks_are_one_line(served, admin, number, wrong, said):
    """What is wrong stands first and open; a few that passed are no burden."""
    text = page(served, admin, number, wrong)

    assert folded(text) == said
    order = [shown(text).find(one.title) for one in wrong]
    assert order == sorted(order)
    assert all(f"<strong>{one.title}" in text.partition('<details class="passed">')[0] for one in wrong)
