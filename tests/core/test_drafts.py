"""Changing a choice that others were made on top of: what fits stays, and nothing in effect ever lacks an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from connector_core import Choice, FieldKind, PluginInfo, Settings, SetupField, SetupStep, hookimpl
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.contract.merge import Direction, FieldRule
from connector_core.contract.models import FieldName
from connector_core.contract.setup_steps import fetch_choices, unanswered_steps
from connector_core.setup.questionnaire import carried_over, later_steps
from connector_core.setup.synced import set_synced
from connector_core.store import IntegrationState, SourceRecord
from connector_core.testing import FrozenClock
from tests.support.activation import activate
from tests.support.examples import up_to
from tests.support.fake_plugins import FakeEntryPoint, module_of, on_incident_event

CONFIG = "secret_key: a passphrase of many letters\norganizations: {acme: {}}\n"
DESKS = ("1", "2", "3")
VALUES = st.sampled_from(("a", "b", "c"))


class DeskSettings(Settings):
    """A desk, a kind of request of that desk, and a status of that kind's workflow."""

    desk: str
    kind: str
    status: str
    colours: dict[str, str] = Field(default_factory=dict)
    note: str | None = None


class Site:
    """What each desk offers; a status list hangs on desk and kind."""

    def __init__(self, kinds, statuses, required=()):
        self.kinds, self.statuses, self.required = kinds, statuses, required

    def steps(self, answers):
        """Return the steps as they are with certain answers."""
        desk, kind = str(answers.get("desk", "")), str(answers.get("kind", ""))

        def kinds():
            return [Choice(value, value) for value in self.kinds.get(desk, ())]

        def statuses():
            assert kind in self.kinds.get(desk, ()), "asked for the statuses of a kind that the desk does not have"
            return [Choice(value, value) for value in self.statuses.get((desk, kind), ())]

        def colours():
            return [SetupField(one.value, one.value, "", required=one.value in self.required) for one in statuses()]

        one, both = frozenset({"desk"}), frozenset({"desk", "kind"})
        desks = [Choice(name, name) for name in DESKS]
        return (
            _step(SetupField("desk", "Desk", "", FieldKind.CHOICE, load=lambda: desks)),
            _step(SetupField("kind", "Kind", "", FieldKind.CHOICE, load=kinds), needs=one),
            SetupStep(
                "extra",
                "Extra",
                "",
                (
                    SetupField("colours", "Colours", "", FieldKind.GROUP, required=False, rows=colours),
                    SetupField("note", "Note", "", required=False),
                ),
                needs=both,
                optional=True,
            ),
            _step(SetupField("status", "Status", "", FieldKind.CHOICE, load=statuses), needs=both),
        )


def _step(asked, needs=frozenset()):
    return SetupStep(asked.key, asked.label, "", (asked,), needs=needs)


@st.composite
def sites(draw):
    """Make a site whose desks share some of their lists."""
    kinds = {desk: draw(st.sets(VALUES, min_size=1)) for desk in DESKS}
    statuses = {(desk, kind): draw(st.sets(VALUES, min_size=1)) for desk in DESKS for kind in kinds[desk]}
    return Site(kinds, statuses)


@given(site=sites(), before=st.data())
def test_what_the_new_lists_have_stays_and_what_they_lack_goes(site, before):
    """After another desk the kind stays if that desk has it, and then the status if that kind has it there."""
    old, new = "1", before.draw(st.sampled_from(DESKS[1:]))
    kind = before.draw(st.sampled_from(sorted(site.kinds[old])))
    status = before.draw(st.sampled_from(sorted(site.statuses[old, kind])))
    answers = {"desk": new, "kind": kind, "status": status, "colours": {status: "red"}, "note": "hello"}

    kept = _carried_over(site, answers, "desk")

    has_kind = kind in site.kinds[new]
    fits = has_kind and status in site.statuses[new, kind]
    assert ("kind" in kept) == has_kind
    assert kept["note"] == "hello"
    assert ("status" in kept) == (fits or not has_kind)  # not known yet: it is looked up once there is a kind
    assert ("colours" in kept) == (fits or not has_kind)
    later = _carried_over(site, {**kept, "kind": next(iter(site.kinds[new]))}, "kind")
    offered = site.statuses[new, str(later["kind"])]
    assert later.get("status") in {*offered, None}
    colours = later.get("colours", {})
    assert isinstance(colours, dict)
    assert set(colours) <= offered


