"""The way back from consent: any parameters, and any answer of the authorization server behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import ConnectorError, Grant, PluginError
from connector_core.contract.errors import ConfigError
from connector_core.setup.authorizing import TERMINAL, Initiator
from connector_core.store import Authorization, Begun
from connector_core.store.sessions import hashed
from tests.support.faults.hostile import each_spoiled, texts, thoroughly
from tests.support.faults.strangers_app import make_app
from tests.support.faults.vendor_answers import Answering, answers, good

TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 3600, "scope": "read:jira-work", "token_type": "B"}
SITES = [
    {"id": "c1", "name": "one", "url": "https://one.test", "scopes": ["write:jira-work", "write:servicedesk-request"]}
]
MYSELF = {"accountId": "1", "displayName": "Ann"}
DESK = {"isLicensedForUse": True, "version": "5"}
DOCUMENTS = (TOKENS, SITES, MYSELF, DESK)

WITH_LINK = Initiator(Begun.SETUP_LINK, "a browser's own")

parameters = st.dictionaries(st.sampled_from(["state", "code", "error", "scope"]) | texts, texts, max_size=4)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """Build an app with one integration that waits for authorization."""
    made = make_app(tmp_path_factory.mktemp("consent"))
    yield made
    made.store.close()


@thoroughly
@given(parameters=parameters)
def test_forged_returns_are_refused(app, parameters):
    """Parameters with a state that we did not give out end in the one refusal."""
    with pytest.raises(ConfigError) as caught:
        app.authorizing.finish(parameters, TERMINAL)

    assert caught.value.code == "state_unknown"


@st.composite
def conversations(draw):
    """Draw the answers to the four calls behind a consent, one of which is not what it should be."""
    wrong = draw(st.integers(0, len(DOCUMENTS) - 1))
    odd = answers(DOCUMENTS[wrong], statuses=st.sampled_from([200, 200, 200, 201, 302, 401, 403, 404, 429, 500]))
    return [draw(odd) if place == wrong else good(document) for place, document in enumerate(DOCUMENTS)]


@thoroughly
@given(parameters=parameters, conversation=conversations())
def test_good_returns_are_granted_or_refused(app, parameters, conversation):
    """With a good state, whatever else came back and whatever the servers then answer, it is a grant or our error."""
    come_back(app, {"code": "c", **parameters}, conversation)


@pytest.mark.extended
def test_each_way_to_spoil_a_conversation(app):
    """The same for each place of each answer and each of the worst values in it."""
    for place, document in enumerate(DOCUMENTS):
        for body in each_spoiled(document):
            conversation = [good(each) for each in DOCUMENTS]
            conversation[place] = replace(conversation[place], body=body)
            come_back(app, {"code": "c"}, conversation)


def come_back(app, parameters, conversation):
    """Come back from consent with a good state; return the grant, or None when it was refused as documented."""
    app.store.grants.save("desk", None)
    ends = app.clock.now() + timedelta(minutes=5)
    begun = Authorization(hashed("good"), "desk", "https://example.test/back", WITH_LINK.begun_by, ends)
    app.store.authorizations.end(begun)
    app.store.authorizations.begin(begun, WITH_LINK.mark, app.clock.now())
    app.registry.entry("desk").handle.session.mount("https://", Answering(*conversation))
    try:
        returned = app.authorizing.finish({**parameters, "state": "good"}, WITH_LINK)
    except PluginError as exc:
        if exc.code != "endpoint_unknown":  # a fault of the plugin
            raise
        return None
    except ConnectorError:
        return None

    assert (returned.integration_id, isinstance(returned.grant, Grant), returned.is_held) == ("desk", True, False)
    assert app.store.grants.get("desk") == returned.grant
    return returned.grant


def test_the_sample_conversation_is_granted(app):
    """What the other tests spoil leads to a grant as it stands."""
    grant = come_back(app, {"code": "c"}, [good(document) for document in DOCUMENTS])

    assert (grant.site.id, grant.account_name) == ("c1", "Ann")
