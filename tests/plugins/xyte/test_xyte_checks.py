"""*Test connection*: what is fine, what is not, and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse, PlainTextResponse

import connector_xyte
from connector_core import InboundRequest, Severity, WebhookRejected
from connector_core.http_source.signatures import sign, signing_keys
from connector_xyte.settings import XyteSettings
from tests.support.xyte.handles import make_source_of

SECRET = "whsec_c2VjcmV0IG9mIHRoZSBnYXRld2F5"


def checked(source):
    """Return what was found, by code."""
    return {finding.code: finding for finding in connector_xyte.check_source(source)}


def test_it_names_the_organization_and_its_open_incidents(sandbox, clock):
    """As Xyte tells them, and changes nothing."""
    sandbox.open("Display offline")

    found = checked(make_source_of(sandbox, clock))

    assert {finding.severity for finding in found.values()} == {Severity.OK}
    assert (found["organization"].title, found["organization"].detail) == ("Connected to Acme.", "1 open incident.")
    assert {method for method, _ in sandbox.api.calls} == {"GET"}


def test_a_wrong_key_is_the_only_finding(sandbox, clock):
    """With where to get a right one."""
    found = checked(make_source_of(sandbox, clock, organization_key="wrong"))

    assert list(found) == ["organization_key"]
    assert found["organization_key"].severity is Severity.PROBLEM
    assert "Settings > API Keys" in found["organization_key"].fix


@pytest.mark.parametrize(
    ("part", "severity"), [("incidents", "problem"), ("devices", "warning"), ("spaces", "warning")]
)
def test_what_the_key_may_not_read(sandbox, clock, part, severity):
    """Incidents have to be read; without the others requests only tell less."""
    sandbox.api.fault = lambda request: JSONResponse({}, 403) if request.url.path.endswith(part) else None

    assert checked(make_source_of(sandbox, clock))[part].severity == severity


def test_spaces_of_the_settings_that_there_are_not(sandbox, clock):
    """By id and by path."""
    source = make_source_of(sandbox, clock, spaces={"include": [3210, 99], "exclude": ["Acme/Berlin", "Acme/Paris"]})

    assert "99, Acme/Paris" in checked(source)["spaces_unknown"].title


def test_something_else_answers_there(sandbox, clock):
    """A page in place of an API is a problem with a reason."""
    sandbox.api.fault = lambda _: PlainTextResponse("<html>Welcome</html>")

    found = checked(make_source_of(sandbox, clock))

    assert found["organization"].severity is Severity.PROBLEM
    assert found["organization"].detail == "Xyte's answer is not JSON."


@pytest.mark.parametrize(
    "wrong",
    [
        {"organization_key": ""},
        {"organization_key": "a key with spaces"},
        {"organization_key": "kéy"},
        {"poll_every": "5s"},
        {"poll_every": 30},
        {"base_url": "hub.xyte.io"},
        {"base_url": "https://user:pass@hub.xyte.io"},
        {"minimum_priority": "urgent"},
        {"changes_url": "https://gateway.example.com"},
        {"changes_secret": "s3cret"},
        {"spaces": {"only": []}},
        {"already_open": "maybe"},
        {"open_after": "soon"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    """Before anything runs."""
    with pytest.raises(ValidationError):
        XyteSettings.model_validate({"organization_key": "a-key", **wrong})


def test_a_stand_in_may_be_asked_often():
    """On this machine there is nobody to spare."""
    settings = {"organization_key": "a-key", "poll_every": "100ms", "base_url": "http://127.0.0.1:1"}

    assert XyteSettings.model_validate(settings).poll_every.total_seconds() == 0.1


def test_a_gateway_may_push(sandbox, clock):
    """Events signed as the built-in source's are taken; others are not."""
    source = make_source_of(sandbox, clock, push_secret=SECRET)
    body = (
        b'{"id": "evt_1", "type": "incident.opened", "occurred_at": "2026-11-23T10:00:00Z",'
        b' "incident": {"id": "1", "title": "Display offline"}}'
    )
    headers = sign(signing_keys(SECRET), "evt_1", clock.now(), body)
    request = InboundRequest(headers=headers, body=body, received_at=clock.now())

    (event,) = connector_xyte.on_source_push(source, request)

    assert event.incident.title == "Display offline"
    with pytest.raises(WebhookRejected):
        connector_xyte.on_source_push(source, replace(request, body=body + b" "))
    with pytest.raises(WebhookRejected) as caught:
        connector_xyte.on_source_push(make_source_of(sandbox, clock), request)
    assert caught.value.status == 404
