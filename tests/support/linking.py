"""Steps that several end-to-end tests begin with."""

from __future__ import annotations

from connector_core.demo.stage import until


def open_incident(stage, title="Display offline", **fields):
    """Open an incident and wait until it is linked; return its id and its ticket's."""
    incident = stage.platform.open(title, **fields)
    until(lambda: stage.ticket_of(incident))
    return incident, stage.ticket_of(incident)["id"]


def incident_shows(stage, incident, **fields):
    """Wait until the incident shows the fields."""
    until(lambda: fields.items() <= stage.platform.incident(incident).items())


def ticket_shows(stage, ticket, **fields):
    """Wait until the ticket shows the fields."""
    until(lambda: fields.items() <= stage.sandbox.ticket(ticket).items())
