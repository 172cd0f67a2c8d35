"""What a plugin says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from connector_core.contract.durations import Duration, duration_field
from connector_core.contract.models import FieldName
from connector_core.contract.shaping import Shaping

SAME_PLACE = "same_place"
SAME_PLACE_FIX = "disable or remove one of them, unless their rules take different incidents"


def same_place(twins: Sequence[str]) -> str:
    """Say that tickets are made where those of other integrations are made too."""
    return f"tickets are made in the same place as those of {' and '.join(twins)}: each incident gets one by each"


class Settings(BaseModel):
    """Settings of a plugin: unknown keys are refused, every field carries a description."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class PolledSettings(Settings):
    """Settings of a source that is polled: a plugin with `poll_incidents` has settings of this kind."""

    poll_every: Duration = duration_field("30s", "How often the platform is asked what changed.")


@dataclass(frozen=True)
class PluginInfo:
    """Identity and settings models of a plugin."""

    #: Equals the entry-point name and the key in the configuration.
    name: str
    #: What people call it.
    title: str
    #: Validates one integration, or one source.
    settings: type[Settings]
    #: Validates what is shared by all of them.
    plugin_settings: type[Settings] = Settings
    #: The path segment that the ticketing system calls, None when it calls nobody.
    webhook_route: str | None = None
    #: The settings that a link keeps as they were when its ticket was created; all others are always today's.
    link_settings: frozenset[str] = frozenset()
    #: The settings that say where tickets are made: integrations alike in them make a ticket each.
    place_settings: frozenset[str] = frozenset()
    #: What people call an incident platform, where that is not the title: it names the place where comments were
    #: written.
    platform: str = ""
    #: What people call a ticketing system in a sentence, where that is not the title: "Desk", of "Desk Service
    #: Management".
    short_title: str = ""
    #: The settings that are templates over the incident for a field of the ticket: what they add is taken off again
    #: when the field comes back.
    templates: Mapping[FieldName, str] = field(default_factory=dict, hash=False)
    #: What the plugin puts at the end of a text that it cut; taken off again too.
    cut_marks: tuple[str, ...] = ()
    #: How many seconds after a renewal the grant of before is still taken: so long a renewal whose answer was lost is
    #: asked for again every few seconds.
    renewal_leeway_s: float = 0.0
    #: Tells people, in sentences, what awaits them when they authorize access: whom to log in as, what to approve.
    consent: str = ""
    #: How far a search may lag behind, by its index, by whole seconds or by a clock behind ours: so much earlier than
    #: its last look the core asks for what changed (`TicketQuery.changed_since`).
    read_lag: timedelta = timedelta(minutes=2)
    #: Whether `TicketSnapshot.updated` tells which of any two looks of a ticket is the later, also of those that
    #: deliveries show: it has fractions of a second and is of the change itself. Where it does not, an older delivery
    #: of the same second would revert a change: tickets that deliveries show are then read, as `Delivery.hints` are.
    times_are_exact: bool = False
    #: What can never be changed once a ticket is made, whoever tries: it is not written after creation. A change of the
    #: incident's that is synced to the ticket is told there once, by an internal comment (`write_comment`), and both
    #: sides then stay as they are.
    unchangeable: frozenset[FieldName] = frozenset()
    #: Of an incident source: the fields that the platform accepts only with a setting, such as the address of a
    #: gateway, and that setting. Without it a change stays on the ticket, and set-up says so.
    accepted_with: Mapping[FieldName, str] = field(default_factory=dict, hash=False)
    #: The headers that prove who sent a delivery, in lower case: that of the signature, and of what is signed with the
    #: body, such as a time. How they are written and checked is up to `find_signature` and `on_inbound_webhook`; the
    #: contract's tests put into them what strangers may send.
    signature_headers: frozenset[str] = frozenset()

    @property
    def spoken(self) -> str:
        """What a sentence calls the system."""
        return self.short_title or self.platform or self.title

    def itself(self) -> PluginInfo:
        """Return it: the hook `describe_plugin`, of a plugin that has it as a constant.

        describe_plugin = hook(hookspecs.describe_plugin, "settings:PLUGIN.itself")
        """
        return self

    @property
    def fixed_settings(self) -> frozenset[str]:
        """The settings of a link that its ticket cannot change any more: where it was made."""
        return self.link_settings & self.place_settings

    @property
    def defaults(self) -> frozenset[str]:
        """The settings that have a value without an answer."""
        fields = self.settings.model_fields.items()
        return frozenset(name for name, field in fields if not field.is_required() and field.default is not None)

    def not_accepted(self, settings: Settings | None) -> frozenset[FieldName]:
        """Return the fields of which a source accepts no change by its settings."""
        return frozenset(name for name, key in self.accepted_with.items() if getattr(settings, key, None) is None)

    def is_one_place(self, one: Settings, other: Settings) -> bool:
        """Return whether both make tickets in the same place; what one of them leaves open may be as the other."""
        values = [(getattr(one, name), getattr(other, name)) for name in self.place_settings or self.link_settings]
        return any(value[0] is not None for value in values) and all(
            here == there or here is None or there is None for here, there in values
        )

    def shaping(self, settings: Settings | None) -> Shaping:
        """Return what happens to fields on their way to tickets by settings."""
        found = {name: getattr(settings, setting, None) for name, setting in self.templates.items()}
        return Shaping({name: text for name, text in found.items() if text}, self.cut_marks)
