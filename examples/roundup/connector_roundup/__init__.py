"""Roundup as a ticketing system: where its hooks are. Each is imported when it is called first."""

from connector_core import LazyHooks, hookspecs

hook = LazyHooks(__name__)

describe_plugin = hook(hookspecs.describe_plugin, "tracker:PLUGIN.itself")
configure_steps = hook(hookspecs.configure_steps, "setup:configure_steps")
check_integration = hook(hookspecs.check_integration, "setup:check_integration")
on_incident_event = hook(hookspecs.on_incident_event, "desk:RoundupDesk.on_incident_event")
fetch_tickets = hook(hookspecs.fetch_tickets, "desk:RoundupDesk.fetch_tickets")
find_tickets = hook(hookspecs.find_tickets, "desk:RoundupDesk.find_tickets")
mark_ticket = hook(hookspecs.mark_ticket, "desk:RoundupDesk.mark_ticket")
list_marked = hook(hookspecs.list_marked, "desk:RoundupDesk.list_marked")
