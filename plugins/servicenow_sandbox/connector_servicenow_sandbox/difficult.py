"""An instance as customers have them: other words, other rules, fewer rights."""

from __future__ import annotations

from dataclasses import replace

from connector_servicenow_sandbox.profile import (
    ACCOUNT,
    DEFAULT,
    DEFAULT_LEVELS,
    READERS,
    ExtraField,
    InstanceProfile,
    State,
)

_PACIFIC = "US/Pacific"
_ROLES = frozenset({"itil", "personalize_choices", "snc_platform_rest_api_access"})

DIFFICULT: InstanceProfile = replace(
    DEFAULT,
    name="difficult",
    people=tuple(
        replace(one, time_zone=_PACIFIC, roles=_ROLES) if one.user_name == ACCOUNT.user_name else one
        for one in DEFAULT.people
    ),
    groups=("1st level", "AV & meeting rooms", "2nd level"),
    states=(
        State("1", "Neu"),
        State("10", "Zugewiesen"),
        State("2", "In Bearbeitung"),
        State("3", "Wartend"),
        State("4", "Awaiting User Info", inactive=True),
        State("6", "Gelöst"),
        State("7", "Geschlossen"),
        State("8", "Storniert"),
    ),
    close_codes=(
        "Solved (Permanently)",
        "Solved (Work Around)",
        "Not Solved (Too Costly)",
        "Closed/Resolved by Caller",
    ),
    # A customer whose urgency hardly counts: no pair makes a 4.
    levels={**DEFAULT_LEVELS, ("2", "1"): "3", ("2", "3"): "3", ("3", "1"): "5", ("3", "2"): "5"},
    extra_fields=(
        ExtraField("u_location_code", "Location code", needed_to_create=True),
        ExtraField("u_root_cause", "Root cause", needed_to_resolve=True, choices=("hardware", "software", "unknown")),
    ),
    readers={**READERS, "sys_journal_field": frozenset()},
    closed_table="empty",
    api_role="snc_platform_rest_api_access",
    filter_times="account",
    hold_needs_reason=True,
    refresh_rotates=True,
)
