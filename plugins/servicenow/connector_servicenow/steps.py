"""The steps of set-up: where the instance is and how access is authorized first, then what is made of an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import connector_core as core
from connector_core.kit import scripts, steps
from connector_core.kit.texts import packaged
from connector_servicenow import lists, webhook
from connector_servicenow.desk import ServiceNow
from connector_servicenow.settings import DO_NOT_CLOSE, DONE, PAIRS, ServiceNowSettings, pair_of

_WAYS = (
    core.Choice("oauth", "A person's consent (OAuth)"),
    core.Choice("client_credentials", "Client credentials (OAuth)"),
    core.Choice("api_key", "API key"),
    core.Choice("basic", "User name and password"),
)
_KEEP_OPEN = core.Choice(DO_NOT_CLOSE, "Do not resolve incidents automatically")
_CALLER_HINT = "A part of a name: who the incidents are of. Left open, there is none."
_PAIRS_HINT = "As 1/2: impact 1, urgency 2. The instance computes the priority out of both, by its own rules."
_CLOSE_HINT = "What an incident becomes; where the list is closed to the account, type the value as it is stored."
_ask = partial(steps.ask, ServiceNowSettings)


@core.implements(core.hookspecs.configure_steps)
def configure(integration: core.Integration[ServiceNowSettings | None]) -> Sequence[core.SetupStep]:
    """List the steps."""
    desk = ServiceNow(integration)
    return (
        steps.account_step(
            ServiceNowSettings,
            "instance",
            *("client_id", "user_name", "client_secret", "api_key", "password"),
            more=[_ask("sign_in", load=lambda: _WAYS, is_fixed=True)],
            title="Instance",
            help="Where it is, and how access is authorized.",
            text=packaged(__package__, "sign_in.md"),
            before_authorization=True,
        ),
        steps.choice_step(
            "assignment_group",
            lambda: lists.groups(desk),
            hint="It gets the incidents.",
            help="Who works on the incidents.",
        ),
        _new(desk),
        steps.priority_values_step(
            "impact_urgency",
            PAIRS,
            label="Impact and urgency",
            check=steps.wrong_by(pair_of),
            hint=_PAIRS_HINT,
            help="What each priority is written as.",
        ),
        _close(desk),
        scripts.scripted_webhook_step(
            integration,
            packaged(__package__, "business_rule.js"),
            name="Business Rule",
            text=packaged(__package__, "business_rule.md"),
            test_event="Change the short description of any incident, and save it.",
            as_stored=webhook.key_of,
        ),
    )


def _new(desk: ServiceNow) -> core.SetupStep:
    fields = _ask("caller", hint=_CALLER_HINT, find=partial(lists.people, desk)), _ask("new_fields")
    help_ = "Whose incidents they are, and what your instance asks for beside that."
    return core.SetupStep("new", "Caller and Further Fields", help_, fields, optional=True)


def _close(desk: ServiceNow) -> core.SetupStep:
    def states() -> list[core.Choice]:
        # The usual one first: base systems resolve, and close by themselves some days later.
        return sorted(_choices(lists.states(desk)), key=lambda one: one.value != DONE[0])

    def codes() -> list[core.Choice]:
        return _choices(lists.choices(desk, "close_code"))

    code = _ask("close_code", load=codes, may_be_typed=True)
    return steps.close_step(
        states,
        hint=_CLOSE_HINT,
        keep_open=_KEEP_OPEN,
        may_be_typed=True,
        more=(code, *map(_ask, ("close_notes", "close_fields", "done_states"))),
        help="What becomes of an incident whose cause is over.",
    )


def _choices(listed: Mapping[str, str]) -> list[core.Choice]:
    return [core.Choice(value, label) for value, label in listed.items()]
