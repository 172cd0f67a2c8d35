"""What a site looks like before anyone works on it: people, desks, workflow, limits.

A profile is plain data. Another profile describes another site, a difficult one for example, without any new code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account on the site."""

    account_id: str
    display_name: str
    email: str
    time_zone: str = "Asia/Kolkata"
    # A zone without daylight saving, so that no time zone database is needed; far enough from UTC to show zone bugs.
    utc_offset_minutes: int = 330


@dataclass(frozen=True, slots=True)
class Status:
    """A workflow status; `category` is one of `new`, `indeterminate`, `done`.

    `customer_name` is what the portal calls it, when that is something else.
    """

    id: str
    name: str
    category: str
    customer_name: str = ""


@dataclass(frozen=True, slots=True)
class Priority:
    """A priority as the site names it, with the core's word that the control API accepts for it."""

    id: str
    name: str
    word: str
    color: str = "#cd1316"


@dataclass(frozen=True, slots=True)
class Transition:
    """A way from one status to another.

    `from_statuses` empty means from anywhere. `required_fields` stand on the transition's screen and must be filled in.
    `customer` transitions are those that the portal offers. `sets_resolution` and `clears_resolution` are
    post functions. `validated_fields` are demanded by a validator: the answer's list of fields does not call them
    required. `demanded_fields` are a validator's too, but on no screen: the issue must have them. A `condition` names a
    permission without which the transition is not even listed.
    """

    id: str
    name: str
    to_status: str
    from_statuses: frozenset[str] = frozenset()
    required_fields: tuple[str, ...] = ()
    customer: bool = False
    sets_resolution: str | None = None
    clears_resolution: bool = False
    validated_fields: tuple[str, ...] = ()
    demanded_fields: tuple[str, ...] = ()
    condition: str = ""

    @property
    def screen(self) -> tuple[str, ...]:
        """The fields that may be filled in on the way."""
        return (*self.required_fields, *self.validated_fields)


class FieldKind(StrEnum):
    """What a custom field holds."""

    TEXT = "text"
    LONG_TEXT = "long text"
    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "date and time"
    SELECT = "select"
    MULTI_SELECT = "multi-select"
    CASCADING = "cascading"
    USER = "user"
    LABELS = "labels"
    ASSET = "asset"  # of another product: nobody fills it in without knowing that one


@dataclass(frozen=True, slots=True)
class Option:
    """An entry of a list, with the entries below it."""

    id: str
    name: str
    children: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestField:
    """A field on a request type's form."""

    field_id: str
    name: str
    required: bool = False
    hidden: bool = False
    description: str = ""
    kind: FieldKind = FieldKind.TEXT
    options: tuple[Option, ...] = ()
    preset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestType:
    """What a customer can ask a desk for."""

    id: str
    name: str
    description: str
    fields: tuple[RequestField, ...]
    issue_type_id: str = "10010"


@dataclass(frozen=True, slots=True)
class Desk:
    """A service desk and its project."""

    id: str
    project_id: str
    project_key: str
    name: str
    request_types: tuple[RequestType, ...]
    priority_ids: tuple[str, ...] = ()  # the project's own priority scheme; empty: all of the site
    status_ids: tuple[str, ...] = ()  # the statuses of the project's own workflow; empty: all of the site


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A resolution or an issue type: an id and a name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SiteProfile:
    """Everything that is fixed about a site; the first desk, status, transition or person is the default one."""

    cloud_id: str
    name: str
    desks: tuple[Desk, ...]
    statuses: tuple[Status, ...]
    priorities: tuple[Priority, ...]
    transitions: tuple[Transition, ...]
    resolutions: tuple[NamedValue, ...]
    issue_types: tuple[NamedValue, ...]
    account: User  # consents to the app, owns the API token, is site administrator
    person: User  # the human agent who works in Jira itself
    default_priority: str
    close_status: str
    others: tuple[User, ...] = ()  # people with an account who do nothing by themselves
    edit_screen: frozenset[str] = frozenset({"summary", "description", "priority", "labels"})
    screen_fields: tuple[RequestField, ...] = ()  # custom fields that stand on screens of transitions
    hidden_fields: frozenset[str] = frozenset()  # by the field configuration: no answer and no delivery holds them
    refused_fields: frozenset[str] = frozenset()  # that requests are refused with although their form has them
    reverted_fields: frozenset[str] = frozenset()  # by a rule at once: an edit is answered as done, and is not kept
    denied: frozenset[str] = frozenset()  # permissions that the account lacks
    search_shows: int | None = None  # at most so many issues, and a warning, where there are more
    account_is_agent: bool = True  # the account's comments can be internal
    bulkfetch_limit: int = 100
    has_jira: bool = True
    has_jsm: bool = True
    neighbours: tuple[SiteProfile, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)  # what the connector must be told to work here

    @property
    def editable(self) -> frozenset[str]:
        """The fields that an edit may set."""
        return self.edit_screen - self.hidden_fields

    @property
    def people(self) -> tuple[User, ...]:
        """Everybody with an account."""
        return (self.account, self.person, *self.others)

    def status(self, status_id: str) -> Status:
        """Return the status with an id."""
        return next(status for status in self.statuses if status.id == status_id)

    def priority(self, wanted: str) -> Priority | None:
        """Find a priority by id, name or the core's word."""
        folded = wanted.casefold()
        return next((p for p in self.priorities if folded in (p.id, p.name.casefold(), p.word)), None)

    def desk(self, wanted: str) -> Desk | None:
        """Find a desk by its id, project id or project key."""
        return next((d for d in self.desks if wanted in (d.id, d.project_id, d.project_key)), None)

    def offered_priorities(self, desk: Desk | None) -> tuple[Priority, ...]:
        """Return the priorities of a desk's project."""
        listed = desk.priority_ids if desk is not None else ()
        return tuple(p for p in self.priorities if not listed or p.id in listed)

    def custom_field(self, field_id: str) -> RequestField | None:
        """Find a custom field on any form or screen."""
        forms = (one for desk in self.desks for kind in desk.request_types for one in kind.fields)
        return next((one for one in (*self.screen_fields, *forms) if one.field_id == field_id), None)

    def resolution(self, wanted: str) -> NamedValue | None:
        """Find a resolution by id or name."""
        return next((r for r in self.resolutions if wanted.casefold() in (r.id, r.name.casefold())), None)


