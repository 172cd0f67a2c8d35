"""Set-up: address and token first, then queue, priorities, close status and webhook."""

from __future__ import annotations

import re
from collections.abc import Sequence

import connector_core as core
from connector_core.kit.grants import Account, header_grant, secret_needed, site_at
from connector_core.kit.rest import bearer, of_grant, segment
from connector_core.kit.signing import name_of
from connector_core.kit.steps import (
    answer_so_far,
    ask,
    choice_step,
    close_step,
    handed_out,
    priority_numbers_step,
    webhook_step,
)
from connector_core.kit.texts import packaged
from connector_core.kit.values import as_object, whole
from connector_request_tracker.api import PAGES, VENDOR, address_of, quoted, rest_of, search
from connector_request_tracker.settings import DO_NOT_CLOSE, LEAST, MOST, NUMBERED, AnyTracker, TrackerSettings
from connector_request_tracker.tickets import following

_STATUS_HINT = (
    "Listed are the statuses that Request Tracker comes with and those that tickets of the queue show. Any other one "
    "of its lifecycle can be typed."
)
_NOT_SEEN_YET = "A ticket may be given it next; it is not known whether anything is left to be done then."
_OF_USER = re.compile(r"\d+-(\d+)-\w+")
#: What Request Tracker comes with; of other lifecycles only tickets tell.
_DEFAULT_LIFECYCLE, _DEFAULT_DONE = "default", ("resolved", "rejected")
_LOOKED_AT = 5


@core.implements(core.hookspecs.authorize)
def authorize(integration: AnyTracker, request: core.AuthorizationRequest) -> core.Grant:  # noqa: ARG001 - all the same
    """Prove the token of the answers, and say whose it is; a renewal does the same and shows whether it still works."""
    token, address = secret_needed(integration, "token", "token"), address_of(integration)
    user = _OF_USER.fullmatch(token.get_secret_value().strip())

    def whoami(grant: core.Grant) -> Account:
        rest = rest_of(integration, of_grant(grant))
        if not name_of(as_object(rest.get("/rt")).get("Version")):
            raise core.AuthError("What answers there is not Request Tracker.", code="not_request_tracker")
        shown = whole(rest.get(f"/user/{segment(user[1])}")) if user else {}
        return Account(
            name_of(shown.get("id")), name_of(shown.get("RealName") or shown.get("Name")), (site_at(address),)
        )

    fix = "Make a new token (Settings, Auth Tokens), and check the address."
    return header_grant(integration, bearer(token, "token"), whoami, vendor=VENDOR, base_url=address, fix=fix)


@core.implements(core.hookspecs.configure_steps)
def steps(integration: AnyTracker) -> Sequence[core.SetupStep]:
    """List the steps; nothing is fetched before a step's choices are asked for."""
    return (
        core.SetupStep(
            "site",
            "Your Site",
            "The connector acts as a user of Request Tracker, with a token of that user.",
            (ask(TrackerSettings, "address", needs_again=frozenset({"token"})), ask(TrackerSettings, "token")),
            before_authorization=True,
            text=packaged(__package__, "token.md"),
        ),
        choice_step(
            "queue",
            lambda: [core.Choice(name, name) for name in queues(integration)],
            label="Queue",
            hint="Not listed? Give the token's user the right SeeQueue there, then press Reload.",
            title="Select Queue",
            help="Its tickets are those of incidents.",
        ),
        priority_numbers_step(
            NUMBERED,
            LEAST,
            MOST,
            hint="Left open, it is as Request Tracker has it.",
            title="Priorities",
            help="Request Tracker has numbers; what it shows is read as the nearest.",
        ),
        close_step(
            lambda: close_choices(integration, answer_so_far(integration, "queue")),
            hint=_STATUS_HINT,
            keep_open=core.Choice(DO_NOT_CLOSE, "Do not auto-close", note="People close tickets in Request Tracker."),
            may_be_typed=True,
            title="Close Status",
            help="The status that a ticket gets when its incident is resolved.",
            needs=frozenset({"queue"}),
        ),
        _webhook(integration),
    )


def _webhook(integration: AnyTracker) -> core.SetupStep:
    values = handed_out(integration, packaged(__package__, "scrip.pl"), name="Custom action commit code")
    return webhook_step(
        hint="It signs what Request Tracker tells. Make one here; it goes into the script.",
        title="Webhook",
        help="Without it, changes are seen when tickets are read again.",
        text=packaged(__package__, "scrip.md")
        if values
        else "Make a secret and press Update: the script to paste is then shown here, filled in.",
        values=values,
        test_event="Change the subject of any ticket in the queue." if values else "",
    )


def queues(integration: AnyTracker) -> list[str]:
    """Return the names of the queues that the token's user sees."""
    shown = rest_of(integration).pages("/queues/all", "items", PAGES, params={"fields": "Name"})
    return [name for one in shown if (name := name_of(one.get("Name")))]


def close_choices(integration: AnyTracker, queue: str) -> list[core.Choice]:
    """Return the statuses that end a ticket of a queue, as far as its lifecycle is known or its tickets show it."""
    rest = rest_of(integration)
    told = whole(rest.get(f"/queue/{segment(queue)}"))
    usual = _DEFAULT_DONE if told.get("Lifecycle") == _DEFAULT_LIFECYCLE else ()
    found = search(integration, f"Queue = {quoted(queue)} AND Status = '__Inactive__'")
    ended = [status for one in found if (status := name_of(one.get("Status")))]
    at_work = list(search(integration, f"Queue = {quoted(queue)} AND Status = '__Active__'"))
    looks = (rest.get(f"/ticket/{segment(name_of(one.get('id')))}") for one in at_work[-_LOOKED_AT:])
    next_ones = [status for shown in looks for status in following(shown)]
    known = dict.fromkeys([*usual, *ended])
    unsure = dict.fromkeys(one for one in next_ones if one not in known)
    for one in at_work:
        unsure.pop(name_of(one.get("Status")), None)
    return [*(core.Choice(one, one) for one in known), *(core.Choice(one, one, note=_NOT_SEEN_YET) for one in unsure)]
