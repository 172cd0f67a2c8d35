"""The page of an organization's rules: changed, tried out and saved by forms alone, for those who may."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from prometheus_client import generate_latest

from connector_core import Incident, IncidentEvent
from connector_core.contract.models import EventType
from connector_core.contract.routing import understood
from connector_core.store import Actor, IntegrationState, Via
from connector_core.store.acting import acting
from tests.support.pages import shown
from tests.support.served import ADMIN, GUEST, VIEWER, Served, Visitor

PAGE = "/routing/acme"
CRITICAL = {"when": {"priority": "critical"}, "to": "acme-desk"}
REST = {"to": "acme-it"}


@pytest.fixture
def served(tmp_path):
    """Serve a console over two organizations, one of them with two integrations."""
    made = Served(tmp_path)
    made.add("acme-desk", "acme")
    made.add("acme-it", "acme")
    made.add("globex-desk", "globex")
    yield made
    made.stop()


def visitor(served, name, password):
    """Log somebody in."""
    found = Visitor(served.url)
    assert found.log_in(name, password).status_code == 303
    return found


def use(served, *rules, organization="acme"):
    """Give an organization rules, as a person does."""
    routing = served.app.routing
    routing.save(organization, understood(list(rules)), "ada", routing.present(organization))


def in_force(served, organization="acme"):
    """Return the rules that count."""
    present = served.app.routing.present(organization)
    return [] if present is None else [(str(rule.when), rule.to) for rule in present.rules]


def tell(served, incident, organization="acme", **fields):
    """Let the platform tell of an incident."""
    now = served.clock.now()
    about = Incident(**{"id": incident, "title": "Display offline", "opened_at": now, **fields})
    event = IncidentEvent(id=f"evt-{incident}", type=EventType.OPENED, occurred_at=now, incident=about)
    targets = served.app.registry.targets(organization)
    served.app.store.inbox.accept_events(organization, [event], targets, now).result()


def held(page):
    """Return what the page's forms hold of the rules."""
    fields = dict(re.findall(r'name="(rules|form_version)" value="([^"]*)"', page))
    return {name: html.unescape(value) for name, value in fields.items()}


def press(person, page, verb, **fields):
    """Press a button of a page; return the next page."""
    answer = person.post(PAGE, act=verb, **held(page), **fields)
    return answer if answer.status_code == 303 else answer.text


def test_rules_are_put_together_moved_and_saved(served, admin):
    """Each button shows what would be; only Save stores it, with who did."""
    page = admin.get(PAGE).text
    assert "There are no rules" in shown(page)
    page = press(admin, page, "add", **{"to.acme-it": "on"})
    page = press(admin, page, "add", priority="is:critical", **{"to.acme-desk": "on"})
    page = press(admin, page, "add", priority="least:high", space=" Acme/Berlin ", nobody="on")
    page = press(admin, page, "up-2")
    assert "These changes are not saved yet." in shown(page)
    assert in_force(served) == []

    answer = press(admin, page, "save")

    assert answer.headers["location"] == f"{PAGE}?said=routing_saved"
    assert in_force(served) == [
        ('space is "Acme/Berlin" and priority is high or higher', ()),
        ("priority is critical", ("acme-desk",)),
        ("any incident", ("acme-it",)),
    ]
    assert "by ada" in shown(admin.get(PAGE).text)
    audit = admin.get("/audit").text
    assert 'href="/routing/acme"' in audit
    assert '1. space is "Acme/Berlin" and priority is high or higher: no ticket' in shown(audit)
    assert '"when"' not in shown(audit)


def test_a_rule_is_edited_in_its_place_moved_down_and_removed(served, admin):
    """The form holds what the rule asks for, and puts it back where it was."""
    use(served, CRITICAL, {"when": {"title": "printer", "device_model": "X"}, "to": []}, REST)
    page = press(admin, admin.get(PAGE).text, "edit-2")
    assert re.search(r'name="title"[^>]* value="printer"', page)
    assert re.search(r'name="nobody" checked', page)

    page = press(admin, page, "add", place="2", title="scanner", priority="is:low", **{"to.acme-desk": "on"})
    page = press(admin, page, "down-1")
    press(admin, page, "save")

    assert in_force(served) == [
        ('priority is low and title contains "scanner"', ("acme-desk",)),
        ("priority is critical", ("acme-desk",)),
        ("any incident", ("acme-it",)),
    ]
    press(admin, press(admin, admin.get(PAGE).text, "remove-3"), "save")
    assert len(in_force(served)) == 2


