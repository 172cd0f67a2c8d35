"""ServiceNow's incident table as a ticketing system: where its hooks are."""

from __future__ import annotations

from connector_core import LazyHooks, hookspecs

hook = LazyHooks(__name__)

describe_plugin = hook(hookspecs.describe_plugin, "settings:PLUGIN.itself")
authorize = hook(hookspecs.authorize, "setup:authorize")
configure_steps = hook(hookspecs.configure_steps, "setup:configure")
check_integration = hook(hookspecs.check_integration, "checks:check")
on_incident_event = hook(hookspecs.on_incident_event, "desk:ServiceNow.on_incident_event")
find_signature = hook(hookspecs.find_signature, "webhook:SCHEME.find")
on_inbound_webhook = hook(hookspecs.on_inbound_webhook, "webhook:receive")
fetch_tickets = hook(hookspecs.fetch_tickets, "desk:ServiceNow.fetch_tickets")
find_tickets = hook(hookspecs.find_tickets, "desk:ServiceNow.find_tickets")
mark_ticket = hook(hookspecs.mark_ticket, "desk:ServiceNow.mark_ticket")
list_marked = hook(hookspecs.list_marked, "desk:ServiceNow.list_marked")
explain_absence = hook(hookspecs.explain_absence, "desk:ServiceNow.explain_absence")
write_comment = hook(hookspecs.write_comment, "desk:ServiceNow.write_comment")
fetch_comments = hook(hookspecs.fetch_comments, "desk:ServiceNow.fetch_comments")
