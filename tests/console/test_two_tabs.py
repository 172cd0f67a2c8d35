"""Two who edit the same: the second sees the first one's change before it is overwritten, on every form of set-up."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from connector_core.contract.merge import Direction, FieldRule
from connector_core.contract.models import FieldName
from connector_core.contract.routing import understood
from connector_core.setup.synced import set_synced
from connector_core.store import Actor, Via
from connector_core.store.acting import acting
from tests.support.fake_hub import Hub
from tests.support.forms import form_with, forms_of
from tests.support.pages import shown
from tests.support.served import Served, entry_points

STEP = "/integrations/helpdesk/setup/step/desk"
NOTIFIER = {
    "channel": "webhook",
    "url": "https://example.com/T0K3N",
    "secret": "s3cret of many letters",
    "conditions": "backlog",
    "remind_every": "1h",
}


@dataclass(frozen=True)
class Form:
    """A form of set-up: what somebody else changes of it, what is then sent, and how both read."""

    page: str
    #: Names a field of the form, to tell it from the others of the page.
    field: str
    theirs: Callable[[Any], object]
    mine: dict[str, str]
    says: tuple[str, ...]
    #: Returns what is in force.
    now: Callable[[Any], object]
    #: Which of these is theirs, and which mine.
    values: tuple[object, object]
    #: What is typed again, since the page that asks does not keep it.
    again: dict[str, str] = field(default_factory=dict)
    #: Which button sends it, where its page has several.
    button: str = ""

    @property
    def to(self):
        """Return where it is sent."""
        return self.page + self.button


def rules(app, direction):
    """Have the title synced in another way."""
    set_synced(app.setup, "helpdesk", {FieldName.TITLE: FieldRule(direction=direction)})


def routing(app, rule):
    """Have incidents sent otherwise."""
    app.routing.save("acme", understood([rule]), "bob", app.routing.present("acme"))


FORMS = {
    "step": Form(
        STEP,
        "desk",
        lambda app: app.setup.answer("helpdesk", {"desk": "7"}),
        {"desk": "9"},
        ("Desk 1", "Desk 7 (7)", "9"),
        lambda app: app.registry.entry("helpdesk").record.answers["desk"],
        ("7", "9"),
        button="/update",
    ),
    "secret of a step": Form(
        "/integrations/helpdesk/setup/step/webhook",
        "webhook_secret",
        lambda app: app.setup.answer("helpdesk", {"webhook_secret": "another secret of theirs"}),
        {"webhook_secret": "my own s3cret, which is long"},
        ("Webhook secret", "Enter it again"),
        lambda app: app.registry.entry("helpdesk").record.webhook_secrets[0].get_secret_value(),
        ("another secret of theirs", "my own s3cret, which is long"),
        again={"webhook_secret": "my own s3cret, which is long"},
        button="/update",
    ),
    "rules": Form(
        "/integrations/helpdesk/rules",
        "title.direction",
        lambda app: rules(app, Direction.OFF),
        {"title.direction": "to_ticket"},
        ("Sync of title", "not at all, the later change", "to the ticket only, the later change"),
        lambda app: app.registry.entry("helpdesk").record.rules[FieldName.TITLE].direction,
        (Direction.OFF, Direction.TO_TICKET),
    ),
    "notifier": Form(
        "/notifications/acme/ops/change",
        "remind_every",
        lambda app: app.notifier_setup.change("acme", "ops", {**NOTIFIER, "remind_every": "5h"}),
        {"remind_every": "9h", "on.backlog": "yes"},
        ("5h", "9h"),
        lambda app: app.notifier_setup.changeable("acme", "ops").settings.remind_every.total_seconds() / 3600,
        (5, 9),
    ),
    "routing": Form(
        "/routing/acme",
        "rules",
        lambda app: routing(app, {"to": "helpdesk"}),
        {"act": "save", "rules": '[{"to":[]}]'},
        ("1. any incident: helpdesk", "1. any incident: no ticket"),
        lambda app: app.routing.present("acme").rules[0].to,
        (("helpdesk",), ()),
    ),
    "source step": Form(
        "/sources/acme/setup/step/more",
        "poll_every",
        lambda app: app.source_setup.answer("acme", {"poll_every": "50s"}),
        {"poll_every": "90s"},
        ("Interval", "50s", "90s"),
        lambda app: app.source_setup.answered("acme").answers["poll_every"],
        ("50s", "90s"),
        button="/update",
    ),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console with one of everything that can be set up."""
    made = Served(tmp_path_factory.mktemp("tabs"), points=[*entry_points(), Hub().entry_point()])
    made.add("helpdesk", "acme")
    made.app.source_setup.create("acme", "hub")
    made.app.source_setup.answer("acme", {"key": "right"})
    made.app.notifier_setup.add("acme", "ops", NOTIFIER)
    yield made
    made.stop()


def by_bob(served, change):
    """Have somebody else change something, in a terminal."""
    with acting(Actor("bob", Via.TERMINAL, served.clock.now())):
        change(served.app)


