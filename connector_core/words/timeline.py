"""The words of the timeline: for each kind of entry its sentence, and names for the values beside it.

Where several are given, the first is taken whose values are all known. `{source}` and `{desk}` are the names of the
incident platform and of the ticketing system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector_core.contract.merge import Why
from connector_core.store.records import Nuance, StoredEntry, TimelineKind
from connector_core.words import earlier
from connector_core.words.link_status import REASONS
from connector_core.words.names import Names, filled

Template = str | tuple[str, ...]

SENTENCES: Mapping[TimelineKind, Template] = {
    TimelineKind.INCIDENT_OPENED: "Incident opened in {source}.",
    TimelineKind.INCIDENT_UPDATED: "Incident updated in {source}.",
    TimelineKind.INCIDENT_RESOLVED: "Incident resolved in {source}.",
    TimelineKind.INCIDENT_EVENT_LATE: "An older event from {source} arrived late. Nothing changed.",
    TimelineKind.INCIDENT_COMMENTED: ("{author} commented in {source}.", "New comment in {source}."),
    TimelineKind.TICKET_CHANGED: ("Changed in {desk} by {changed_by}.", "Changed in {desk}."),
    TimelineKind.TICKET_COMMENTED: ("{author} commented in {desk}.", "New comment in {desk}."),
    TimelineKind.TICKET_MOVED: (
        "Moved in {desk} from {place[0]} to {place[1]}. The ticket is now {key[1]}.",
        "Moved in {desk}. The ticket is now {key[1]}.",
        "Moved in {desk}.",
    ),
    TimelineKind.TICKET_DELETED: "Ticket deleted in {desk}.",
    TimelineKind.TICKET_ARCHIVED: "Ticket archived in {desk}.",
    TimelineKind.TICKET_HIDDEN: "Ticket hidden from the connector's account in {desk}.",
    TimelineKind.TICKET_MERGED: ("Ticket merged into {ticket} in {desk}.", "Ticket merged into another one in {desk}."),
    TimelineKind.TICKET_GONE: "Ticket deleted in {desk}, or hidden from the connector's account.",
    TimelineKind.HISTORY_READ: "Last changes by field, from the history in {desk}.",
    TimelineKind.TICKET_CREATED: ("{ticket} created in {desk}.", "Ticket created in {desk}."),
    TimelineKind.TICKET_FOUND: ("{ticket} found in {desk}.", "Ticket found in {desk}."),
    TimelineKind.NO_TICKET: "No ticket found in {desk}, and none is created.",
    TimelineKind.TICKET_LINKED: (
        "{ticket} in {desk} linked by {by}.",
        "{ticket} in {desk} linked.",
        "Ticket in {desk} linked.",
    ),
    TimelineKind.TICKET_UNMARKED: "The ticket could not be marked as linked in {desk}.",
    TimelineKind.AGREED: "{field}: each side keeps its value.",
    TimelineKind.CONFLICT: ("{field} changed on both sides. Choose which value to keep.", "Both sides changed."),
    TimelineKind.TICKET_WRITTEN: "{field} synced to {desk}.",
    TimelineKind.TICKET_LEFT_OPEN: "Ticket left open in {desk}.",
    TimelineKind.TICKET_FINISHED: "Not synced: the ticket is done in {desk}.",
    TimelineKind.TICKET_UNCHANGEABLE: "{field} not synced: it cannot be changed in {desk}.",
    TimelineKind.TICKET_UNKEPT: "{field} sent to {desk}, which shows another value.",
    TimelineKind.TICKET_REFUSED: "{field} not accepted by {desk}.",
    TimelineKind.INCIDENT_WRITTEN: "{field} synced to {source}.",
    TimelineKind.INCIDENT_UNSUPPORTED: "{field} not sent: {source} does not allow it.",
    TimelineKind.COMMENT_TO_TICKET: ("Comment by {author} synced to {desk}.", "Comment synced to {desk}."),
    TimelineKind.COMMENT_TO_INCIDENT: ("Comment by {author} synced to {source}.", "Comment synced to {source}."),
    TimelineKind.COMMENT_UNSUPPORTED: "Comment not sent: {source} did not take it.",
    TimelineKind.COMMENT_LEFT: "Comment not synced.",
    TimelineKind.LINK_WAITING: ("{reason}", "Waiting for another try."),
    TimelineKind.LINK_BLOCKED: ("{reason}", "Action needed."),
    TimelineKind.LINK_PAUSED: ("{reason}", "Paused."),
    TimelineKind.LINK_GONE: ("{reason}", "The ticket is not there."),
    TimelineKind.ROUTED: ("Sent to {integration} {how}.", "Sent here by a routing rule."),
    TimelineKind.COMPARED: ("Comparison requested by {by}.", "Comparison requested."),
    TimelineKind.RESUMED: ("Retried by {by}.", "Retry requested."),
    TimelineKind.RECREATED: ("New ticket requested by {by}.", "New ticket requested."),
    TimelineKind.DISCARDED: ("Pending changes discarded by {by}.", "Pending changes discarded."),
    TimelineKind.UNLINKED: ("Unlinked by {by}. Nothing is synced any more.", "Unlinked. Nothing is synced any more."),
    TimelineKind.CONFLICT_RESOLVED: (
        "Conflict resolved by {by}: the {field} of {winner} is kept.",
        "Conflict resolved: the {field} of {winner} is kept.",
        "Conflict resolved.",
    ),
    TimelineKind.SETTINGS_APPLIED: ("New settings applied by {by}.", "New settings applied."),
    TimelineKind.SETTINGS_UNDONE: ("Former settings restored by {by}.", "Former settings restored."),
}

#: What is said instead where the entry tells why.
NUANCES: Mapping[tuple[TimelineKind, str], Template] = {
    (TimelineKind.AGREED, Why.FIRST_SHOWN): "{desk} shows the {field} for the first time.",
    (TimelineKind.AGREED, Why.SAME_VALUE): "{field} is the same on both sides.",
    (TimelineKind.AGREED, Why.NOT_TO_TICKET): "{field} not synced to {desk}, by your settings.",
    (TimelineKind.AGREED, Why.NOT_TO_INCIDENT): "{field} not synced to {source}, by your settings.",
    (TimelineKind.AGREED, Why.TICKET_FINISHED): "{field} not synced: the ticket is done.",
    (TimelineKind.AGREED, Why.TICKET_NOT_REOPENED): "Not synced: a done ticket is not reopened.",
    (TimelineKind.AGREED, Why.INCIDENT_NOT_REOPENED): "Not synced: a closed incident is not reopened.",
    (TimelineKind.AGREED, Why.INCIDENT_PRIORITY_UNMAPPED): "Not synced: the incident's priority is not mapped.",
    (TimelineKind.AGREED, Why.TICKET_PRIORITY_UNMAPPED): "Not synced: the ticket's priority is not mapped.",
    (TimelineKind.INCIDENT_COMMENTED, Nuance.SYNC_OFF): (
        "{author} commented in {source}. Comments are not synced to {desk}."
    ),
    (TimelineKind.TICKET_COMMENTED, Nuance.INTERNAL): (
        "{author} commented internally in {desk}. Internal comments are not synced."
    ),
    (TimelineKind.TICKET_CHANGED, Nuance.BEFORE_A_WRITE): "Changed in {desk} just before our update, which was redone.",
    (TimelineKind.TICKET_CHANGED, Nuance.BEHIND_A_WRITE): "Changed in {desk} right after our update.",
    (TimelineKind.TICKET_MERGED, Nuance.FOLLOWED): "{former} was merged into {ticket} in {desk}, which is now linked.",
    (TimelineKind.TICKET_FOUND, Nuance.EARLIER_LIFE): "{ticket} was already in {desk} and is now linked.",
    (TimelineKind.TICKET_LINKED, Nuance.BY_MARK): "{ticket} found again in {desk} by the connector's mark, and linked.",
    (TimelineKind.NO_TICKET, Nuance.INCIDENT_OVER): (
        "No ticket found in {desk}, and none is created: the incident is resolved."
    ),
    (TimelineKind.NO_TICKET, Nuance.SENT_ELSEWHERE): (
        "No ticket found in {desk}, and none is created: routing sends the incident elsewhere."
    ),
    (TimelineKind.NO_TICKET, Nuance.NOT_OPENED_WHILE_ACTIVE): (
        "No ticket found in {desk}, and none is created: the incident was opened while the integration was not active."
    ),
    (TimelineKind.RESUMED, Nuance.LINKED_AGAIN): ("Linked again by {by}.", "Linked again."),
    (TimelineKind.TICKET_UNCHANGEABLE, Nuance.NOT_TOLD): (
        "{field} not synced: it cannot be changed in {desk}, nor can a comment be added."
    ),
    (TimelineKind.COMMENT_UNSUPPORTED, Nuance.NO_COMMENTS): "Comment not sent: {source} has no comments.",
    (TimelineKind.COMMENT_LEFT, Nuance.SYNC_OFF): "Comment not synced: syncing comments this way is off.",
    (TimelineKind.HISTORY_READ, Nuance.UNCHANGED): "No one has changed the ticket in {desk}.",
}

#: Names of values, where the name in the database does not do.
LABELS: Mapping[str, str] = {
    "changed_by": "Changed by",
    "ticket_changed_by": "Changed by",
    "ignored_times": "Ignored times",
    "looked_since": "Missing since",
    "note": "Details",
    "occurred_at": "Time",
    "not_carried": "Not synced",
    "conflict": "Both sides changed",
}

# What a reader has no use for: names of ours, and what the sentence says already.
_SKIPPED = frozenset({"event", "code", "comment", "why", "via", "reason", "winner", "former", "changes"})
_PAIR = 2
# A decision names the values of both sides; what is written on one side comes from the other.
_OTHER = {"ticket": "incident", "incident": "ticket"}
# What was to be written in these was not.
_NOT_DONE = frozenset(
    {
        TimelineKind.TICKET_LEFT_OPEN,
        TimelineKind.TICKET_REFUSED,
        TimelineKind.TICKET_UNCHANGEABLE,
        TimelineKind.INCIDENT_UNSUPPORTED,
    }
)


@dataclass(frozen=True)
class Detail:
    """One value beside an entry; `before` is what it was, when that is known."""

    label: str
    text: str
    before: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """An entry in words."""

    entry: StoredEntry
    #: Where it happened, by the system's name.
    side: str
    text: str
    details: Sequence[Detail]


def told(entry: StoredEntry, names: Names) -> Told:
    """Put an entry into words; one of a kind that is not known keeps the sentence it was stored with."""
    text, used = _said(entry, names)
    return Told(entry, names.label(entry.side), text, list(_details(entry, used)))


def sentence(entry: StoredEntry, names: Names | None = None) -> str:
    """Return the sentence of an entry."""
    return told(entry, names or Names()).text


def _said(entry: StoredEntry, names: Names) -> tuple[str, frozenset[str]]:
    try:
        kind = TimelineKind(entry.kind)
    except ValueError:
        return entry.text, frozenset()
    values = earlier.completed(entry)
    if (reason := REASONS.get(str(values.get("code")))) is not None:
        values = {**values, "reason": filled(reason, values, names)[0]}
    template = NUANCES.get((kind, str(values.get("why"))))
    if template is not None:
        return filled((*_several(template), *_several(SENTENCES[kind])), values, names)
    return filled(SENTENCES[kind], values, names)


def _several(template: Template) -> tuple[str, ...]:
    return (template,) if isinstance(template, str) else template


def _details(entry: StoredEntry, used: frozenset[str]) -> Iterator[Detail]:
    values = dict(entry.values)
    if "field" in values and entry.side in _OTHER:
        field, before, after = values.pop("field"), values.pop(entry.side, None), values.pop(_OTHER[entry.side], None)
        is_done = entry.kind not in _NOT_DONE
        text = _text(after) if is_done else f"{_text(after)} (not written)"
        yield Detail(str(field).capitalize(), text, before=_text(before) if is_done else None)
    for change in values.get("changes", ()):
        yield Detail(str(change["field"]).capitalize(), change["by"] or "unknown", at=_moment(change["at"]))
    yield from _others({name: value for name, value in values.items() if name not in used | _SKIPPED})


def _others(values: Mapping[str, Any]) -> Iterator[Detail]:
    for name, value in values.items():
        label = LABELS.get(name, name.replace("_", " ").capitalize())
        if value in (None, "", False):
            continue
        if isinstance(value, list | tuple) and len(value) == _PAIR:
            yield Detail(label, _text(value[1]), before=_text(value[0]))
        elif name.endswith("_at") and (moment := _moment(value)) is not None:
            yield Detail(label, "", at=moment)
        else:
            yield Detail(label, _text(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value in (None, "") else str(value)


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
