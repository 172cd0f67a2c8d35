"""The comparison at the end of a campaign: the two sides with each other, and the connector's links with both.

Incidents and tickets are matched by the number in their titles, without asking the connector.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.support.faults.campaign import PRIORITIES, Subject, failed_links, number_of

_CREATED = ("ticket_created", "ticket_found")
_NO_LINK = {"left": {}, "base": {}}
_LINKS = "SELECT id, incident_id, ticket_key, base FROM link"
_TOLD = "SELECT link_id, kind, detail FROM timeline"


@dataclass
class Verdict:
    """What the comparison found; each list names incidents, with what is wrong."""

    incidents: int
    requests: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)

    @property
    def is_clean(self):
        """Return whether all is as it should be."""
        return not (self.lost or self.doubled or self.diverged)

    def __str__(self) -> str:
        counts = f"incidents={self.incidents} requests={self.requests} lost={len(self.lost)}"
        return f"{counts} doubled={len(self.doubled)} diverged={len(self.diverged)}"


def compare(stage, subjects: dict[int, Subject]) -> Verdict:
    """Hold both sides against each other, and what the connector says of them against both."""
    tickets: dict[int, list[dict]] = {}
    for ticket in stage.sandbox.tickets():
        tickets.setdefault(number_of(ticket["title"]), []).append(ticket)
    verdict = Verdict(len(subjects), sum(map(len, tickets.values())))
    links = _links(stage)
    for number, subject in subjects.items():
        found = tickets.pop(number, [])
        name = f"N{number} {subject.incident}"
        if len(found) > 1:
            verdict.doubled.append(f"{name}: {[ticket['key'] for ticket in found]}")
        elif not found:
            verdict.lost.append(name)
        else:
            incident = stage.platform.incident(subject.incident)
            link = links.get(subject.incident)
            wrong = _differences(subject, incident, found[0], link or _NO_LINK)
            wrong += _misbeliefs(link, found[0])
            verdict.diverged += [f"{name} {found[0]['key']}: {text}" for text in wrong]
    verdict.doubled += [f"{found} belong to no incident" for found in tickets.values()]
    verdict.diverged += [f"failed: {link['incident']} {link['code']}" for link in failed_links(stage)]
    return verdict


def _differences(subject, incident, ticket, link) -> list[str]:
    both = {
        "title": (incident["title"], ticket["title"]),
        "priority": (incident["priority"], PRIORITIES[ticket["priority"]]),
    }
    wrong = []
    for name, (here, there) in both.items():
        # What is finished is not touched: the platform's edit stays there, and a conflict that is heard of only then.
        is_one_sided = subject.last_if_one_sided(name) is not None
        is_conflict = name in link["left"] and not is_one_sided
        is_held = ticket["done"] and (
            subject.edits[name][-1][0] != "agents" or is_conflict or _is_unwritten(link, name, here, there)
        )
        # Changed there and back again after a conflict was left as it is: it is what it was then.
        is_left = is_conflict and link["left"][name] == (here, there)
        if name in subject.too_late or is_held or is_left:
            continue
        if here != there:
            wrong.append(f"{name} {here!r} on the platform, {there!r} on the ticket")
        elif (last := subject.last_if_one_sided(name)) not in {None, here}:
            wrong.append(f"{name} {here!r} on both sides, {last!r} was the last edit")
    description = subject.edits["description"][-1][1]
    if incident["description"] != description and "description" not in subject.too_late:
        wrong.append(f"description {incident['description']!r} on the platform, {description!r} was written")
    state = (incident["status"], ticket["done"])
    if state not in {("active", False), ("closed", True)} and (ticket["done"] or not subject.was_reopened):
        wrong.append(f"incident is {incident['status']}, ticket done is {ticket['done']}")
    elif state == ("active", False) and len(subject.edits["status"]) > 1 and not subject.was_reopened:
        wrong.append("closed on one side, open on both")
    return wrong


def _misbeliefs(link, ticket) -> list[str]:
    if link is None:
        return ["no link"]
    wrong = [] if link["ticket_key"] == ticket["key"] else [f"linked to {link['ticket_key']}"]
    if link["births"] != 1:
        wrong.append(f"its timeline tells of {link['births']} creations")
    return wrong


def _links(stage) -> dict[str, dict]:
    """Read the links from the database, with what each timeline tells: quicker than a command.

    That is how often the ticket was created, which fields were left as each side had them, with both values, and on
    what both sides agreed.
    """
    with stage.opened_store() as store:
        known, told = store.database.read(lambda db: (db.execute(_LINKS).fetchall(), db.execute(_TOLD).fetchall()))
    links = {
        link_id: {"incident": incident, "ticket_key": key, "births": 0, "left": {}, "base": json.loads(base or "{}")}
        for link_id, incident, key, base in known
    }
    for link_id, kind, detail in told:
        links[link_id]["births"] += kind in _CREATED
        if kind == "agreed" and (values := json.loads(detail)).get("conflict"):
            values_left = values["incident"], values["ticket"]
            links[link_id]["left"][values["field"]] = values_left
    return {link["incident"]: link for link in links.values()}


def _is_unwritten(link, name, here, there) -> bool:
    """Return whether the platform changed a field after both sides had agreed on what the ticket shows.

    Whatever was edited last: an edit of which a write of ours, or the same value, was in the way is nobody's any more.
    """
    agreed = link["base"].get(name, {})
    is_agreed = agreed.get("incident") == agreed.get("ticket") == there
    return agreed.get("pending") == "ticket" or (is_agreed and here != there)
