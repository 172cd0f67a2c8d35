"""Set-up of a source by plain forms: who may, what is shown of the file's, refusals at the field, confirmations."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import structlog
from argon2 import PasswordHasher
from pydantic import SecretStr

from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.local_server import LocalServer
from connector_core.testing import FrozenClock
from connector_core.web.server import build_web
from tests.support.activation import activate
from tests.support.fake_hub import Hub
from tests.support.pages import shown
from tests.support.served import ADMIN, GUEST, VIEWER, Visitor, entry_points

CONFIG = """
secret_key: a passphrase of many letters
console:
  users:
    ada: {{password_hash: "{ADMIN}", role: admin}}
    vic: {{password_hash: "{VIEWER}"}}
    gus: {{password_hash: "{GUEST}", role: admin, organizations: [globex]}}
organizations:
  acme: {{name: Acme Inc.}}
  globex: {{name: Globex, source: {{plugin: hub, key: "right", region: us}}}}
"""
SETUP = "/sources/acme/setup"
CONNECT = f"{SETUP}/step/connect"
IN_WIZARD = "/integrations/desk/setup/source"


@pytest.fixture
def hub():
    """Make a platform."""
    return Hub()


@pytest.fixture
def served(tmp_path, hub):
    """Serve a console over an organization without a source and one whose source is in the file."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    path = tmp_path / "connector.yaml"
    hashes = {name: hasher.hash(text) for name, text in (("ADMIN", ADMIN), ("VIEWER", VIEWER), ("GUEST", GUEST))}
    path.write_text(CONFIG.format(**hashes))
    config, plugins = read_config(path, [*entry_points(), hub.entry_point()])
    app = build_app(config, plugins, log=structlog.get_logger("test"), clock=FrozenClock())
    server = LocalServer(build_web(app))
    server.start()
    yield app, server.url
    server.stop()
    app.store.close()


@pytest.fixture
def app(served):
    """Return the app."""
    return served[0]


@pytest.fixture
def enter(served):
    """Return a function that logs somebody in."""

    def log_in(name, password):
        visitor = Visitor(served[1])
        assert visitor.log_in(name, password).status_code == 303
        return visitor

    return log_in


@pytest.fixture
def ada(enter):
    """Log the administrator in."""
    return enter("ada", ADMIN)


def connect(app, **more):
    """Make the source of acme beside the browser."""
    app.source_setup.create("acme", "hub")
    app.source_setup.answer("acme", {"key": "right", **more})


def test_a_source_is_connected_by_plain_forms(app, ada, hub):
    """From the front page to what it shows of itself; no secret is on any page."""
    hub.accepts.add("k3y-0f-acme")
    assert f'href="{SETUP}"' in ada.get("/").text
    begun = ada.post(SETUP, plugin="hub")
    saved = ada.post(f"{CONNECT}/update", key="k3y-0f-acme", region="us")
    tested = ada.post(f"{CONNECT}/test")
    going = ada.post(f"{CONNECT}/next")

    assert begun.headers["location"] == CONNECT
    assert saved.headers["location"] == f"{CONNECT}?said=updated"
    assert "Connected to Acme." in tested.text
    assert going.headers["location"] == f"{SETUP}/step/more"
    assert ada.post(f"{SETUP}/step/more/next").headers["location"] == "/sources/acme"
    page = ada.get("/sources/acme").text
    assert "America" in page
    assert app.registry.sources.usable() == ["acme", "globex"]
    for address in ("/", "/sources/acme", CONNECT):
        assert "k3y-0f-acme" not in ada.get(address).text


def test_the_wizard_of_an_integration_begins_with_the_source(app, ada):
    """Then it goes on to the authorization; each page knows the others."""
    made = ada.post("/integrations/new", name="desk", organization="acme", plugin="desk")
    choosing = shown(ada.get(IN_WIZARD).text)
    begun = ada.post(IN_WIZARD, plugin="hub")
    connecting = shown(ada.get(f"{IN_WIZARD}/step/connect").text)
    ada.post(f"{IN_WIZARD}/step/connect/update", key="right")
    last = ada.post(f"{IN_WIZARD}/step/more/next")

    assert made.headers["location"] == f"{IN_WIZARD}?said=created"
    assert begun.headers["location"] == f"{IN_WIZARD}/step/connect"
    assert last.headers["location"] == "/integrations/desk/setup/authorize"
    page = ada.get("/integrations/desk/setup/authorize").text
    # How many steps there are is said once it is known, and the line above them stays the same.
    assert "Step 1" in choosing
    assert " of " not in choosing.partition("Step 1")[2].partition("\n")[0]
    assert re.search(r"Step \d of \d", connecting)
    lines = {re.search(r"[^\n]+ · Desk", text)[0] for text in (choosing, connecting, shown(page))}
    assert len(lines) == 1
    assert page.index("Connect Hub") < page.index("Authorize access</span>")
    assert ada.get("/integrations/desk/setup").url.endswith("/setup/authorize")