def test_steps_that_depend_through_others_are_later_steps():
    """A status that hangs on the kind alone changes with the desk all the same."""
    steps = (
        _step(SetupField("desk", "Desk", "")),
        _step(SetupField("kind", "Kind", ""), frozenset({"desk"})),
        _step(SetupField("status", "Status", ""), frozenset({"kind"})),
        _step(SetupField("other", "Other", "")),
    )

    assert [step.key for step in later_steps(steps, frozenset({"desk"}))] == ["kind", "status"]
    assert later_steps(steps, frozenset({"other"})) == []


def _carried_over(site, answers, changed):
    """Return which answers of a record are left."""
    record = SourceRecord("acme", "desk", answers, secret_answers={}, created_at=FrozenClock().now())
    return carried_over(lambda given: site.steps(given.answers), record, changed).answers


class Setting:
    """An active integration on a site that a test may change."""

    def __init__(self, folder, site):
        self.site = site

        @hookimpl
        def configure_steps(integration):
            return self.site.steps(integration.answers)

        path = folder / "connector.yaml"
        path.write_text(CONFIG)
        info = PluginInfo(
            name="desk", title="Desk", settings=DeskSettings, link_settings=frozenset(DeskSettings.model_fields)
        )
        found = FakeEntryPoint("desk", lambda: module_of(on_incident_event, configure_steps, info=info))
        self.app = build_app(*read_config(path, [found]), log=structlog.get_logger("test"))
        self.flow = self.app.setup
        activate(self.app, "helpdesk", "acme", secret="")

    def start(self, **answers):
        """Have these answers in effect."""
        self.flow.change("helpdesk", lambda known: replace(known, answers=answers, draft=None))

    @property
    def stored(self):
        """What is in effect, and what is not yet."""
        return self.app.registry.entry("helpdesk").record


SITE = Site(
    {"1": ("a", "b"), "2": ("a",), "3": ("c",)},
    {("1", "a"): ("a", "b"), ("1", "b"): ("b",), ("2", "a"): ("a",), ("3", "c"): ("b",)},
)
BEFORE = {"desk": "1", "kind": "a", "status": "a"}


@pytest.fixture
def setting(tmp_path):
    """Open an active integration with all its answers."""
    opened = Setting(tmp_path, SITE)
    opened.start(**BEFORE)
    yield opened
    opened.app.store.close()


def test_a_desk_that_has_everything_is_in_effect_at_once(setting):
    """Nothing is asked again."""
    setting.flow.answer("helpdesk", {"desk": "2"})

    assert setting.stored.answers == {**BEFORE, "desk": "2"}
    assert setting.stored.draft is None
    assert setting.flow.held("helpdesk") == ""


def test_a_change_is_held_if_the_integration_is_activated_meanwhile(setting):
    """Somebody activates it while the answer is checked: what is in effect then still has all its answers."""
    setting.flow.disable("helpdesk")
    setting.site = _Meanwhile(SITE, lambda: setting.flow.activate("helpdesk"))

    setting.flow.answer("helpdesk", {"desk": "3"})

    assert setting.stored.state is IntegrationState.ACTIVE
    assert setting.stored.answers == BEFORE
    assert setting.stored.draft is not None


class _Meanwhile:
    """A site where something happens while its steps are asked for, once."""

    def __init__(self, site, happens):
        self._site, self._happens = site, happens

    def steps(self, answers):
        happens, self._happens = self._happens, lambda: None
        happens()
        return self._site.steps(answers)


def test_another_change_is_held_until_the_later_steps_are_answered(setting):
    """What was in effect stays, a person sees the draft, and the last answer puts all of it into effect."""
    flow = setting.flow
    assert "Kind, Extra, Status" in flow.before_change("helpdesk", flow.steps("helpdesk")[0])

    flow.answer("helpdesk", {"desk": "3"})

    assert setting.stored.answers == BEFORE
    assert flow.answered("helpdesk").answers["desk"] == "3"
    assert [step.key for step in flow.missing("helpdesk")] == ["kind"]
    assert "Kind" in flow.held("helpdesk")
    flow.answer("helpdesk", {"kind": "c"})
    assert [step.key for step in flow.missing("helpdesk")] == ["status"]
    assert setting.stored.answers == BEFORE

    flow.answer("helpdesk", {"status": "b"})

    assert setting.stored.answers == {"desk": "3", "kind": "c", "status": "b"}
    assert (setting.stored.draft, setting.stored.state) == (None, IntegrationState.ACTIVE)


