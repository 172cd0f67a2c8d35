"""Fields of the request type in the wizard and in the terminal: shown, checked, saved, taken away; the real plugin."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import pytest
import structlog
from click.testing import CliRunner
from pydantic import SecretStr
from ruamel.yaml import YAML

from connector_core import ConfigError, Incident, IncidentEvent
from connector_core.app import build_app
from connector_core.cli.main import cli
from connector_core.config import read_config
from connector_core.contract.models import EventType, Grant, Severity, Site
from connector_core.local_server import LocalServer
from connector_core.setup.integrations import NotReady
from connector_core.store import Target
from connector_core.testing import FrozenClock
from connector_core.web.server import build_web
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.support.served import Visitor

NAME = "helpdesk"
TOO_LONG_A_NUMBER = "{{ " + "9" * 7_000 + " }}"
FIELDS = f"/integrations/{NAME}/setup/step/request_fields"
CLOSE = f"/integrations/{NAME}/setup/step/close_status"


class Wizard:
    """A console on a database of its own, with an integration that is authorized and has a request type."""

    def __init__(self, folder, sandbox):
        self.path = folder / "connector.yaml"
        shared = sandbox.plugin_settings()
        tree = {
            "database": "sqlite:///connector.db",
            "secret_key": "a passphrase of many letters",
            "console": {"password": "a password to log in"},
            "plugins": {"jira_jsm": {"auth_url": shared["auth_url"], "api_url": shared["api_url"]}},
            "organizations": {"acme": {"source": {"plugin": "http", "secret": "whsec_c2VjcmV0"}}},
        }
        with self.path.open("w") as file:
            YAML().dump(tree, file)
        config, plugins = read_config(self.path)
        self.app = build_app(config, plugins, log=structlog.get_logger("test"), clock=FrozenClock())
        self.app.setup.create(NAME, "acme", "jira_jsm")
        login = base64.b64encode(f"{sandbox.email}:{sandbox.api_token}".encode()).decode()
        grant = Grant(
            headers={"Authorization": SecretStr(f"Basic {login}")},
            base_url=sandbox.url,
            account_name="Avery",
            site=Site(id="s", name="difficult", url=sandbox.url),
        )
        self.app.store.grants.save(NAME, grant)
        self.app.setup.answer(NAME, {"service_desk": "10", "request_type": "25", "close_status": "10305"})
        self._server = LocalServer(build_web(self.app))
        self._server.start()
        self.visitor = Visitor(self._server.url)
        self.visitor.log_in("admin", "a password to log in")

    def answers(self):
        """Return what is saved."""
        return self.app.registry.entry(NAME).record.answers

    def stop(self):
        """End it."""
        self._server.stop()
        self.app.store.close()


@pytest.fixture(scope="module")
def site():
    """Serve the difficult site once for this module."""
    with JiraSandbox(DIFFICULT, search_lag_s=0) as running:
        yield running


@pytest.fixture
def wizard(tmp_path, site):
    """Open a wizard."""
    opened = Wizard(tmp_path, site)
    yield opened
    opened.stop()


def rows_of(page):
    """Return the names of the inputs in the group."""
    return re.findall(r'name="(request_fields\.[^"]+)"', page)


def test_page_shows_every_field_with_its_list_and_what_is_missing(wizard):
    """Required fields first, lists to choose from, and the gaps below."""
    page = wizard.visitor.get(FIELDS).text

    assert "request_fields.customfield_10106.typed" in rows_of(page)
    assert ">Gerät &gt; Bildschirm<" in page
    assert "Kategorie has no value (one of a list in two levels)." in page
    assert page.count('class="needed"') == 8


def test_values_are_saved_and_shown_again(wizard):
    """A choice, a template beside a list and a text are saved under their fields, and the sample is shown."""
    wizard.visitor.post(
        f"{FIELDS}/update",
        **{
            "request_fields.customfield_10106": "10111",
            "request_fields.customfield_10108": "",
            "request_fields.customfield_10108.typed": "Gerät > Kamera",
            "request_fields.customfield_10101": "{{ incident.location.name }}",
            "summary": "! {{ incident.title }}",
        },
    )

    page = wizard.visitor.get(FIELDS).text
    assert wizard.answers()["request_fields"] == {
        "customfield_10106": "10111",
        "customfield_10108": "Gerät > Kamera",
        "customfield_10101": "{{ incident.location.name }}",
    }
    assert '<option value="10111" selected>' in page
    assert '<th scope="row">Raum</th><td>Lobby</td>' in page
    assert '<th scope="row">Zusammenfassung</th><td>! Display offline</td>' in page


def test_choice_wins_over_the_text_that_was_typed_before(wizard):
    """Choosing from the list after a template had been typed takes the choice; emptying both takes the value away."""
    key = "request_fields.customfield_10106"
    wizard.app.setup.answer(NAME, {key: "Köln"})

    wizard.visitor.post(f"{FIELDS}/update", **{key: "10110", f"{key}.typed": "Köln"})
    chosen = wizard.answers()["request_fields"]
    wizard.visitor.post(f"{FIELDS}/update", **{key: "", f"{key}.typed": ""})

    assert chosen == {"customfield_10106": "10110"}
    assert "request_fields" not in wizard.answers()


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("request_fields.customfield_10103", "many", "needs a number"),
        ("request_fields.customfield_10106.typed", "Paris", "does not offer"),
        ("request_fields.customfield_10101", "{{ incident.titel }}", "titel"),
        ("request_fields.customfield_1", "x", "has no request_fields.customfield_1"),
        ("summary", "{{ x }}", "there is no x"),
        ("summary", TOO_LONG_A_NUMBER, "a number or a character in it cannot be read"),
        ("summary", '{{ 1|round(30000000, "ceil") }}', "the precision of a filter is a number from -15 to 15"),
        ("description", "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
        ("request_fields.customfield_10101", "{{ 'a' * 100000000 }}", "arithmetic is not allowed"),
    ],
)
def test_wrong_value_is_refused_and_kept_in_the_form(wizard, key, value, part):
    """Nothing is saved, the reason stands on the page, and what was typed is still there."""
    answer = wizard.visitor.post(f"{FIELDS}/update", **{key: value})

    assert answer.status_code == 422
    assert part in answer.text.replace("&#39;", "'")
    assert "request_fields" not in wizard.answers()


@pytest.mark.parametrize("stored", [TOO_LONG_A_NUMBER, '{{ 1|round(30000000, "ceil") }}'])
def test_what_an_earlier_version_took_is_shown_with_the_reason(wizard, stored):
    """The page opens, says what is wrong with the template, and takes another one."""
    record = wizard.app.registry.entry(NAME).record
    wizard.app.store.integrations.put(replace(record, answers={**record.answers, "summary": stored}))
    wizard.app.registry.reload()

    page = wizard.visitor.get(FIELDS)

    assert page.status_code == 200
    assert "cannot be filled in" in page.text
    assert wizard.visitor.get(f"/integrations/{NAME}").status_code == 200
    assert wizard.visitor.post(f"{FIELDS}/update", summary="{{ incident.title }}").status_code < 400
    assert wizard.answers()["summary"] == "{{ incident.title }}"


def test_the_command_that_checks_the_file_says_what_is_wrong_with_a_template(wizard):
    """With the place in the file, and in words."""
    tree = YAML(typ="safe").load(wizard.path.read_text())
    desk = {"plugin": "jira_jsm", "service_desk": "10", "request_type": "25", "close_status": "10305"}
    tree["organizations"]["acme"]["integrations"] = {"desk": {**desk, "summary": TOO_LONG_A_NUMBER}}
    with wizard.path.open("w") as file:
        YAML().dump(tree, file)

    answer = CliRunner().invoke(cli, ["--config", str(wizard.path), "config", "check"])

    assert isinstance(answer.exception, ConfigError)
    assert "a number or a character in it cannot be read" in str(answer.exception)


def test_reload_keeps_what_is_not_saved(wizard):
    """Fetching the list again loses nothing that was typed."""
    form = {"request_fields.customfield_10101": "Saal 9", "request_fields.customfield_10106.typed": "Berlin"}

    page = wizard.visitor.post(f"{FIELDS}/reload", **form).text

    assert 'value="Saal 9"' in page
    assert 'value="Berlin"' in page


def test_another_request_type_clears_the_values(wizard):
    """Values belong to the request type that they were given for."""
    wizard.app.setup.answer(NAME, {"request_fields.customfield_10101": "Saal 1"})

    wizard.app.setup.answer(NAME, {"request_type": "27"})

    assert "request_fields" not in wizard.answers()


def test_close_step_asks_for_the_fields_of_screens_that_were_seen(wizard, site):
    """A ticket before the last step shows what its screen holds; a resolution is chosen from the site's."""
    ticket = site.site.create(
        site.profile.person, project_key="STOER", issue_type_id="10010", request_type_id="27", summary="x"
    )
    for step in ("11", "21"):
        site.workbench.move(ticket.id, step)

    page = wizard.visitor.get(CLOSE).text
    wizard.visitor.post(
        f"{CLOSE}/update", **{"close_status": "10305", "close_fields.resolution": "10401", "close_fallback": ""}
    )

    assert ">Nicht behoben<" in page
    assert "close_fields.customfield_10115" in page
    assert wizard.answers()["close_fields"] == {"resolution": "10401"}


