"""The first page with more integrations than one page should hold."""

from __future__ import annotations

import re

import pytest
import structlog
from argon2 import PasswordHasher

from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.local_server import LocalServer
from connector_core.testing import FrozenClock
from connector_core.web.console.front import AT_ONCE
from connector_core.web.server import build_web
from tests.support.activation import active_record
from tests.support.served import ADMIN, Visitor, entry_points

MORE = 20


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    """Serve a console over many organizations with an integration each, and log somebody in."""
    path = tmp_path_factory.mktemp("many") / "connector.yaml"
    names = [f"org-{number:04}" for number in range(AT_ONCE + MORE)]
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(ADMIN)
    lines = [
        "secret_key: a passphrase of many letters",
        f'console: {{users: {{ada: {{password_hash: "{hashed}", role: admin}}}}}}',
        "organizations:",
        *(f"  {name}: {{source: {{plugin: platform}}}}" for name in names),
    ]
    path.write_text("\n".join(lines))
    config, plugins = read_config(path, entry_points())
    app = build_app(config, plugins, log=structlog.get_logger("test"), clock=FrozenClock())
    app.store.integrations.put_all([active_record(f"desk-{name}", name, app.clock.now()) for name in names])
    server = LocalServer(build_web(app))
    server.start()
    person = Visitor(server.url)
    assert person.log_in("ada", ADMIN).status_code == 303
    yield person
    server.stop()
    app.store.close()


def listed(page):
    """Return the integrations and the sources that a page lists, below what is still to do."""
    page = page.partition('data-live="front"')[2]
    return re.findall(r'href="/integrations/(desk-[^"/]+)"', page), re.findall(r'href="/sources/([^"/]+)"', page)


def test_a_page_lists_so_many_and_the_next_goes_on(ada):
    """Nobody's browser likes ten thousand rows; all of them are on one of the pages, and on one only."""
    first, second = ada.get("/").text, ada.get("/?page=2").text

    integrations, sources = zip(listed(first), listed(second), strict=True)
    assert [len(names) for names in integrations] == [AT_ONCE, MORE]
    assert [len(names) for names in sources] == [AT_ONCE, MORE]
    assert len({*integrations[0], *integrations[1]}) == AT_ONCE + MORE
    assert '<a href="/?page=2">More</a>' in first
    assert ">More</a>" not in second
    assert '<a href="/">First</a>' in second


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("page", ["0", "-1", "x", "", "9999999", "²"])
def test_a_page_that_is_no_number_is_the_first(ada, page):
    """Whatever stands in the address, a page is shown."""
    assert listed(ada.get(f"/?page={page}").text) == listed(ada.get("/").text)


def test_a_page_beyond_the_last_says_nothing_wrong(ada):
    """There is no integration on it, and it does not say that there is none at all."""
    page = ada.get("/?page=3").text

    assert listed(page) == ([], [])
    assert "No integrations yet" not in page
