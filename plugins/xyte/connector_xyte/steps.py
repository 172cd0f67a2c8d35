"""The steps of set-up: connecting an organization, and which of its incidents matter."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from connector_core import (
    Choice,
    ConfigError,
    FieldKind,
    Priority,
    Remark,
    SetupField,
    SetupStep,
    Severity,
    finished,
    hookspecs,
    implements,
)
from connector_xyte import texts
from connector_xyte.checks import whose
from connector_xyte.client import XyteClient
from connector_xyte.settings import HUB, AnyXyteSource, SpaceChoice
from connector_xyte.spaces import SpaceTree, read_tree

MOST_SPACES = 60  # the highest: they decide for those below
MOST_ROWS = 120  # a page asks no more


@implements(hookspecs.configure_source)
def steps(source: AnyXyteSource) -> Sequence[SetupStep]:
    """List the steps; nothing is fetched before a list or a preview is asked for."""
    return (_connect(source), _incidents(source))


def _connect(source: AnyXyteSource) -> SetupStep:
    return SetupStep(
        key="connect",
        title="Connect Xyte",
        help=texts.CONNECT,
        fields=(
            SetupField(
                "organization_key",
                "Organization key",
                texts.KEY if source.settings is None else f"{texts.KEY} {texts.OTHER_KEY}",
                FieldKind.SECRET,
            ),
            SetupField(
                "already_open",
                "Existing open incidents",
                texts.ALREADY_OPEN,
                FieldKind.CHOICE,
                required=False,
                load=lambda: texts.OPEN_CHOICES,
                is_fixed=True,
            ),
            SetupField(
                "base_url",
                "Address of the hub",
                texts.BASE_URL.format(hub=HUB),
                required=False,
                needs_again=frozenset({"organization_key"}),
            ),
        ),
        text=texts.CONNECT_TEXT,
        preview=None if source.settings is None else lambda: _connected(source),
    )


def _incidents(source: AnyXyteSource) -> SetupStep:
    return SetupStep(
        key="incidents",
        title="Incidents to Include",
        help=texts.INCIDENTS,
        fields=(
            SetupField(
                "minimum_priority",
                "Minimum priority",
                texts.MINIMUM_PRIORITY,
                FieldKind.CHOICE,
                required=False,
                load=_priorities,
                is_fixed=True,
            ),
            SetupField("open_after", "Delay", texts.OPEN_AFTER, required=False),
            SetupField("poll_every", "Poll interval", texts.POLL_EVERY, required=False),
            SetupField(
                "spaces",
                "Spaces",
                texts.SPACES.format(most=MOST_SPACES),
                FieldKind.GROUP,
                required=False,
                rows=lambda: _spaces(source),
                when_empty=texts.NO_SPACES,
            ),
        ),
        needs=frozenset({"organization_key"}),
        optional=True,
    )


def _connected(source: AnyXyteSource) -> list[Remark]:
    name, open_incidents = whose(XyteClient(finished(source)).info())
    count = "" if open_incidents is None else f" {open_incidents} open {_incidents_word(open_incidents)}."
    return [Remark(f"Connected to {name}.{count}", Severity.OK)]


def _incidents_word(count: int) -> str:
    return "incident" if count == 1 else "incidents"


def _priorities() -> list[Choice]:
    return [Choice(one.value, one.value.capitalize(), note=texts.PRIORITY_NOTES.get(one, "")) for one in Priority]


def _spaces(source: AnyXyteSource) -> list[SetupField]:
    """Ask for each space whether it is included or left out."""
    settings = source.settings
    if settings is None:
        raise ConfigError("Xyte is not connected yet.", fix="Do the step Connect Xyte first.")
    tree = read_tree(XyteClient(finished(source)).spaces().items)
    return [
        SetupField(
            name,
            _path(tree, name),
            "",
            FieldKind.CHOICE,
            required=False,
            load=lambda: texts.SPACE_CHOICES,
            level=len(list(tree.upwards(name))) - 1,
            short_label=tree.spaces[name].name or name,
            unanswered=texts.SPACE_ABOVE if tree.spaces[name].parent in tree.spaces else "",
        )
        for name in sorted(_listed(tree, settings.spaces), key=lambda name: _path(tree, name).casefold())
    ]


def _listed(tree: SpaceTree, choice: SpaceChoice) -> Collection[str]:
    """Return those to ask for: what is chosen, so that saving keeps it; the highest; what is right below a choice."""
    names = sorted(tree.spaces, key=lambda name: (len(list(tree.upwards(name))), _path(tree, name).casefold()))
    told = {*choice.include, *choice.exclude}
    chosen = dict.fromkeys(name for name in names if told & {name, _path(tree, name)})
    above = (space.id for name in chosen for space in tree.upwards(name))
    below = (name for name in names if tree.spaces[name].parent in chosen)
    listed = dict.fromkeys([*chosen, *above, *below, *names[:MOST_SPACES]])
    return list(listed)[: max(MOST_ROWS, len(chosen))]


def _path(tree: SpaceTree, name: str) -> str:
    return tree.path(name) or name