def test_a_pressed_button_is_where_one_goes_on(served, admin):
    """With fifty rules nobody searches: a moved rule has the focus, an edited one its form, a trial is in sight."""
    use(served, *({"when": {"title": f"t{number}"}, "to": []} for number in range(50)))
    page = admin.get(PAGE).text
    verbs = ("up-40", "up-2", "down-49", "down-1", "remove-7", "edit-40")

    tags = [re.findall(r"<[^>]* autofocus[^>]*>", press(admin, page, verb)) for verb in verbs]

    found = [re.search(r'(?:value|id)="([^"]+)"', tag)[1] for (tag,) in tags]
    assert found == ["up-39", "down-1", "up-50", "down-2", "edit-7", "space"]
    assert "autofocus" not in page
    assert f'formaction="{PAGE}#tried"' in page


def test_names_of_places_are_read_in_their_order(served, admin):
    """Right-to-left names keep to their part of a path, whatever stands beside them."""
    use(served, {"when": {"space": "Acme/\u05d1\u05d9\u05ea/\u0628\u064a\u062a 4", "title": "printer"}, "to": []})

    page = html.unescape(admin.get(PAGE).text)

    assert '"Acme/<bdi>\u05d1\u05d9\u05ea</bdi>/<bdi>\u0628\u064a\u062a 4</bdi>" and title contains' in page


