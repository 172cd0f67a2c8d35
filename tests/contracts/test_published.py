"""The facts against the published files that they were made of; collected only where those are at hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_jira_jsm_sandbox import RecordedCall
from tests.contracts import facts, make
from tests.contracts.mutants import mutants
from tests.support.jira.documents import DOCUMENTS, judges
from tests.support.jira.openapi_check import check_call, published_descriptions

pytestmark = pytest.mark.extended


@pytest.mark.parametrize("name", [*make.SERVED, "documents"])
def test_facts_are_what_the_script_makes(name: str):
    """`make contracts` would change nothing."""
    assert (facts.HERE / f"{name}.json").read_text() == make.text(make.facts()[name])


def test_facts_find_whatever_the_published_descriptions_find(toured: list[RecordedCall]):
    """Thousands of calls with one thing wrong get the same verdict, word for word."""
    differing, found = [], 0
    for call in toured:
        # What is special about the second version is said once for both sources, in openapi_check.
        for what, mutant in mutants(call) if "/api/2/" not in call.path else ():
            by_facts, by_published = (sorted(check_call(mutant, source)) for source in (None, published_descriptions()))
            found += bool(by_published)
            if by_facts != by_published:
                differing.append(f"{call.method} {call.path}, {what}: {by_facts} / {by_published}")

    assert differing == []
    assert found > 2000


@settings(max_examples=10)  # the whole schema takes long to reject a document
@given(DOCUMENTS, st.data())
def test_facts_judge_documents_as_the_published_schema_does(document: object, data: st.DataObject):
    """A document, and one with any of its places broken, is right for both or wrong for both."""
    text = json.dumps(document)
    places = [at for at, sign in enumerate(text) if sign == '"'][::2]
    for changed in (text, _renamed(text, data.draw(st.sampled_from(places)))):
        by_facts, by_published = (judge.is_valid(json.loads(changed)) for judge in judges())

        assert by_facts == by_published, changed


def _renamed(text: str, at: int) -> str:
    """Return the JSON with another word for the key or value whose quote is at a place."""
    return f"{text[: at + 1]}never {text[at + 1 :]}"
