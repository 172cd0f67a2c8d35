"""Writing a change to Xyte: closing by its public call; everything else through a gateway, or not at all."""

from __future__ import annotations

from connector_core import (
    AddComment,
    CommentOutcome,
    ConnectorError,
    FieldName,
    IncidentUpdate,
    RetryLater,
    UpdateOutcome,
    hookspecs,
    implements,
    send_signed_change,
    truncate,
)
from connector_xyte.client import XyteClient
from connector_xyte.mapping import ACTIVE, read_incident
from connector_xyte.polling import AHEAD_S
from connector_xyte.settings import XyteSource

_NO_CALL = "Xyte has no call that changes this; it is kept on the ticket only"
_NO_COMMENTS = "Xyte's incidents have no comments; it is kept on the ticket only"
MAX_NOTE_CHARS = 2000


@implements(hookspecs.apply_change)
def apply(source: XyteSource, update: IncidentUpdate) -> UpdateOutcome:
    """Write what can be written; say of the rest that it was not."""
    if isinstance(update, AddComment):
        return _change(source, update)
    outcome = UpdateOutcome()
    words = update.fields - {FieldName.STATUS}
    if words:
        outcome = _change(source, update.model_copy(update={"fields": words, "close": False}))
    if FieldName.STATUS not in update.fields:
        return outcome
    if not update.close:
        reason = "Xyte does not open a closed incident again."
        return outcome.model_copy(update={"unsupported": {**outcome.unsupported, FieldName.STATUS: reason}})
    _close(source, update.incident_id)
    return outcome


def _change(source: XyteSource, update: IncidentUpdate) -> UpdateOutcome:
    settings = source.settings
    if settings.changes_url is not None and settings.changes_secret is not None:
        return send_signed_change(source, settings.changes_url, (settings.changes_secret,), update)
    missing = _NO_COMMENTS if isinstance(update, AddComment) else _NO_CALL
    reason = f"{missing}."
    if settings.note_on_device:
        reason = f"{missing}, and {_note(source, update)}."
    if isinstance(update, AddComment):
        return UpdateOutcome(comment=CommentOutcome(unsupported=reason))
    return UpdateOutcome(unsupported=dict.fromkeys(update.fields, reason))


def _close(source: XyteSource, incident_id: str) -> None:
    """Close an incident; one that is not there is closed already, if it is not listed as open.

    Raises:
        RetryLater: it is listed as open, or the list cannot be read to its end.
    """
    client = XyteClient(source)
    if client.close(incident_id):
        return
    listing = client.incidents(ACTIVE, 0, _end(source, client))
    seen = (read_incident(item, ACTIVE) for item in listing.items)
    if not listing.is_complete or any(one is not None and one.is_active and one.id == incident_id for one in seen):
        raise RetryLater("Xyte does not find the incident to close, but may still list it as open.", code="not_closed")


def _end(source: XyteSource, client: XyteClient) -> float:
    return (client.told_time or source.clock.now()).timestamp() + AHEAD_S


def _note(source: XyteSource, update: IncidentUpdate) -> str:
    """Write a note on the device, once; say what became of it."""
    device = update.incident.device if update.incident is not None else None
    if device is None or device.id is None:
        return "could not be noted on the device, since none is known"
    client = XyteClient(source)
    mark = f"[{update.idempotency_key}]"
    try:
        notes = client.notes(device.id)
        if any(mark in str(note.get("content")) for note in notes.items if isinstance(note, dict)):
            return "noted on the device"
        written = client.add_note(device.id, f"{truncate(_told(update), MAX_NOTE_CHARS - len(mark) - 1)} {mark}")
    except RetryLater:
        raise
    except ConnectorError as exc:
        return f"could not be noted on the device: {exc.message.rstrip('.').lower()}"
    return "noted on the device" if written else "could not be noted on the device, which is gone"


def _told(update: IncidentUpdate) -> str:
    name = update.incident.title if update.incident is not None else update.incident_id
    if isinstance(update, AddComment):
        return f"{update.comment.author} commented on the incident “{name}” in the helpdesk: {update.comment.text}"
    values = {
        FieldName.TITLE: update.title,
        FieldName.DESCRIPTION: update.description,
        FieldName.PRIORITY: update.priority,
    }
    told = "; ".join(f"{name.value}: {values[name] or 'none'}" for name in values if name in update.fields)
    return f"The helpdesk changed the incident “{name}”: {told}"
