"""Request Tracker as a ticketing system: where its hooks are."""

from __future__ import annotations

from connector_core import LazyHooks, hookspecs

hook = LazyHooks(__name__)

describe_plugin = hook(hookspecs.describe_plugin, "settings:describe")
authorize = hook(hookspecs.authorize, "setup:authorize")
configure_steps = hook(hookspecs.configure_steps, "setup:configure")
check_integration = hook(hookspecs.check_integration, "checks:check")
on_incident_event = hook(hookspecs.on_incident_event, "writing:write_change")
find_signature = hook(hookspecs.find_signature, "webhook:SCHEME.find")
on_inbound_webhook = hook(hookspecs.on_inbound_webhook, "webhook:receive")
fetch_tickets = hook(hookspecs.fetch_tickets, "tickets:fetch")
find_tickets = hook(hookspecs.find_tickets, "marks:find")
mark_ticket = hook(hookspecs.mark_ticket, "marks:leave")
list_marked = hook(hookspecs.list_marked, "marks:listed")
explain_absence = hook(hookspecs.explain_absence, "tickets:explain")
write_comment = hook(hookspecs.write_comment, "comments:write")
fetch_comments = hook(hookspecs.fetch_comments, "comments:fetch")