@pytest.mark.parametrize("name", FORMS)
def test_the_second_sees_the_change_of_the_first(served, admin, name):
    """Who, when and which values, with both ways on; what was sent is lost by neither, and asked about once."""
    form = FORMS[name]
    sent = {**form_with(admin.get(form.page).text, "form_version", form.field), **form.mine}
    by_bob(served, form.theirs)

    asked = admin.session.post(served.url + form.to, data=sent, timeout=20, allow_redirects=False)

    assert asked.status_code == 409
    words = " ".join(shown(asked.text).split())
    assert "bob changed this" in words
    assert all(part in words for part in ("terminal", *form.says))
    assert form.now(served.app) == form.values[0]
    assert f'href="{form.to}"' in asked.text
    assert not any(secret in asked.text for secret in ("s3cret", "T0K3N", "of theirs"))
    anyway = {**next(one for one in forms_of(asked.text) if form.field in one), **form.again}
    saved = admin.session.post(served.url + form.to, data=anyway, timeout=20, allow_redirects=False)
    assert saved.status_code == 303
    assert form.now(served.app) == form.values[1]


def test_what_one_did_not_touch_is_told_from_what_one_changed(served, admin):
    """A form sends all of its values: one that is as it was when it was opened is no wish, and saving undoes theirs."""
    page = FORMS["rules"].page
    by_bob(served, lambda app: rules(app, Direction.BOTH))
    sent = {**form_with(admin.get(page).text, "form_version", "title.direction"), "description.direction": "off"}
    by_bob(served, lambda app: rules(app, Direction.FROM_TICKET))

    asked = admin.session.post(f"{served.url}{page}", data=sent, timeout=20, allow_redirects=False)

    assert asked.status_code == 409
    assert "not changed by you; saving yours undoes their change" in shown(asked.text)


@pytest.mark.parametrize("number", [1, 30])
def test_rules_of_routing_are_compared_in_full(served, admin, number):
    """One rule a line: those of before, if the log has them whole, those of now, and all of one's own."""
    first = [{"when": {"title": f"old {one}"}, "to": []} for one in range(number)]
    app = served.app
    app.routing.save("acme", understood(first), "bob", app.routing.present("acme"))
    sent = form_with(admin.get("/routing/acme").text, "form_version", "rules")
    mine = json.dumps([{"when": {"title": f"mine {one}"}, "to": []} for one in range(40)])
    by_bob(served, lambda app: routing(app, {"when": {"title": "theirs"}, "to": "helpdesk"}))

    asked = admin.post("/routing/acme", **{**sent, "act": "save", "rules": mine})

    before, theirs, own = re.findall(r"<td data-label[^>]*>(.*?)</td>", asked.text, re.DOTALL)
    assert (asked.status_code, theirs.count("helpdesk")) == (409, 1)
    assert html.unescape(before) == ('1. title contains "old 0": no ticket' if number == 1 else "too long to show here")
    assert '40. title contains "mine 39": no ticket' in html.unescape(own)
    assert own.count("\n") == 39


def test_a_third_change_is_asked_about_again(served, admin):
    """Saving anyway overwrites what was shown, not what came after that."""
    sent = {**form_with(admin.get(STEP).text, "form_version", "desk"), "desk": "11"}
    by_bob(served, lambda app: app.setup.answer("helpdesk", {"desk": "12"}))
    asked = admin.session.post(f"{served.url}{STEP}/update", data=sent, timeout=20, allow_redirects=False)
    by_bob(served, lambda app: app.setup.answer("helpdesk", {"desk": "13"}))

    again = admin.session.post(
        f"{served.url}{STEP}/update", data=form_with(asked.text, "desk"), timeout=20, allow_redirects=False
    )

    assert (asked.status_code, again.status_code) == (409, 409)
    assert served.app.registry.entry("helpdesk").record.answers["desk"] == "13"


def test_what_is_not_overwritten_is_not_asked_about(served, admin):
    """Another step, another integration, and one's own changes one after the other."""
    sent = {**form_with(admin.get(STEP).text, "form_version", "desk"), "desk": "14"}
    by_bob(served, lambda app: app.setup.answer("helpdesk", {"token": "of theirs"}))
    served.add("other", "acme")
    by_bob(served, lambda app: app.setup.answer("other", {"desk": "15"}))

    first = admin.session.post(f"{served.url}{STEP}/update", data=sent, timeout=20, allow_redirects=False)
    answer = admin.post(f"{STEP}/update", **{**form_with(admin.get(STEP).text, "form_version", "desk"), "desk": "16"})

    assert (first.status_code, answer.status_code) == (303, 303)
    assert served.app.registry.entry("helpdesk").record.answers["desk"] == "16"


@pytest.mark.parametrize("version", ["", "x", "-1", "٣", "9" * 40])
def test_a_version_that_is_none_saves_as_before(served, admin, version):
    """It is no proof of anything: who leaves it out overwrites what they did not see, as a command does."""
    answer = admin.post(f"{STEP}/update", desk="17", form_version=version)

    assert answer.status_code == 303


def test_every_form_of_these_pages_says_what_it_shows(served, admin):
    """Whatever page is about an organization's settings, each of its forms carries the version."""
    run = ("/integrations/helpdesk", "/integrations/helpdesk/open-incidents", "/integrations/helpdesk/setup/enable")
    for page in {*(form.page for form in FORMS.values()), *run, "/notifications/acme", "/sources/acme"}:
        forms = [form for form in forms_of(admin.get(page).text) if "form_token" in form]
        assert forms
        assert all(form.get("form_version", "").isdecimal() for form in forms), page
