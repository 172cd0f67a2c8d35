"""Links: what failed, and one of them with both sides and its whole story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Side
from connector_core.contract.models import FieldName
from connector_core.contract.setup_steps import in_words
from connector_core.store import DISCARDED, NEEDS_AUTHORIZATION, REPLACEABLE, Link, LinkFilter, LinkState
from connector_core.web.console import link_actions, open_incidents_page, visible
from connector_core.web.console.confirm import ask
from connector_core.web.console.status import UNFINISHED
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.words.advice import advice_on, for_browser
from connector_core.words.timeline import told

PAGE = 50
DEEPEST = 1_000_000
MOST_LETTERS = 200
LATEST_ENTRIES = 200


#: What settles a link in the list *Needs attention* where that is not another try, by its code or state.
WAYS_OUT = {
    NEEDS_AUTHORIZATION: ("Authorize again", "/integrations/{integration}/setup/authorize"),
    "settings_incomplete": ("Finish setup", "/integrations/{integration}/setup"),
    "integration_not_active": ("Activate", "/integrations/{integration}/setup/enable"),
    LinkState.CONFLICT.value: ("Choose a value", "/links/{link}"),
    LinkState.GONE.value: ("Choose what to do", "/links/{link}"),
}


@dataclass(frozen=True)
class FieldRow:
    """One field of both sides, and what they last agreed on."""

    name: str
    incident: str | None
    agreed: str | None
    ticket: str | None
    ticket_note: str
    is_told: bool
    has_base: bool
    incident_moved: bool
    ticket_moved: bool
    ticket_only: str
    differs: bool


@dataclass(frozen=True)
class Found:
    """A list of links as a page shows it, what it was narrowed by, and the address of what follows."""

    links: Sequence[Link]
    wanted: LinkFilter
    following: str


def unfinished(visit: Visit) -> Response:
    """List what failed or waits."""
    wanted = replace(_wanted(visit, UNFINISHED), without_codes=frozenset({DISCARDED}))
    links = visit.app.store.overview.search(replace(wanted, limit=PAGE + 1))
    return visit.page("unfinished.html", found=_found(visit, wanted, links), ways_out=WAYS_OUT)


def retry_all(visit: Visit) -> Response:
    """Try everything again that failed or waits, of one integration or of all that this person sees."""
    chosen = _wanted(visit, UNFINISHED).integration_id
    link_actions.retry_all(
        visit.app, [seen.id for seen in visible.integrations(visit) if chosen in {None, seen.id} and seen.entry]
    )
    return go("/unfinished", "retried_all")


def show(visit: Visit) -> Response:
    """Show one link."""
    link = visible.link(visit, visit.named("link"))
    labels = visit.app.store.integrations.labels(link.integration_id)
    timeline = visit.app.store.timelines.read(link.id)
    names = visit.app.registry.names(link.integration_id, link.organization)
    worded = visit.app.registry.worded(link)
    differing = visit.app.operations.differences(link)
    return visit.page(
        "link.html",
        link=worded,
        fix=worded.status.fix,
        ways=[way for way in for_browser(advice_on(link)) if way.address != f"/links/{link.id}"],
        fields=[_field(link, name, differs=name in differing) for name in FieldName],
        story=[told(entry, names) for entry in reversed(timeline[-LATEST_ENTRIES:])],
        left_out=max(0, len(timeline) - LATEST_ENTRIES),
        kept=[
            (_label(key), in_words(str(value), labels.get((key, str(value))))) for key, value in link.settings.items()
        ],
        given=open_incidents_page.of_link(visit, link.id, link.integration_id) if visit.user.is_admin else None,
        actions=link_actions.available(link),
        may_link=_may_link(visit, link),
        conflicts=visit.app.operations.conflicts(link),
        waiting=visit.app.operations.waiting_comments(link),
    )


def _may_link(visit: Visit, link: Link) -> bool:
    """Return whether an existing ticket may take the place of the one that there is not."""
    is_free = link.ticket is None or link.status.code == DISCARDED or link.status.code in REPLACEABLE
    return is_free and not link.is_test and visit.app.registry.usable(link.integration_id)


def act(visit: Visit) -> Response:
    """Do what the pressed button says."""
    link = visible.link(visit, visit.named("link"))
    action = visit.form.get("action", "")
    if action in link_actions.ASKED_FIRST and visit.form.get("sure") != "yes":
        name = link.incident.title if link.ticket is None else link.ticket.key
        crumbs = (("Links", "/links"), (name, f"/links/{link.id}"))
        return ask(visit, link_actions.ASKED_FIRST[action], crumbs, subject=link.incident.title, action=action)
    if action in _ACTIONS:
        do, said = _ACTIONS[action]
        do(visit.app, link)
        if action == "retry":
            said = _retried(link)
        return go(_back(visit, link) if action == "retry" else f"/links/{link.id}", said)
    winner, _, name = action.partition(":")
    if winner in set(Side) and name in set(FieldName):
        link_actions.resolve(visit.app, link, FieldName(name), Side(winner))
        return go(f"/links/{link.id}", "resolved")
    raise NotVisible("There is no such action.")


_ACTIONS = {
    "retry": (link_actions.retry, "retried"),
    "discard": (link_actions.discard, "discarded"),
    "recreate": (link_actions.recreate, "recreated"),
    "who": (link_actions.ask_who, "history_read"),
    "unlink": (link_actions.unlink, "unlinked"),
}


def _retried(link: Link) -> str:
    """Name what is said of another try: there is something to compare, or something to be done."""
    if link.status.state.is_settled:
        return "compared"
    return "linked_again" if link.status.is_unlinked and link.ticket is not None else "retried"


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _back(visit: Visit, link: Link) -> str:
    return "/unfinished" if visit.form.get("from") == "unfinished" else f"/links/{link.id}"


def _wanted(visit: Visit, states: frozenset[str]) -> LinkFilter:
    integration = visit.query.get("integration") or visit.form.get("integration") or None
    if integration is not None:
        visible.integration(visit, integration)
    start = visit.query.get("from", "0")
    return LinkFilter(
        organizations=visit.user.organizations,
        integration_id=integration,
        states=states,
        text=visit.query.get("q", "").strip()[:MOST_LETTERS],
        limit=PAGE,
        offset=int(start) if start.isdecimal() and len(start) <= len(str(DEEPEST)) else 0,
    )


def _found(visit: Visit, wanted: LinkFilter, links: Sequence[Link]) -> Found:
    query = {name: value for name, value in visit.query.items() if name not in {"from", "said"}}
    return Found(
        links=[visit.app.registry.worded(link) for link in links[:PAGE]],
        wanted=wanted,
        following=urlencode({**query, "from": wanted.offset + PAGE}) if len(links) > PAGE else "",
    )


def _field(link: Link, name: FieldName, *, differs: bool) -> FieldRow:
    agreed = link.base.get(name)
    incident = incident_value(link.incident, name)
    is_told = link.ticket is not None and link.ticket.tells(name)
    ticket = ticket_value(link.ticket, name) if link.ticket is not None and is_told else None
    note = "" if is_told or link.ticket is None else "not shown there"
    if link.ticket is not None and is_told and name is FieldName.PRIORITY:
        note = link.ticket.priority_name or ""
    if link.ticket is not None and is_told and name is FieldName.STATUS:
        note = link.ticket.status
    return FieldRow(
        name=name.value,
        incident=incident,
        agreed=None if agreed is None else agreed.incident,
        ticket=ticket,
        ticket_note=note,
        is_told=is_told,
        has_base=agreed is not None,
        incident_moved=agreed is not None and agreed.incident != incident,
        ticket_moved=agreed is not None and is_told and not agreed.ticket_unknown and agreed.ticket != ticket,
        ticket_only=link.ticket_only.get(name, ""),
        differs=differs,
    )
