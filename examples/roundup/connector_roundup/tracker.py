"""A tracker of Roundup: who the plugin is, what an integration is told of it, and what its answers mean."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import Field, SecretStr
from requests import Response

import connector_core as core
from connector_core.kit import answers, texts
from connector_core.kit.settings import site_address


class RoundupSettings(core.Settings):
    """Settings of an integration with Roundup."""

    address: Annotated[str, site_address("https://issues.example.com/support")] = Field(
        description="Address of the tracker."
    )
    user: str = Field(description="Login of the user that the connector works as.")
    password: SecretStr = Field(description="Password of that user.")
    close_status: str = Field("resolved", description="Status that an issue gets when its incident is resolved.")
    done_statuses: tuple[str, ...] = Field(("resolved", "done-cbb"), description="Statuses with nothing left to do.")


PLUGIN = core.PluginInfo(
    name="roundup",
    title="Roundup",
    settings=RoundupSettings,
    place_settings=frozenset({"address"}),
    link_settings=frozenset({"close_status"}),
    unchangeable=frozenset({core.FieldName.DESCRIPTION}),  # the first message stays as it was written
    cut_marks=(texts.CUT,),
)


def own_cases(response: Response, said: answers.Complaint, _: answers.Subject) -> core.ConnectorError | None:
    """Tell what 409 means: not a conflict, which is 412, but a value or an issue that cannot be."""
    if response.status_code != HTTPStatus.CONFLICT:
        return None
    kind = core.TicketGone if "is retired" in str(said) else core.RemoteError
    return kind(f"Roundup refused the request. It says: {said}", detail=str(said))


RULES = answers.Answers("Roundup", own=own_cases)
