"""Set-up: where the instance is and how access is authorized first, then what is made of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import connector_core as core
from connector_core.kit import oauth, scripts, steps
from connector_core.kit.priority_pairs import pairs_step
from connector_core.kit.sign_in import sign_in, sign_in_step
from connector_core.kit.texts import packaged
from connector_servicenow import lists, webhook
from connector_servicenow.desk import ServiceNow
from connector_servicenow.settings import DO_NOT_CLOSE, DONE, ServiceNowSettings
from connector_servicenow.table import VENDOR

#: The vendor's page of that property is [create-cc-sys-prop].
_ALONE = "This way also needs the system property glide.oauth.inbound.client.credential.grant_type.enabled to be true."
_TEXTS = oauth.OAuthTexts(
    client="Enter ID and secret as they stand in the Application Registry.",
    offline="In the Application Registry, let the client have a secret (not a public client), then authorize.",
)
_KEEP_OPEN = core.Choice(DO_NOT_CLOSE, "Do not resolve incidents automatically")
_CALLER_HINT = "A part of a name: who the incidents are of. Left open, there is none."
_CLOSE_HINT = "What an incident becomes; where the list is closed to the account, type the value as it is stored."
_ask = partial(steps.ask, ServiceNowSettings)


@core.implements(core.hookspecs.authorize)
def authorize(
    integration: core.Integration[ServiceNowSettings | None], request: core.AuthorizationRequest
) -> core.Redirect | core.Grant:
    """Start, finish or renew an authorization, in the way that was chosen.

    Nothing published says how a refusal is worded; others saw 401 with server_error for each of them.
    """
    desk = ServiceNow(integration)
    server = oauth.OAuthServer(
        VENDOR,
        f"{desk.site_url}/oauth_auth.do",
        f"{desk.site_url}/oauth_token.do",
        has_pkce=True,
        dead_names=frozenset({"invalid_grant", "server_error"}),
        client_names=frozenset({"invalid_client", "unauthorized_client"}),
        consent_for=timedelta(days=100),  # KB0791140: a renewal does not prolong it
        texts=_TEXTS,
    )
    return sign_in(desk, request, server, key_header="x-sn-apikey", alone=_ALONE)


@core.implements(core.hookspecs.configure_steps)
def configure(integration: core.Integration[ServiceNowSettings | None]) -> Sequence[core.SetupStep]:
    """List the steps."""
    desk = ServiceNow(integration)
    return (
        sign_in_step(ServiceNowSettings, "instance", title="Instance", text=packaged(__package__, "sign_in.md")),
        steps.choice_step(
            "assignment_group",
            lambda: steps.choices_of(lists.groups(desk)),
            hint="It gets the incidents.",
            help="Who works on the incidents.",
        ),
        _new(desk),
        pairs_step(),
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
        return sorted(steps.choices_of(lists.states(desk)), key=lambda one: one.value != DONE[0])

    def codes() -> list[core.Choice]:
        return steps.choices_of(lists.choices(desk, "close_code"))

    code = _ask("close_code", load=codes, may_be_typed=True)
    return steps.close_step(
        states,
        hint=_CLOSE_HINT,
        keep_open=_KEEP_OPEN,
        may_be_typed=True,
        more=(code, *map(_ask, ("close_notes", "close_fields", "done_states"))),
        help="What becomes of an incident whose cause is over.",
    )
