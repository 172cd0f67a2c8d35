"""Texts made to be slow to read: whoever writes them must not hold up everybody else."""

from __future__ import annotations

from time import process_time

import pytest

from connector_jira_jsm.text import plain

BEGINNINGS = ("{code:", "{code:a}", "{color:", "{color:a", "{noformat:x}{code}", "\\\\a", "{{", "[~accountid:", "[a|")


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_beginnings_without_an_end_are_read_in_one_go(beginning: str):
    """It takes milliseconds; with a look from each of them to the end of the text it took a quarter of a minute."""
    text = beginning * (80_000 // len(beginning))
    began = process_time()
    plain.of_wiki(text)
    assert process_time() - began < 1


def test_fences_that_are_closed_are_read_beside_those_that_are_not():
    """One that is not closed is text, and keeps no other from being found."""
    assert plain.of_wiki("{code:a}{noformat}x{noformat}{color:red}y{color}") == "{code:a}\nx\ny"