SUMMARY = RequestField("summary", "Summary", required=True, description="What is wrong, in one line")
DESCRIPTION = RequestField("description", "Description")
PRIORITY = RequestField("priority", "Priority")
LABELS = RequestField("labels", "Labels", hidden=True)
CHANGE_WINDOW = RequestField("customfield_10050", "Change window", required=True)

_ACCOUNT = User("712020:5a1c0f1e-0001-4f6e-9d58-6f2c7f0a0001", "Avery Agent", "agent@example.test")
_PERSON = User("712020:5a1c0f1e-0002-4f6e-9d58-6f2c7f0a0002", "Hana Helper", "hana@example.test")
_OTHER = User("712020:5a1c0f1e-0003-4f6e-9d58-6f2c7f0a0003", "Hana Hill", "h.hill@example.test")

_REQUEST_TYPES = (
    RequestType("25", "Report an incident", "Something is broken.", (SUMMARY, DESCRIPTION, PRIORITY, LABELS)),
    RequestType("26", "Ask a question", "You would like to know something.", (SUMMARY, DESCRIPTION)),
    RequestType("27", "Request a change", "Something should be different.", (SUMMARY, DESCRIPTION, CHANGE_WINDOW)),
)

DEFAULT = SiteProfile(
    cloud_id="11223344-a1b2-4c3d-8e4f-55667788aabb",
    name="sandbox",
    desks=(
        Desk("10", "10000", "SUP", "Support", _REQUEST_TYPES),
        Desk(
            "11",
            "10001",
            "FAC",
            "Facilities",
            (RequestType("31", "Report a fault", "", (SUMMARY, DESCRIPTION, PRIORITY)),),
        ),
        Desk(
            "12",
            "10002",
            "HR",
            "People",
            (RequestType("41", "Ask the people team", "", (SUMMARY, DESCRIPTION)),),
            status_ids=("10000", "10001", "3", "6", "10003"),
        ),
    ),
    statuses=(
        Status("10000", "Waiting for support", "new"),
        Status("10001", "Waiting for customer", "indeterminate"),
        Status("3", "In Progress", "indeterminate"),
        Status("10002", "Resolved", "done"),
        Status("6", "Closed", "done"),
        Status("10003", "Canceled", "done"),
    ),
    priorities=(
        Priority("1", "Highest", "critical", "#cd1316"),
        Priority("2", "High", "high", "#e9494a"),
        Priority("3", "Medium", "moderate", "#e97f33"),
        Priority("4", "Low", "low", "#2d8738"),
        Priority("5", "Lowest", "planning", "#57a55a"),
    ),
    transitions=(
        Transition("11", "Start progress", "3", frozenset({"10000"})),
        Transition("21", "Respond to customer", "10001", frozenset({"10000", "3"})),
        Transition(
            "31",
            "Resolve this issue",
            "10002",
            frozenset({"10000", "10001", "3"}),
            customer=True,
            sets_resolution="10000",
        ),
        Transition("41", "Close", "6", frozenset({"10000", "10001", "3", "10002"}), required_fields=("resolution",)),
        Transition(
            "51", "Cancel request", "10003", frozenset({"10000", "10001", "3"}), customer=True, sets_resolution="10001"
        ),
        Transition("61", "Reopen", "10000", frozenset({"10002", "6", "10003"}), clears_resolution=True),
        Transition("71", "Back to support", "10000", frozenset({"10001", "3"})),
    ),
    resolutions=(NamedValue("10000", "Done"), NamedValue("10001", "Won't Do"), NamedValue("10002", "Duplicate")),
    issue_types=(NamedValue("10010", "[System] Incident"), NamedValue("10011", "[System] Service request")),
    account=_ACCOUNT,
    person=_PERSON,
    others=(_OTHER,),
    default_priority="3",
    close_status="10002",
)
