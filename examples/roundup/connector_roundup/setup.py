"""What set-up asks, and what is tried before the first incident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import connector_core as core
from connector_core.kit import checks, steps
from connector_roundup.desk import RoundupDesk
from connector_roundup.tracker import RoundupSettings


@core.implements(core.hookspecs.configure_steps)
def configure_steps(integration: core.Integration[RoundupSettings | None]) -> Sequence[core.SetupStep]:
    """Ask where the tracker is and who we are there, then for the status of finished issues."""
    desk = RoundupDesk(integration)
    close = steps.close_step(
        lambda: [core.Choice(one.name, one.name) for one in desk.levels("status")],
        hint="One with nothing left to do.",
        title="Close Status",
        help="The status that an issue gets when its incident is resolved.",
        needs=frozenset({"address", "user", "password"}),
    )
    asked = ("address", "user", "password")
    account = steps.account_step(RoundupSettings, *asked, title="Connect Roundup", help="It asks nobody else.")
    return account, close


@core.implements(core.hookspecs.check_integration)
def check_integration(integration: core.Integration[RoundupSettings]) -> Sequence[core.Finding]:
    """Try what the integration will need, without changing anything."""
    return checks.run(_statuses(RoundupDesk(integration)))


def _statuses(desk: RoundupDesk) -> Iterator[core.Finding]:
    there = {one.name for one in desk.levels("status")}
    yield checks.ok("login", "The user can log in", desk.settings.user)
    if missing := {desk.settings.close_status, *desk.settings.done_statuses} - there:
        yield checks.problem("status_missing", "A status is not there", ", ".join(missing), "Correct the settings.")
