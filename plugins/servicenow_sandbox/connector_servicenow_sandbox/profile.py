"""What an instance is like: its lists, its rules, and a switch for each point that differs or that no page settles.

The README tells for each switch which page its default is from, or that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ADMIN = "admin"
Levels = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class State:
    """A row of the state list."""

    value: str
    label: str
    inactive: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """A row of sys_user."""

    user_name: str
    name: str
    password: str
    roles: frozenset[str] = frozenset()
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class ExtraField:
    """A column that the customer added; the flags are data policies, which also hold for the API."""

    name: str
    label: str
    needed_to_create: bool = False
    needed_to_resolve: bool = False
    choices: tuple[str, ...] = ()


DEFAULT_LEVELS: Levels = {
    ("1", "1"): "1",
    ("1", "2"): "2",
    ("1", "3"): "3",
    ("2", "1"): "2",
    ("2", "2"): "3",
    ("2", "3"): "4",
    ("3", "1"): "3",
    ("3", "2"): "4",
    ("3", "3"): "5",
}

ACCOUNT_ROLES = frozenset({"itil", "personalize_choices", "personalize_dictionary", "journal_reader"})
ACCOUNT = Person("connector.api", "Connector API", "sandbox-password", ACCOUNT_ROLES)
AGENT = Person("agnes.agent", "Agnes Agent", "agnes-password", frozenset({"itil"}))
CALLER = Person("carl.caller", "Carl Caller", "carl-password")
ADMINISTRATOR = Person("admin", "System Administrator", "admin-password", frozenset({ADMIN, "itil"}))

READERS: Mapping[str, frozenset[str]] = {
    "incident": frozenset({"itil", "sn_incident_read"}),
    "sys_choice": frozenset({"personalize_choices"}),
    "sys_dictionary": frozenset({"personalize_dictionary"}),
    "sys_journal_field": frozenset({"journal_reader"}),
    "sys_audit_delete": frozenset(),
}


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    """One instance as its administrator set it up."""

    name: str = "simple"
    people: tuple[Person, ...] = (ADMINISTRATOR, ACCOUNT, AGENT, CALLER)
    groups: tuple[str, ...] = ("Service Desk", "AV Support", "Network")

    #: The state list in its order; what each state means is told by the values below.
    states: tuple[State, ...] = (
        State("1", "New"),
        State("2", "In Progress"),
        State("3", "On Hold"),
        State("6", "Resolved"),
        State("7", "Closed"),
        State("8", "Canceled"),
    )
    new: str = "1"
    in_progress: str = "2"
    on_hold: str = "3"
    resolved: str = "6"
    closed: str = "7"
    canceled: str = "8"

    close_codes: tuple[str, ...] = (
        "Duplicate",
        "Known error",
        "No resolution provided",
        "Resolved by caller",
        "Resolved by change",
        "Resolved by problem",
        "Resolved by request",
        "Solution provided",
        "Workaround provided",
        "User error",
    )
    hold_reasons: tuple[tuple[str, str], ...] = (
        ("1", "Awaiting Caller"),
        ("5", "Awaiting Change"),
        ("3", "Awaiting Problem"),
        ("4", "Awaiting Vendor"),
    )
    #: Priority by (impact, urgency); a pair that is not in it leaves the priority as it is.
    levels: Levels = field(default_factory=lambda: DEFAULT_LEVELS)
    #: Off: a written priority is kept, as where the administrator disabled the lookup.
    priority_is_computed: bool = True
    extra_fields: tuple[ExtraField, ...] = ()

    #: Who may read a table, by role; a table that is not in it is open to every account.
    readers: Mapping[str, frozenset[str]] = field(default_factory=lambda: READERS)
    #: What a read of a closed table answers: 403, or rows that are all taken out.
    closed_table: Literal["refused", "empty"] = "refused"
    #: Columns of `incident` that nobody but an administrator may see.
    hidden_fields: frozenset[str] = frozenset()
    #: Columns of `incident` that only an administrator may write; a write of others drops them without a word.
    unwritable_fields: frozenset[str] = frozenset()
    #: The role of the Table API's own access rule, which is not active in the base system.
    api_role: str = ""
    #: Who may delete an incident.
    deleters: frozenset[str] = frozenset()

    #: `ignored` is the platform's default, `no_rows` its property, `refused` what some have seen.
    invalid_query: Literal["ignored", "no_rows", "refused"] = "ignored"
    #: How a time in a filter is read: in UTC or in the time zone of the account.
    filter_times: Literal["utc", "account"] = "utc"
    values_are_case_sensitive: bool = True
    #: What becomes of a text that is longer than its column in the database: `cut`, `refused`, or `kept` whole.
    too_long: Literal["cut", "refused", "kept"] = "cut"
    #: What becomes of a value that its list does not have.
    unknown_choice: Literal["stored", "dropped", "refused"] = "stored"
    #: What a write to a closed record answers to somebody without the role for it.
    closed_write: Literal["refused", "dropped"] = "refused"
    #: Whether the API lets only an `itil_admin` close.
    closing_needs_admin: bool = True
    #: States from which one may go back to work.
    reopens_from: tuple[str, ...] = ("6",)
    #: Whether a resolution needs its code and notes, by data policy.
    resolving_needs_reason: bool = True
    #: Whether On Hold needs its reason, by data policy too and not only on the form.
    hold_needs_reason: bool = False

    client_credentials: bool = False
    state_is_required: bool = True
    password_grant: bool = True
    api_keys: bool = True
    basic: bool = True
    #: A client without a secret: it must use PKCE and gets no refresh token.
    public_client: bool = False
    refresh_rotates: bool = False
    access_token_s: int = 30 * 60
    refresh_token_s: int = 100 * 24 * 3600

    #: Requests an hour for each account; None is no rule.
    hourly_limit: int | None = None

    def person(self, user_name: str) -> Person | None:
        """Find somebody by user name."""
        return next((one for one in self.people if one.user_name == user_name), None)

    def label_of(self, state: str) -> str:
        """Return the label of a state; a value that the list lacks shows as it is."""
        return next((one.label for one in self.states if one.value == state), state)

    @property
    def done(self) -> frozenset[str]:
        """The states in which work has ended."""
        return frozenset({self.resolved, self.closed, self.canceled})


DEFAULT = InstanceProfile()
