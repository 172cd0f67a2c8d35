"""The questions of one step as a page shows them: lists fetched afresh, what is chosen now, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector_core.errors import ConnectorError
from connector_core.setup_flow import WEBHOOK_SECRET, SetupFlow
from connector_core.setup_steps import Choice, FieldKind, Remark, SetupField, SetupStep
from connector_core.store import IntegrationRecord
from connector_core.web.console.words import Trouble, trouble

FILTER_FROM = 8  # a shorter list is seen at a glance


@dataclass(frozen=True)
class Question:
    """One field with what is known of it; `trouble` is why its list could not be fetched."""

    key: str
    label: str
    help: str
    kind: FieldKind
    is_required: bool
    present: str
    present_label: str
    selected: str
    is_set: bool
    choices: Sequence[Choice] = ()
    trouble: Trouble | None = None

    @property
    def has_vanished(self) -> bool:
        """Tell whether the present choice is no longer in the list."""
        is_list = self.kind is FieldKind.CHOICE and self.trouble is None
        return is_list and bool(self.present) and self.present not in {choice.value for choice in self.choices}

    @property
    def is_long(self) -> bool:
        """Tell whether the list is worth filtering."""
        return len(self.choices) >= FILTER_FROM


def questions(
    flow: SetupFlow, record: IntegrationRecord, step: SetupStep, given: Mapping[str, str], *, fetch: bool
) -> list[Question]:
    """Return the questions of a step; `given` are answers that are not saved yet."""
    labels = flow.store.labels(record.id)
    return [_question(flow, record, asked, labels, given.get(asked.key), fetch=fetch) for asked in step.fields]


def _question(  # noqa: PLR0913 - one question needs all of it
    flow: SetupFlow,
    record: IntegrationRecord,
    asked: SetupField,
    labels: Mapping[tuple[str, str], str],
    given: str | None,
    *,
    fetch: bool,
) -> Question:
    present = str(record.answers.get(asked.key, ""))
    choices: Sequence[Choice] = ()
    problem = None
    if fetch and asked.kind is FieldKind.CHOICE:
        try:
            choices = flow.choices(asked)
        except ConnectorError as exc:
            problem = trouble(exc)
    known = labels.get((asked.key, present))
    label = next((choice.label for choice in choices if choice.value == present), known)
    if label is not None and label != known:
        flow.store.remember_label(record.id, asked.key, present, label)
    return Question(
        key=asked.key,
        label=asked.label,
        help=asked.help,
        kind=asked.kind,
        is_required=asked.required,
        present=present,
        present_label=label or present,
        selected=present if given is None else given,
        is_set=bool(record.webhook_secrets) if asked.key == WEBHOOK_SECRET else asked.key in record.secret_answers,
        choices=choices,
        trouble=problem,
    )


@dataclass(frozen=True)
class Preview:
    """What the saved answers lead to, or why that could not be found out."""

    remarks: Sequence[Remark] = ()
    trouble: Trouble | None = None


def preview(step: SetupStep) -> Preview | None:
    """Ask the plugin for the preview of a step, if it has one."""
    if step.preview is None:
        return None
    try:
        return Preview(step.preview())
    except ConnectorError as exc:
        return Preview(trouble=trouble(exc))


def changed_answers(step: SetupStep, record: IntegrationRecord, form: Mapping[str, str]) -> dict[str, str]:
    """Return what a form says that is not saved already; an empty secret leaves the present one."""
    changed = {}
    for asked in step.fields:
        value = form.get(asked.key, "").strip()
        if asked.kind is FieldKind.SECRET:
            if value:
                changed[asked.key] = value
        elif asked.key in form and value != str(record.answers.get(asked.key, "")):
            changed[asked.key] = value
    return changed


def unanswered(step: SetupStep, record: IntegrationRecord, form: Mapping[str, str]) -> list[str]:
    """Return the labels of required questions that neither the form nor an earlier answer settles."""
    return [
        asked.label
        for asked in step.fields
        if asked.required
        and not form.get(asked.key, "").strip()
        and asked.key not in record.answers
        and asked.key not in record.secret_answers
    ]
