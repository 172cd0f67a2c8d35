"""Set-up: address and token first, then queue, priorities, close status and webhook."""

from __future__ import annotations

import re
from collections.abc import Sequence

import connector_core as core
from connector_core.kit import grants, rest, steps
from connector_core.kit.signing import name_of
from connector_core.kit.texts import packaged
from connector_core.kit.values import as_object, whole
from connector_request_tracker.api import PAGES, VENDOR, address_of, quoted, rest_of, search
from connector_request_tracker.settings import DO_NOT_CLOSE, LEAST, MOST, NUMBERED, AnyTracker, TrackerSettings
from connector_request_tracker.tickets import following

_QUEUE_HINT = "Not listed? Give the token's user the right SeeQueue there, then press Reload."
_STATUS_HINT = (
    "Listed are the statuses that Request Tracker comes with and those that tickets of the queue show. Any other one "
    "of its lifecycle can be typed."
)
_KEEP_OPEN = core.Choice(DO_NOT_CLOSE, "Do not auto-close", note="People close tickets in Request Tracker.")
_NOT_SEEN_YET = "A ticket may be given it next; it is not known whether anything is left to be done then."
_NO_SCRIPT = "Make a secret and press Update: the script to paste is then shown here, filled in."
_OF_USER = re.compile(r"\d+-(\d+)-\w+")
#: What Request Tracker comes with; of other lifecycles only tickets tell.
_DEFAULT_LIFECYCLE, _DEFAULT_DONE = "default", ("resolved", "rejected")
_LOOKED_AT = 5


@core.implements(core.hookspecs.authorize)
def authorize(integration: AnyTracker, request: core.AuthorizationRequest) -> core.Grant:  # noqa: ARG001 - all the same
    """Prove the token of the answers, and say whose it is; a renewal does the same and shows whether it still works."""
    token, address = grants.secret_needed(integration, "token", "token"), address_of(integration)
    user = _OF_USER.fullmatch(token.get_secret_value().strip())

    def whoami(grant: core.Grant) -> grants.Account:
        api = rest_of(integration, rest.of_grant(grant))
        if not name_of(as_object(api.get("/rt")).get("Version")):
            raise core.AuthError("What answers there is not Request Tracker.", code="not_request_tracker")
        shown = whole(api.get(f"/user/{rest.segment(user[1])}")) if user else {}
        name = name_of(shown.get("RealName") or shown.get("Name"))
        return grants.Account(name_of(shown.get("id")), name, (grants.site_at(address),))

    fix, headers = "Make a new token (Settings, Auth Tokens), and check the address.", rest.bearer(token, "token")
    return grants.header_grant(integration, headers, whoami, vendor=VENDOR, base_url=address, fix=fix)


@core.implements(core.hookspecs.configure_steps)
def configure(integration: AnyTracker) -> Sequence[core.SetupStep]:
    """List the steps; nothing is fetched before a step's choices are asked for."""
    address = steps.ask(TrackerSettings, "address", needs_again=frozenset({"token"}))
    site = (address, steps.ask(TrackerSettings, "token"))
    who = "The connector acts as a user of Request Tracker, with a token of that user."

    def listed() -> list[core.Choice]:
        return [core.Choice(name, name) for name in queues(integration)]

    def statuses() -> list[core.Choice]:
        return close_choices(integration, grants.text_given(integration, "queue"))

    return (
        core.SetupStep(
            "site", "Your Site", who, site, before_authorization=True, text=packaged(__package__, "token.md")
        ),
        steps.choice_step(
            "queue", listed, hint=_QUEUE_HINT, title="Select Queue", help="Its tickets are those of incidents."
        ),
        steps.priority_numbers_step(
            NUMBERED,
            LEAST,
            MOST,
            hint="Left open, it is as Request Tracker has it.",
            help="Request Tracker has numbers; what it shows is read as the nearest.",
        ),
        steps.close_step(
            statuses,
            hint=_STATUS_HINT,
            keep_open=_KEEP_OPEN,
            may_be_typed=True,
            needs=frozenset({"queue"}),
            help="The status that a ticket gets when its incident is resolved.",
        ),
        _webhook(integration),
    )


def _webhook(integration: AnyTracker) -> core.SetupStep:
    values = steps.handed_out(integration, packaged(__package__, "scrip.pl"), name="Custom action commit code")
    return steps.webhook_step(
        hint="It signs what Request Tracker tells. Make one here; it goes into the script.",
        help="Without it, changes are seen when tickets are read again.",
        text=packaged(__package__, "scrip.md") if values else _NO_SCRIPT,
        values=values,
        test_event="Change the subject of any ticket in the queue." if values else "",
    )


def queues(integration: AnyTracker) -> list[str]:
    """Return the names of the queues that the token's user sees."""
    shown = rest_of(integration).pages("/queues/all", "items", PAGES, params={"fields": "Name"})
    return [name for one in shown if (name := name_of(one.get("Name")))]


def close_choices(integration: AnyTracker, queue: str) -> list[core.Choice]:
    """Return the statuses that end a ticket of a queue, as far as its lifecycle is known or its tickets show it."""
    api = rest_of(integration)
    told = whole(api.get(f"/queue/{rest.segment(queue)}"))
    usual = _DEFAULT_DONE if told.get("Lifecycle") == _DEFAULT_LIFECYCLE else ()
    ended, at_work = (
        list(search(integration, f"Queue = {quoted(queue)} AND Status = '{kind}'"))
        for kind in ("__Inactive__", "__Active__")
    )
    known = list(dict.fromkeys([*usual, *filter(None, (name_of(one.get("Status")) for one in ended))]))
    looks = (api.get(f"/ticket/{rest.segment(name_of(one.get('id')))}") for one in at_work[-_LOOKED_AT:])
    sure = {*known, *(name_of(one.get("Status")) for one in at_work)}
    unsure = dict.fromkeys(status for shown in looks for status in following(shown) if status not in sure)
    return [*(core.Choice(one, one) for one in known), *(core.Choice(one, one, note=_NOT_SEEN_YET) for one in unsure)]
