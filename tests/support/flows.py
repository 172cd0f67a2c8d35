"""The flows whose hops are counted, each made to happen on the fixtures of the tests."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import requests_mock
from click.testing import CliRunner
from pydantic import SecretStr

from connector_core import CloseTicket, Delivery, EventType, Grant, Incident, TicketSnapshot
from connector_core.cli.main import cli
from connector_core.secrets import SecretBox
from connector_core.store.opening import open_store
from connector_core.testing import FrozenClock, MemoryDesk
from connector_jira_jsm import on_incident_event
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from connector_jira_jsm_sandbox.difficult import SETTINGS
from tests.support.activation import activate, active_record
from tests.support.jira.difficult_site import handle, opened
from tests.support.served import ADMIN, Served, Visitor
from tests.support.sync_lab import happen, make_lab, run, see, tell
from tools.flows.counting import PLUGIN, Flow

HERE = "https://desk.example.test"


@contextmanager
def _lab():
    """Put up both sides in memory and what stands between."""
    clock = FrozenClock()
    with _store(clock) as store:
        yield make_lab(store, clock)


@contextmanager
def _store(clock):
    with TemporaryDirectory() as folder:
        store = open_store(Path(folder, "connector.db"), SecretBox([SecretStr("a passphrase that is long enough")]))
        store.integrations.put(active_record("desk", "acme", clock.now()))
        try:
            yield store
        finally:
            store.close()


@contextmanager
def _served():
    """Serve webhooks and console in this process."""
    with TemporaryDirectory() as folder:
        served = Served(Path(folder))
        try:
            yield served
        finally:
            served.stop()


def _webhook(trace):
    """Let a signed delivery come in."""
    with _served() as served, trace.watching():
        activate(served.app, "acme-desk", "acme", secret="s3cret")
        served.restart()  # its threads begin anew, watched
        ticket = TicketSnapshot(id="1", key="D-1", title="Display is dark", status="Open", updated=served.clock.now())
        delivery = Delivery(id="d-1", event="ticket_changed", tickets=(ticket,))
        request = MemoryDesk().signed(delivery, "s3cret")
        visitor = Visitor(f"{served.url}/external/desk/webhook")
        visitor.session.post(visitor.url, data=request.body, headers=request.headers, timeout=10).raise_for_status()


def _event_to_ticket(trace):
    """Run the lane of a new incident."""
    with _lab() as lab:
        tell(lab)
        with trace.watching():
            assert run(lab).ticket is not None


def _change_back(trace):
    """Run the lane of a title that was changed on the ticket."""
    with _lab() as lab:
        happen(lab)
        with trace.watching():
            see(lab, title="Fan 2")
        assert lab.platform.incidents["inc-1"].title == "Fan 2"


def _close(trace):
    """Run the lane of an incident that is resolved."""
    with _lab() as lab:
        happen(lab)
        tell(lab, EventType.RESOLVED)
        with trace.watching():
            ticket = run(lab).ticket
        assert ticket is not None
        assert ticket.done


def _close_at_jira(trace):
    """Close a ticket over three transitions that nobody knows yet."""
    with JiraSandbox(DIFFICULT, search_lag_s=0) as sandbox:
        integration = handle(sandbox, close_fields=SETTINGS["close_fields"])
        ticket = opened(integration)
        incident = Incident(id="inc-1", title="Bild weg")
        change = CloseTicket(incident=incident, marker="cnx-1", ticket=ticket)
        with trace.watching():
            receipt = on_incident_event(integration, change)
        assert receipt.note.count("→") == 2


def _setup_answer(trace):
    """Save the step with the desk, as an administrator in a browser who has it open."""
    step = "/integrations/acme-desk/setup/step/desk"
    with _served() as served:
        served.add("acme-desk", "acme")
        with trace.watching():
            served.restart()
            admin = Visitor(served.url)
            admin.log_in("ada", ADMIN)
            form = {"form_token": admin.form_token(step), "desk": "2"}
            trace.begin_anew()
            answer = admin.session.post(f"{served.url}{step}/update", data=form, timeout=20, allow_redirects=False)
        assert answer.headers["location"].endswith("said=updated")


def _explain(trace):
    """Ask on the command line what became of an incident."""
    with _served() as served:
        (number,) = served.add("acme-desk", "acme", "Display is dark")
        with trace.watching():
            told = CliRunner().invoke(cli, ["explain", str(number), "--config", str(served.path)])
        assert "Display is dark" in told.output, told.output


def _token(trace):
    """Send a request with a token that is about to end, and one whose token is refused."""
    clock = FrozenClock()
    with _store(clock) as store, requests_mock.Mocker() as site:
        lab = make_lab(store, clock)
        grant = Grant(headers={"Authorization": SecretStr("Bearer 1")}, expires_at=clock.now())
        store.grants.save("desk", grant)
        site.get(HERE, [{}, {"status_code": 401}, {}])
        session = lab.entry.handle.session
        with trace.watching():
            session.get(HERE)
            session.get(HERE)


_RUN = "connector_core/sync/advance.py::Synchronizer.run"
_HTTP_CALL = "connector_core/http/session.py::HTTPSession.request"

FLOWS = (
    Flow("webhook", "connector_core/web/receive.py::Receiver.webhook", _webhook, "accept_requests"),
    Flow("event to ticket", _RUN, _event_to_ticket, "on_incident_event"),
    Flow("change back", _RUN, _change_back, "apply_change"),
    Flow("set-up answer", "connector_core/web/console/", _setup_answer, "integrations.py::change"),
    Flow("explain", "connector_core/cli/links.py::explain", _explain, "timeline.py::read"),
    Flow("token refresh", _HTTP_CALL, _token, "authorize"),
    Flow("close", _RUN, _close, "on_incident_event"),
    Flow(
        "close over three, at Jira", "connector_jira_jsm/tickets/writing.py::write_change", _close_at_jira, "", PLUGIN
    ),
)
