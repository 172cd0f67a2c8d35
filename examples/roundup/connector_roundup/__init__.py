"""Roundup as a ticketing system: where its hooks are. Each is imported when it is called first."""

from connector_core import LazyHooks, hookspecs

hook = LazyHooks(__name__)

describe_plugin = hook(hookspecs.describe_plugin, "setup:describe_plugin")
configure_steps = hook(hookspecs.configure_steps, "setup:configure_steps")
check_integration = hook(hookspecs.check_integration, "setup:check_integration")
on_incident_event = hook(hookspecs.on_incident_event, "writing:on_incident_event")
fetch_tickets = hook(hookspecs.fetch_tickets, "tracker:fetch_tickets")
