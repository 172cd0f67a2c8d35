"""The settings of an integration, and who the plugin is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

import connector_core as core
from connector_core.kit.field_lines import FieldLines, Template
from connector_core.kit.settings import PairSettings, SignInSettings, Words, site_address
from connector_core.kit.texts import CUT, CUT_NOTE

DO_NOT_CLOSE = "none"
#: Resolved, Closed, Canceled: whoever adds states of their own names them.
DONE = ("6", "7", "8")

LINES = "A line for each column, as u_room = {{ incident.location.name }}; values as they are stored."
_EXAMPLE = "https://acme.service-now.com"


class ServiceNowSettings(SignInSettings, PairSettings):
    """Settings of an integration with one instance."""

    instance: Annotated[str, site_address(_EXAMPLE, host_of_name="{}.service-now.com")] = Field(
        description="Address of the instance, or its name: acme stands for https://acme.service-now.com."
    )
    assignment_group: str = Field(description="sys_id of the assignment group that gets the incidents.")
    caller: str = Field("", description="sys_id of the user who is the caller; empty for none.")
    new_fields: FieldLines = Field(
        {}, title="What else a new incident must have", description=f"Further fields of a new incident. {LINES}"
    )
    close_status: str = Field(DONE[0], description="State that an incident gets when it is over; none: it stays open.")
    close_code: Annotated[str, core.FieldKind.CHOICE, Field(title="Resolution code")] = Field(
        "",
        description="As the instance stores it; most resolve nothing without one. Where the list is closed, type it.",
    )
    close_notes: Annotated[Template, core.FieldKind.LONG_TEXT, Field(title="Resolution notes")] = Field(
        "The incident on the platform is over: {{ incident.title }}",
        description="A template, such as {{ incident.title }}.",
    )
    close_fields: Annotated[FieldLines, Field(title="What else a resolved incident must have")] = Field(
        {}, description=f"Further fields of an incident that is resolved. {LINES}"
    )
    done_states: Words = Field(
        DONE,
        title="States in which it is done",
        description="The states in which nothing is left to be done, usually 6, 7 and 8; close_status always is one.",
    )

    @property
    def done(self) -> frozenset[str]:
        """The states in which an incident counts as done."""
        return frozenset({*self.done_states, self.close_status})


PLUGIN = core.PluginInfo(
    name="servicenow",
    title="ServiceNow",
    settings=ServiceNowSettings,
    webhook_route="servicenow",
    place_settings=frozenset({"instance", "assignment_group"}),
    cut_marks=(CUT_NOTE, CUT),
    consent="Log in to the instance as the account that the connector is to act as, and choose Allow.",
    # Whole seconds, and a time in a filter may be read in the zone of the account: no zone is further from UTC.
    read_lag=timedelta(days=1),
    signature_headers=frozenset({"x-signature", "x-timestamp"}),
)