def test_activation_is_refused_with_the_list_of_gaps(wizard):
    """Each required field without a value is named before anything is active; with them it goes on."""
    with pytest.raises(NotReady) as caught:
        wizard.app.setup.enable(NAME)
    refused = wizard.visitor.post(f"/integrations/{NAME}/setup/enable")
    refused = wizard.visitor.get(refused.headers["Location"])

    given = {f"request_fields.{name}": text for name, text in DIFFICULT.settings["request_fields"].items()}
    wizard.app.setup.answer(NAME, given)
    wizard.app.setup.enable(NAME)

    gaps = [f for f in caught.value.findings if f.severity is Severity.PROBLEM]
    assert len(gaps) == 8
    assert "Not activated yet." in refused.text
    assert "Go to Request Fields" in refused.text
    page = wizard.visitor.get(f"/integrations/{NAME}").text
    assert "Last checked" in page
    assert "sounds finished" in page


def test_terminal_lists_and_sets_the_same_fields(wizard):
    """`--choices` lists every row with its list, `--set` takes the row's key."""
    runner = CliRunner()
    where = ["--config", str(wizard.path), "integrations", "setup", NAME]

    listed = json.loads(runner.invoke(cli, [*where, "--choices"]).stdout)
    saved = runner.invoke(cli, [*where, "--set", "request_fields.customfield_10106=Berlin"])
    wrong = runner.invoke(cli, [*where, "--set", "request_fields.customfield_10106=Paris"])
    shown = runner.invoke(cli, ["--config", str(wizard.path), "integrations", "show", NAME, "--yaml"])

    rows = {row["key"]: row for row in listed}
    assert [one["label"] for one in rows["request_fields.customfield_10106"]["choices"]] == [
        "Berlin",
        "Köln",
        "Zürich, Bahnhof",
    ]
    assert not rows["request_fields.customfield_10106"]["optional"]
    assert saved.exit_code == 0
    assert wrong.exit_code != 0
    assert "request_fields:" in shown.stdout
    assert "customfield_10106: Berlin" in shown.stdout


