"""The steps of set-up: where the instance is and how access is authorized first, then what is made of an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from connector_core import AnyIntegration, Choice, SetupStep, hookspecs, implements
from connector_core.kit.steps import (
    ask,
    choice_step,
    close_step,
    priority_values_step,
    script_step,
    webhook_step,
    wrong_by,
)
from connector_core.kit.texts import packaged
from connector_servicenow import lists, webhook
from connector_servicenow.settings import DO_NOT_CLOSE, DONE, PAIRS, ServiceNowSettings, pair_of

_WAYS = (
    Choice("oauth", "A person's consent (OAuth)"),
    Choice("client_credentials", "Client credentials (OAuth)"),
    Choice("api_key", "API key"),
    Choice("basic", "User name and password"),
)


@implements(hookspecs.configure_steps)
def steps(integration: AnyIntegration) -> Sequence[SetupStep]:
    """List the steps."""
    return (
        _instance(),
        choice_step(
            "assignment_group",
            lambda: lists.groups(integration),
            label="Assignment group",
            hint="It gets the incidents.",
            title="Assignment Group",
            help="Who works on the incidents.",
        ),
        _new(integration),
        priority_values_step(
            "impact_urgency",
            PAIRS,
            label="Impact and urgency",
            check=wrong_by(pair_of),
            hint="As 1/2: impact 1, urgency 2. The instance computes the priority out of both, by its own rules.",
            title="Priorities",
            help="What each priority is written as.",
        ),
        _close(integration),
        webhook_step(
            hint="Signs what the instance sends; it is in the script of the next step.",
            title="Webhook Secret",
            help="With it, ServiceNow tells of changes at once; without it they are read from time to time.",
        ),
        *_rule(integration),
    )


def _instance() -> SetupStep:
    secrets = ("client_secret", "api_key", "password")
    return SetupStep(
        "instance",
        "Instance",
        "Where it is, and how access is authorized.",
        (
            ask(ServiceNowSettings, "instance", needs_again=frozenset(secrets)),
            ask(ServiceNowSettings, "sign_in", load=lambda: _WAYS, is_fixed=True),
            *(ask(ServiceNowSettings, key) for key in ("client_id", "user_name", *secrets)),
        ),
        before_authorization=True,
        text=packaged(__package__, "sign_in.md"),
    )


def _new(integration: AnyIntegration) -> SetupStep:
    who = "A part of a name: who the incidents are of. Left open, there is none."
    caller = ask(ServiceNowSettings, "caller", hint=who, find=lambda typed: lists.people(integration, typed))
    help_ = "Whose incidents they are, and what your instance asks for beside that."
    fields = (caller, ask(ServiceNowSettings, "new_fields"))
    return SetupStep("new", "Caller and Further Fields", help_, fields, optional=True)


def _close(integration: AnyIntegration) -> SetupStep:
    def states() -> list[Choice]:
        # The usual one first: base systems resolve, and close by themselves some days later.
        return sorted(_choices(lists.states(integration)), key=lambda one: one.value != DONE[0])

    def codes() -> list[Choice]:
        return _choices(lists.choices(integration, "close_code"))

    return close_step(
        states,
        hint="What an incident becomes; where the list is closed to the account, type the value as it is stored.",
        keep_open=Choice(DO_NOT_CLOSE, "Do not resolve incidents automatically"),
        may_be_typed=True,
        more=(
            ask(ServiceNowSettings, "close_code", load=codes, may_be_typed=True),
            *(ask(ServiceNowSettings, key) for key in ("close_notes", "close_fields", "done_states")),
        ),
        title="Close Status",
        help="What becomes of an incident whose cause is over.",
    )


def _rule(integration: AnyIntegration) -> Sequence[SetupStep]:
    if not integration.webhook_secrets:
        return ()
    given: dict[str, str | SecretStr] = {
        "address": integration.webhook_url,
        "key": webhook.key_of(integration.webhook_secrets[0]),
    }
    return (
        script_step(
            packaged(__package__, "business_rule.js"),
            given,
            key="rule",
            name="Business Rule",
            title="Business Rule",
            help="Has the instance tell of changes.",
            text=packaged(__package__, "business_rule.md"),
            test_event="Change the short description of any incident, and save it.",
        ),
    )


def _choices(listed: Mapping[str, str]) -> list[Choice]:
    return [Choice(value, label) for value, label in listed.items()]
