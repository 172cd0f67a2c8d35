"""Tickets that are not there: what of an answer tells why."""

from __future__ import annotations

import pytest

from connector_core import AbsenceKind
from connector_core.kit.absences import absent_by_status
from connector_core.kit.answers import Complaint, Subject
from tests.core.kit.test_answers import answer

SAID = Complaint(("No.",), from_api=True)


def told(status, *, method="GET", said=SAID, about=Subject.TICKET):
    """Return why a ticket is absent after an answer."""
    absent = absent_by_status(answer(status, {}, method=method), said, about, vendor="Desk", hidden_fix="Give a right.")
    return absent and absent.absence


@pytest.mark.parametrize(("status", "kind", "fix"), [(403, "HIDDEN", "Give a right."), (404, "DELETED", "")])
def test_the_status_of_a_look_tells_hidden_from_deleted(status, kind, fix):
    """With what makes a hidden one be seen."""
    absence = told(status)

    assert (absence.kind, absence.fix) == (AbsenceKind[kind], fix)
    assert absence.reason.endswith(".")


@pytest.mark.parametrize(
    "other", [{"method": "PUT"}, {"said": Complaint(("A page",))}, {"about": Subject.SETUP}, {"status": 400}]
)
def test_nothing_is_said_of_any_other_answer(other):
    """Of a write, of a page in place of the API, of a queue, of another status."""
    assert told(**{"status": 404, **other}) is None
