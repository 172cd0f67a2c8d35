"""Who the plugin is, what set-up asks, and what is tried before the first incident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import connector_core as core
from connector_core.kit import checks, steps, texts
from connector_roundup.tracker import RoundupIntegration, RoundupSettings, names_of

ACCOUNT = (
    steps.ask(RoundupSettings, "address", needs_again=frozenset({"password"})),
    *(steps.ask(RoundupSettings, key) for key in ("user", "password")),
)


@core.implements(core.hookspecs.describe_plugin)
def describe_plugin() -> core.PluginInfo:
    """Say who we are, and what is particular about Roundup."""
    return core.PluginInfo(
        name="roundup",
        title="Roundup",
        settings=RoundupSettings,
        place_settings=frozenset({"address"}),
        link_settings=frozenset({"close_status"}),
        unchangeable=frozenset({core.FieldName.DESCRIPTION}),  # the first message stays as it was written
        cut_marks=(texts.CUT,),
    )


@core.implements(core.hookspecs.configure_steps)
def configure_steps(integration: core.AnyIntegration) -> Sequence[core.SetupStep]:
    """Ask where the tracker is and who we are there, then for the status of finished issues."""
    close = steps.close_step(
        lambda: [core.Choice(one.name, one.name) for one in names_of(integration, "status")],
        hint="One with nothing left to do.",
        title="Close Status",
        help="The status that an issue gets when its incident is resolved.",
        needs=frozenset({"address", "user", "password"}),
    )
    return core.SetupStep("account", "Connect Roundup", "It asks nobody else.", ACCOUNT), close


@core.implements(core.hookspecs.check_integration)
def check_integration(integration: RoundupIntegration) -> Sequence[core.Finding]:
    """Try what the integration will need, without changing anything."""
    return checks.run(_statuses(integration))


def _statuses(integration: RoundupIntegration) -> Iterator[core.Finding]:
    settings, there = integration.settings, {one.name for one in names_of(integration, "status")}
    yield checks.ok("login", "The user can log in", settings.user)
    if missing := {settings.close_status, *settings.done_statuses} - there:
        yield checks.problem("status_missing", "A status is not there", ", ".join(missing), "Correct the settings.")
