"""Closing a ticket once: never one that somebody finished, and never said of one that is open still."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connector_core.contract.errors import RemoteError
from connector_core.contract.models import CloseTicket, Receipt, TicketSnapshot

LEFT_OPEN = "Tickets are not closed automatically (Close Status)."
NOT_TAKEN_FIX = "See whether our account may write the status, and which one is chosen under Close Status; then retry."


def close_once(
    change: CloseTicket,
    *,
    read: Callable[[], TicketSnapshot],
    write: Callable[[TicketSnapshot], TicketSnapshot],
    is_over: Callable[[TicketSnapshot], bool] = lambda ticket: ticket.done,
    keeps_open: bool = False,
) -> Receipt:
    """Close a ticket, unless it is over already, or `keeps_open` says that people do that.

    `read` reads the ticket as it is. `write` gives it the status that was chosen, out of what was read, and returns it
    as it shows afterwards. `is_over` says whether there is nothing left to do; by default that it is done.

    >>> close_once(change, read=lambda: ticket, write=lambda _: ticket, keeps_open=True).note
    'Tickets are not closed automatically (Close Status).'

    Raises:
        RemoteError: the other side took the status, and the ticket shows another one.
    """
    if keeps_open:
        return Receipt(ticket=change.ticket, note=LEFT_OPEN)
    before = read().over(change.ticket)
    if is_over(before):
        return Receipt(ticket=before, untouched=before.done)
    after = write(before).over(before)
    if not is_over(after):
        raise RemoteError(
            f"The change was taken without closing the ticket: it is {after.status or 'as it was'}.",
            code="close_not_taken",
            fix=NOT_TAKEN_FIX,
        )
    return Receipt(ticket=after)


def unreachable(vendor: str, status: str, wanted: str, offered: Iterable[str]) -> RemoteError:
    """Return the error for a ticket whose workflow does not lead from its status to the one that was chosen.

    >>> unreachable("Desk", "new", "done", ["open", "spam"]).message
    'A ticket that is new cannot become done; what may follow: open, spam.'
    """
    may_follow = ", ".join(offered) or "no other status"
    return RemoteError(
        f"A ticket that is {status} cannot become {wanted}; what may follow: {may_follow}.",
        code="status_unreachable",
        fix=f"Move the ticket on in {vendor} until {wanted} may follow, or finish it there; then retry.",
    )
