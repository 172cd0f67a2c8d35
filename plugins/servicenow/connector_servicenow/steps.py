"""The steps of set-up: where the instance is and how access is authorized first, then what is made of an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from connector_core import AnyIntegration, Choice, SetupStep
from connector_core.kit.steps import (
    ask,
    choice_step,
    close_step,
    priority_values_step,
    script_step,
    webhook_step,
    wrong_by,
)
from connector_servicenow import lists, webhook
from connector_servicenow.settings import DO_NOT_CLOSE, DONE, PAIRS, ServiceNowSettings, pair_of

_CALLBACK = """\
1. For a person's consent, open *System OAuth > Application Registry > New* on the instance, and create an endpoint for
external clients, with the address of our callback as its redirect URL. Client ID and secret stand there afterwards.

2. For client credentials, make the same, with a user as its OAuth application user. The system property
glide.oauth.inbound.client.credential.grant_type.enabled has to be true.

3. For an API key, activate *API Key and HMAC Authentication*, and make a key of a user with an access policy.

The account needs the role itil; what else it needs is told by the check.
"""
_RULE = """\
1. Open *System Definition > Business Rules > New* on the instance. Table: Incident. Advanced: on. When: async. Insert
and Update: on. Paste the script into *Script*.

2. Make a second rule, with the same script: When: before. Delete: on; nothing else.

A delivery that fails is not sent again: what it would have told is seen when incidents are read.
"""
_WAYS = (
    Choice("oauth", "A person's consent (OAuth)"),
    Choice("client_credentials", "Client credentials (OAuth)"),
    Choice("api_key", "API key"),
    Choice("basic", "User name and password"),
)


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
        text=_CALLBACK,
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
            webhook.script(),
            given,
            key="rule",
            name="Business Rule",
            title="Business Rule",
            help="Has the instance tell of changes.",
            text=_RULE,
            test_event="Change the short description of any incident, and save it.",
        ),
    )


def _choices(listed: Mapping[str, str]) -> list[Choice]:
    return [Choice(value, label) for value, label in listed.items()]
