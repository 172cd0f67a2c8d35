"""Ids that a file holds are shown with the names that people know, as far as these were told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector_core.contract.setup_steps import in_words
from connector_core.registry.handles import LONGEST_LABEL
from connector_core.store import Origin
from tests.support.pages import shown
from tests.support.served import ServedLink


@pytest.fixture
def served(tmp_path):
    """Serve an integration of the file whose settings hold an id."""
    opened = ServedLink(tmp_path)
    record = opened.app.registry.entry("acme-desk").record
    opened.app.store.integrations.put(
        replace(record, origin=Origin.YAML, answers={"desk": "1", "queue": "77", "areas": ["5"]})
    )
    yield opened
    opened.stop()


PAGES = ("/integrations/acme-desk", "/integrations/acme-desk/setup/enable", "/links/{number}")


@pytest.mark.parametrize("page", PAGES)
def test_an_id_is_shown_as_it_is_until_its_name_was_told(served, admin, page):
    """Falling back to the id shows what the file says; a told name is shown with the id, and is only text."""
    path = page.format(number=served.number)
    before = admin.get(path).text

    served.app.registry.entry("acme-desk").handle.core.tell_label("desk", "1", "IT <b>help</b>")
    after = admin.get(path).text

    assert "<dd>1</dd>" in before
    assert "IT" not in shown(before)
    assert "IT &lt;b&gt;help&lt;/b&gt; (1)" in after
    assert "<b>help</b>" not in after


def test_settings_that_no_step_asks_for_have_names_too(served, admin):
    """They stand in the file only; a list is shown as one."""
    tell = served.app.registry.entry("acme-desk").handle.core.tell_label
    tell("queue", "77", "Second floor")

    page = admin.get("/integrations/acme-desk").text

    assert "Second floor (77)" in page
    assert "<dd>5</dd>" in page


def test_a_name_is_bounded_and_an_empty_one_is_none(served):
    """What another system calls something is a stranger's text."""
    tell = served.app.registry.entry("acme-desk").handle.core.tell_label
    tell("desk", "1", "a\nb " + "x" * 1000)
    tell("queue", "77", "  ")

    labels = served.app.store.integrations.labels("acme-desk")

    assert labels[("desk", "1")].startswith("a b x")
    assert len(labels[("desk", "1")]) == LONGEST_LABEL
    assert ("queue", "77") not in labels


@pytest.mark.parametrize(
    ("value", "label", "words"),
    [
        ("10", "IT help", "IT help (10)"),
        ("10", "IT help (SUP)", "IT help (SUP, 10)"),
        ("10", None, "10"),
        ("10", "10", "10"),
        ("leave_open", "Leave it open", "Leave it open"),
        ("", None, ""),
    ],
)
def test_a_name_stands_before_its_id(value, label, words):
    """A word of ours needs no id beside its name."""
    assert in_words(value, label) == words