def test_what_would_have_gone_where_is_shown_before_it_is_saved(served, admin):
    """Incidents of the last thirty days by the rules on the page, beside where they are; nothing changes."""
    tell(served, "inc-old", opened_at=served.clock.now() - timedelta(days=31))
    tell(served, "inc-1", priority="critical", title="Fan failed")
    tell(served, "inc-2", priority="low")
    page = press(admin, admin.get(PAGE).text, "add", priority="is:critical", **{"to.acme-desk": "on"})

    text = shown(press(admin, page, "try"))

    assert "2 incidents in the last 30 days" in text
    assert "1 to acme-desk" in text
    assert "1 to no ticket" in text
    assert "2 of them went elsewhere." in text
    assert "inc-old" not in text
    assert "no rule matches" in text
    assert in_force(served) == []


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"title": "x"}, "Choose where the incidents go"),
        ({"nobody": "on", "to.acme-it": "on"}, "Choose where the incidents go"),
        ({"to.globex-desk": "on"}, "Choose where the incidents go"),
        ({"title": "x" * 201, "nobody": "on"}, "Title: too long, 200 characters at most."),
        (
            {"priority": "is:urgent", "nobody": "on"},
            "Priority: expected 'critical', 'high', 'moderate', 'low' or 'planning'.",
        ),
        ({"priority": "is:critical", "to.acme-it": "on"}, "has the same conditions"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_kept_in_the_form(served, admin, fields, sentence):
    """The page says what is wrong, keeps what was entered, and has the rules that it had."""
    use(served, CRITICAL)

    answer = admin.post(PAGE, act="add", **held(admin.get(PAGE).text), **fields)

    assert answer.status_code == 422
    assert sentence in shown(answer.text)
    assert held(answer.text)["rules"] == held(admin.get(PAGE).text)["rules"]
    assert html.escape(fields.get("title", "")) in answer.text


@pytest.mark.parametrize("rules", ["", "[", "[1]", '{"to": "x"}', '[{"to": ["acme-desk"], "extra": 1}]'])
def test_a_page_that_holds_something_else_is_refused(served, admin, rules):
    """What is no list of rules comes from no page of ours."""
    answer = admin.post(PAGE, act="save", rules=rules)

    assert answer.status_code == 422
    assert in_force(served) == []


@pytest.mark.parametrize("to", ["globex-desk", "nobodys"])
def test_an_integration_of_another_organization_is_as_unknown_as_none(served, admin, to):
    """A forged page cannot send incidents there, nor learn that it is there."""
    version = held(admin.get(PAGE).text)["form_version"]

    answer = admin.post(PAGE, act="save", rules=json.dumps([{"to": [to]}]), form_version=version)

    assert answer.status_code == 422
    assert f"Rule 1 names '{to}', and acme has no such integration." in shown(answer.text)
    assert in_force(served) == []


def test_rules_that_somebody_changed_meanwhile_are_not_overwritten(served, admin):
    """Whoever saves an older page is told, and keeps what they put together."""
    page = press(admin, admin.get(PAGE).text, "add", nobody="on")
    with acting(Actor("bob", Via.TERMINAL, served.clock.now())):
        use(served, REST)

    answer = admin.post(PAGE, act="save", **held(page))

    assert answer.status_code == 409
    assert "1. any incident: acme-it" in shown(answer.text)
    assert "1. any incident: no ticket" in shown(answer.text)
    assert in_force(served) == [("any incident", ("acme-it",))]


def test_a_viewer_looks_and_changes_nothing(served):
    """No button is there, and a forged form is refused."""
    use(served, CRITICAL)
    tell(served, "inc-1", priority="low")
    vic = visitor(served, "vic", VIEWER)
    page = vic.get(PAGE).text

    answer = vic.session.post(
        f"{served.url}{PAGE}",
        data={"form_token": vic.form_token("/"), "act": "save", "rules": "[]"},
        timeout=20,
    )

    assert 'name="act"' not in page
    assert "No rule matches this incident." in shown(page)
    assert answer.status_code == 403
    assert in_force(served) == [("priority is critical", ("acme-desk",))]


def test_another_organizations_admin_sees_and_does_nothing_here(served, admin):
    """The page is not there for them, in any way of asking; their own is."""
    use(served, CRITICAL)
    tell(served, "inc-1", priority="low")
    gus = visitor(served, "gus", GUEST)
    own = gus.get("/routing/globex").text

    for act in ("save", "try", "send"):
        fields = {"rules": "[]", "incident": "inc-1", "integration": "globex-desk"}
        assert gus.post(PAGE, seen_on="/routing/globex", act=act, **fields).status_code == 404
    sent = gus.post("/routing/globex", act="send", incident="inc-1", integration="globex-desk")

    assert gus.get(PAGE).status_code == 404
    assert gus.get("/routing/nothing").status_code == 404
    assert (sent.status_code, "acme" in shown(own)) == (422, False)
    assert "without a ticket" not in shown(gus.get("/").text)
    assert "has no ticket" not in shown(gus.get("/links?q=inc-1").text)
    assert served.app.store.links.find(text="inc-1") == []
    assert in_force(served) == [("priority is critical", ("acme-desk",))]


def test_what_has_no_ticket_is_seen_and_sent(served, admin):
    """The front page counts it, the page says why, and Send makes a ticket of it."""
    use(served, CRITICAL)
    tell(served, "inc-1", priority="low")
    assert "1 without a ticket" in shown(admin.get("/").text)
    assert "No rule matches this incident." in shown(admin.get(PAGE).text)
    assert "Display offline has no ticket. No rule matches" in shown(admin.get("/links?q=inc-1").text)
    metrics = generate_latest(served.app.metrics.registry).decode()
    assert 'connector_incidents_unsent{organization="acme",reason="unmatched"} 1.0' in metrics

    answer = admin.post(PAGE, act="send", incident="inc-1", integration="acme-it")

    assert answer.headers["location"] == f"{PAGE}?said=incident_sent"
    (link,) = served.app.store.links.find(text="inc-1")
    assert link.integration_id == "acme-it"
    assert "Sent to acme-it by ada." in shown(admin.get(f"/links/{link.id}").text)
    assert "without a ticket" not in shown(admin.get("/").text)
    assert admin.post(PAGE, act="send", incident="inc-1", integration="acme-it").status_code == 422


def test_a_rule_in_vain_is_said_in_the_browsers_words(served, admin):
    """A disabled or removed integration is named, with what happens and what to do; no command is on the page."""
    use(served, CRITICAL, REST)
    store = served.app.store
    (it,) = [one for one in store.integrations.every() if one.id == "acme-it"]
    store.integrations.put(replace(it, state=IntegrationState.DISABLED))
    store.integrations.remove("acme-desk")
    tell(served, "inc-1", priority="low")

    text = shown(admin.get(PAGE).text)

    assert "Rule 1 sends incidents to acme-desk, and the organization has no such integration" in text
    assert "Rule 2 sends incidents to acme-it, which is not active" in text
    assert "1 incident waits for an integration that is not active" in text
    assert "Waits for acme-it, which is not active (by rule 2: any incident)." in text
    assert "connector " not in text


def test_rules_of_the_file_are_shown_and_tried_but_not_changed(served, admin):
    """The page says where they stand; a forged Save is refused."""
    served.path.write_text(
        served.path.read_text().replace(
            "acme: {name: Acme Inc.}",
            "acme: {name: Acme Inc., routing: [{to: acme-it}]}",
        )
    )
    served.restart()
    served.app.configured.save()
    ada = visitor(served, "ada", ADMIN)
    page = ada.get(PAGE).text

    answer = ada.post(PAGE, act="save", rules="[]", form_version=held(page)["form_version"])

    assert "organizations.acme.routing" in shown(page)
    assert 'value="save"' not in page
    assert "No incidents in the last" in shown(press(ada, page, "try"))
    assert answer.status_code == 422
    assert in_force(served) == [("any incident", ("acme-it",))]


def test_texts_of_others_stay_texts(served, admin):
    """A hostile title, model or space is shown as it is, in the tables and in the form."""
    hostile = "</textarea><script>alert(1)</script>\"'>"
    use(served, {"when": {"title": hostile, "space": hostile}, "to": []})
    location = {"name": hostile}
    tell(served, "<b>1</b>", title=f"x{hostile}", location=location)

    page = press(admin, press(admin, admin.get(PAGE).text, "edit-1"), "try")

    assert "<script>alert" not in page
    assert "<b>1" not in page
    assert hostile in shown(page)


@pytest.mark.extended
def test_a_person_does_it_in_a_browser(served, browser):
    """Without a script: two rules, one moved, tried, saved; then an incident that has no ticket is sent."""
    tell(served, "inc-1", priority="low")
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1000, "height": 900})
    page = context.new_page()
    page.goto(served.url)
    page.get_by_label("User name").or_(page.get_by_label("Name")).first.fill("ada")
    page.get_by_label("Password").fill(ADMIN)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Rules of Acme Inc.").click()
    for title, to in (("Fan", "acme-desk"), ("Sensor", "No ticket")):
        page.get_by_label("Title contains").fill(title)
        page.get_by_label(to).check()
        page.get_by_role("button", name="Add rule").click()
    page.get_by_role("button", name="Move rule 2 up").click()
    page.get_by_role("button", name="Try out").click()
    expect(page.get_by_text("1 incident in the last 30 days: 1 to no ticket.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The rules apply to new incidents.")).to_be_visible()
    assert [rule[1] for rule in in_force(served)] == [(), ("acme-desk",)]

    tell(served, "inc-2", title="Sensor silent")
    page.reload()
    page.get_by_label("Send Sensor silent to").select_option("acme-it")
    page.get_by_role("button", name="Send Sensor silent").click()

    expect(page.get_by_text("Sent. The ticket is created now.")).to_be_visible()
    context.close()
    assert [one.integration_id for one in served.app.store.links.find(text="inc-2")] == ["acme-it"]


