"""Checks of set-up: what is asked can be answered, what is wrong is found, and looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connector_core.contract.errors import ConnectorError
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Finding, Severity
from connector_core.contract.setup_steps import (
    ROW,
    WEBHOOK_SECRET,
    Choice,
    FieldKind,
    SetupField,
    SetupStep,
    answer_to,
    fetch_choices,
    fetch_rows,
    with_answer,
)
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.faults import OF_A_READ, Fault, Rule
from connector_core.testing.conformance.ground import Ground

DEAD_ID = "987654321"


class SettingUp(Checks):
    """The integration is set up and checked."""

    @needs("steps")
    def test_each_question_is_a_setting(self) -> None:
        """What is asked for is known to the settings, and asked for once."""
        known = {*self.ground.plugin.info.settings.model_fields, WEBHOOK_SECRET}

        asked = [field.key for step in self._steps() for field in step.fields]

        assert set(asked) <= known
        assert len(asked) == len(set(asked)), "a question is asked twice"

    @needs("steps")
    def test_steps_tell_what_they_are(self) -> None:
        """Each has a key of its own, a title, and help with each question."""
        steps = self._steps()

        assert steps
        assert len({step.key for step in steps}) == len(steps)
        bare = [f"the step {step.key}" for step in steps if not (step.title and step.help)]
        bare += [f"{field.key}, asked in {step.key}" for step in steps for field in step.fields if not field.label]
        bare += [f"{field.key}, asked in {step.key}" for step in steps for field in step.fields if not field.help]
        assert not bare, f"these have no title (or label) or no help (or hint): {', '.join(bare)}"

    @needs("steps")
    def test_lists_load_and_have_what_is_in_use(self) -> None:
        """Every list has choices, and the answer of a working integration is among them."""
        for field, choices in self._lists():
            assert choices or not field.required, f"nothing to choose from for {field.key}"
            assert all(choice.value and choice.label for choice in choices)
            given = answer_to(self.ground.handle.answers, field.key)
            listed = {choice.value for choice in choices}
            assert not given or field.may_be_typed or given in listed, f"{field.key}: {given!r} is not listed"

    @needs("steps")
    def test_first_choices_are_settings(self) -> None:
        """Whoever takes the first of every list has settings that are valid."""
        answers = dict(self.ground.handle.answers)
        for field, choices in self._lists():
            if choices and (field.required or ROW in field.key):
                answers = with_answer(answers, field.key, choices[0].value)

        assert self.ground.plugin.info.settings.model_validate(answers)

    @needs("steps")
    def test_set_up_begins_with_nothing(self) -> None:
        """The steps can be listed before anything is answered, also where the vendor cannot be reached."""
        unfinished: AnyIntegration = self.ground.handle
        nothing = replace(unfinished, settings=None, answers={}, webhook_secrets=())

        assert self.ground.call("configure_steps", handle=nothing)

    @needs("steps")
    @pytest.mark.parametrize("fault", OF_A_READ, ids=lambda fault: fault.name)
    def test_a_list_that_fails_says_so_in_our_words(self, fault: Fault) -> None:
        """A list that cannot be fetched raises an error of ours or is empty; a half one is not called whole."""
        whole = {field.key: [choice.value for choice in choices] for field, choices in self._lists()}
        ground = self.ground.renewed()
        ground.session.strike(fault, Rule.reads(times=None))
        for field in list(_fields(_steps_of(ground))):
            try:
                values = [choice.value for choice in fetch_choices(field)]
            except ConnectorError:
                continue
            assert not values or field.is_fixed or values == whole.get(field.key, values), f"half a list of {field.key}"

    @needs("checks")
    def test_a_working_integration_has_no_problem(self) -> None:
        """And the checks say something."""
        findings = self._check()

        assert findings
        assert all(finding.title for finding in findings)
        assert not [finding for finding in findings if finding.severity is Severity.PROBLEM]

    @needs("checks")
    def test_checks_write_nothing(self) -> None:
        """Not one call of theirs changes anything."""
        before = len(self.ground.desk.tickets())
        self.ground.counted("check", self._check)

        assert [call.line for call in self.ground.session.written] == []
        assert len(self.ground.desk.tickets()) == before

    @needs("checks", "steps")
    def test_an_id_that_is_gone_is_a_problem(self) -> None:
        """A choice that is not there any more is found, whichever it is."""
        tried = 0
        for field, choices in self._lists():
            given = answer_to(self.ground.handle.answers, field.key)
            if not given or field.may_be_typed or field.is_fixed or not choices or ROW in field.key:
                continue
            tried += 1
            dead = self._with(field.key, DEAD_ID)
            try:
                findings = dead.call("check_integration")
            except ConnectorError:
                continue
            assert [one for one in findings if one.severity is Severity.PROBLEM], f"nobody notices a dead {field.key}"
        if not tried:
            pytest.skip("cannot dead_id: no answer of a working integration is from a list")

    @needs("checks")
    @pytest.mark.parametrize("fault", OF_A_READ, ids=lambda fault: fault.name)
    def test_checks_tell_what_they_could_not_ask(self, fault: Fault) -> None:
        """Where nothing can be read, not all is well: a finding says so, or an error of ours."""
        self.ground.session.strike(fault, Rule.reads(times=None))

        try:
            findings = self._check()
        except ConnectorError:
            return
        assert any(finding.severity is not Severity.OK for finding in findings), "all is well, though nobody was asked"

    def _steps(self) -> Sequence[SetupStep]:
        return _steps_of(self.ground)

    def _lists(self) -> list[tuple[SetupField, Sequence[Choice]]]:
        fields = [field for field in _fields(self._steps()) if field.kind is FieldKind.CHOICE]
        return [(field, fetch_choices(field)) for field in fields]

    def _check(self) -> Sequence[Finding]:
        findings: Sequence[Finding] = self.ground.call("check_integration")
        return findings

    def _with(self, key: str, value: str) -> Ground:
        """Return the ground with another answer."""
        answers: dict[str, Any] = with_answer(self.ground.handle.answers, key, value)
        settings = self.ground.plugin.info.settings.model_validate(answers)
        handle = replace(self.ground.handle, settings=settings, answers=answers, cache={})
        return replace(self.ground, handle=handle)


def _steps_of(ground: Ground) -> Sequence[SetupStep]:
    steps: Sequence[SetupStep] = ground.call("configure_steps")
    return steps


def _fields(steps: Sequence[SetupStep]) -> Iterator[SetupField]:
    """Return all questions, those of groups as rows."""
    for step in steps:
        for field in step.fields:
            if field.kind is FieldKind.GROUP:
                try:
                    yield from fetch_rows(field)
                except ConnectorError:
                    continue
            else:
                yield field
