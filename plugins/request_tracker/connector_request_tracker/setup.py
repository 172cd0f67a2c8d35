"""Set-up: address and token first, then queue, priorities, close status and webhook."""

from __future__ import annotations

from collections.abc import Sequence

import connector_core as core
from connector_core.kit import grants, rest, scripts, steps
from connector_core.kit.signing import name_of
from connector_core.kit.texts import packaged
from connector_core.kit.values import whole
from connector_request_tracker.api import PAGES, quoted
from connector_request_tracker.desk import Tracker, following
from connector_request_tracker.settings import DO_NOT_CLOSE, LEAST, MOST, NUMBERED, TrackerSettings

_QUEUE_HINT = "Not listed? Give the token's user the right SeeQueue there, then press Reload."
_STATUS_HINT = (
    "Listed are the statuses that Request Tracker comes with and those that tickets of the queue show. Any other one "
    "of its lifecycle can be typed."
)
_KEEP_OPEN = core.Choice(DO_NOT_CLOSE, "Do not auto-close", note="People close tickets in Request Tracker.")
_NOT_SEEN_YET = "A ticket may be given it next; it is not known whether anything is left to be done then."
#: What Request Tracker comes with; of other lifecycles only tickets tell.
_DEFAULT_LIFECYCLE, _DEFAULT_DONE = "default", ("resolved", "rejected")
_LOOKED_AT = 5


@core.implements(core.hookspecs.authorize)
def authorize(
    integration: core.Integration[TrackerSettings | None],
    request: core.AuthorizationRequest,  # noqa: ARG001 - all the same
) -> core.Grant:
    """Prove the token of the answers, and say whose it is; a renewal does the same and shows whether it still works."""
    desk, fix = Tracker(integration), "Make a new token (Settings, Auth Tokens), and check the address."
    return desk.header_grant(rest.bearer(desk.secret("token"), "token"), fix=fix)


@core.implements(core.hookspecs.configure_steps)
def configure(integration: core.Integration[TrackerSettings | None]) -> Sequence[core.SetupStep]:
    """List the steps; nothing is fetched before a step's choices are asked for."""
    desk = Tracker(integration)

    def queues() -> list[core.Choice]:
        shown = desk.rest.pages("/queues/all", "items", PAGES, params={"fields": "Name"})
        return [core.Choice(name, name) for one in shown if (name := name_of(one.get("Name")))]

    return (
        steps.account_step(
            TrackerSettings,
            "address",
            "token",
            title="Your Site",
            help="The connector acts as a user of Request Tracker, with a token of that user.",
            text=packaged(__package__, "token.md"),
            before_authorization=True,
        ),
        steps.choice_step(
            "queue", queues, hint=_QUEUE_HINT, title="Select Queue", help="Its tickets are those of incidents."
        ),
        steps.priority_numbers_step(
            NUMBERED,
            LEAST,
            MOST,
            hint="Left open, it is as Request Tracker has it.",
            help="Request Tracker has numbers; what it shows is read as the nearest.",
        ),
        steps.close_step(
            lambda: close_choices(desk, grants.text_given(integration, "queue")),
            hint=_STATUS_HINT,
            keep_open=_KEEP_OPEN,
            may_be_typed=True,
            needs=frozenset({"queue"}),
            help="The status that a ticket gets when its incident is resolved.",
        ),
        scripts.scripted_webhook_step(
            integration,
            packaged(__package__, "scrip.pl"),
            name="Custom action commit code",
            text=packaged(__package__, "scrip.md"),
            test_event="Change the subject of any ticket in the queue.",
        ),
    )


def close_choices(desk: Tracker, queue: str) -> list[core.Choice]:
    """Return the statuses that end a ticket of a queue, as far as its lifecycle is known or its tickets show it."""
    told = whole(desk.rest.get(f"/queue/{rest.segment(queue)}"))
    usual = _DEFAULT_DONE if told.get("Lifecycle") == _DEFAULT_LIFECYCLE else ()
    ended, at_work = (
        list(desk.search(f"Queue = {quoted(queue)} AND Status = '{kind}'")) for kind in ("__Inactive__", "__Active__")
    )
    known = list(dict.fromkeys([*usual, *filter(None, (name_of(one.get("Status")) for one in ended))]))
    looks = (desk.rest.get(f"/ticket/{rest.segment(name_of(one.get('id')))}") for one in at_work[-_LOOKED_AT:])
    sure = {*known, *(name_of(one.get("Status")) for one in at_work)}
    unsure = dict.fromkeys(status for shown in looks for status in following(shown) if status not in sure)
    return [*(core.Choice(one, one) for one in known), *(core.Choice(one, one, note=_NOT_SEEN_YET) for one in unsure)]
