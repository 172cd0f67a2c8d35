"""An instance that sleeps, and calls that go wrong."""

from __future__ import annotations

import pytest
import requests

from connector_servicenow_sandbox import Fault, rate_limited


def test_a_sleeping_instance_answers_with_a_page(incidents, sandbox):
    """200, HTML, and nothing is done, at any address."""
    sandbox.sleep()
    asleep = incidents.send("POST", json={"short_description": "x"})
    token = requests.post(f"{sandbox.url}/oauth_token.do", data={}, timeout=10)
    sandbox.wake()

    for answer in (asleep, token):
        assert answer.status_code == 200
        assert "text/html" in answer.headers["Content-Type"]
        assert "Instance Hibernating page" in answer.text
    assert incidents.find() == []


@pytest.mark.parametrize(("kind", "made"), [("reset", 0), ("lost_answer", 1)])
def test_a_connection_breaks_before_or_after_the_write(incidents, sandbox, kind, made):
    """The client cannot tell which; the call is recorded without a status."""
    sandbox.add_fault(Fault(kind, method="POST"))

    with pytest.raises(requests.ConnectionError):
        incidents.create()

    assert sandbox.calls[-1].status == 0
    assert sandbox.calls[-1].request_json == {"short_description": "Display off"}
    assert len(incidents.find()) == made


@pytest.mark.parametrize(
    ("fault", "status", "made"),
    [
        (Fault("status", status=503), 503, 0),
        (Fault("done_then_500"), 500, 1),
        (Fault("html"), 200, 0),
        (Fault("slow", delay_s=0.01), 201, 1),
        (rate_limited(retry_after=7), 429, 0),
    ],
)
def test_a_call_goes_wrong_once(incidents, sandbox, fault, status, made):
    """As told, and the next one is well again."""
    sandbox.add_fault(fault)
    answer = incidents.send("POST", json={"short_description": "x"})

    assert answer.status_code == status
    assert len(incidents.find()) == made
    assert sandbox.calls[0].fault == fault.kind
    if status == 429:
        assert answer.headers["Retry-After"] == "7"


def test_an_answer_is_cut(incidents, sandbox):
    """Half of it comes, with the status of the whole."""
    sandbox.add_fault(Fault("truncated"))
    answer = incidents.send("POST", json={"short_description": "x"})

    assert answer.status_code == 201
    with pytest.raises(ValueError, match=r".+"):
        answer.json()


def test_trouble_goes_on_until_it_is_ended(incidents, sandbox):
    """Of all calls that match, and of no other."""
    sandbox.add_fault(Fault("status", method="GET", path="/incident", times=None, status=500))
    assert [incidents.send("GET").status_code for _ in range(3)] == [500, 500, 500]
    assert incidents.create()["state"] == "1"

    sandbox.clear_faults()
    assert incidents.send("GET").status_code == 200
    with pytest.raises(ValueError, match="unknown kind"):
        Fault("nonsense")
