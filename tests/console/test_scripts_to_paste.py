"""A script that people paste on the other side: filled in, masked until asked for, and whether its event arrives."""

from __future__ import annotations

import html

import pytest
import structlog
from pydantic import SecretStr

from connector_core import WEBHOOK_SECRET, CopyValue, FieldKind, SetupField, SetupStep, hookimpl, make_secret
from connector_core.inbound.intake import Intake
from connector_core.testing import MemoryDesk
from tests.support.activation import activate
from tests.support.pages import shown
from tests.support.served import ADMIN, VIEWER, Served, Visitor

BASE = "/integrations/helpdesk/setup/step/webhook"
SECRET = "a secret of the script's own"


class ScriptedDesk(MemoryDesk):
    """A desk that sends nothing by itself: an administrator pastes a script."""

    @hookimpl
    def configure_steps(self, integration):
        """Hand the script out, with address and secret in it."""
        secret = SetupField(WEBHOOK_SECRET, "Secret", "It signs.", FieldKind.SECRET, generate=make_secret)
        secrets = integration.webhook_secrets
        script = f"(function () {{\n  post('{integration.webhook_url}',\n    '{secrets[0].get_secret_value()}');\n}})"
        step = SetupStep(
            "webhook",
            "Webhook",
            "The desk then tells of changes.",
            (secret,),
            optional=True,
            values=(CopyValue("Script", script, secrets=secrets),) if secrets else (),
            test_event="Change the title of any ticket.",
        )
        return (*super().configure_steps(integration)[:1], step)


@pytest.fixture
def served(tmp_path):
    """Serve a console with an integration whose webhook has a secret."""
    opened = Served(tmp_path, points=[ScriptedDesk().entry_point()])
    activate(opened.app, "helpdesk", "acme", secret=SECRET)
    yield opened
    opened.stop()


def logged_in(served, user="ada", password=ADMIN):
    """Log somebody in."""
    visitor = Visitor(served.url)
    assert visitor.log_in(user, password).status_code == 303
    return visitor


def test_the_secret_is_in_no_page_until_it_is_asked_for(served):
    """All lines of the script are there, with the address; the secret is dots, also in what would be copied."""
    visitor = logged_in(served)

    page = visitor.get(BASE).text
    revealed = visitor.post(f"{BASE}/reveal")

    assert SECRET not in page
    assert "post('http" in html.unescape(page)
    assert "••••••" in page
    assert "data-copy" not in page
    assert revealed.status_code == 200
    assert html.unescape(revealed.text).count(f"'{SECRET}');\n}})") == 2  # to read, and to copy
    assert revealed.headers["cache-control"] == "no-store"
    assert SECRET not in visitor.get(BASE).text


def test_who_may_only_look_is_not_shown_it(served):
    """The button is not there, and pressing it all the same is refused."""
    viewer = logged_in(served, "vic", VIEWER)

    assert "Show with the secret" not in shown(viewer.get(BASE).text)
    answer = viewer.post(f"{BASE}/reveal")

    assert answer.status_code == 403
    assert SECRET not in answer.text


def test_a_script_tells_nobody_its_secret_by_accident():
    """Printed, logged or compared in a failing test, it shows dots."""
    value = CopyValue("Script", f"sign('{SECRET}')", secrets=(SecretStr(SECRET), SecretStr("")))

    assert SECRET not in repr(value)
    assert value.masked == "sign('••••••••')"


def test_a_test_event_is_waited_for_and_told_of(served):
    """Nothing came yet; a signed delivery that is about no linked ticket is what was waited for."""
    visitor = logged_in(served)
    assert "Change the title of any ticket." in visitor.get(BASE).text

    waiting = visitor.post(f"{BASE}/wait")
    page = visitor.get(waiting.headers["location"]).text
    assert "Nothing has arrived since" in shown(page)
    desk = MemoryDesk(served.app.clock)
    desk.open("None of ours")
    intake = Intake(served.app.store, served.app.registry, structlog.get_logger("test"))
    intake.take_webhook("desk", desk.signed(desk.told[-1], SECRET)).result()

    told = shown(visitor.get(waiting.headers["location"]).text)
    assert "A signed delivery arrived" in told
    assert "ticket_changed" in told
    assert "about no linked ticket" in told


def test_a_time_that_is_none_shows_the_page(served):
    """Whoever edits the address gets the page as it is."""
    assert logged_in(served).get(f"{BASE}?since=yesterday").status_code == 200
