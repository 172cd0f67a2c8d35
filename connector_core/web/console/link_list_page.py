"""The list of links: sorted and filtered by the address, several acted on at once, and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Incident, Priority
from connector_core.store import NO_PRIORITY, Link, LinkFilter, LinkOrder, LinkState
from connector_core.web.console import link_actions, visible
from connector_core.web.console.confirm import Confirmation, ask
from connector_core.web.console.exports import MOST_EXPORTED, Row, exported
from connector_core.web.console.visits import NotVisible, Visit, go

PAGE = 50
DEEPEST = 1_000_000
MOST_LETTERS = 200
FILTERS = ("q", "state", "priority", "open", "integration", "organization", "place", "age", "sort")
#: How long ago a link was made, by its name in the address: at most, or at least so many days.
AGES = {
    "1d": ("less than a day", 1, True),
    "7d": ("less than 7 days", 7, True),
    "30d": ("less than 30 days", 30, True),
    "over7d": ("more than 7 days", 7, False),
    "over30d": ("more than 30 days", 30, False),
    "over90d": ("more than 90 days", 90, False),
}
SORTS = {
    LinkOrder.ATTENTION: "not in sync first",
    LinkOrder.UPDATED: "last change",
    LinkOrder.NEWEST: "newest first",
    LinkOrder.OLDEST: "oldest first",
    LinkOrder.PRIORITY: "priority",
}
ACTIONS = {
    "retry": Confirmation(
        "Retry",
        "Each is retried at once. Where both sides are in sync, the ticket is read and compared; what was unlinked is"
        " linked again.",
        is_safe=True,
    ),
    "unlink": Confirmation(
        "Unlink",
        "These incidents and their tickets are no longer synced. Both stay as they are. You can link them again later.",
    ),
    "recreate": Confirmation(
        "Create a new ticket",
        "Each incident gets a new ticket. The former one is no longer synced, even if it comes back.",
    ),
}
COLUMNS = (
    *("link", "organization", "integration", "incident", "incident_url", "title", "priority", "incident_status"),
    *("device", "location", "ticket", "ticket_url", "ticket_status", "state", "reason", "created_at", "updated_at"),
)
_WHY_NOT = {
    "retry": "",
    "unlink": "They are unlinked already.",
    "recreate": "A new ticket is created only where the former one is gone.",
}
_BOX = "link-"
_DO = {"retry": link_actions.retry, "unlink": link_actions.unlink, "recreate": link_actions.recreate}


@dataclass(frozen=True)
class Listed:
    """A link as a row: `place` is the incident's device and where that stands."""

    link: Link
    place: str
    updated_at: datetime


@dataclass(frozen=True)
class Paging:
    """Which page of how many is shown, and the addresses of others; empty where there is none."""

    number: int
    pages: int
    first: str
    before: str
    following: str
    last: str


def show(visit: Visit) -> Response:
    """List links as the address says."""
    wanted = _wanted(visit)
    links = visit.app.store.overview.search(wanted)
    if len(links) == 1 and wanted.text and not wanted.offset and links[0].incident_id == wanted.text:
        return go(f"/links/{links[0].id}")
    asked = _asked(visit.query)
    total = visit.app.store.overview.found(wanted)
    named = [] if links or not wanted.text else visit.app.store.routing.unsent_named(wanted.text)
    return visit.page(
        "links.html",
        rows=[_listed(visit.app.registry.worded(link)) for link in links],
        total=total,
        most=MOST_EXPORTED,
        paging=_paging(asked, wanted.offset, total),
        asked={name: asked.get(name, "") for name in FILTERS},
        narrowed=urlencode(asked),
        back=urlencode({**asked, "from": wanted.offset} if wanted.offset else asked),
        states=[state.value for state in LinkState],
        priorities=[*(priority.value for priority in Priority), NO_PRIORITY],
        integrations=[seen.id for seen in visible.integrations(visit)],
        organizations=visible.organizations(visit),
        ages={name: label for name, (label, _, _) in AGES.items()},
        sorts={order.value: label for order, label in SORTS.items()},
        did=_did(visit),
        unsent=[one for one in named if visit.user.sees(one.organization)],
    )


def export(visit: Visit) -> Response:
    """Give what the filters give as a file, the first ones at most."""
    wanted = replace(_wanted(visit), limit=MOST_EXPORTED, offset=0)
    links = visit.app.store.overview.search(wanted)
    return exported("links", COLUMNS, (row(visit.app.registry.worded(link)) for link in links), visit.query.get("as"))


def row(link: Link) -> Row:
    """Return a link as exports have it."""
    incident, ticket, listed = link.incident, link.ticket, _listed(link)
    return {
        "link": link.id,
        "organization": link.organization,
        "integration": link.integration_id,
        "incident": link.incident_id,
        "incident_url": incident.url,
        "title": incident.title,
        "priority": None if incident.priority is None else incident.priority.value,
        "incident_status": incident.status.value,
        "device": _device(incident),
        "location": _location(incident),
        "ticket": None if ticket is None else ticket.key,
        "ticket_url": None if ticket is None else ticket.url,
        "ticket_status": None if ticket is None else ticket.status,
        "state": link.status.state.value,
        "reason": "" if link.status.state is LinkState.IN_SYNC else link.status.reason,
        "created_at": link.created_at.isoformat(),
        "updated_at": listed.updated_at.isoformat(),
    }


