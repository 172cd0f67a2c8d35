"""What a step shows beside its questions: why a list is empty, what is still required, what is folded, variables."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connector_core import FieldKind, SetupField, SetupStep, hookimpl
from connector_core.contract.setup_steps import Choice
from connector_core.contract.templates import mistake_in, variables
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.pages import shown
from tests.support.served import Served

STEP = "/integrations/helpdesk/setup/step"
WHY = "The site needs a licence, and the account a role."


class AskingDesk(MemoryDesk):
    """Asks in every way that a page shows differently."""

    @hookimpl
    def configure_steps(self, integration):
        """Ask for the desk, and for fields."""
        desk = SetupField("desk", "Desk", "It gets the tickets.", FieldKind.CHOICE, load=list, when_empty=WHY)
        room = SetupField("room", "Room", "", required=True)
        seat = SetupField("seat", "Seat", "", required=False)
        fields = SetupField("fields", "Fields", "", FieldKind.GROUP, required=False, rows=lambda: [room, seat])
        late = SetupField(
            "close_status",
            "Status",
            "",
            FieldKind.CHOICE,
            required=False,
            load=lambda: [Choice("Done", "Done")],
            is_advanced=True,
        )
        return (
            SetupStep("desk", "Select Desk", "One of them.", (desk,)),
            SetupStep("fields", "Fields", "More.", (fields, late), optional=True, takes_templates=True),
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console whose plugin asks so."""
    made = Served(tmp_path_factory.mktemp("steps"), points=[AskingDesk().entry_point(), MemoryPlatform().entry_point()])
    made.add("helpdesk", "acme")
    yield made
    made.stop()


def test_an_empty_list_says_why(admin):
    """In the words of the plugin, once, beside the hint that every list has."""
    page = shown(admin.get(f"{STEP}/desk").text)

    assert page.count(WHY) == 1
    assert f"The list is empty. {WHY}" in " ".join(page.split())


def test_what_is_required_is_not_called_optional(served, admin):
    """The rows that the other side insists on are named, and Next does not pass them by."""
    page = admin.get(f"{STEP}/fields").text
    assert "Still required: Room." in shown(page)
    assert not re.search(r"<h1[^>]*>Fields <small>optional", page)

    passed = admin.post(f"{STEP}/fields/next", **{"fields.room": "", "fields.seat": "3"})
    assert passed.status_code == 422
    served.app.setup.change("helpdesk", lambda known: replace(known, answers={"fields": {"room": "12"}}))

    page = admin.get(f"{STEP}/fields").text
    assert "Still required" not in page
    assert re.search(r"<h1[^>]*>Fields <small>optional", page)


def test_what_most_leave_alone_is_folded_until_it_has_an_answer(served, admin):
    """It can be opened without a script."""
    page = admin.get(f"{STEP}/fields").text
    assert re.search(r'<details class="advanced" id="advanced"><summary>Advanced', page)

    served.app.setup.change("helpdesk", lambda known: replace(known, answers={"close_status": "Done"}))

    assert re.search(r'<details class="advanced" id="advanced" open>', admin.get(f"{STEP}/fields").text)


def test_the_variables_stand_beside_the_questions(admin):
    """Each as it is written, with an example; each can be put into a text."""
    page = shown(admin.get(f"{STEP}/fields").text)

    assert len(variables()) > 15
    for text, example in variables():
        assert mistake_in(text) == ""
        assert text in page
        assert example in page
    assert "{{ incident.title }}" not in admin.get(f"{STEP}/desk").text
