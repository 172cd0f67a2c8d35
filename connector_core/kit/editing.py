"""Writing changed fields to a ticket: only those, the rest when one is refused, and read back afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector_core.contract.errors import RemoteError, TicketChanged, TicketGone
from connector_core.contract.models import FieldName, Receipt, TicketSnapshot, WriteFields
from connector_core.kit.answers import FieldsRefused

UNKEPT = "It was written twice; the ticket shows {}."

_MOST_WRITES = 2  # of what the other side takes and does not keep: whatever undoes it would do so again


@dataclass(frozen=True)
class Refused:
    """Why a field cannot be written, known without asking: a sentence."""

    reason: str


def refused_by_name(error: RemoteError) -> Mapping[FieldName, str]:
    """Return which of our fields an error says were refused, and why, where it calls them as we do.

    >>> refused_by_name(FieldsRefused("No.", {"title": "It is too long.", "u_room": "It is empty."}))
    {<FieldName.TITLE: 'title'>: 'It is too long.'}
    """
    if not isinstance(error, FieldsRefused):
        return {}
    ours = {name.value: name for name in FieldName}
    return {ours[name]: why for name, why in error.fields.items() if name in ours}


def write_fields(
    change: WriteFields,
    *,
    read: Callable[[], TicketSnapshot],
    write: Callable[[Mapping[FieldName, object]], TicketSnapshot],
    values: Mapping[FieldName, object | Refused],
    refused_in: Callable[[RemoteError], Mapping[FieldName, str]] = refused_by_name,
) -> Receipt:
    """Write the fields of a change in one call, unless the ticket is done; what is refused is left out of another try.

    `read` reads the ticket as it is. `values` are those of `change.fields` as the other side takes them; a `Refused`
    is not sent. `write` sends values and returns the ticket as it shows afterwards; it raises `TicketChanged` where
    the other side says that somebody else was there first. `refused_in` tells out of an error of `write` which fields
    it is about; by default those that a `FieldsRefused` calls as we do. What is taken and shows as it did before is
    written once more.

    >>> title = {FieldName.TITLE: Refused("Titles cannot be changed.")}
    >>> write_fields(change, read=lambda: ticket, write=lambda _: ticket, values=title).refused[FieldName.TITLE]
    'Titles cannot be changed.'

    Raises:
        RemoteError: what was refused is about none of the fields.
        TicketChanged: a person changed what is to be written, and nobody has seen that yet.
    """
    refused = {name: value.reason for name, value in values.items() if isinstance(value, Refused)}
    wanted = {name: value for name, value in values.items() if name in change.fields and name not in refused}
    if not wanted:
        return Receipt(ticket=change.ticket, refused=refused)
    before = read().over(change.ticket)
    if before.done:
        return Receipt(ticket=before, untouched=True)
    if was_faster(before, change):
        raise TicketChanged(before)
    shown, unkept = before, dict[FieldName, str]()
    for _ in range(_MOST_WRITES):
        taken, after = _taken(wanted, write, refused_in, refused)
        if after is None:
            break
        shown = after.over(before)
        unkept = {name: UNKEPT.format(_words(shown, name)) for name in taken if _is_unkept(name, change, before, shown)}
        wanted = {name: value for name, value in taken.items() if name in unkept}
        if not wanted:
            break
    return Receipt(ticket=shown, refused=refused, unkept=unkept)


def was_faster(before: TicketSnapshot, change: WriteFields) -> bool:
    """Return whether a field of a ticket shows neither what was known of it nor what is to be written, blanks apart.

    `before` is the ticket as it is now: a person changed it since `change.ticket`, and the change would be written over
    unseen. After an answer that was lost it shows what is to be written, and the same once more does no harm. A read
    that lags behind what a delivery told shows an earlier change, which is known.
    """
    if before.updated and change.ticket.updated and before.updated < change.ticket.updated:
        return False
    names = [name for name in change.fields if change.ticket.tells(name)]
    shown = ((getattr(before, name), getattr(change.ticket, name), getattr(change.incident, name)) for name in names)
    return any(_blank(now) not in {_blank(known), _blank(new)} for now, known, new in shown)


def _blank(value: str | None) -> str:
    return " ".join((value or "").split())


def _taken(
    wanted: Mapping[FieldName, object],
    write: Callable[[Mapping[FieldName, object]], TicketSnapshot],
    refused_in: Callable[[RemoteError], Mapping[FieldName, str]],
    refused: dict[FieldName, str],
) -> tuple[Mapping[FieldName, object], TicketSnapshot | None]:
    """Write fields without those that are refused; return what was taken, and the ticket if anything was."""
    while wanted:
        try:
            return wanted, write(wanted)
        except TicketGone:
            raise
        except RemoteError as exc:
            named = {name: text for name, text in refused_in(exc).items() if name in wanted}
            if not named:
                raise
            refused.update(named)
            wanted = {name: value for name, value in wanted.items() if name not in named}
    return wanted, None


def _is_unkept(name: FieldName, change: WriteFields, before: TicketSnapshot, shown: TicketSnapshot) -> bool:
    """Return whether a field that was to change shows as it did: its form may be the other side's own."""
    now = getattr(shown, name)
    return shown.tells(name) and now == getattr(before, name) != getattr(change.incident, name)


def _words(shown: TicketSnapshot, name: FieldName) -> str:
    if name is FieldName.DESCRIPTION:
        return "the former text"
    return f'"{shown.priority_name or shown.priority or "none"}"' if name is FieldName.PRIORITY else f'"{shown.title}"'
