"""The questions of one step as a page shows them: lists fetched afresh, what is chosen now, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Incident
from connector_core.contract.setup_steps import (
    ROW,
    WEBHOOK_SECRET,
    Answered,
    Choice,
    FieldKind,
    Remark,
    SetupField,
    SetupStep,
    StepFlow,
    answer_to,
    fetch_choices,
    fetch_rows,
    in_words,
)
from connector_core.web.console.words import Problem, problem_of

T = TypeVar("T")

TYPED = ".typed"  # ends the name of the input beside a list
TICK = "tick."  # begins the name of a check box; its number and the question follow
DEEPEST = 8  # a tree is indented no further
FILTER_FROM = 8  # a shorter list is seen at a glance


@dataclass(frozen=True)
class Question:
    """One field with what is known of it; `problem` is why its list could not be fetched."""

    key: str
    label: str
    help: str
    kind: FieldKind
    is_required: bool
    present: str = ""
    present_label: str = ""
    selected: str = ""
    is_set: bool = False
    choices: Sequence[Choice] = ()
    problem: Problem | None = None
    rows: Sequence[Question] = ()
    may_be_typed: bool = False
    is_fixed: bool = False
    when_empty: str = ""
    unanswered: str = ""
    is_advanced: bool = False
    is_many: bool = False
    level: int = 0
    short_label: str = ""

    @property
    def needs_a_look(self) -> bool:
        """Return whether there is something to see of it at once: an answer, or what went wrong."""
        return bool(self.present or self.selected or self.problem or any(row.present for row in self.rows))

    @property
    def words(self) -> str:
        """The present answer as it is summed up: its name with its id."""
        return self.present_label if self.kind is FieldKind.GROUP else in_words(self.present, self.present_label)

    @property
    def has_name(self) -> bool:
        """Return whether the present answer, a text, is known by a name that was looked up."""
        is_looked_up = self.kind is FieldKind.TEXT and not self.is_many
        return is_looked_up and bool(self.present) and self.present_label != self.present

    @property
    def ticked(self) -> frozenset[str]:
        """Return the entries that are chosen, where several may be; an answer may name them by their labels too."""
        parts = {self.selected.strip(), *(part.strip() for part in self.selected.split(","))} - {""}
        return frozenset(one.value for one in self.choices if parts & {one.value, one.label.strip()})

    @property
    def is_typed(self) -> bool:
        """Return whether the present answer is a text beside the list."""
        if self.is_many:
            return bool(self.selected) and not self.ticked
        return self.may_be_typed and bool(self.selected) and self.selected not in {c.value for c in self.choices}

    @property
    def has_vanished(self) -> bool:
        """Return whether the present choice is no longer in the list."""
        is_list = self.kind is FieldKind.CHOICE and self.problem is None and not self.may_be_typed
        return is_list and bool(self.present) and self.present not in {choice.value for choice in self.choices}

    @property
    def is_long(self) -> bool:
        """Return whether the list is worth filtering."""
        return len(self.choices) >= FILTER_FROM


def questions(
    flow: StepFlow, record: Answered, step: SetupStep, given: Mapping[str, str], *, fetch: bool
) -> list[Question]:
    """Return the questions of a step; `given` are answers that are not saved yet."""
    asking = _Asking(record, flow.labels(record.id), given, fetch)
    return [asking.question(asked) for asked in step.fields]


def remember_labels(flow: StepFlow, record: Answered, asked: Sequence[Question]) -> None:
    """Keep what people read for questions that were fetched and their answers, for pages that fetch nothing."""
    labels = flow.labels(record.id)
    for one in asked:
        for row in one.rows:
            if labels.get((row.key, "")) != row.label:
                flow.remember_label(record.id, row.key, "", row.label)
        for each in (one, *one.rows):
            is_named = each.kind is not FieldKind.GROUP and each.present and each.present_label != each.present
            if is_named and labels.get((each.key, each.present)) != each.present_label:
                flow.remember_label(record.id, each.key, each.present, each.present_label)


def _as_asked(asked: SetupField) -> Question:
    """Return what the plugin says of a field; nothing is known of its answer yet."""
    return Question(
        key=asked.key,
        label=asked.label,
        help=asked.help,
        kind=asked.kind,
        is_required=asked.required,
        may_be_typed=asked.may_be_typed,
        is_fixed=asked.is_fixed,
        when_empty=asked.when_empty,
        unanswered=asked.unanswered,
        is_advanced=asked.is_advanced,
        is_many=asked.is_many,
        level=min(asked.level, DEEPEST),
        short_label=asked.short_label,
    )


def _fetched(load: Callable[[], Sequence[T]]) -> tuple[Sequence[T], Problem | None]:
    try:
        return load(), None
    except ConnectorError as exc:
        return (), problem_of(exc)


@dataclass(frozen=True)
class _Asking:
    """What all questions of a step are put together from."""

    record: Answered
    labels: Mapping[tuple[str, str], str]
    given: Mapping[str, str]
    fetch: bool

    def question(self, asked: SetupField) -> Question:
        """Return one question, with its list if that is to be fetched."""
        if asked.kind is FieldKind.GROUP:
            return self._group(asked)
        present = answer_to(self.record.answers, asked.key)
        is_list = self.fetch and (asked.kind is FieldKind.CHOICE or asked.is_many)
        choices, problem = _fetched(lambda: fetch_choices(asked)) if is_list else ((), None)
        chosen = [choice.label for choice in choices if choice.value == present]
        if asked.is_many:
            parts = {part.strip() for part in present.split(",")}
            chosen = [", ".join(choice.label for choice in choices if choice.value in parts)]
        label = next(filter(None, chosen), self.labels.get((asked.key, present)))
        return replace(
            _as_asked(asked),
            present=present,
            present_label=label or present,
            selected=_typed_or_chosen(self.given, asked.key, present),
            is_set=self._is_set(asked),
            choices=choices,
            problem=problem,
        )

    def _is_set(self, asked: SetupField) -> bool:
        if asked.key == WEBHOOK_SECRET:
            return bool(self.record.webhook_secrets)
        return asked.key in self.record.secret_answers

    def _vanished(self, key: str) -> SetupField:
        return SetupField(key, self.labels.get((key, ""), key), "", required=False)

    def _group(self, asked: SetupField) -> Question:
        """Return a group with its rows; those that were answered and are no longer there stay to be taken away."""
        rows, problem = _fetched(lambda: fetch_rows(asked)) if self.fetch else ((), None)
        listed = {row.key for row in rows}
        kept = self.record.answers.get(asked.key)
        left = [f"{asked.key}{ROW}{name}" for name in (kept if isinstance(kept, Mapping) else ())]
        shown = [
            *rows,
            *(self._vanished(key) for key in left if key not in listed),
        ]
        made = [self.question(row) for row in shown]
        texts = "; ".join(f"{row.label}: {row.words}" for row in made if row.present)
        return replace(
            _as_asked(asked),
            present=texts,
            present_label=texts,
            selected=texts,
            is_set=bool(texts),
            problem=problem,
            rows=made,
        )


@dataclass(frozen=True)
class Preview:
    """What the saved answers lead to, or why that could not be found out."""

    remarks: Sequence[Remark] = ()
    problem: Problem | None = None


def preview(step: SetupStep, incident: Incident | None = None) -> Preview | None:
    """Ask the plugin for the preview of a step, if it has one, and for that of an incident, if it can show it."""
    if step.preview is None:
        return None
    try:
        if incident is not None and step.preview_of is not None:
            return Preview(step.preview_of(incident))
        return Preview(step.preview())
    except ConnectorError as exc:
        return Preview(problem=problem_of(exc))


def with_ticks(form: Mapping[str, str]) -> Mapping[str, str]:
    """Put what is ticked of each list into one answer, in place of the check boxes' own fields."""
    ticked: dict[str, list[str]] = {}
    for name, value in form.items():
        number, _, key = name.removeprefix(TICK).partition(".")
        if name.startswith(TICK) and number.isdecimal():
            ticked.setdefault(key, []).append(value)
    return {**form, **{key: ", ".join(values) for key, values in ticked.items()}} if ticked else form


