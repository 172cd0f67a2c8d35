"""Display names and copies in the console: asked for, checked, shown on every page, for who may."""

from __future__ import annotations

import pytest

from tests.support.pages import shown
from tests.support.served import GUEST, VIEWER, Served, Visitor

NAME = "ACME <b>Störung</b>"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console with an integration of each organization."""
    made = Served(tmp_path_factory.mktemp("names"))
    made.path.write_text(made.path.read_text().replace("{name: Acme Inc.}", "{}"))
    made.restart()
    made.add("helpdesk", "acme", "Dark")
    made.add("globex-desk", "globex")
    yield made
    made.stop()


def test_an_integration_is_renamed_and_read_everywhere(served, admin):
    """Addresses keep the id; each page where a person reads it has the name, as text."""
    page = "/integrations/helpdesk/name"
    assert admin.post(page, name="x" * 81).status_code == 422
    assert admin.post(page, name="a\x1b[31m").status_code == 422

    assert admin.post(page, name=f" {NAME} ").headers["Location"] == "/integrations/helpdesk?said=renamed"

    (link,) = served.app.store.links.find(integration_id="helpdesk")
    parts = ("", "/rules", "/setup/step/desk", "/remove", "/disable", "/open-incidents", "/name", "/duplicate")
    for address in (
        *("/", "/links", f"/links/{link.id}", "/activity", "/routing/acme", "/audit", "/deliveries"),
        *("/overview?integration=helpdesk", "/integrations/helpdesk/test"),
        *(f"/integrations/helpdesk{part}" for part in parts),
    ):
        text = admin.get(address).text
        assert "&lt;b&gt;Störung" in text, address
        assert NAME not in text, address


def test_an_organization_is_renamed(served, admin):
    """Unless the file names it, which is then said."""
    assert "Rename organization" in admin.get("/sources/acme").text

    assert admin.post("/sources/acme/name", name="Acme <AG>").status_code == 303

    assert "Acme <AG>" in shown(admin.get("/").text)
    assert "Acme <AG>" in shown(admin.get("/integrations/new").text)
    assert "Acme <AG>" in shown(admin.get("/audit").text)
    assert "Rename organization" not in admin.get("/sources/globex").text
    assert admin.get("/sources/globex/name").status_code == 422


def test_a_copy_is_made_and_gone_on_with(served, admin):
    """Its secrets are not there; a name that is taken is refused, with what was typed."""
    page = "/integrations/helpdesk/duplicate"
    assert admin.post(page, id="Not An Id").status_code == 422
    assert admin.post(page, id="globex-desk").status_code == 422

    answer = admin.post(page, id="helpdesk-2")

    assert answer.headers["Location"].startswith("/integrations/helpdesk-2/setup/")
    assert served.app.registry.entry("helpdesk-2").record.answers == {"desk": "1"}


@pytest.mark.parametrize(
    "path", ["/integrations/helpdesk/name", "/integrations/helpdesk/duplicate", "/sources/acme/name"]
)
@pytest.mark.parametrize(("name", "password"), [("vic", VIEWER), ("gus", GUEST)])
def test_others_neither_rename_nor_copy(served, admin, path, name, password):
    """Viewers change nothing; an admin of another organization does not learn that it is there."""
    visitor = Visitor(served.url)
    visitor.log_in(name, password)

    assert visitor.get(path).status_code == 404
    assert visitor.post(path, seen_on="/", name="Mine", id="mine").status_code in {403, 404}
    assert "mine" not in served.app.registry.records()


def test_a_copy_by_a_limited_admin_is_named_so_that_nothing_is_learnt(served):
    """As a new integration of theirs: a few letters are added."""
    gus = Visitor(served.url)
    gus.log_in("gus", GUEST)

    answer = gus.post("/integrations/globex-desk/duplicate", id="helpdesk")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/integrations/helpdesk-")
