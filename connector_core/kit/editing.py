"""Writing changed fields to a ticket: only those, the rest when one is refused, and read back afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from connector_core.contract.errors import RemoteError, TicketChanged, TicketGone
from connector_core.contract.field_values import incident_value, with_written
from connector_core.contract.models import FieldName, Receipt, TicketSnapshot, WriteFields
from connector_core.kit.answers import FieldsRefused

UNKEPT = "It was written twice; the ticket shows {}."
UNKEPT_ONCE = "It was written; the ticket shows {}."
REPLACED = 'Someone set the {} to "{}" at the same moment; our update replaced that.'

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


@dataclass(frozen=True)
class Written:
    """A ticket right behind a write of ours, with what others did to the written fields meanwhile, as far as is told.

    A vendor tells that by versions on which a write depends, by a history, or by a count of changes.
    """

    #: As it shows now.
    ticket: TicketSnapshot
    #: The fields that somebody changed behind our write: what they show is theirs, not what became of ours.
    behind: frozenset[FieldName] = frozenset()
    #: What somebody had set since the last look, and our write replaced, as people read it.
    replaced: Mapping[FieldName, str] = field(default_factory=dict)
    #: A sentence for each field that was taken and shows otherwise, where the plugin sees that by what it sent: all
    #: others then show what was written, in the vendor's form. None where the snapshots are compared.
    unkept: Mapping[FieldName, str] | None = None
    #: Whether nobody but us surely changed anything since the last look.
    is_alone: bool = False


def write_fields(
    change: WriteFields,
    *,
    read: Callable[[], TicketSnapshot],
    write: Callable[[Mapping[FieldName, object]], TicketSnapshot | Written],
    values: Mapping[FieldName, object | Refused],
    refused_in: Callable[[RemoteError], Mapping[FieldName, str]] = refused_by_name,
) -> Receipt:
    """Write the fields of a change in one call, unless the ticket is done; what is refused is left out of another try.

    `read` reads the ticket as it is. `values` has fields as the other side takes them, of which those of
    `change.fields` count; a `Refused` is not sent. `write` sends values and returns the ticket as it shows afterwards;
    it raises `TicketChanged` where the other side says that somebody else was there first. `refused_in` tells out of an
    error of `write` which fields it is about; by default those that a `FieldsRefused` calls as we do.

    A person may change a field in the middle of it. A write is best sent on the condition that the ticket is as it was
    read. What they set between look and write is told by a note where that cannot be; what they set behind it is kept,
    and handed on by `Receipt.since`: both need a `Written`. What was taken and shows as before is written once more,
    unless that may be a person's doing.

    >>> title = {FieldName.TITLE: Refused("Titles cannot be changed.")}
    >>> write_fields(change, read=lambda: ticket, write=lambda _: ticket, values=title).refused[FieldName.TITLE]
    'Titles cannot be changed.'

    Raises:
        RemoteError: what was refused is about none of the fields.
        TicketChanged: a person changed what is to be written, and nobody has seen that yet.
    """
    asked = {name: value for name, value in values.items() if name in change.fields}
    refused = {name: value.reason for name, value in asked.items() if isinstance(value, Refused)}
    wanted: Mapping[FieldName, object] = {name: value for name, value in asked.items() if name not in refused}
    if not wanted:
        return Receipt(ticket=change.ticket, refused=refused)
    before = read().over(change.ticket)
    if before.done:
        return Receipt(ticket=before, untouched=True)
    if was_faster(before, change):
        raise TicketChanged(before)
    outcome = _Outcome(change, before)
    for _ in range(_MOST_WRITES):
        taken, after = _taken(wanted, write, refused_in, refused)
        if after is None:
            break
        wanted = outcome.add(taken, after if isinstance(after, Written) else Written(after))
        if not wanted:
            break
    return outcome.receipt(refused)


@dataclass
class _Outcome:
    """What became of the writes of one change."""

    change: WriteFields
    #: The ticket before them, and as it shows now.
    before: TicketSnapshot
    shown: TicketSnapshot = field(init=False)
    unkept: dict[FieldName, str] = field(default_factory=dict)
    behind: set[FieldName] = field(default_factory=set)
    replaced: dict[FieldName, str] = field(default_factory=dict)
    as_written: set[FieldName] = field(default_factory=set)
    writes: int = 0

    def __post_init__(self) -> None:
        self.shown = self.before

    def add(self, taken: Mapping[FieldName, object], written: Written) -> Mapping[FieldName, object]:
        """Take in one write; return what of it may be written once more: nobody but us is to be undone by that."""
        moved = written.ticket.updated
        is_alone = written.is_alone or (moved is not None and moved == self.shown.updated)
        self.writes += 1
        self.shown = written.ticket.over(self.before)
        self.replaced |= {name: was for name, was in written.replaced.items() if name in taken}
        self.behind |= written.behind & taken.keys()
        ours = taken.keys() - written.behind
        if written.unkept is None:
            found = {name: self._words(name) for name in ours if self._is_unkept(name)}
        else:
            found = {name: why for name, why in written.unkept.items() if name in ours}
            self.as_written |= ours - found.keys()
        self.unkept = found
        return {name: taken[name] for name in found} if is_alone else {}

    def _is_unkept(self, name: FieldName) -> bool:
        """Return whether a field that was to change shows as it did: its form may be the other side's own."""
        now = getattr(self.shown, name)
        return self.shown.tells(name) and now == getattr(self.before, name) != getattr(self.change.incident, name)

    def _words(self, name: FieldName) -> str:
        return (UNKEPT if self.writes > 1 else UNKEPT_ONCE).format(_words(self.shown, name))

    def receipt(self, refused: Mapping[FieldName, str]) -> Receipt:
        """Return it with the ticket as our write left it, whatever somebody made of it since."""
        ours = self.shown
        for name in self.behind:
            ours = with_written(ours, name, incident_value(self.change.incident, name))
        return Receipt(
            ticket=ours,
            since=self.shown if self.behind else None,
            refused=refused,
            unkept=self.unkept,
            as_written=frozenset(self.as_written),
            note=" ".join(REPLACED.format(name.value, was) for name, was in sorted(self.replaced.items())),
        )


