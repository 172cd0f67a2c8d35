"""Tickets that are there already: found by key, ID or address, marked, and listed by the mark on them.

A property cannot be searched for, so the list goes through the requests of the project, oldest first: the mark is in
our property, or in the description that a ticket of ours was made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from connector_core import FoundTicket, MarkedTicket, MarkedTickets, MarkTicket, hookspecs, implements, utf16_length
from connector_core.kit.creating import left_undone
from connector_core.kit.marks import TicketNames, found_by, marker_in
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.forms import priorities, project_key
from connector_jira_jsm.settings import JiraIntegration
from connector_jira_jsm.text import titles
from connector_jira_jsm.tickets.creating import LONGEST_ADDRESS, note_of
from connector_jira_jsm.tickets.searching import note

_KEY = r"[A-Za-z]\w*-[1-9]\d{0,17}"
#: Below an address of the site, of issues and of requests in the portal.
_NAMES = TicketNames(
    alone=rf"({_KEY}|[1-9]\d{{0,17}})",
    below=rf"(?:browse|issues|portal/\d+|queues/custom/\d+)/({_KEY})/?(?:[?#].*)?\Z",
)


@implements(hookspecs.find_tickets)
def find(integration: JiraIntegration, names: Sequence[str]) -> Mapping[str, FoundTicket]:
    """Find tickets by what people call them."""
    client = JiraClient(integration)
    wanted = {name: its.upper() for name, its in _NAMES.wanted(names, client.site_url()).items()}
    return found_by(
        wanted, _shown(integration, client, client.bulk_fetch(sorted(set(wanted.values())), with_note=True))
    )


@implements(hookspecs.mark_ticket)
def leave_mark(integration: JiraIntegration, mark: MarkTicket) -> MarkedTicket:
    """Leave our property on a ticket, and a link to the incident; without the property it does not count as marked."""
    client = JiraClient(integration)
    client.set_property(mark.ticket.id, note_of(integration, mark))
    address = mark.incident.url or ""
    if not address or utf16_length(address) > LONGEST_ADDRESS:
        return MarkedTicket()
    title = titles.fit(mark.incident.title)
    link = partial(client.set_remote_link, mark.ticket.id, f"connector={mark.marker}", address, title)
    return MarkedTicket(note=" ".join(left_undone({"The link to the incident could not be added": link})))


@implements(hookspecs.list_marked)
def listed(integration: JiraIntegration, cursor: str | None) -> MarkedTickets:
    """List the marked tickets of the project, a page of the search at a time."""
    client = JiraClient(integration)
    project = project_key(integration, client, integration.settings)
    issues, following = client.search_page(f'project = "{project}" ORDER BY created ASC', cursor)
    marked = tuple(shown for shown in _shown(integration, client, issues) if shown.marker)
    return MarkedTickets(tickets=marked, seen=len(issues), cursor=following)


def _shown(integration: JiraIntegration, client: JiraClient, issues: Iterable[Json]) -> Iterator[FoundTicket]:
    """Yield issues as tickets, with the mark that they carry."""
    offered, site_url = priorities(integration, client), client.site_url()
    for issue in issues:
        left, ticket = note(issue), mapping.snapshot(issue, offered, site_url)
        its = left.get("incident_id")
        yield FoundTicket(ticket=ticket, marker=_marker(left, issue), incident_id=its if isinstance(its, str) else "")


def _marker(left: Json, issue: Json) -> str:
    """Return the mark of our property, else that of the description: wiki markup may have a backslash in it."""
    fields = issue.get("fields")
    text = fields.get("description") if isinstance(fields, dict) else None
    marker = left.get("marker")
    own = marker_in(marker) if isinstance(marker, str) else ""
    return own or (marker_in(text.replace("\\-", "-")) if isinstance(text, str) else "")
