"""What Jira refused, and what is done differently since: values in, values out."""

from __future__ import annotations

import pytest

from connector_core import RemoteError, TicketSnapshot, sample_incident
from connector_core.kit.answers import FieldsRefused
from connector_core.kit.fields import FormField, Kind, Option
from connector_jira_jsm.tickets.refusals import Refusals
from connector_jira_jsm.tickets.workflow import Chart, Here, Step

CAUSE = FormField("cause", "Cause", required=True)
NOTE = FormField("note", "Note")
RESOLUTION = FormField("resolution", "Resolution", Kind.CHOICE, options=(Option("1", "Done"),))
ASKED = FieldsRefused("No.", {"resolution": "Resolution is required."})


def step(*screen: FormField) -> Step:
    """Make a step to Closed with a screen."""
    return Step("7", "Close", "9", "Closed", done=True, screen=screen)


def refusals(**texts: str) -> Refusals:
    """Start without any refusal."""
    return Refusals(texts, sample_incident())


def chart(*steps: Step) -> Chart:
    """Make a chart of one status."""
    return Chart("Open", {"Open": steps}, frozenset({"Open"}))


def here(*steps: Step, recalled: frozenset[str] = frozenset()) -> Here:
    """Stand in Open."""
    return Here(TicketSnapshot(id="1", key="SUP-1", title="x", status="Open"), "1", steps, recalled)


def test_step_whose_screen_cannot_be_filled_in_is_barred():
    """It is no way, until settings have a value."""
    assert refusals().barred(chart(step(CAUSE))) == {("Open", "7")}
    assert [gap.field for gap in refusals().gaps(step(CAUSE))] == [CAUSE]
    assert refusals(cause="Power").barred(chart(step(CAUSE))) == frozenset()


def test_optional_field_that_was_refused_is_left_out():
    """The next try goes without it; what Jira said is kept for the receipt."""
    known, asked = refusals(note="x"), step(NOTE)

    assert known.adapt(asked, FieldsRefused("No.", {"note": "Note cannot be set."}), known.values_of(asked))
    assert known.values_of(asked) == {}
    assert known.left_out == {"note": "Note cannot be set."}


def test_field_that_must_be_filled_in_is_not_left_out():
    """Without it the step would be refused again."""
    known, asked = refusals(cause="x"), step(CAUSE)

    assert not known.adapt(asked, FieldsRefused("No.", {"cause": "Cause is wrong."}), known.values_of(asked))
    assert known.values_of(asked) == {"cause": "x"}
    assert known.left_out == {}


def test_resolution_that_a_validator_asks_for_is_added_once():
    """The second time it asks for it in vain, nothing is tried again."""
    known, asked = refusals(), step(RESOLUTION)

    assert known.adapt(asked, ASKED, known.values_of(asked))
    assert known.values_of(asked) == {"resolution": {"id": "1"}}
    assert not known.adapt(asked, ASKED, {})


def test_resolution_that_was_added_and_then_refused_is_taken_back():
    """Jira said no to it after all."""
    known, asked = refusals(), step(RESOLUTION)
    known.adapt(asked, ASKED, {})

    refused = FieldsRefused("No.", {"resolution": "Resolution cannot be set."})

    assert known.adapt(asked, refused, known.values_of(asked))
    assert known.values_of(asked) == {}


def test_value_that_left_the_screen_meanwhile_is_no_matter():
    """A screen may be another one when it is read again."""
    known = refusals()

    assert not known.adapt(step(), FieldsRefused("No.", {"resolution": "Not there."}), {"resolution": {"id": "1"}})


def test_added_value_closes_its_gap_and_no_other():
    """The screen insists on a resolution now, and on a cause that nobody has."""
    known = refusals()
    known.adapt(step(RESOLUTION), ASKED, {})
    empty = FormField("resolution", "Resolution", Kind.CHOICE, required=True)

    assert [gap.field for gap in known.gaps(step(empty, CAUSE))] == [CAUSE]


def test_field_is_set_beforehand_once():
    """What an edit did not cure is not edited again."""
    known = refusals(cause="Power", note="x")
    refused = FieldsRefused("No.", {"cause": "Cause is required."})

    assert known.to_set_beforehand(refused, {}) == {"cause": "Power"}
    assert known.to_set_beforehand(refused, {}) == {}


def test_field_that_was_sent_is_not_set_beforehand():
    """It was on the screen: an edit sends no other value."""
    assert refusals(cause="x").to_set_beforehand(FieldsRefused("No.", {"cause": "Wrong."}), {"cause": "x"}) == {}


@pytest.mark.parametrize("recalled", [frozenset[str](), frozenset({"7"})])
def test_refused_step_is_blocked_unless_its_screen_was_only_remembered(recalled: frozenset[str]):
    """A remembered screen is read anew first; the second refusal counts."""
    known, refusal = refusals(), RemoteError("No.")

    known.block(here(step(), recalled=recalled), step(), refusal)

    assert known.barred(chart(step())) == (set() if recalled else {("Open", "7")})
    assert (known.doubted, known.last) == (({"Open"}, None) if recalled else (set(), refusal))
    known.block(here(step(), recalled=recalled), step(), refusal)
    assert known.barred(chart(step())) == {("Open", "7")}
    assert known.last is refusal