@dataclass(frozen=True)
class Change:
    """One change of a field in the history of a ticket, by the vendor's own names and values."""

    name: str
    was: str
    now: str
    #: What it was as people read it, where `was` is an id.
    was_shown: str = ""


@dataclass(frozen=True)
class Amid:
    """What others did around a write of ours, by the vendor's names of fields; see `Written`."""

    behind: frozenset[str]
    replaced: Mapping[str, str]
    is_alone: bool


def sort_out(changes: Sequence[Change], sent: Mapping[str, str], before: Mapping[str, str]) -> Amid:
    """Tell our write from those of others in what became of a ticket since the look before it.

    `changes` are the oldest first, `sent` is what we wrote and `before` what was seen before that. Ours is the last
    change of a field to what was sent; a field without one was not changed by us, and nothing is said of it.

    >>> theirs, ours = Change("title", "Fan", "Fan 2"), Change("title", "Fan 2", "Fan failed")
    >>> sort_out([theirs, ours], {"title": "Fan failed"}, {"title": "Fan"}).replaced
    {'title': 'Fan 2'}
    """
    behind, replaced, is_alone = set(), {}, True
    for name, value in sent.items():
        its = [change for change in changes if change.name == name]
        is_alone = is_alone and len(its) <= 1
        ours = next((at for at in reversed(range(len(its))) if _blank(its[at].now) == _blank(value)), None)
        if ours is None:
            continue
        if ours < len(its) - 1:
            behind.add(name)
        known = before.get(name)
        if known is not None and _blank(known) not in {_blank(value), _blank(its[ours].was)}:
            replaced[name] = its[ours].was_shown or its[ours].was
    return Amid(frozenset(behind), replaced, is_alone)


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
    write: Callable[[Mapping[FieldName, object]], TicketSnapshot | Written],
    refused_in: Callable[[RemoteError], Mapping[FieldName, str]],
    refused: dict[FieldName, str],
) -> tuple[Mapping[FieldName, object], TicketSnapshot | Written | None]:
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


def _words(shown: TicketSnapshot, name: FieldName) -> str:
    if name is FieldName.DESCRIPTION:
        return "the former text"
    return f'"{shown.priority_name or shown.priority or "none"}"' if name is FieldName.PRIORITY else f'"{shown.title}"'
