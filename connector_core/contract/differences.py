"""In which fields the two sides of a link differ although nothing is left to be written, and why.

    found = differences(link.base, link.incident, ticket, rules, shaping, unchangeable=frozenset())
    found   # {FieldName.TITLE: Why.NOT_ACCEPTED, FieldName.STATUS: Why.KEPT}
    sentence(found, platform="Feed", tickets="Desk")
    # "2 differences: title, status. Feed does not accept changes of title. Each side keeps its own status."

Pure: no clock, no I/O, no vendor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Base, Direction, Rules, rule_of
from connector_core.contract.models import FieldName, Incident, TicketSnapshot
from connector_core.contract.shaping import Shaping


class Why(StrEnum):
    """Why both sides differ in a field."""

    NOT_ACCEPTED = "not_accepted"
    """The platform takes no such change: the value is on the ticket only."""
    UNCHANGEABLE = "unchangeable"
    """The ticketing system never changes it once a ticket is made."""
    KEPT = "kept"
    """A setting, a rule or a user has each side keep its own value."""


def differences(  # noqa: PLR0913 - all that is known of both sides
    base: Base,
    incident: Incident,
    ticket: TicketSnapshot,
    rules: Rules,
    shaping: Shaping,
    *,
    unchangeable: frozenset[FieldName] = frozenset(),
) -> dict[FieldName, Why]:
    """Return the fields in which both sides differ, in the order of `FieldName`.

    What the ticket does not tell is no difference, nor is what a template adds on the way to it or a cut leaves out.
    """
    found = {}
    for name in FieldName:
        if not ticket.tells(name) or not _differs(base, incident, ticket, name, rules, shaping):
            continue
        agreed = base.get(name)
        if agreed is not None and agreed.ticket_only:
            found[name] = Why.NOT_ACCEPTED
        else:
            found[name] = Why.UNCHANGEABLE if name in unchangeable else Why.KEPT
    return found


def sentence(found: Mapping[FieldName, Why], *, platform: str, tickets: str) -> str:
    """Say in which fields both sides differ, and why; the names are what people call the two sides."""
    if not found:
        return ""
    platform = platform[:1].upper() + platform[1:]
    count = "1 difference" if len(found) == 1 else f"{len(found)} differences"
    text = f"{count}: {', '.join(found)}."
    by_why = {why: [name for name, one in found.items() if one is why] for why in Why}
    refused = by_why[Why.NOT_ACCEPTED]
    if len(refused) == len(found):
        return f"{text} {platform} does not accept {'this change' if len(refused) == 1 else 'these changes'}."
    if refused:
        text += f" {platform} does not accept changes of {_named(refused)}."
    if unchangeable := by_why[Why.UNCHANGEABLE]:
        text += f" {tickets} never changes the {_named(unchangeable)} of a ticket."
    if kept := by_why[Why.KEPT]:
        text += f" Each side keeps its own {_named(kept)}."
    return text


def _named(names: Sequence[FieldName]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else str(last)


def _differs(  # noqa: PLR0913, PLR0917 - all that is known of both sides
    base: Base, incident: Incident, ticket: TicketSnapshot, name: FieldName, rules: Rules, shaping: Shaping
) -> bool:
    here, there = incident_value(incident, name), ticket_value(ticket, name)
    if here == there:
        return False
    if name is FieldName.STATUS:
        return True
    if name in base and base[name].has_own_form and (base[name].incident, base[name].ticket) == (here, there):
        return False
    if name is FieldName.PRIORITY:
        return here is not None and there is not None and _is_told_apart(base, here, rules)
    if name in base and base[name].ticket_only is not None:
        return True
    is_cut = bool(there) and _squeezed(here).startswith(_squeezed(there))  # plugins need not mark where they cut
    return not (is_cut or shaping.goes_one_way(name) or shaping.shows(name, here, there, incident))


def _squeezed(text: str | None) -> str:
    """Return what is seen of a text: other systems tidy up blanks and leave out what cannot be seen."""
    return "".join(sign for sign in text or "" if sign.isprintable() and not sign.isspace())


def _is_told_apart(base: Base, here: str, rules: Rules) -> bool:
    """Return whether two priorities really differ: two of the platform's may be one in the ticketing system."""
    agreed = base.get(FieldName.PRIORITY)
    if agreed is None or agreed.ticket_only is not None or agreed.incident != here:
        return True
    return rule_of(rules, FieldName.PRIORITY).direction is not Direction.BOTH
