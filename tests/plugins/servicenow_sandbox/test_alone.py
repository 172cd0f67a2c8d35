"""The stand-in in a process of its own, as its README starts it; and what the README promises."""

from __future__ import annotations

import re
import signal
from dataclasses import fields
from pathlib import Path

import pytest
import requests

from connector_servicenow_sandbox import InstanceProfile
from tests.support.alone import ended, started

ROOT = Path(__file__).parents[3]
README = (ROOT / "plugins" / "servicenow_sandbox" / "README.md").read_text()


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_how_it_ends(number: signal.Signals) -> None:
    """The address comes first, then who may come in and how it is stopped; either signal stops it in good order."""
    with started("connector_servicenow_sandbox") as (process, told):
        url, account, _, key, how = told
        name, password = account.split()[1].rstrip(","), account.split()[-1]
        by_name = requests.get(f"{url}/api/now/table/incident", auth=(name, password), timeout=10)
        by_key = requests.get(f"{url}/api/now/table/incident", headers={"x-sn-apikey": key.split()[-1]}, timeout=10)
        code = ended(process, number)

    assert how == "Ctrl-C ends it; nothing is kept."
    assert (by_name.status_code, by_key.status_code, code) == (200, 200, 0)


def test_every_behaviour_names_its_page_or_that_there_is_none() -> None:
    """Each row of the tables has a source, and each page named there has its address below."""
    told, _, pages = README.partition("## Pages")
    behaviours = told.partition("## Where each behaviour is from")[2]
    rows = re.findall(r"^\| (?!Behaviour)(.+?) \| (.+?) \|$", behaviours, re.MULTILINE)
    named = {page for _, source in rows for page in re.findall(r"\[([\w-]+)\]", source)}
    unsourced = [
        what for what, source in rows if not re.search(r"\[|KB\d|community|others|no page found|a matter of", source)
    ]

    assert len(rows) > 60
    assert unsourced == []
    assert [page for page in sorted(named) if not re.search(rf"(?<![\w-]){re.escape(page)}(?![\w-])", pages)] == []


def test_every_switch_stands_in_the_readme() -> None:
    """But for lists and numbers of states, which are what they are called."""
    lists = {"name", "people", "groups", "states", "close_codes", "hold_reasons", "levels", "extra_fields"}
    values = {"new", "in_progress", "on_hold", "resolved", "closed", "canceled", "access_token_s", "refresh_token_s"}
    switches = {one.name for one in fields(InstanceProfile)} - lists - values

    assert [name for name in sorted(switches) if f"`{name}" not in README and f".{name}" not in README] == []
