"""What can be set for an integration, and what the plugin says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

import connector_core as core
from connector_core.kit.priorities import NumberPriorities
from connector_core.kit.settings import site_address
from connector_core.kit.texts import CUT

DO_NOT_CLOSE = "do_not_auto_close"
#: Lowest to Highest, as Request Tracker numbers its own: 0, 25, 50, 75, 100.
NUMBERED = NumberPriorities.between(0, 100)
LEAST, MOST = 0, 10_000


class TrackerSettings(core.Settings):
    """Where the tickets of one organization go, and how they are closed."""

    address: Annotated[str, site_address("https://rt.example.com", api_path="/REST/2.0")] = Field(
        description="Address under which people open Request Tracker, like https://rt.example.com."
    )
    token: SecretStr = Field(
        description="Token of the user that the connector acts as; it begins with digits, like 1-14-6f2c…"
    )
    queue: str = Field(min_length=1, max_length=200, description="Name of the queue that incidents become tickets in.")
    priority_numbers: Annotated[
        Mapping[core.Priority, Annotated[int, Field(ge=LEAST, le=MOST)]], AfterValidator(NUMBERED.told_apart)
    ] = Field(
        {},
        description="The number that a priority is written as, where it is not 100, 75, 50, 25 or 0, from critical "
        "to planning. What is read is the nearest.",
    )
    close_status: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        "resolved", description=f"Status that a ticket gets when its incident is resolved, or {DO_NOT_CLOSE}."
    )

    @property
    def priorities(self) -> NumberPriorities:
        """Return the numbers of all priorities."""
        return NUMBERED.over(self.priority_numbers)


PLUGIN = core.PluginInfo(
    name="request_tracker",
    title="Request Tracker",
    settings=TrackerSettings,
    webhook_route="request-tracker",
    link_settings=frozenset({"queue", "close_status"}),
    place_settings=frozenset({"address", "queue"}),
    cut_marks=(CUT,),
    # Its times are whole seconds, and what deliveries tell may come late: `times_are_exact` stays false.
    unchangeable=frozenset({core.FieldName.DESCRIPTION}),
    signature_headers=frozenset({"x-hub-signature"}),
)
