"""All calls of a check together end in time, and what could not be checked names the site and the way out."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from time import monotonic

import pytest

from connector_core import Site
from connector_core.contract.errors import RetryLater
from connector_core.contract.models import NOT_CHECKED, Severity
from connector_core.http.patience import within
from connector_core.http.session import HTTPSession
from connector_core.kit import checks
from connector_core.logs import forget_later, later
from connector_core.secrets import Masker
from tests.support.served import Served


@pytest.fixture
def silent():
    """Return the address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_all_calls_of_a_check_have_one_limit(silent):
    """The first one waits no longer than there is time, and the next one is refused at once."""
    session, began = HTTPSession("test"), monotonic()

    with within(0.2):
        with pytest.raises(RetryLater, match="did not answer in time"):
            session.get(silent)
        with pytest.raises(RetryLater) as caught:
            [session.get(silent) for _ in range(2)]

    assert caught.value.code == "check_too_long"
    assert monotonic() - began < 3


def test_a_command_shows_only_its_own_sentences(silent, capsys):
    """What libraries and our own code log of a call that is tried again is not for its terminal."""
    log = later(Masker())
    try:
        with within(0.2), pytest.raises(RetryLater):
            HTTPSession("test").get(silent)
        log.warning("notifier_failed", reason="no")
        logging.getLogger("urllib3.connectionpool").warning("Retrying")
    finally:
        forget_later()

    assert capsys.readouterr().err == ""


def test_what_could_not_be_checked_names_the_site(tmp_path, monkeypatch):
    """A plugin's finding has only why."""
    served = Served(tmp_path)
    try:
        served.add("helpdesk", "acme")
        entry = served.app.registry.entry("helpdesk")
        site = Site(id="1", name="Site", url="https://desk.example.test")
        entry = replace(entry, record=replace(entry.record, site=site))
        missed = checks.problem(NOT_CHECKED, "This could not be checked", "It hangs.")
        monkeypatch.setattr(type(entry.plugin), "check_integration", lambda *_: [missed], raising=False)

        checkups = served.app.setup._checkups
        (said,) = [one for one in checkups.check(entry, tuple) if one.code == NOT_CHECKED]
    finally:
        served.stop()

    assert said.title == "Desk at https://desk.example.test could not be checked"
    assert (said.severity, said.detail) == (Severity.PROBLEM, "It hangs.")
    assert "can be reached from this host" in said.fix
