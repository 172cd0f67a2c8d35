"""The examples in the docstrings of the kit say what happens."""

from __future__ import annotations

import doctest
import importlib
from datetime import UTC, datetime
from functools import partial

import pytest
from pydantic import Field, SecretStr

from connector_core import (
    Choice,
    Comment,
    Device,
    FieldName,
    Location,
    Priority,
    Receipt,
    TicketSnapshot,
    WriteComment,
    WriteFields,
    sample_incident,
)
from connector_core.kit.comments import Internal
from connector_core.kit.details import Details
from connector_core.kit.drift import Drift
from connector_core.kit.fields import FormField
from connector_core.kit.html_markup import HTML
from connector_core.kit.markup import MARKDOWN, PLAIN
from connector_core.kit.priorities import Level
from connector_core.kit.settings import SignInSettings
from tests.core.kit.handles import answered
from tests.core.kit.test_answers import answer

MODULES = (
    "absences",
    "checks",
    "closing",
    "comments",
    "comment_texts",
    "counting",
    "creating",
    "details",
    "drift",
    "editing",
    "field_lines",
    "field_rows",
    "fields",
    "html_markup",
    "markup",
    "marks",
    "priorities",
    "priority_pairs",
    "scripts",
    "settings",
    "sign_in",
    "steps",
    "texts",
)

TICKET = TicketSnapshot(id="1")


class DeskSettings(SignInSettings):
    """Settings of a desk."""

    address: str = Field("", description="Address of the desk.")
    token: SecretStr = Field(description="Token of the user.")


def given() -> dict[str, object]:
    """Return the names that examples use without saying where they come from."""
    integration = answered(queue="AV Support", request_fields={"room": "{{ incident.location.name }}"})
    return {
        "incident": sample_incident(),
        "integration": integration,
        "old": Details().write(sample_incident(), "cnx-1"),
        "three": [Level(str(at), name) for at, name in enumerate(("Red", "Yellow", "Green"))],
        "statuses": list[Choice],
        "ticket": TICKET,
        "receipt": Receipt(ticket=TICKET),
        "change": WriteFields(
            incident=sample_incident(), marker="cnx-1", ticket=TICKET, fields=frozenset({FieldName.TITLE})
        ),
        "internal": Internal(integration, print, ""),
        "partial": partial,
        "drift": Drift(lambda *_: [], {}),
        "response": answer(200, {"id": "1"}),
        "room": FormField("room", "Room", required=True),
        "draft": WriteComment(
            ticket=TicketSnapshot(id="1"),
            comment=Comment(id="c-1", author="Ada", text="It is hot.", created_at=datetime(2026, 3, 2, tzinfo=UTC)),
            platform="Platform",
            marker="cnx-0123456789abcdef0123",
        ),
        **{one.value.upper(): one for one in Priority},
        "DeskSettings": DeskSettings,
        "moment": datetime(2026, 3, 2, tzinfo=UTC),
        "Choice": Choice,
        "Device": Device,
        "HTML": HTML,
        "Location": Location,
        "MARKDOWN": MARKDOWN,
        "PLAIN": PLAIN,
    }


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_say(name: str):
    """Each of them is run."""
    module = importlib.import_module(f"connector_core.kit.{name}")
    tried = doctest.testmod(module, extraglobs=given())

    assert tried.failed == 0
    assert tried.attempted > 0 or name == "html_markup"
