"""A tracker of Roundup: what an integration is told of it, what its answers mean, and how issues are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, SecretStr
from requests import Response

import connector_core as core
from connector_core.kit import answers, editing, grants, kept, paging, priorities, rest, signing, values

Address = Annotated[str, AfterValidator(partial(core.http_address, example="https://issues.example.com/support"))]


class RoundupSettings(core.Settings):
    """Settings of an integration with Roundup."""

    address: Address = Field(description="Address of the tracker.")
    user: str = Field(description="Login of the user that the connector works as.")
    password: SecretStr = Field(description="Password of that user.")
    close_status: str = Field("resolved", description="Status that an issue gets when its incident is resolved.")
    done_statuses: tuple[str, ...] = Field(("resolved", "done-cbb"), description="Statuses with nothing left to do.")


#: What hooks are handed.
RoundupIntegration: TypeAlias = core.Integration[RoundupSettings]

FIELDS = {"@fields": "title,status,priority,activity", "@verbose": "2"}  # 2: statuses and priorities with their names


def own_cases(response: Response, said: answers.Complaint, _: answers.Subject) -> core.ConnectorError | None:
    """Tell what 409 means: not a conflict, which is 412, but a value or an issue that cannot be."""
    if response.status_code != HTTPStatus.CONFLICT:
        return None
    kind = core.TicketGone if "is retired" in str(said) else core.RemoteError
    return kind(f"Roundup refused the request. It says: {said}", detail=str(said))


RULES = answers.Answers("Roundup", own=own_cases)


def rest_of(integration: core.AnyIntegration) -> rest.Rest:
    """Return the interface for whoever the settings name, in set-up the answers so far."""
    address, user = (grants.text_given(integration, name) for name in ("address", "user"))
    proof = rest.basic(user, grants.secret_given(integration, "password") or SecretStr(""))
    # Without these two a change is refused: it could come from another site's page.
    needed = {"X-Requested-With": "rest", "Origin": address}
    return rest.Rest(integration, f"{address}/rest/data", RULES, auth=rest.carrying(proof), headers=needed)


def found_by(api: rest.Rest, path: str, params: Mapping[str, str]) -> list[values.Json]:
    """List what a search finds."""
    return values.listed(api.get(path, params=params), "data.collection")


def names_of(integration: core.AnyIntegration, kind: str) -> list[priorities.Level]:
    """List what a tracker has under `status` or `priority`, in its own order."""
    found = found_by(rest_of(integration), f"/{kind}", {"@fields": "name", "@sort": "order"})
    return [priorities.Level(str(one.get("id")), str(one.get("name"))) for one in found]


def priorities_of(integration: core.AnyIntegration) -> priorities.Priorities:
    """Return the tracker's priorities, paired with ours by their order; asked for once an hour."""
    found = kept.kept(integration, "priorities", lambda: names_of(integration, "priority"), for_s=3600)
    return priorities.Priorities.spread(found)


@core.implements(core.hookspecs.fetch_tickets)
def fetch_tickets(
    integration: RoundupIntegration, query: core.TicketQuery
) -> Sequence[core.TicketSnapshot | core.UnreadableTicket]:
    """Read the issues that are asked for, a hundred in a call, or those that were changed last."""
    api, since = rest_of(integration), query.changed_since

    def some(few: Sequence[str]) -> list[values.Json]:
        path = "/issue?" + "&".join(f"id={rest.segment(one)}" for one in few)  # each by itself: id=1,2 finds nothing
        return found_by(api, path, FIELDS)

    found = api.by_chunks("issues", sorted(query.ids), 100, some) if since is None else _latest(api, since)
    nameless = core.UnreadableTicket(reason="It has no id.")
    return [shown(integration, its, one) if (its := signing.name_of(one.get("id"))) else nameless for one in found]


def _latest(api: rest.Rest, since: datetime) -> Iterator[values.Json]:
    """Read the latest until one is older: in a filter, Roundup takes a time for one of the user's zone."""
    pages = paging.PageNumber("@page_index", size=100, size_parameter="@page_size")
    for issue in api.pages("/issue", "data.collection", pages, params={**FIELDS, "@sort": "-activity"}):
        if (_moment(issue.get("activity")) or since) < since.replace(microsecond=0):
            return
        yield issue


def shown(integration: RoundupIntegration, number: str, issue: values.Json) -> core.TicketSnapshot:
    """Return an issue as the core has tickets; what was not told is not empty, but unknown."""
    settings = integration.settings
    status, priority = (signing.name_of(values.value_at(issue, f"{name}.name")) for name in ("status", "priority"))
    return core.TicketSnapshot(
        id=number,
        key=f"issue{number}",
        url=f"{settings.address}/issue{number}",
        title=str(issue.get("title") or ""),
        description=str(issue.get("description") or ""),  # known only when it was sent: it is a message
        priority=priorities_of(integration).ours(values.value_at(issue, "priority.id"), priority),
        priority_name=priority or None,
        status=status,
        done=status in {settings.close_status, *settings.done_statuses},
        updated=_moment(issue.get("activity")),
        unknown=frozenset(name for name in core.FieldName if name.value not in issue),
    )


def _moment(value: object) -> datetime | None:
    """Read a time like 2026-11-28.03:56:22, which is UTC whatever zone the user has; None for anything else."""
    return signing.moment_of(str(value).replace(".", "T"))


@dataclass
class Issue:
    """One issue, and what it looked like when it was last read: a change has to name that as its base."""

    integration: RoundupIntegration
    number: str
    found: values.Json = field(default_factory=dict)
    path = property(lambda self: f"/issue/{rest.segment(self.number)}")

    def read(self) -> core.TicketSnapshot:
        """Read it; one that was retired is read as before."""
        self.found = values.whole(rest_of(self.integration).get(self.path, about=answers.Subject.TICKET, params=FIELDS))
        return shown(self.integration, self.number, values.whole(values.value_at(self.found, "data.attributes")))

    def write(self, fields: Mapping[core.FieldName, object]) -> editing.Written:
        """Change fields, unless someone changed anything since it was read; what was set and shows no more, they did.

        Roundup refuses what it cannot set, and answers with what it set.
        """
        try:
            based_on = {"If-Match": str(values.value_at(self.found, "data.@etag"))}
            answer = rest_of(self.integration).patch(self.path, fields, headers=based_on)
        except answers.Conflict:
            raise core.TicketChanged(self.read()) from None
        made, now = values.as_object(values.value_at(answer, "data.attribute")), self.read()
        held = values.as_object(values.value_at(self.found, "data.attributes"))
        holds = {name: values.value_at(held, f"{name}.id") or held.get(name) for name in made}
        return editing.Written(now, frozenset(name for name in fields if made.get(name) != holds.get(name)))
