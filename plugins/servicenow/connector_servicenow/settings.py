"""The settings of an integration, and who the plugin is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

import connector_core as core
from connector_core.kit.field_lines import FieldLines, Template
from connector_core.kit.priorities import FieldPriorities
from connector_core.kit.settings import site_address
from connector_core.kit.texts import CUT, CUT_NOTE

DO_NOT_CLOSE = "none"
#: Resolved, Closed, Canceled: whoever adds states of their own names them.
DONE = ("6", "7", "8")
#: Impact and urgency; the rules of the base system make 1 to 5 of them [def-prio-lookup-rules].
PAIRS = MappingProxyType(dict(zip(core.Priority, ("1/1", "1/2", "2/2", "2/3", "3/3"), strict=True)))

LINES = "A line for each column, as u_room = {{ incident.location.name }}; values as they are stored."
_EXAMPLE = "https://acme.service-now.com"
_PAIR = re.compile(r"[0-9]{1,2}/[0-9]{1,2}")


def pair_of(text: str) -> str:
    """Return impact and urgency as they are written here.

    Raises:
        ValueError: they are not given as `impact/urgency`.
    """
    if not _PAIR.fullmatch(bare := re.sub(r"\s", "", text)):
        raise ValueError("expected impact and urgency like 1/2")
    return bare


def _states(given: object) -> object:
    return re.split(r"[,\s]+", given.strip()) if isinstance(given, str) else given


class ServiceNowSettings(core.Settings):
    """Settings of an integration with one instance."""

    instance: Annotated[str, site_address(_EXAMPLE, host_of_name="{}.service-now.com")] = Field(
        description="Address of the instance, or its name: acme stands for https://acme.service-now.com."
    )
    sign_in: Annotated[Literal["oauth", "client_credentials", "api_key", "basic"], core.FieldKind.CHOICE] = Field(
        "oauth", description="How access is authorized: someone's consent, a client of its own, a key, or a password."
    )
    client_id: str = Field("", title="Client ID", description="For OAuth, as it stands in the registry.")
    client_secret: SecretStr | None = Field(None, description="Of the OAuth client, as it stands in the registry.")
    api_key: SecretStr | None = Field(None, title="API key", description="The token of the header x-sn-apikey.")
    user_name: str = Field("", description="For a password: user name of the account.")
    password: SecretStr | None = Field(None, description="Of that user.")
    assignment_group: str = Field(description="sys_id of the assignment group that gets the incidents.")
    caller: str = Field("", description="sys_id of the user who is the caller; empty for none.")
    impact_urgency: Mapping[core.Priority, Annotated[str, AfterValidator(pair_of)]] = Field(
        {}, description="Impact and urgency for each priority, like 1/2; what is left out is as in the base system."
    )
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
    done_states: Annotated[tuple[str, ...], BeforeValidator(_states)] = Field(
        DONE,
        title="States in which it is done",
        description="The states in which nothing is left to be done, usually 6, 7 and 8; close_status always is one.",
    )

    @property
    def done(self) -> frozenset[str]:
        """The states in which an incident counts as done."""
        return frozenset({*self.done_states, self.close_status})

    @property
    def priorities(self) -> FieldPriorities:
        """The pair that each of ours is written as; what only the computed priority tells is read by its number."""
        pairs = {**PAIRS, **self.impact_urgency}
        written = {
            ours: dict(zip(("impact", "urgency"), pairs[ours].split("/"), strict=True)) for ours in core.Priority
        }
        return FieldPriorities(written, [({"priority": str(n)}, ours) for n, ours in enumerate(core.Priority, 1)])


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
