"""Events that are signed rightly and may hold anything: read as events, or rejected, and nothing else."""

from __future__ import annotations

import json

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector_core import InboundRequest, IncidentEvent, Settings, Source, WebhookRejected
from connector_core.contract.models import utc
from connector_core.http.session import HTTPSession
from connector_core.http_source import HttpSourceSettings, on_source_push
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.kit import texts
from connector_core.testing import FrozenClock
from connector_jira_jsm.fields.mapping import RequestFields, request_values
from connector_jira_jsm.fields.priorities import JiraPriority
from connector_jira_jsm.text import cuts, descriptions, titles, wiki
from tests.support.faults.hostile import bodies, each_spoiled, headers, spoiled, thoroughly, values, written
from tests.support.faults.strangers_app import EVENT, NOW

SECRET = "a secret for events"
KEYS = signing_keys(SECRET)
SOURCE = Source(
    organization="acme",
    settings=HttpSourceSettings.model_validate({"secret": SECRET}),
    plugin_settings=Settings(),
    session=HTTPSession("test"),
    clock=FrozenClock(),
    log=structlog.get_logger(),
)
FORM = RequestFields(frozenset({"summary", "description", "priority"}), {}, (JiraPriority("1", "Highest"),))
MARKER = "cnx-0123456789abcdef0123"


def push(body, **changes):
    """Push a signed body; return the events, or None when it was rejected as documented."""
    sent = {**sign(KEYS, "msg_1", NOW, body), **changes}
    try:
        events = on_source_push(SOURCE, InboundRequest(headers=sent, body=body, received_at=NOW))
    except WebhookRejected as exc:
        refused = exc
    else:
        assert all(isinstance(event, IncidentEvent) for event in events)
        return events
    assert refused.status in {400, 401, 422}
    assert refused.reply.isprintable()
    return None


@thoroughly
@given(body=bodies | values.map(written))
def test_anything_signed_is_no_event(body):
    """Bytes and JSON at random are never an event, and always a rejection."""
    assert push(body) is None


@thoroughly
@given(body=bodies, changes=st.dictionaries(st.sampled_from(["webhook-signature", "webhook-id", "other"]), headers))
def test_odd_headers_are_a_rejection(body, changes):
    """Headers that nobody would send beside the signed ones change nothing about that."""
    assert push(body, **changes) is None


@thoroughly
@given(body=spoiled(EVENT) | spoiled([EVENT, EVENT]))
def test_spoiled_events_can_be_written_or_are_rejected(body):
    """An event with one thing wrong in it is rejected, or all that follows can be done with it."""
    write_change(push(body))


def test_each_way_to_spoil_an_event():
    """The same for each place of an event and each of the worst values in it."""
    for body in each_spoiled(EVENT):
        write_change(push(body))


def write_change(events):
    """Do with accepted events what becomes of them."""
    for event in events or ():
        fields = request_values(event.incident, MARKER, FORM)

        assert fields["summary"] == titles.fit(fields["summary"])
        assert len(fields["description"]) <= descriptions.LONGEST
        assert descriptions.mentions(fields["description"], MARKER)
        assert "\\u0000" not in event.model_dump_json()
        assert utc(event.occurred_at).isoformat()
        json.dumps(fields).encode()


@thoroughly
@given(title=values, description=values)
def test_words_come_back_from_the_ticket(title, description):
    """Any text that is accepted as a description is read from the ticket as it was written there."""
    event = {**EVENT, "incident": {**EVENT["incident"], "title": title, "description": description}}
    for accepted in push(written(event)) or ():
        text = accepted.incident.description
        markup = descriptions.write(accepted.incident, MARKER)

        if cuts.DESCRIPTION not in wiki.unescape(markup):
            assert descriptions.read(markup) == (texts.normalise(text or "") or None)


def test_the_sample_is_an_event():
    """What the other tests spoil is good as it stands."""
    assert len(push(written(EVENT))) == 1
    assert len(push(written([EVENT, EVENT]))) == 2


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_the_calendar_are_written_in_any_zone(moment, zone):
    """A time that has no equal in the zone of the device is written in UTC alone."""
    incident = {**EVENT["incident"], "opened_at": moment, "location": {"timezone": zone}}
    (event,) = push(written({**EVENT, "incident": incident}))

    assert f"* Opened: {moment[:4]}" in descriptions.write(event.incident, MARKER).replace(
        "Opened: 1-", "Opened: 0001-"
    )


@pytest.mark.parametrize("sign", ["\\", "x", "\U0001f525"])
def test_the_longest_values_everywhere_still_fit(sign):
    """An incident whose every text is endless becomes a ticket within the limits, with the marker in it."""
    endless = sign * 40_000
    long = dict.fromkeys(("description", "issue"), endless)
    device = dict.fromkeys(("id", "name", "model", "serial_number", "mac", "firmware", "vendor"), endless)
    place = {"path": endless, "address": endless, "timezone": "America/New_York"}
    for address in (endless, "https://a.test/" + "x" * 40_000):
        body = {
            **EVENT["incident"],
            **long,
            "title": f"t{endless}",
            "url": address,
            "device": device,
            "location": place,
        }

        write_change(push(written({**EVENT, "incident": body})))
