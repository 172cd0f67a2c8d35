"""What is asked before something that cannot simply be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from connector_core.web.console.visits import Visit


@dataclass(frozen=True)
class Confirmation:
    """The button's words, what will happen, and the words of the way back."""

    button: str
    text: str
    leave: str = "Cancel"
    is_safe: bool = False  #: nothing is lost by it


def ask(  # noqa: PLR0913 - what a question is made of
    visit: Visit,
    question: Confirmation,
    crumbs: Sequence[tuple[str, str]],
    *,
    subject: str = "",
    action: str = "",
    subjects: Sequence[str] = (),
    kept: Mapping[str, str] | None = None,
) -> Response:
    """Show the question; `crumbs` are titles with addresses, the last of which is the way back.

    Saying yes sends a form to the same address, with `action` and `sure` if there is an action, and with what is to be
    `kept` of the form that was sent. `subjects` are what it is about, where they are several; of none nothing is asked
    but what stands in the way is said.
    """
    is_possible = bool(action or kept is None)
    return visit.page(
        "sure.html",
        question=question,
        crumbs=crumbs,
        subject=subject,
        action=action,
        subjects=subjects,
        kept=kept or {},
        is_possible=is_possible,
    )
