"""Jira Service Management as a ticketing system: where its hooks are."""

from __future__ import annotations

from connector_core import LazyHooks, hookspecs

hook = LazyHooks(__name__)

describe_plugin = hook(hookspecs.describe_plugin, "settings:PLUGIN.itself")
authorize = hook(hookspecs.authorize, "auth.authorization:authorize")
is_curable = hook(hookspecs.is_curable, "api.responses:is_curable")
configure_steps = hook(hookspecs.configure_steps, "setup.steps:steps")
check_integration = hook(hookspecs.check_integration, "checks.checkup:check")
find_site = hook(hookspecs.find_site, "auth.sites:find")
on_incident_event = hook(hookspecs.on_incident_event, "tickets.writing:write_change")
find_signature = hook(hookspecs.find_signature, "webhooks.signature:find")
on_inbound_webhook = hook(hookspecs.on_inbound_webhook, "webhooks.incoming:receive")
keep_webhook = hook(hookspecs.keep_webhook, "webhooks.managed:keep")
drop_webhook = hook(hookspecs.drop_webhook, "webhooks.managed:drop")
fetch_tickets = hook(hookspecs.fetch_tickets, "tickets.reading:fetch")
explain_absence = hook(hookspecs.explain_absence, "tickets.gone:explain")
check_ticket = hook(hookspecs.check_ticket, "checks.moved_tickets:check")
when_changed = hook(hookspecs.when_changed, "tickets.history:when_changed")
write_comment = hook(hookspecs.write_comment, "tickets.comments:write")
fetch_comments = hook(hookspecs.fetch_comments, "tickets.comments:fetch")
find_tickets = hook(hookspecs.find_tickets, "tickets.marks:find")
mark_ticket = hook(hookspecs.mark_ticket, "tickets.marks:leave_mark")
list_marked = hook(hookspecs.list_marked, "tickets.marks:listed")
