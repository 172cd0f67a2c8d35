"""What can be set for an integration, and what the plugin says about itself."""

from __future__ import annotations

from functools import partial
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator

import connector_core as core
from connector_core.kit.priorities import NumberPriorities
from connector_core.kit.texts import CUT

DO_NOT_CLOSE = "do_not_auto_close"
#: Lowest to Highest, as Request Tracker numbers its own: 0, 25, 50, 75, 100.
NUMBERED = NumberPriorities.between(0, 100)
LEAST, MOST = 0, 10_000


def _site_of(address: object) -> object:
    """Return an address as people copy it without the path of the REST interface."""
    return address.strip().rstrip("/").removesuffix("/REST/2.0") if isinstance(address, str) else address


_IS_ADDRESS = AfterValidator(partial(core.http_address, example="https://rt.example.com"))


class TrackerSettings(core.Settings):
    """Where the tickets of one organization go, and how they are closed."""

    address: Annotated[str, BeforeValidator(_site_of), _IS_ADDRESS] = Field(
        description="Address under which people open Request Tracker, like https://rt.example.com."
    )
    token: SecretStr = Field(
        description="Token of the user that the connector acts as; it begins with digits, like 1-14-6f2c…"
    )
    queue: str = Field(min_length=1, max_length=200, description="Name of the queue that incidents become tickets in.")
    priority_numbers: dict[core.Priority, Annotated[int, Field(ge=LEAST, le=MOST)]] = Field(
        {},
        description="The number that a priority is written as, where it is not 100, 75, 50, 25 or 0, from critical "
        "to planning. What is read is the nearest.",
    )
    close_status: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        "resolved", description=f"Status that a ticket gets when its incident is resolved, or {DO_NOT_CLOSE}."
    )

    @field_validator("priority_numbers")
    @classmethod
    def _told_apart(cls, given: dict[core.Priority, int]) -> dict[core.Priority, int]:
        """Refuse numbers that cannot be told apart: one would be read back as the other."""
        numbers = {**NUMBERED.numbers, **given}
        if len(set(numbers.values())) < len(numbers):
            raise ValueError("each priority needs a number of its own")
        return given

    @property
    def priorities(self) -> NumberPriorities:
        """Return the numbers of all priorities."""
        return NumberPriorities({**NUMBERED.numbers, **self.priority_numbers})


Tracker: TypeAlias = core.Integration[TrackerSettings]
#: One whose set-up may be unfinished.
AnyTracker: TypeAlias = core.Integration[TrackerSettings | None]

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


@core.implements(core.hookspecs.describe_plugin)
def describe() -> core.PluginInfo:
    """Return who we are."""
    return PLUGIN
