"""What all checks of a plugin have in common: which plugin, what it cannot, the ground that each stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import pytest

from connector_core.contract.models import FieldName
from connector_core.contract.sandboxes import Sandbox, SandboxAbility
from connector_core.demo.sandboxes import open_sandbox
from connector_core.plugins import Plugin, load_plugins
from connector_core.testing.conformance.ground import Ground, make_ground
from connector_core.testing.conformance.system import Caller, MovingClock, System, make_system

#: What a plugin, or its vendor, may not be able to do; the key of a reason in `cannot`.
ABILITIES = MappingProxyType(
    {
        "edit_title": "the title of a ticket can be changed",
        "edit_description": "the description of a ticket can be changed",
        "edit_priority": "the priority of a ticket can be changed",
        "told_writes": "it can be told what others did in the moment of a write: by versions, a history, or a count",
        "conditional_writes": "a change can be written on the condition that nobody was faster",
        "description": "a ticket shows its description",
        "priority": "a ticket has a priority",
        "close": "a ticket can be closed",
        "doubted_close": "the ticket is looked at once it was closed",
        "webhook": "the vendor tells of changes",
        "signed_webhook": "deliveries are signed",
        "comments": "comments are written and read",
        "public_comments": "a comment can be for customers to see",
        "delete_ticket": "somebody can delete a ticket",
        "steps": "set-up asks questions",
        "checks": "the integration can be checked",
        "person_comments": "the stand-in has a person who comments",
        "changed_since": "what changed is looked for by a time",
        "find_by_name": "a ticket is found by what people call it",
        "marks": "a ticket that somebody linked by hand gets our mark",
        "listed_marks": "the tickets with a mark of ours can be listed",
    }
)

#: The hook that an ability rests on: without it there is nothing to try.
HOOK_OF = MappingProxyType(
    {
        "webhook": "on_inbound_webhook",
        "signed_webhook": "on_inbound_webhook",
        "comments": "write_comment",
        "public_comments": "write_comment",
        "person_comments": "fetch_comments",
        "steps": "configure_steps",
        "checks": "check_integration",
        "find_by_name": "find_tickets",
        "marks": "mark_ticket",
        "listed_marks": "list_marked",
    }
)
#: The ability that the stand-in has to have for it.
DESK_OF = MappingProxyType(
    {
        "edit_description": SandboxAbility.EDITS_DESCRIPTION,
        "delete_ticket": SandboxAbility.DELETES,
        "person_comments": SandboxAbility.COMMENTS,
        "webhook": SandboxAbility.WEBHOOKS,
        "signed_webhook": SandboxAbility.WEBHOOKS,
    }
)
#: The field without which it cannot be, where the plugin says that it can never be changed.
FIELD_OF = MappingProxyType(
    {
        "edit_title": FieldName.TITLE,
        "edit_description": FieldName.DESCRIPTION,
        "edit_priority": FieldName.PRIORITY,
    }
)
#: Under this name a test tells pytest whose it is; see `connector_core.testing.plugin`.
PROPERTY = "connector"

_Check = TypeVar("_Check", bound=Callable[..., Any])


def needs(*abilities: str) -> Callable[[_Check], _Check]:
    """Mark a check that only a plugin with these abilities can pass."""
    assert set(abilities) <= set(ABILITIES), abilities

    def mark(check: _Check) -> _Check:
        check.needs = frozenset(abilities)  # type: ignore[attr-defined]  # read again in `missing_for`
        return check

    return mark


class Checks:
    """The base of `TicketingLife`; see there what a plugin's author sets."""

    #: The name of the plugin, as its entry point has it.
    plugin: ClassVar[str]
    #: Answers beside those that the stand-in gives for a working integration.
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    #: What the plugin or its vendor cannot do, each with the reason; see `ABILITIES`.
    cannot: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: Whether the plugin is being written: what raises `NotImplementedError` is left out, with its words as the reason.
    is_draft: ClassVar[bool] = False
    #: Patterns of `METHOD address` that ask with POST or PUT and change nothing.
    reads: ClassVar[Sequence[str]] = ()
    #: Whether the stand-in goes by the clock that `open_system` is given, so that no check waits.
    shares_clock: ClassVar[bool] = False
    #: For one that does not: how many seconds it may take at most until it shows everywhere what was done.
    longest_wait_s: ClassVar[float] = 1.0

    ground: Ground

    @classmethod
    def open_system(cls, clock: MovingClock) -> Sandbox:  # noqa: ARG003 - for those that can go by it
        """Start the stand-in of the plugin's vendor, or reach a real server; by default what its entry point names."""
        desk: Sandbox = open_sandbox(cls.installed())
        return desk

    @classmethod
    def installed(cls) -> Plugin:
        """Return the plugin."""
        return load_plugins().get(cls.plugin)

    @classmethod
    def make_caller(cls) -> Caller:
        """Return what calls the plugin's hooks."""
        return Caller(cls.installed(), is_draft=cls.is_draft)

    @classmethod
    def start(cls, caller: Caller) -> System:
        """Start the other side and authorize access."""
        clock = MovingClock()
        desk = cls.open_system(clock)
        return make_system(
            desk,
            clock,
            caller,
            shares_clock=cls.shares_clock,
            longest_wait_s=cls.longest_wait_s,
            settings=cls.settings,
        )

    @classmethod
    def missing_for(cls, check: Callable[..., Any], plugin: Plugin, desk: Sandbox) -> str:
        """Return why a check cannot be made, nothing where it can."""
        for ability in sorted(getattr(check, "needs", ())):
            if ability in cls.cannot:
                return f"cannot {ability}: {cls.cannot[ability]}"
            if ability in HOOK_OF and not plugin.implements(HOOK_OF[ability]):
                return f"cannot {ability}: the plugin has no hook {HOOK_OF[ability]}"
            if FIELD_OF.get(ability) in plugin.info.unchangeable:
                return f"cannot {ability}: the plugin says that it can never be changed"
            if ability in DESK_OF and DESK_OF[ability] not in desk.abilities:
                return f"cannot {ability}: the stand-in lacks the ability {DESK_OF[ability]}"
        return ""

    @pytest.fixture(autouse=True)
    def _stand(self, connector_system: tuple[System, Caller], request: pytest.FixtureRequest) -> Iterator[None]:
        system, caller = connector_system
        told: dict[str, Any] = {"plugin": self.plugin, "life": type(self).__name__}
        request.node.user_properties.append((PROPERTY, told))
        if why := self.missing_for(request.function, caller.plugin, system.desk):
            pytest.skip(why)
        self.ground = make_ground(system, caller, settings=self.settings, reads=self.reads)
        yield
        told |= {"calls": len(self.ground.session.calls), "figures": self.ground.figures}
