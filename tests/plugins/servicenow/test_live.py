"""The plugin on a real instance, where one is named; see the plugin's README."""

from __future__ import annotations

import os

import pytest
from pydantic import SecretStr

from connector_core import CloseTicket, Comment, TicketQuery, WriteComment
from connector_core.clock import SystemClock
from connector_core.kit.rest import basic
from connector_core.testing import MemoryCore, make_integration
from connector_servicenow import check_integration, describe_plugin, fetch_tickets, on_incident_event, write_comment
from tests.support.servicenow import MARKER, edited, incident, opened

NAMES = ("INSTANCE", "USER", "PASSWORD", "GROUP", "CLOSE_CODE")
GIVEN = {name: os.environ.get(f"SERVICENOW_{name}", "") for name in NAMES}


@pytest.mark.skipif(not all(GIVEN.values()), reason="SERVICENOW_INSTANCE and the like name an instance to try")
def test_a_life_on_a_real_instance():
    """Checked, made, changed, talked about, read, resolved; prints what the check found."""
    settings = {"instance": GIVEN["INSTANCE"], "assignment_group": GIVEN["GROUP"], "close_code": GIVEN["CLOSE_CODE"]}
    clock = SystemClock()
    live = make_integration(describe_plugin(), settings, core=MemoryCore(), clock=clock)
    live.session.auth = None
    sent = basic(GIVEN["USER"], SecretStr(GIVEN["PASSWORD"]))
    live.session.headers.update({name: value.get_secret_value() for name, value in sent.items()})
    for finding in check_integration(live):
        print(finding.severity, finding.title, finding.detail, finding.fix)  # noqa: T201 - for whoever tries it

    ticket = opened(live)
    changed = edited(live, ticket, title="Display dark").ticket
    said = Comment(id="c1", author="Ada", text="It is hot.", created_at=clock.now())
    write_comment(live, WriteComment(ticket=changed, comment=said, platform="Platform", marker=f"{MARKER}-1"))
    (seen,) = fetch_tickets(live, TicketQuery(ids=frozenset({ticket.id})))
    ended = on_incident_event(live, CloseTicket(incident=incident(), marker=MARKER, ticket=seen))

    assert seen.title == "Display dark"
    assert ended.ticket.done
