"""Xyte as an incident source: where its hooks are."""

from __future__ import annotations

from connector_core import LazyHooks, hookspecs

hook = LazyHooks(__name__)

describe_plugin = hook(hookspecs.describe_plugin, "settings:PLUGIN.itself")
poll_incidents = hook(hookspecs.poll_incidents, "polling:poll")
configure_source = hook(hookspecs.configure_source, "steps:steps")
check_source = hook(hookspecs.check_source, "checks:check")
on_source_push = hook(hookspecs.on_source_push, "pushing:receive")
apply_change = hook(hookspecs.apply_change, "changing:apply")
