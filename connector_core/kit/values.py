"""JSON as it came from the other side: its parts, whatever they hold.

queue = as_object(ticket.get("Queue"))
name = value_at(ticket, "assignment_group.value")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_core.contract.errors import RetryLater

#: A JSON object.
Json = Mapping[str, Any]

LONGEST_SENTENCE = 200


def as_object(value: object) -> Json:
    """Return an object, an empty one in place of anything else.

    as_object(ticket.get("status")).get("name")
    """
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[Json]:
    """Return the objects of a list; what is no list has none.

    for change in as_objects(ticket.get("history")): ...
    """
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def value_at(value: object, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what lies at a path of names with dots between them, None where there is nothing; no path is the whole.

    value_at(page, "meta.has_more")
    """
    for name in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def whole(value: object) -> Json:
    """Return an object that was asked for by name.

    ticket = whole(rest.get(f"/ticket/{segment(ticket_id)}", about=Subject.TICKET))

    Raises:
        RetryLater: it is none, so the answer cannot be read.
    """
    if not isinstance(value, dict):
        raise unreadable()
    return value


def listed(page: object, path: str) -> list[Json]:
    """Return the entries of a list, one that is no object as an empty one: a list that is not there is no empty list.

    for ticket in listed(answer, "result"): ...

    Raises:
        RetryLater: there is no such list.
    """
    entries = value_at(page, path)
    if not isinstance(entries, list):
        raise unreadable()
    return [one if isinstance(one, dict) else {} for one in entries]


def sentence(value: object) -> str:
    """Return what the other side says as one printable line of at most `LONGEST_SENTENCE` characters.

    Complaint(sentences=(sentence(body.get("message")),))
    """
    text = value if isinstance(value, str) else ""
    printable = "".join(c if c.isprintable() else " " for c in text[: 8 * LONGEST_SENTENCE])
    return " ".join(printable.split())[:LONGEST_SENTENCE]


def unreadable(*, outcome_unknown: bool = False) -> RetryLater:
    """Return the error for an answer, or a part of it, that is not what the API writes.

    raise unreadable(outcome_unknown=True)  # where a write may have worked
    """
    return RetryLater(
        "The answer is not readable.",
        outcome_unknown=outcome_unknown,
        code="answer_unreadable",
        detail="it is not what the API writes",
    )
