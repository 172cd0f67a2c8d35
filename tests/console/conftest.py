"""One browser for a whole run, one stage for a module, one clean profile for a test."""

from __future__ import annotations

import pytest

from connector_core.demo.stage import Stage, sandbox_plugin
from connector_core.plugins import load_plugins
from tests.support import warm
from tests.support.person import Person
from tests.support.served import ADMIN, Visitor

warm.use()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Open a stage whose database is empty."""
    folder = tmp_path_factory.mktemp("console")
    opened = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), folder, with_webhook=False, in_file=False)
    opened.open_unauthorized()
    yield opened
    opened.close()


@pytest.fixture
def visitor(browser, stage):
    """Open a page in a clean profile; nothing may be complained of in its console but what a server refused."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="America/New_York")
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield Person(page, stage)
    context.close()
    assert complaints == []


@pytest.fixture
def person(visitor):
    """Log in first."""
    visitor.log_in()
    return visitor


@pytest.fixture
def admin(served):
    """Log the administrator in to the console that the module serves."""
    visitor = Visitor(served.url)
    assert visitor.log_in("ada", ADMIN).status_code == 303
    return visitor