def test_many_answers_fetch_the_list_once(wizard, site):
    """A page with ten fields costs one reading of the form, not ten, and one look at the person that it names."""
    given = {f"request_fields.{name}": text for name, text in DIFFICULT.settings["request_fields"].items()}
    before = site.call_count()

    wizard.app.setup.answer(NAME, given)

    assert site.call_count() - before == 2


def test_people_are_found_by_name_and_several_are_a_choice(wizard):
    """What was typed is kept beside the hits; the one that is picked is saved by account id and shown by name."""
    avery, hana, hill = (one.account_id for one in DIFFICULT.people)

    unclear = wizard.visitor.post(f"{FIELDS}/update", participants="avery, Hana", summary="{{ incident.title }}!")
    before = dict(wizard.answers())
    pick = re.findall(r'name="pick" value="([^"]+)"', unclear.text)
    picked = wizard.visitor.post(
        f"{FIELDS}/update", participants="avery, Hana", summary="{{ incident.title }}!", pick=pick[1]
    )
    page = wizard.visitor.get(FIELDS).text

    assert unclear.status_code == 422
    assert 'value="avery, Hana"' in unclear.text
    assert pick == [f"participants={avery}, {hana}", f"participants={avery}, {hill}"]
    assert "participants" not in before
    assert picked.status_code == 303
    assert wizard.answers()["participants"] == f"{avery}, {hill}"
    assert wizard.answers()["summary"] == "{{ incident.title }}!"
    assert "Avery Agent, Hana Hill" in page
    assert f"Avery Agent, Hana Hill ({avery}, {hill})" in wizard.visitor.get(f"/integrations/{NAME}").text