@pytest.mark.extended
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(served, browser, scheme, width):
    """With rules, a trial and incidents without a ticket; no wider than a phone, however long a text is."""
    use(served, {"when": {"title": "x" * 200, "space": "Acme/Berlin"}, "to": ["acme-desk", "acme-it"]}, CRITICAL)
    tell(served, f"inc-{'9' * 200}", title="W" * 300)
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{served.url}{PAGE}")
    page.get_by_label("User name").or_(page.get_by_label("Name")).first.fill("ada")
    page.get_by_label("Password").fill(ADMIN)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Edit rule 1").click()
    page.get_by_role("button", name="Try out").click()

    found = Axe().run(page).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()

    assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
    assert wide <= width


def test_rules_may_not_fill_a_form_beyond_what_is_taken(served, admin):
    """As many and as long as rules may be, the page's form is still taken."""
    rules = [{"when": {"title": f"{number:03}{'ü' * 140}"}, "to": ["acme-desk"]} for number in range(49)]
    use(served, *rules)

    answer = admin.post(PAGE, act="save", **held(admin.get(PAGE).text))

    assert answer.headers["location"] == f"{PAGE}?said=unchanged"


def test_fifty_long_rules_are_a_light_page(served, admin):
    """What they say stands in it twice: to be read, and once to be sent back."""
    text = "A long name of a place that people gave, with its street " * 3
    when = {"space": f"Acme/{text}"[:100], "device_model": text[:60]}
    use(
        served,
        *({"when": {**when, "title": f"{number} {text}"[:50]}, "to": ["acme-desk"]} for number in range(50)),
    )

    page = admin.get(PAGE).text

    assert page.count('name="rules"') == 1
    assert len(page.encode()) < 65 * 1024, len(page.encode())