def test_a_change_that_asks_for_another_row_is_held_until_the_row_has_an_answer(setting):
    """The step is optional, and its rows are not: without one, every ticket would be refused."""
    setting.site = Site(SITE.kinds, SITE.statuses, required={"b"})
    flow = setting.flow
    flow.answer("helpdesk", {"note": "Nothing that the row hangs on changed."})
    assert (setting.stored.answers["note"], setting.stored.draft) == ("Nothing that the row hangs on changed.", None)

    flow.answer("helpdesk", {"kind": "b", "status": "b"})

    assert setting.stored.answers["kind"] == "a"
    assert flow.missing("helpdesk") == []
    assert flow.held("helpdesk").endswith("until these steps are answered: Extra.")

    flow.answer("helpdesk", {"colours.b": "red"})

    assert (setting.stored.answers["kind"], setting.stored.answers["colours"]) == ("b", {"b": "red"})
    assert setting.stored.draft is None


def test_a_draft_can_be_discarded(setting):
    """Then the settings in effect are what is shown again."""
    setting.flow.answer("helpdesk", {"desk": "3"})

    setting.flow.discard_draft("helpdesk")

    assert setting.flow.answered("helpdesk").answers == BEFORE
    assert setting.flow.held("helpdesk") == ""


def test_the_checkup_tells_of_a_draft_and_finds_no_problem_in_what_is_in_effect(setting):
    """A held change is a warning, not a missing answer."""
    setting.flow.answer("helpdesk", {"desk": "3"})

    codes = {finding.code for finding in setting.flow.check("helpdesk")}

    assert "change_held" in codes
    assert not [code for code in codes if code.endswith("_unanswered")]


def test_an_integration_that_is_not_active_holds_nothing(setting):
    """Its answers are those that were given; it is activated once they are whole."""
    setting.flow.disable("helpdesk")

    setting.flow.answer("helpdesk", {"desk": "3"})

    assert setting.stored.draft is None
    assert setting.stored.answers["desk"] == "3"
    assert [step.key for step in setting.flow.missing("helpdesk")] == ["kind"]


def test_rules_are_in_effect_at_once_although_a_change_is_held(setting):
    """What is no answer to a step does not wait for one, and the draft stays."""
    setting.flow.answer("helpdesk", {"desk": "3"})
    draft = setting.stored.draft

    set_synced(setting.flow, "helpdesk", {FieldName.TITLE: FieldRule(direction=Direction.OFF)})

    assert setting.stored.rules[FieldName.TITLE].direction is Direction.OFF
    assert setting.stored.draft == draft


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=up_to(60))
@given(site=sites(), given_answers=st.lists(st.tuples(st.sampled_from(("desk", "kind", "status")), st.integers(0, 2))))
def test_what_is_in_effect_is_whole_at_every_moment(setting, site, given_answers):
    """Whatever is answered in whatever order, an active integration never lacks an answer, nor has one of no list."""
    kind = min(site.kinds["1"])
    setting.site = site
    setting.start(desk="1", kind=kind, status=min(site.statuses["1", kind]))
    flow = setting.flow

    for key, number in given_answers:
        step = next(step for step in flow.steps("helpdesk") if step.key == key)
        if step.needs - flow.answered("helpdesk").answers.keys():
            continue
        (asked,) = step.fields
        offered = fetch_choices(asked)
        flow.answer("helpdesk", {key: offered[number % len(offered)].value})

        now = setting.stored
        assert unanswered_steps(site.steps(now.answers), now) == []
        assert now.answers["status"] in site.statuses[now.answers["desk"], now.answers["kind"]]
        assert (now.draft is None) == (flow.missing("helpdesk") == [])


def test_what_was_blocked_for_a_missing_answer_goes_on_once_it_is_given(setting, monkeypatch):
    """An earlier version took answers away; the last one that is given wakes what waited."""
    setting.start(desk="1")
    woken = []

    def wake_all(_lanes, integration_id, _at):
        woken.append(integration_id)
        return 0

    monkeypatch.setattr(type(setting.app.store.lanes), "wake_all", wake_all)
    setting.flow.answer("helpdesk", {"kind": "a"})
    assert woken == []

    setting.flow.answer("helpdesk", {"status": "a"})

    assert woken == ["helpdesk"]
    assert setting.stored.answers == BEFORE
