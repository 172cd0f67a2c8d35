"""What answers mean: the words for a person, and error bodies of the shapes that many APIs have."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import requests

from connector_core import ConfigError, PluginError, RetryLater, Scope
from connector_core.kit.answers import Answers, Complaint, Fixes, Subject, complaint_of

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
RULES = Answers("Helpdesk", fixes=Fixes(page="Wake the instance."))
HTML = "<!DOCTYPE html><html>asleep</html>"
ADDRESS = "https://desk.test/api/tickets"


def answer(status, body="", *, method="GET", address=ADDRESS, **headers):
    """Make an answer."""
    response = requests.Response()
    response.status_code = status
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response.request = requests.Request(method, address).prepare()
    return response


def read(response):
    """Read an answer that is not good; return the error."""
    with pytest.raises((RetryLater, ConfigError, PluginError)) as caught:
        RULES.read(response, Subject.TICKET, NOW)
    return caught.value


@pytest.mark.parametrize(
    ("body", "said", "from_api"),
    [
        (
            {"error": {"message": "No Record found", "detail": "or hidden"}, "status": "failure"},
            "No Record found or hidden",
            True,
        ),
        ({"message": "No ticket"}, "No ticket", True),
        ({"error": "RecordNotFound", "description": "Not found"}, "RecordNotFound Not found", True),
        ({"errors": {"title": "is too long", "state": 7}}, "is too long", True),
        ({"errors": [{"message": "x"}]}, "", False),
        ({"error": {"message": "a\nb\x1b[0m" + "c" * 900}}, "a b [0m" + "c" * 193, True),
        ({"message": "a", "detail": "b", "title": "c", "description": "d"}, "a b d", True),
        ({"message": "same", "detail": "same"}, "same", True),
        ([1], "", False),
        (HTML, "", False),
        ("", "", False),
    ],
)
def test_complaints_of_many_apis_are_read(body, said, from_api):
    """In three short sentences at most; what nobody knows was not written by the API."""
    complaint = complaint_of(answer(400, body))

    assert (str(complaint), complaint.from_api) == (said, from_api)


def test_what_is_said_of_fields_goes_by_their_names():
    """Sentences only."""
    assert complaint_of(answer(422, {"errors": {"title": "is too long", "state": 7}})).fields == {
        "title": "is too long"
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (HTML, "text/html"),
        (HTML, "application/json"),
        (" \n<maintenance/>", ""),
        ("Service asleep", "text/HTML; charset=x"),
    ],
)
def test_a_page_in_place_of_data_is_told_as_one(body, kind):
    """With what to do; half of the data is something else."""
    page = read(answer(200, body, Content_Type=kind))
    half = read(answer(200, '{"id": ', Content_Type="application/json"))

    assert page.message.startswith("Helpdesk answers with a page in place of data")
    assert (page.code, page.fix, page.scope) == ("answer_unreadable", "Wake the instance.", Scope.SITE)
    assert (half.message, half.code, half.fix) == ("Helpdesk's answer is not readable.", "answer_unreadable", "")


def test_slowing_down_is_told_apart_from_being_away():
    """Only the limit has a reason."""
    limited = read(answer(429, RateLimit_Reason="burst"))
    away = read(answer(503, RateLimit_Reason="burst"))

    assert (limited.message, limited.detail) == ("Helpdesk asks us to slow down.", "429 burst")
    assert (away.message, away.detail) == ("Helpdesk cannot answer at the moment.", "503")
    assert limited.scope is away.scope is Scope.SITE


@pytest.mark.parametrize(
    ("address", "location", "moved"),
    [
        (ADDRESS, "https://new.test/api/tickets", True),
        ("http://desk.test/api", "https://desk.test/api", True),
        ("https://desk.test/a", "https://new.test/a", True),
        ("https://desk.test/", "https://new.test/", False),
        (ADDRESS, "https://login.test/?to=/api/tickets", False),
        (ADDRESS, ADDRESS, False),
        (ADDRESS, "", False),
    ],
)
def test_a_site_that_moved_has_the_same_path_elsewhere(address, location, moved):
    """Anything else is a page in between, which goes by itself."""
    error = read(answer(302, HTML, address=address, Location=location))

    assert error.code == ("site_moved" if moved else "site_unavailable")
    assert error.fix == (RULES.fixes.address if moved else "Wake the instance.")
    assert moved or "something else answers in its place" in error.message


def test_several_choices_are_no_answer():
    """300 has a body that may be JSON; it is not what was asked for."""
    assert read(answer(300, {"id": 7})).code == "site_unavailable"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"detail": "No endpoint"}, "endpoint_unknown", "Helpdesk does not know this API address."),
        (HTML, "site_unavailable", "The Helpdesk site is not available."),
    ],
)
def test_what_the_api_did_not_write_is_no_proof(body, code, message):
    """A ticket is gone where the API says so."""
    rules = Answers("Helpdesk", complaint=lambda response: Complaint(complaint_of(response).sentences))

    error = rules.error_of(answer(404, body), Subject.TICKET, NOW)

    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(("body", "more"), [({"message": "No agent."}, " It says: No agent."), ("", "")])
def test_their_words_stand_behind_ours(body, more):
    """Where there are any."""
    assert read(answer(403, body)).message == f"Helpdesk does not permit this to the authorized account.{more}"
