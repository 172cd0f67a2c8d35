"""How incidents become issues, and changes of theirs reach them."""

from __future__ import annotations

import connector_core as core
from connector_core.kit import closing, creating, details, editing, kept, rest, texts, values
from connector_roundup.tracker import Issue, RoundupIntegration, found_by, priorities_of, rest_of, shown

MAIL_ID = "<{}@connector>"  # of the first message: it can be searched for, and is shown to nobody
SETTLES_AFTER_S = 30.0  # so long a call that was given up may take to arrive


@core.implements(core.hookspecs.on_incident_event)
def on_incident_event(integration: RoundupIntegration, change: core.IncidentChange) -> core.Receipt | core.NotCreated:
    """Create an issue, look for one, change or close it."""
    if isinstance(change, creating.AnyCreate):
        return _create(integration, change)
    issue = Issue(integration, change.ticket.id)
    if isinstance(change, core.WriteFields):
        every = _values(integration, change.incident)
        return editing.write_fields(change, read=issue.read, write=issue.write, values=every)
    status = {core.FieldName.STATUS: integration.settings.close_status}
    return closing.close_once(change, read=issue.read, write=lambda _: issue.write(status).ticket)


def _values(integration: RoundupIntegration, incident: core.Incident) -> dict[core.FieldName, str | None]:
    """Return the fields of an incident as Roundup takes them; it calls them as we do."""
    priority, title = priorities_of(integration).theirs(incident.priority), texts.one_line(incident.title, 255)
    return {core.FieldName.TITLE: title, core.FieldName.PRIORITY: priority.id if priority else None}


def _create(integration: RoundupIntegration, change: creating.AnyCreate) -> core.Receipt | core.NotCreated:
    api, incident, marker = rest_of(integration), change.incident, change.marker
    found, settle_s = _made_before(integration, marker) if isinstance(change, core.FindTicket) else ([], 0.0)

    def make() -> core.Receipt:
        # Both may be made again: nobody sees a message that no issue has, nor an address.
        text = {"content": details.Details().write(incident, marker), "messageid": MAIL_ID.format(marker)}
        message = api.post("/msg", {**text, "author": integration.settings.user}, may_repeat=True)
        address = values.value_at(api.post("/issue/@poe", {}, may_repeat=True), "data.link")
        integration.memory.remember(marker, address)
        fields = {"messages": [values.value_at(message, "data.id")]} | _values(integration, incident)
        number = str(values.value_at(api.post(api.linked(address), fields), "data.id"))
        kept.forget(integration, marker)
        return core.Receipt(ticket=_as_made(integration, incident, number))

    return creating.create_once(
        change,
        make=make,
        find=lambda: [Issue(integration, number).read() for number in found],
        settle_s=settle_s,
        as_created=lambda ticket: _as_made(integration, incident, ticket.id),
    )


def _as_made(integration: RoundupIntegration, incident: core.Incident, number: str) -> core.TicketSnapshot:
    """Return an issue as it was sent: a call that fails now would have it made again."""
    priority, title = priorities_of(integration).theirs(incident.priority), texts.one_line(incident.title, 255)
    named = {"id": priority.id, "name": priority.name} if priority else None
    sent = {"title": title, "description": texts.normalise(incident.description or ""), "priority": named}
    return shown(integration, number, sent)


def _made_before(integration: RoundupIntegration, marker: str) -> tuple[list[str], float]:
    """Return the issues that an earlier attempt made, and for how many seconds one may still arrive."""
    api, address = rest_of(integration), integration.memory.recall(marker)
    if found := _with_marker(api, marker):
        return found, 0.0
    if address is not None:
        try:  # to use it up: Roundup takes the address before it reads the values, and whatever comes second is refused
            api.post(api.linked(address), {})
        except core.RemoteError as exc:
            if "POE token" not in exc.detail:
                return [], 0.0
    return _with_marker(api, marker), SETTLES_AFTER_S


def _with_marker(api: rest.Rest, marker: str) -> list[str]:
    """Find the issues whose message carries a marker where an e-mail has its id; a search may find more than that."""
    mail_id = MAIL_ID.format(marker)
    found = found_by(api, "/msg", {"messageid": mail_id, "@fields": "messageid"})
    messages = ",".join(str(one.get("id")) for one in found if one.get("messageid") == mail_id)
    return [str(one.get("id")) for one in found_by(api, "/issue", {"messages": messages})] if messages else []