def act(visit: Visit) -> Response:
    """Do what the pressed button says to all that are selected, each as the single act is done; ask first."""
    action, back = visit.form.get("action", ""), _back(visit.form.get("back", ""))
    if action not in ACTIONS:
        raise NotVisible("There is no such action.")
    chosen = [visible.link(visit, name.removeprefix(_BOX)) for name in visit.form if name.startswith(_BOX)]
    if not chosen:
        return go(back, "none_selected")
    fit = [link for link in chosen if action in link_actions.available(link)]
    if fit and visit.form.get("sure") == "yes":
        done = sum(_done(visit, action, link) for link in fit)
        joint = "&" if "?" in back else "?"
        return go(f"{back}{joint}{urlencode({'did': action, 'done': done, 'left': len(chosen) - done})}")
    return _ask(visit, action, chosen, fit, back)


def _ask(visit: Visit, action: str, chosen: Sequence[Link], fit: Sequence[Link], back: str) -> Response:
    question = ACTIONS[action]
    left = len(chosen) - len(fit)
    if left:
        left_out = f"{left} of the {len(chosen)} selected links stay as they are: this is not possible for them."
        some = f"{question.text} {left_out}"
        none = f"This is not possible for any of the selected links. {_WHY_NOT[action]}"
        question = replace(question, text=some if fit else none)
    shown = [f"{link.incident.title} ({link.incident_id if link.ticket is None else link.ticket.key})" for link in fit]
    kept = {"back": visit.form.get("back", ""), **{f"{_BOX}{link.id}": "on" for link in chosen}}
    return ask(visit, question, (("Links", back),), action=action if fit else "", subjects=shown, kept=kept)


def _done(visit: Visit, action: str, link: Link) -> int:
    """Return 1, or 0 for a link that changed meanwhile so that it is not possible any more."""
    try:
        _DO[action](visit.app, link)
    except ConfigError:
        return 0
    return 1


def _did(visit: Visit) -> tuple[str, int, int] | None:
    """Return what was done to how many links, and how many were left, when somebody comes from that."""
    done, left = (visit.query.get(name, "") for name in ("done", "left"))
    number = {name: int(text) for name, text in (("done", done), ("left", left)) if text.isdecimal() and len(text) < 4}  # noqa: PLR2004 - a page has 50
    if visit.query.get("did") not in ACTIONS or len(number) < len(("done", "left")):
        return None
    return visit.query["did"], number["done"], number["left"]


def _back(query: str) -> str:
    """Return the address of the list that somebody was on, of what belongs there only."""
    known = {name: value for name, value in parse_qsl(query) if name in {*FILTERS, "from"}}
    return f"/links?{urlencode(known)}" if known else "/links"


def _asked(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[name].strip()[:MOST_LETTERS] for name in FILTERS if query.get(name, "").strip()}


def _wanted(visit: Visit) -> LinkFilter:
    """Read the filters of the address; what is no value of a filter is no condition."""
    asked = _asked(visit.query)
    if "integration" in asked:
        visible.integration(visit, asked["integration"])
    since, before = _age(visit, asked.get("age", ""))
    start = visit.query.get("from", "0")
    return LinkFilter(
        organizations=_organizations(visit, asked.get("organization")),
        integration_id=asked.get("integration"),
        states=frozenset({asked["state"]} if asked.get("state") in set(LinkState) else ()),
        text=asked.get("q", ""),
        priority=asked["priority"] if asked.get("priority") in {*Priority, NO_PRIORITY} else None,
        is_open={"open": True, "closed": False}.get(asked.get("open", "")),
        place=asked.get("place", ""),
        created_since=since,
        created_before=before,
        order=LinkOrder(asked["sort"]) if asked.get("sort") in set(LinkOrder) else LinkOrder.ATTENTION,
        limit=PAGE,
        offset=int(start) if start.isdecimal() and len(start) <= len(str(DEEPEST)) else 0,
    )


def _organizations(visit: Visit, asked: str | None) -> frozenset[str] | None:
    if asked is None:
        return visit.user.organizations
    if asked not in visible.organizations(visit):
        raise NotVisible(f"There is no organization {asked}.")
    return frozenset({asked})


def _age(visit: Visit, asked: str) -> tuple[datetime | None, datetime | None]:
    """Return since and before when links were made."""
    if asked not in AGES:
        return None, None
    _, days, is_younger = AGES[asked]
    at = visit.app.clock.now() - timedelta(days=days)
    return (at, None) if is_younger else (None, at)


def _paging(asked: Mapping[str, str], offset: int, total: int) -> Paging:
    def at(start: int) -> str:
        query = urlencode({**asked, "from": start} if start else asked)
        return f"/links?{query}" if query else "/links"

    pages = max(1, ceil(total / PAGE))
    last = (pages - 1) * PAGE
    return Paging(
        number=offset // PAGE + 1,
        pages=pages,
        first=at(0) if offset else "",
        before=at(max(0, min(offset, last + PAGE) - PAGE)) if offset else "",
        following=at(offset + PAGE) if offset + PAGE < total else "",
        last=at(last) if offset < last else "",
    )


def _listed(link: Link) -> Listed:
    moments = [link.created_at, link.incident_at]
    if link.ticket is not None and link.ticket.updated is not None:
        moments.append(link.ticket.updated)
    return Listed(
        link, " \N{MIDDLE DOT} ".join(_parts((_device(link.incident), _location(link.incident)))), max(moments)
    )


def _device(incident: Incident) -> str:
    device = incident.device
    return "" if device is None else next(_parts((device.name, device.serial_number, device.id)), "")


def _location(incident: Incident) -> str:
    location = incident.location
    return "" if location is None else next(_parts((location.path, location.name, location.id)), "")


def _parts(texts: Iterable[str | None]) -> Iterator[str]:
    return (text for text in texts if text)
