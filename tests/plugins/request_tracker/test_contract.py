"""What the Request Tracker plugin keeps and says without a server: contract, settings, signature, Scrip."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr, ValidationError

import connector_request_tracker
from connector_core import FieldName, InboundRequest, Priority, UnreadableTicket, WebhookRejected
from connector_core.kit.kept import keep
from connector_core.kit.scripts import filled_script
from connector_core.kit.texts import packaged
from connector_core.testing import PluginContract, make_integration
from connector_request_tracker import api, webhook
from connector_request_tracker.desk import Tracker
from connector_request_tracker.settings import PLUGIN, TrackerSettings

SCRIP = packaged("connector_request_tracker", "scrip.pl")

SECRET = "a secret of the Scrip"
GIVEN = {"address": "https://rt.example.com/", "token": "1-27-abc", "queue": "AV Support"}


class TestRequestTracker(PluginContract):
    """The contract that every plugin keeps."""

    module = connector_request_tracker
    settings = GIVEN


def received(body, secret=SECRET, secrets=(SECRET,)):
    """Have a signed delivery read."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = webhook.SCHEME.sign(SecretStr(secret), raw)
    request = InboundRequest(headers=headers, body=raw, received_at=datetime(2026, 11, 28, tzinfo=UTC))
    return webhook.receive(make_integration(PLUGIN, GIVEN, webhook_secrets=secrets), request)


def test_a_delivery_names_a_ticket_to_read_and_who_changed_what():
    """It shows no ticket itself: what comes late reverts nothing."""
    changes = [
        {"transaction": "51", "type": "Comment", "field": "", "by": "Ada"},
        {"transaction": "52", "type": "Status", "field": "Status", "by": "Ada"},
        {"transaction": "53", "type": "AddLink", "field": "RefersTo", "by": "Ada"},
    ]

    delivery = received(
        {"ticket": "7", "time": 1, "changes": changes, "merged": ["5", "x", {}]}, secrets=("older", SECRET)
    )

    assert (delivery.hints, delivery.tickets, delivery.signed_by) == ({"7", "5"}, (), 1)
    assert delivery.event == "Comment Status AddLink"
    assert delivery.commented == {"7": {"51"}}
    assert delivery.changed_by == {FieldName.STATUS: "Ada"}


def test_a_delivery_of_another_secret_is_not_ours():
    """Nor one whose body was changed."""
    assert received({"ticket": "7"}, secret="another") is None


@pytest.mark.parametrize("ticket", [None, "7 OR id > 0", ["7"], "\N{SUPERSCRIPT TWO}"])
def test_what_is_signed_and_names_no_ticket_is_rejected(ticket):
    """With a status that says so; what is no JSON, too."""
    with pytest.raises(WebhookRejected):
        received(b"not JSON")
    with pytest.raises(WebhookRejected) as caught:
        received({"ticket": ticket})

    assert 400 <= caught.value.status < 500


ODD = [None, True, -1, 1e400, "", "x" * 5000, "\ud800\x00", [], {}, [["a"]], {"a": ["b"]}, [{"type": ["Comment"]}]]


@pytest.mark.parametrize("name", ["ticket", "changes", "merged", "type", "field", "by", "transaction"])
def test_no_odd_value_of_a_signed_delivery_is_more_than_a_rejection(name):
    """Whatever the Scrip became in somebody's hands, in the body or in one of its changes."""
    for odd in ODD:
        for body in (
            {"ticket": "7", name: odd},
            {"ticket": "7", "changes": [{"type": "Comment", "transaction": "1", "field": "Status", name: odd}]},
        ):
            try:
                delivery = received(body)
            except WebhookRejected:
                continue
            assert all(one.isascii() and one.isdigit() for one in delivery.hints)


def snapshot_of(**odd):
    """Return what is read of a ticket with something odd in it."""
    shown = {"id": 7, "Subject": "Dark", "Status": "open", "Priority": "3", "Queue": {"id": "1"}, **odd}
    integration = make_integration(PLUGIN, GIVEN)
    keep(integration, "is done: 1 open", value=False)
    return Tracker(integration).snapshot(shown)


@pytest.mark.parametrize("priority", [*ODD, "\N{SUPERSCRIPT TWO}", "-\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_an_odd_priority_costs_no_other_ticket_of_the_same_list(priority):
    """It is one that is not known."""
    assert snapshot_of(Priority=priority).id == "7"


@pytest.mark.parametrize("number", ["\N{SUPERSCRIPT TWO}", "../7", "7 OR id > 0", -7, [], None])
def test_what_is_no_number_is_no_ticket(number):
    """It could not be asked for again."""
    assert isinstance(snapshot_of(id=number), UnreadableTicket)


def test_two_deliveries_differ_by_what_they_tell():
    """There is no name of a delivery; the same one twice is one."""
    one, same, other = ({"ticket": "7", "time": time} for time in (1, 1, 2))

    ids = [received(body).id for body in (one, same, other)]

    assert ids[0] == ids[1] != ids[2]


def test_the_scrip_holds_any_secret_as_it_is():
    """Perl reads nothing in it as a variable."""
    script = filled_script(SCRIP, {"url": "https://c.example/x?a=1", "secret": r"it's $a @b \secret"})

    assert r"'it\'s $a @b \\secret'" in script
    assert "post( 'https://c.example/x?a=1'," in script
    assert "{{" not in script.replace("map { {", "")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (" https://rt.example.com/ ", "https://rt.example.com"),
        ("https://example.com/rt/REST/2.0", "https://example.com/rt"),
    ],
)
def test_an_address_is_taken_as_people_copy_it(address, kept):
    """With a slash, blanks, or with the path of the interface."""
    assert TrackerSettings.model_validate({**GIVEN, "address": address}).address == kept


@pytest.mark.parametrize("address", ["rt.example.com", "ftp://rt", "https://rt/?a=1", "https://", ""])
def test_what_is_no_address_is_refused(address):
    """Before anything is asked there."""
    with pytest.raises(ValidationError):
        TrackerSettings.model_validate({**GIVEN, "address": address})


def test_priorities_are_numbers_of_their_own():
    """What is not set is as Request Tracker has it; two alike could not be told apart when they are read."""
    settings = TrackerSettings.model_validate({**GIVEN, "priority_numbers": {"critical": "90"}})

    assert [settings.priorities.theirs(one) for one in Priority] == [90, 75, 50, 25, 0]
    assert settings.priorities.ours(81) is Priority.HIGH
    with pytest.raises(ValidationError, match="a number of its own"):
        TrackerSettings.model_validate({**GIVEN, "priority_numbers": {"critical": 75}})


def test_a_name_with_quotes_stays_a_name_in_a_search():
    """Queues are called as people like."""
    assert api.quoted(r"Ada's \ desk") == r"'Ada\'s \\ desk'"