def test_where_the_file_has_a_source_the_wizard_does_not_ask_for_one(app, ada):
    """It begins with the authorization."""
    made = ada.post("/integrations/new", name="desk", organization="globex", plugin="desk")

    assert made.headers["location"] == "/integrations/desk/setup/authorize?said=created"
    assert "Connect Hub" not in ada.get("/integrations/desk/setup/authorize").text


def test_a_wrong_key_is_refused_at_its_field(app, ada):
    """With the reason; what else was filled in is still there, the key is not."""
    ada.post(SETUP, plugin="hub")

    answer = ada.post(f"{CONNECT}/update", key="a wr0ng key", region="us")

    assert answer.status_code == 422
    assert re.search(r'name="key"[^>]*aria-describedby="h-key problem"[^>]*aria-invalid="true"', answer.text)
    assert "No. It is not accepted." in answer.text
    assert re.search(r'value="us" checked', answer.text)
    assert "wr0ng key" not in answer.text
    assert app.source_setup.answered("acme").answers == {}


def test_nothing_given_and_nonsense_are_answered(app, ada):
    """No key, a wrong interval, a step and a platform that there are not."""
    ada.post(SETUP, plugin="hub")

    assert "Key: nothing is entered yet." in ada.post(f"{CONNECT}/update").text
    ada.post(f"{CONNECT}/update", key="right")
    wrong = ada.post(f"{SETUP}/step/more/update", poll_every="soon")
    assert (wrong.status_code, "expected a duration" in wrong.text) == (422, True)
    assert ada.get(f"{SETUP}/step/nothing").status_code == 404
    for plugin in ("nothing", "desk", ""):
        assert ada.post(SETUP, plugin=plugin).status_code == 422


def test_what_is_sent_twice_is_done_once(app, ada):
    """The same form again, from another tab or by a double click."""
    ada.post(SETUP, plugin="hub")
    ada.post(f"{CONNECT}/update", key="right")

    assert ada.post(SETUP, plugin="hub").headers["location"] == CONNECT
    assert ada.post(f"{CONNECT}/update", region="").headers["location"] == f"{CONNECT}?said=unchanged"
    assert app.registry.sources.usable() == ["acme", "globex"]


def test_a_step_of_a_source_that_was_removed_meanwhile(app, ada):
    """Another tab is told, and nothing is made by it."""
    connect(app)
    page = ada.get(CONNECT)
    app.source_setup.remove("acme")

    answer = ada.post(f"{CONNECT}/update", seen_on="/sources/acme", key="right")

    assert page.status_code == 200
    assert answer.status_code == 422
    assert "No source" in answer.text
    assert app.store.sources.every() == []


def test_a_source_of_the_file_is_shown_with_its_place_and_not_changed(app, ada):
    """File and line, values but no secrets; every way to change it says where to."""
    page = ada.get("/sources/globex").text

    assert "connector.yaml:10" in page
    assert re.search(r"<dt>Region</dt><dd>us</dd>", page)
    assert re.search(r"<dt>Key</dt><dd>set</dd>", page)
    assert "Remove" not in shown(page)
    for address in ("/sources/globex/setup", "/sources/globex/setup/step/connect/update", "/sources/globex/remove"):
        assert "connector.yaml:10" in ada.get(address).text
        assert ada.post(address, seen_on="/sources/globex", key="other", plugin="hub").status_code == 422
    assert app.registry.sources.handle("globex")[1].settings.key.get_secret_value() == "right"


def test_one_that_is_not_used_because_of_the_file_is_said(app, ada):
    """And can be removed."""
    connect(app)
    record = app.registry.sources.made("acme")
    app.store.sources.put(type(record)("globex", "hub", {}, record.secret_answers, record.created_at), None)

    assert "It is not used while the configuration file has one" in ada.get("/sources/globex").text
    assert ada.post("/sources/globex/remove").headers["location"] == "/sources/globex?said=source_removed"
    assert app.registry.sources.made("globex") is None