def test_nobody_of_that_name_is_said_at_the_field(wizard):
    """A user field of the form is looked up as well; nothing is saved."""
    key = "request_fields.customfield_10109"
    answer = wizard.visitor.post(f"{FIELDS}/update", **{key: "Nobody at all"})
    wizard.visitor.post(f"{FIELDS}/update", **{key: "hana@example.test"})

    assert answer.status_code == 422
    assert "knows nobody called Nobody at all" in answer.text
    assert wizard.answers()["request_fields"] == {"customfield_10109": DIFFICULT.person.account_id}


def test_the_terminal_names_whom_it_may_be(wizard):
    """Without a terminal the hits are listed with their account ids."""
    where = ["--config", str(wizard.path), "integrations", "setup", NAME]
    hana, hill = (one.account_id for one in DIFFICULT.people[1:])

    unclear = CliRunner().invoke(cli, [*where, "--set", "raise_on_behalf_of=hana"])
    CliRunner().invoke(cli, [*where, "--set", f"raise_on_behalf_of={hill}"])

    assert unclear.exit_code != 0
    assert f"Hana Helper ({hana}); Hana Hill ({hill})" in unclear.exception.fix
    assert wizard.answers()["raise_on_behalf_of"] == hill


def test_next_does_not_pass_by_required_fields(wizard):
    """What is missing is named at once, not on the last step."""
    answer = wizard.visitor.post(f"{FIELDS}/next")

    assert answer.status_code == 422
    assert "Kategorie" in answer.text.partition("nothing is entered yet")[0]


def test_the_fields_that_the_platform_does_not_accept_are_named(wizard):
    """They are synced to the ticket only: on the page of the integration, on Enable and where rules are set."""
    for path in (f"/integrations/{NAME}", f"/integrations/{NAME}/setup/enable"):
        page = wizard.visitor.get(path).text
        assert "the incident platform accepts no change of the title" in page
        assert 'Title <span class="soft">to the ticket only;' in page
        assert 'Description <span class="soft">not at all;' in page
    assert "such a change stays on the ticket" in wizard.visitor.get(f"/integrations/{NAME}/rules").text


def test_several_of_a_list_are_ticked(wizard):
    """Check boxes take the place of typing ids; what is unticked is taken away."""
    page = wizard.visitor.get(FIELDS).text
    name, value = re.search(r'name="(tick\.\d+\.request_fields\.\w+)" value="(\w+)"', page).groups()
    key = name.split(".", 2)[2]
    second = name.replace("tick.1.", "tick.2.")
    other = re.search(rf'name="{re.escape(second)}" value="(\w+)"', page)[1]

    wizard.visitor.post(f"{FIELDS}/update", **{key: "", name: value, second: other})

    group, _, row = key.partition(".")
    assert wizard.answers()[group][row] == f"{value}, {other}"
    page = wizard.visitor.get(FIELDS).text
    assert f'name="{name}" value="{value}" checked' in page
    assert f'name="{second}" value="{other}" checked' in page

    wizard.visitor.post(f"{FIELDS}/update", **{key: ""})

    assert row not in wizard.answers().get(group, {})


def test_the_request_is_shown_for_an_incident_of_ones_own(wizard):
    """The latest are offered; another organization's number, or none, shows the sample."""
    now = wizard.app.clock.now()
    incident = Incident(id="inc-7", title="Beamer <b>dark</b>")
    event = IncidentEvent(id="e", type=EventType.OPENED, occurred_at=now, incident=incident)
    wizard.app.store.inbox.accept_events("acme", [event], [Target(NAME, {}, now)], now).result()
    (link,) = wizard.app.store.links.find()

    sample = wizard.visitor.get(f"{FIELDS}?incident=99999").text
    own = wizard.visitor.get(f"{FIELDS}?incident={link.id}").text

    assert "Display offline" in sample.partition('id="preview"')[2]
    assert "Display offline" not in own.partition("<table")[2]
    assert "Beamer &lt;b&gt;dark" in own.partition('<table class="values"')[2]
    assert f'value="{link.id}" selected' in own
