"""Tickets that are not there for us: why, as far as an answer tells it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from connector_core.contract.errors import TicketGone
from connector_core.contract.models import Absence, AbsenceKind
from connector_core.kit.answers import Complaint, Subject

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import Response


class Absent(TicketGone):
    """A ticket is not there for us, and the look at it tells why.

    raise Absent.merged("7", "#7")
    """

    def __init__(self, absence: Absence) -> None:
        super().__init__(absence.reason, fix=absence.fix)
        self.absence = absence

    @classmethod
    def merged(cls, into: str, called: str) -> Self:
        """Say that another ticket is in its place: `into` is the id of that one, `called` what people call it.

        >>> Absent.merged("7", "#7").message
        'It was merged into #7.'
        """
        return cls(Absence(kind=AbsenceKind.MERGED, reason=f"It was merged into {called}.", into=into))

    @classmethod
    def deleted(cls, reason: str, fix: str = "") -> Self:
        """Say that it was deleted: how that shows, and how it comes back, if it can.

        >>> Absent.deleted("It has the status deleted.").absence.kind
        <AbsenceKind.DELETED: 'ticket_deleted'>
        """
        return cls(Absence(kind=AbsenceKind.DELETED, reason=reason, fix=fix))


def absent_by_status(
    response: Response, said: Complaint, about: Subject, *, vendor: str, hidden_fix: str
) -> Absent | None:
    """Tell a hidden ticket (403) from one that is no more (404), for the `own` of `Answers` of a system that does so.

    Only what the API itself says of a read counts; a proxy's page proves nothing. `hidden_fix` says how the account
    gets to see it.

    >>> absent_by_status(response, Complaint(), Subject.TICKET, vendor="Desk", hidden_fix="Give it the right.")
    """
    if about is not Subject.TICKET or response.request.method != "GET" or not said.from_api:
        return None
    if response.status_code == HTTPStatus.FORBIDDEN:
        reason = "The ticket is hidden from the authorized account."
        return Absent(Absence(kind=AbsenceKind.HIDDEN, reason=reason, fix=hidden_fix))
    is_gone = response.status_code == HTTPStatus.NOT_FOUND
    return Absent.deleted(f"{vendor} has no such ticket: it was destroyed.") if is_gone else None