def changed_answers(step: SetupStep, record: Answered, form: Mapping[str, str]) -> dict[str, str]:
    """Return what a form says that is not saved already; an empty secret leaves the present one."""
    changed = {}
    for asked in step.fields:
        if asked.kind is FieldKind.SECRET:
            if value := form.get(asked.key, "").strip():
                changed[asked.key] = value
            continue
        for key in form_keys(asked, form):
            present = answer_to(record.answers, key)
            value = _typed_or_chosen(form, key, present).strip()
            if value != present:
                changed[key] = value
    return changed


def form_keys(asked: SetupField, form: Mapping[str, str]) -> list[str]:
    """Return the keys of a form that belong to a question; those of a group's rows begin with its own."""
    if asked.kind is not FieldKind.GROUP:
        return [asked.key] if {asked.key, asked.key + TYPED} & form.keys() else []
    names = (key.removesuffix(TYPED) for key in form if key.startswith(asked.key + ROW))
    return list(dict.fromkeys(names))


def _typed_or_chosen(form: Mapping[str, str], key: str, present: str) -> str:
    """Return what was typed beside a list if that is new or nothing was chosen, else what was chosen."""
    chosen, typed = form.get(key), form.get(key + TYPED, "").strip()
    if typed and (not chosen or typed != present):
        return typed
    return present if chosen is None else chosen


def unanswered(step: SetupStep, record: Answered, form: Mapping[str, str]) -> list[str]:
    """Return the labels of required questions that neither the form nor an earlier answer settles."""
    return [
        asked.label
        for asked in step.fields
        if asked.required
        and not _typed_or_chosen(form, asked.key, "").strip()
        and asked.key not in record.answers
        and asked.key not in record.secret_answers
    ]