CHANGES = (
    SETUP,
    f"{CONNECT}/update",
    f"{SETUP}/hand-over",
    "/sources/acme/reset",
    "/sources/acme/remove",
    "/sources/acme",
)


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("address", CHANGES)
def test_a_viewer_changes_nothing(app, enter, address):
    """Looking is all: no button is there, and no form is taken."""
    connect(app)
    before = app.store.sources.every()
    vic = enter("vic", VIEWER)

    assert vic.post(address, seen_on="/", key="other", plugin="hub", step="connect").status_code == 403
    assert app.store.sources.every() == before
    page = vic.get("/sources/acme").text
    assert "Remove…" not in page
    assert "Settings</a>" not in page
    step = vic.get(CONNECT)
    assert step.ok
    assert "Update</button>" not in step.text
    assert 'id="f-' not in step.text


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("address", CHANGES)
def test_for_others_it_is_not_there(app, enter, address):
    """The administrator of another organization sees what they would see of one that does not exist."""
    connect(app)
    before = app.store.sources.every()
    gus = enter("gus", GUEST)

    answer = gus.post(address, seen_on="/sources/globex", key="other", plugin="hub", step="connect")
    nobody = gus.get(address.replace("acme", "nobody"))

    assert answer.status_code == 404
    if nobody.status_code == 404:
        assert gus.get(address).text == nobody.text.replace("nobody", "acme")
    assert app.store.sources.every() == before
    assert "Acme Inc." not in gus.get("/").text


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("address", CHANGES)
def test_a_form_of_elsewhere_is_not_taken(app, ada, address):
    """Neither without our token nor from another site."""
    connect(app)
    before = app.store.sources.every()

    bare = ada.session.post(ada.url + address, data={"key": "other"}, allow_redirects=False)
    foreign = ada.post(address, seen_on="/sources/acme", headers={"Sec-Fetch-Site": "cross-site"}, key="other")

    assert (bare.status_code, foreign.status_code) == (403, 403)
    assert app.store.sources.every() == before


def test_a_set_up_link_hands_the_step_over(app, ada, served):
    """Without a login: that step, once; a wrong key leaves the link good."""
    app.source_setup.create("acme", "hub")
    made = ada.post(f"{SETUP}/hand-over", seen_on=CONNECT, step="connect").text
    path = re.search(r"(/hand-over/[\w-]+)", made)[1]
    stranger = Visitor(served[1])

    shown = stranger.get(path).text
    wrong = stranger.post(path, key="wrong")
    right = stranger.post(path, key="right", region="us")

    assert "Acme Inc. asks you for one step of connecting Hub" in shown
    assert (wrong.status_code, "No. It is not accepted." in wrong.text) == (422, True)
    assert "Done, thank you" in right.text
    assert stranger.get(path).status_code == 410
    assert app.registry.sources.handle("acme")[1].settings.region == "us"


def test_reading_anew_and_removing_ask_first(app, ada, hub):
    """Opening the question changes nothing."""
    connect(app)
    activate(app, "desk", "acme")
    app.poller.poll("acme")

    assert "All incidents are read again at the next poll" in ada.get("/sources/acme/reset").text
    assert app.store.sources.cursor("acme", "hub") is not None
    assert ada.post("/sources/acme/reset").headers["location"] == "/sources/acme?said=reset"
    assert app.store.sources.cursor("acme", "hub") is None
    assert "no more incidents come in" in ada.get("/sources/acme/remove").text
    assert app.registry.sources.usable() == ["acme", "globex"]
    assert ada.post("/sources/acme/remove").headers["location"] == "/sources/acme?said=source_removed"
    assert "No incident source connected" in ada.get("/sources/acme").text
    assert ada.get("/integrations/desk").status_code == 200


def test_activation_is_refused_without_a_source(app, ada):
    """It is listed with the rest that is missing, and leads to the step."""
    ada.post("/integrations/new", name="desk", organization="acme", plugin="desk")

    answer = ada.post("/integrations/desk/setup/enable")

    assert answer.status_code == 303
    answer = ada.get(answer.headers["Location"])
    assert "Not activated yet." in answer.text
    assert "No incidents come in: acme has no source" in answer.text
    assert f'<a href="{IN_WIZARD}">Go to Incident Platform</a>' in answer.text
    assert "connector sources setup" not in answer.text


def test_a_source_plugin_that_fails_leaves_the_integration_alone(app, ada, hub):
    """Its wizard, its page and the page of the source are there; only the source's own steps are not."""
    connect(app)
    ada.post("/integrations/new", name="desk", organization="acme", plugin="desk")
    hub.is_broken = True

    for address in ("/", "/integrations/desk", "/integrations/desk/setup/enable", "/sources/acme", SETUP, IN_WIZARD):
        assert ada.get(address).status_code == 200, address
    assert ada.get("/integrations/desk/setup/authorize").status_code == 200
    assert ada.get(CONNECT).status_code in {404, 422}
    assert ada.post(IN_WIZARD, plugin="hub").status_code == 422


def test_an_integration_of_an_organization_that_the_file_lost(app, ada):
    """Its page is there; a source for it is not."""
    activate(app, "desk", "gone")

    assert ada.get("/integrations/desk").status_code == 200
    assert ada.get(IN_WIZARD).status_code == 404
    assert ada.get(f"{IN_WIZARD}/step/connect").status_code == 404


def test_a_source_is_no_way_to_the_integration_of_the_same_name(app, ada):
    """One of another organization may be called as this one: its former secret stays good."""
    connect(app)
    activate(app, "acme", "globex")
    record = app.registry.entry("acme").record
    secrets = (SecretStr("the present one"), SecretStr("the former one"))
    app.store.integrations.put(replace(record, webhook_secrets=secrets))

    ada.post(f"{CONNECT}/forget")

    assert app.registry.entry("acme").record.webhook_secrets == secrets
