"""The same pages without a script: plain forms, on a clock that the test sets."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from connector_core.contract.models import Delivery
from connector_core.store import LinkState, LinkStatus, Progress, Rest
from tests.support.pages import shown
from tests.support.served import ADMIN, VIEWER, Served, Visitor

DAY_S = 24 * 3600
WIZARD = "/integrations/desk/setup"


@pytest.fixture
def served(tmp_path):
    """Serve a draft."""
    opened = Served(tmp_path)
    opened.app.setup.create("desk", "acme", "desk")
    yield opened
    opened.stop()


def consent(admin):
    """Click *Authorize access*; return the state that goes along."""
    page = admin.post(f"{WIZARD}/authorize").text
    address = re.search(r"https://desk\.example\.test/consent\?state=([\w.-]+)", page)
    return address[1]


def authorize(admin):
    """Approve."""
    assert admin.get(f"/oauth/callback?state={consent(admin)}&code=x").status_code == 200


def test_every_step_by_plain_forms(served, admin):
    """Authorize, answer, activate: nothing of it needs a script."""
    authorize(admin)
    saved = admin.post(f"{WIZARD}/step/desk/update", desk="7")
    following = admin.post(f"{WIZARD}/step/desk/next", desk="8")
    activated = admin.post(f"{WIZARD}/enable")

    assert saved.headers["location"] == f"{WIZARD}/step/desk?said=updated"
    assert following.headers["location"] == f"{WIZARD}/step/token"
    assert activated.headers["location"] == "/integrations/desk?said=activated"
    record = served.app.registry.entry("desk").record
    assert (record.state, record.answers) == ("active", {"desk": "8"})
    assert "Desk 8" in admin.get("/integrations/desk").text


def test_reload_keeps_what_was_selected_and_not_saved(served, admin):
    """The list is fetched again, counted, and the selection stands."""
    authorize(admin)
    page = admin.post(f"{WIZARD}/step/desk/reload", desk="9").text

    assert ": 30 found." in page
    assert re.search(r'value="9" checked', page)
    assert served.app.registry.entry("desk").record.answers == {}


def test_state_expires_and_a_new_one_works(served, admin):
    """Coming back too late is explained; starting again works."""
    state = consent(admin)
    served.clock.forward(31 * 60)
    late = admin.get(f"/oauth/callback?state={state}&code=x")
    authorize(admin)

    assert late.status_code == 400
    assert "took too long" in late.text
    assert "Authorize access to start again." in late.text


def test_a_secret_is_never_shown_again(served, admin):
    """Not on its step, not on the integration, not after an error."""
    authorize(admin)
    admin.post(f"{WIZARD}/step/token/update", token="very secret indeed")

    for path in (f"{WIZARD}/step/token", "/integrations/desk", f"{WIZARD}/enable"):
        assert "very secret indeed" not in admin.get(path).text
    assert served.app.registry.entry("desk").record.secret_answers["token"].get_secret_value() == "very secret indeed"


def test_a_secret_that_is_too_short_is_refused_without_a_command(admin):
    """Who is in a browser has no terminal at hand."""
    authorize(admin)

    page = shown(admin.post(f"{WIZARD}/step/webhook/update", webhook_secret="x").text)

    assert "a secret has at least 8 characters" in page
    assert "Enter a longer one." in page
    assert "openssl" not in page


def test_two_secrets_are_valid_during_a_change(served, admin):
    """A secret that deliveries came with stays good beside the new one until it is forgotten."""

    def secrets():
        return [secret.get_secret_value() for secret in served.app.registry.entry("desk").record.webhook_secrets]

    authorize(admin)
    step = f"{WIZARD}/step/webhook"
    admin.post(f"{step}/update", webhook_secret="mistyped")
    admin.post(f"{step}/update", webhook_secret="the first")
    assert secrets() == ["the first"]
    served.app.store.inbox.accept_delivery("desk", Delivery(id="1", event="x"), served.clock.now()).result()
    served.clock.forward(1)
    admin.post(f"{step}/update", webhook_secret="the second")
    assert secrets() == ["the second", "the first"]
    assert "Two secrets are valid" in admin.get(step).text
    assert "Deliveries are taken once" in admin.get(step).text
    admin.post(f"{step}/forget")
    assert secrets() == ["the second"]


def test_a_generated_secret_is_good_once_it_was_saved(served, admin):
    """Generating one saves nothing; it is in the form that is sent next."""
    authorize(admin)
    step = f"{WIZARD}/step/webhook"
    page = admin.post(f"{step}/generate").text
    shown = re.search(r'name="webhook_secret" type="text" value="([0-9a-f]{64})"', page)[1]
    assert served.app.registry.entry("desk").record.webhook_secrets == ()

    admin.post(f"{step}/update", webhook_secret=shown)

    assert served.app.registry.entry("desk").record.webhook_secrets[0].get_secret_value() == shown
    assert shown not in admin.get(step).text


def test_set_up_links_end_after_three_days(served):
    """Afterwards the link looks like one that was used."""
    app = served.app
    path = app.setup_links.make("desk", "authorize", "ada")
    visitor = Visitor(served.url)

    assert visitor.get(path).status_code == 200
    served.clock.forward(3 * DAY_S)
    assert visitor.get(path).status_code == 410


def test_set_up_link_takes_answers_from_its_own_page_only(served, admin):
    """A form that another site sends is not accepted, and does not use the link up."""
    authorize(admin)
    app = served.app
    path = app.setup_links.make("desk", "desk", "ada")
    stranger = Visitor(served.url)

    assert stranger.post(path, headers={"Sec-Fetch-Site": "cross-site"}, desk="3").status_code == 403
    assert "Done, thank you" in stranger.post(path, desk="3").text
    assert app.registry.entry("desk").record.answers == {"desk": "3"}


def test_integration_of_the_file_is_read_only_with_file_and_line(served):
    """Its page and its steps say where it is written; a change is refused."""
    path = served.app.config.path
    text = path.read_text().replace(
        "acme: {name: Acme Inc.}", "acme:\n    integrations:\n      written:\n        plugin: desk\n        desk: '4'"
    )
    path.write_text(text)
    served.restart()
    served.app.configured.save()
    line = text[: text.index("written:")].count("\n") + 1
    admin = Visitor(served.url)
    admin.log_in("ada", ADMIN)

    for page in ("/integrations/written", "/integrations/written/setup/step/desk"):
        assert f"{path}:{line}" in admin.get(page).text
    assert admin.post("/integrations/written/setup/step/desk/update", seen_on="/", desk="5").status_code == 422
    assert served.app.registry.entry("written").record.answers == {"desk": "4"}


def test_failed_work_is_listed_and_retried(served):
    """One, or all of them; a viewer sees them and has no button."""
    links = served.add("busy", "acme", "First", "Second")
    lanes = served.app.store.lanes.claim("boot", served.clock.now(), 10, 600)
    for lane in lanes:
        served.app.store.lanes.release(lane, Rest(), served.clock.now())
    assert served.app.store.lanes.next_due() is None
    admin, viewer = Visitor(served.url), Visitor(served.url)
    admin.log_in("ada", ADMIN)
    viewer.log_in("vic", VIEWER)

    assert "First" in viewer.get("/unfinished").text
    assert "Retry" not in shown(viewer.get("/unfinished").text).replace("Retrying is always safe", "")
    admin.post(f"/links/{links[0]}", action="retry")
    assert len(served.app.store.lanes.claim("boot", served.clock.now(), 10, 600)) == 1
    admin.post("/unfinished")
    assert len(served.app.store.lanes.claim("boot", served.clock.now(), 10, 600)) == 1


def test_a_title_is_text_wherever_it_is_listed(served, admin):
    """What a platform sends is no markup, neither in a list nor in what a button is called."""
    (number,) = served.add("busy", "acme", "Fan <b>2</b>")
    (lane,) = served.app.store.lanes.claim("boot", served.clock.now(), 10, 600)
    served.app.store.lanes.release(lane, Rest(), served.clock.now())

    pages = [admin.get(path).text for path in ("/links", "/unfinished", f"/links/{number}")]

    assert all("Fan &lt;b&gt;2&lt;/b&gt;" in page for page in pages)
    assert not any("<b>2</b>" in page for page in pages)


@pytest.mark.parametrize("text", ["inc-busy-1", "INC-BUSY-1", "second", "Seco", "50% of"])
def test_search_finds_by_id_and_by_words_of_the_title(served, admin, text):
    """Whatever somebody has in front of them leads to the link."""
    served.add("busy", "acme", "First", "Second: 50% of the displays")

    page = admin.get("/links", params={"q": text}).text

    assert "Second: 50% of the displays" in page
    assert ">First<" not in page


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize("text", ["_", "%", '"', "\\", "x' OR 1=1 --", "<script>", "\x00", "é" * 300])
def test_search_takes_any_text_as_text(served, admin, text):
    """Signs that mean something to a database or a page mean nothing here."""
    served.add("busy", "acme", "First")

    page = admin.get("/links", params={"q": text})

    assert page.status_code == 200
    assert "<script>" not in page.text.replace('<script src="', "")
    assert ">First<" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/links/0",
        "/links/x",
        "/links/99999999999999999999",
        "/integrations/none",
        f"{WIZARD}/step/none",
        "/static/x/../../secret",
    ],
)
def test_addresses_that_lead_nowhere(admin, path):
    """They are not found, whatever they are."""
    assert admin.get(path).status_code == 404


def test_every_page_is_light(served, admin):
    """Page, style and script together stay below 100 KB."""
    served.add("busy", "acme", *(f"A display is offline {number}" for number in range(60)))
    authorize(admin)
    for path in ("/", "/links", "/unfinished", "/integrations/busy", f"{WIZARD}/step/desk", f"{WIZARD}/enable"):
        text = admin.get(path).text
        loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
        assert len(text.encode()) + sum(len(admin.get(one).content) for one in set(loaded)) < 100_000, path


def test_the_way_back_names_no_code(served, admin):
    """The address that the browser ends on holds neither code nor state."""
    state = consent(admin)
    ended = admin.get(f"/oauth/callback?state={state}&code=x")

    assert parse_qs(urlsplit(ended.url).query) == {"said": ["authorized"]}


def test_pages_of_a_long_list_follow_each_other(served, admin):
    """Every link is on one of them, what is not in sync first."""
    numbers = served.add("busy", "acme", *(f"Display {number}" for number in range(120)))
    lane = next(
        one for one in served.app.store.lanes.claim("boot", served.clock.now(), 200, 600) if one.link_id == numbers[60]
    )
    served.app.store.links.record(lane, Progress(status=LinkStatus(LinkState.IN_SYNC)), served.clock.now())

    seen = [
        number
        for start in (0, 50, 100)
        for number in re.findall(r'href="/links/(\d+)"', admin.get("/links", params={"from": start}).text)
    ]

    assert sorted(map(int, seen)) == sorted(numbers)
    assert int(seen[-1]) == numbers[60]
    assert served.app.store.overview.backlogs()["busy"].links == {"waiting": 119, "in_sync": 1}
