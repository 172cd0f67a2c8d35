"""What earlier versions stored in words: known to the letter, so that their rows speak as those of today.

They stored a decision's reason, and why a comment was left, as sentences; and the reason of a failure only within the
sentence of its entry, followed by what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_core.contract.merge import Why
from connector_core.store.records import Nuance, StoredEntry

_WHY: Mapping[str, str] = {
    "the ticket shows this field for the first time": Why.FIRST_SHOWN,
    "both sides show the same value": Why.SAME_VALUE,
    "both sides changed; a person decides": Why.BOTH_CHANGED,
    "this field does not travel to the ticket": Why.NOT_TO_TICKET,
    "this field does not travel to the incident": Why.NOT_TO_INCIDENT,
    "what somebody finished is not touched": Why.TICKET_FINISHED,
    "a finished ticket is never reopened": Why.TICKET_NOT_REOPENED,
    "a closed incident is never reopened": Why.INCIDENT_NOT_REOPENED,
    "the incident's priority has no partner": Why.INCIDENT_PRIORITY_UNMAPPED,
    "the ticket's priority has no partner": Why.TICKET_PRIORITY_UNMAPPED,
    "the incident changed": Why.INCIDENT_CHANGED,
    "the ticket changed": Why.TICKET_CHANGED,
    "Comments of incidents are not carried to this integration's tickets.": Nuance.SYNC_OFF,
    "It is internal, and only comments that customers see are carried.": Nuance.INTERNAL,
    "Comments are not carried this way any more.": Nuance.SYNC_OFF,
    "Comments are not known there.": Nuance.NO_COMMENTS,
    "The plugin cannot comment on tickets: nobody is told there.": Nuance.NOT_TOLD,
}


def completed(entry: StoredEntry) -> Mapping[str, Any]:
    """Return the values of an entry, with those that an earlier version stored in words."""
    values = entry.values
    if "why" in values or not entry.text:
        return values
    why = next((_WHY[text] for text in _texts(values) if text in _WHY), None)
    if why is not None:
        return {**values, "why": why}
    if entry.kind.startswith("link_") and "reason" not in values:
        return {**values, "reason": without_advice(entry.text)}
    return values


def _texts(values: Mapping[str, Any]) -> list[str]:
    return [str(values[name]) for name in ("reason", "not_carried", "note") if name in values]


#: With what earlier versions told people what to do: whatever follows is for a terminal.
_ADVICE = (
    " Mend the cause, then: connector ",
    " Run: connector ",
    " Choose: connector ",
    " See what is wrong with: connector ",
    " See what changes it with: connector ",
    " Or go on as it is: connector ",
)


def without_advice(text: str) -> str:
    """Return what an earlier version stored without what it told people to do, which is said anew."""
    text = f" {text}"
    for advice in _ADVICE:
        text = text.partition(advice)[0]
    return text.strip()
