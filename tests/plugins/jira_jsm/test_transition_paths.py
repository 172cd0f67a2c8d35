"""Which path leads from each status to the close status, as set-up shows it on the difficult site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector_core import Remark, Severity
from connector_jira_jsm.setup.steps import steps
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from connector_jira_jsm_sandbox.difficult import SETTINGS
from tests.support.jira.difficult_site import handle, opened
from tests.support.jira.openapi_check import assert_calls_match_openapi


@pytest.fixture
def sandbox() -> Iterator[JiraSandbox]:
    """Serve a site with a ticket in "Neu", "In Prüfung" and "Eskaliert", and one that was closed."""
    with JiraSandbox(DIFFICULT, search_lag_s=0) as running:
        integration = handle(running)
        for ways in (("11",), ("91",), ("11", "21", "51", "41")):
            ticket = opened(integration)
            for step in ways:
                running.workbench.move(ticket.id, step)
        opened(integration)
        yield running
        assert_calls_match_openapi(running.calls)


def table(sandbox: JiraSandbox, **settings: Any) -> dict[str, Remark]:  # noqa: ANN401 - settings
    """Return what the step shows, by the status that it is about."""
    step = next(one for one in steps(handle(sandbox, **settings)) if one.key == "close_status")
    assert step.preview is not None
    shown = step.preview()
    return {re.findall('"([^"]+)"', remark.text)[0]: remark for remark in shown}


def test_table_shows_a_way_from_every_status(sandbox: JiraSandbox) -> None:
    """Steps that were seen are told with their transitions, those that people went with where they led."""
    shown = table(sandbox, close_fields=SETTINGS["close_fields"])

    assert shown["Neu"].text.startswith('"Neu" → "In Prüfung" (Prüfen) → "In Arbeit" (Bearbeiten) → ')
    assert shown["Neu"].text.endswith("this path has been used before.")
    assert shown["In Prüfung"].severity is Severity.OK
    assert shown["Eskaliert"].severity is Severity.PROBLEM
    assert "cannot be closed" in shown["Eskaliert"].text
    assert shown["Wartet"] == Remark('"Wartet" → "Geschlossen": will be checked with the first ticket in that status.')


def test_missing_value_of_a_screen_is_in_the_table(sandbox: JiraSandbox) -> None:
    """A way whose screen asks for a field without a value is barred, and the field is named."""
    sandbox.workbench.move(opened(handle(sandbox)).id, "11")
    sandbox.workbench.move(sandbox.tickets()[-1]["id"], "21")
    required = tuple(
        replace(one, required_fields=("customfield_10115",)) if one.id == "41" else one
        for one in DIFFICULT.transitions
        if one.id != "51"
    )
    sandbox.administer(transitions=required)

    barred = table(sandbox)["In Arbeit"]

    assert barred.severity is Severity.PROBLEM
    assert "Ursache has no value" in barred.text
