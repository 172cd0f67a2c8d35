"""The steps of set-up that most ticketing systems have: a choice from a list, priorities, the close status, a webhook.

Words are the plugin's; what is asked and how it is checked is here. Nothing is fetched before somebody looks at a step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Required, TypedDict, Unpack

from pydantic import SecretStr, ValidationError

from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Priority, Severity
from connector_core.contract.plugin_info import Settings
from connector_core.contract.secret_lists import make_secret
from connector_core.contract.setup_steps import (
    WEBHOOK_SECRET,
    Choice,
    CopyValue,
    FieldKind,
    Remark,
    SetupField,
    SetupStep,
)
from connector_core.kit.grants import one_setting
from connector_core.kit.priorities import Level, NumberPriorities, Priorities, both_ways

TO_TICKET = "priority_to_ticket"  #: the answer that says what ours are written as: an id or name by ours
TO_INCIDENT = "priority_to_incident"  #: the answer that says what theirs are read as: ours, or `NO_PARTNER`, by id
NUMBERS = "priority_numbers"  #: the answer that says which number ours are written as
NO_PARTNER: Final = "none"  #: the answer that a priority is not carried back

Load = Callable[[], Sequence[Choice]]


class StepWords(TypedDict, total=False):
    """What a plugin says about a step, and when it is asked; each as in `SetupStep`."""

    title: str
    help: str
    text: str
    needs: frozenset[str]
    optional: bool
    values: tuple[CopyValue, ...]
    test_event: str
    preview: Callable[[], Sequence[Remark]] | None


class AccountWords(TypedDict, total=False):
    """What a plugin says about the first step, and when it is asked; each as in `SetupStep`."""

    title: Required[str]
    help: Required[str]
    text: str
    before_authorization: bool


def rows_so_far(integration: AnyIntegration, name: str) -> dict[str, str]:
    """Return the answers of a group by row: those that are active, else those given so far.

    >>> rows_so_far(integration, "request_fields")
    {'room': '{{ incident.location.name }}'}
    """
    given = getattr(integration.settings, name, None)
    if given is None:
        given = integration.answers.get(name)
    return {str(key): str(text) for key, text in given.items()} if isinstance(given, Mapping) else {}


class QuestionWords(TypedDict, total=False):
    """What else is said of a question; each as in `SetupField`."""

    kind: FieldKind
    required: bool
    load: Load | None
    may_be_typed: bool
    is_fixed: bool
    check: Callable[[str], str] | None
    needs_again: frozenset[str]
    find: Callable[[str], Sequence[Choice]] | None


def ask(
    settings: type[Settings], key: str, label: str = "", hint: str = "", **words: Unpack[QuestionWords]
) -> SetupField:
    """Ask for one setting as its model declares it: whether it is required, a secret, and what is wrong with an answer.

    `label` and `hint` are what the question is called and what stands beside it; without them, the title and the
    description of the setting do. A `FieldKind` in the annotation of a setting is how it is asked for.

    >>> ask(DeskSettings, "token").label
    'Token'
    """
    declared = settings.model_fields[key]
    is_secret = declared.annotation in {SecretStr, SecretStr | None}
    kinds = (one for one in declared.metadata if isinstance(one, FieldKind))
    usual: QuestionWords = {
        "kind": FieldKind.SECRET if is_secret else next(kinds, FieldKind.TEXT),
        "required": declared.is_required(),
        **words,
    }
    if "check" not in usual and usual["kind"] in {FieldKind.TEXT, FieldKind.LONG_TEXT}:
        usual["check"] = wrong_by(one_setting(settings, key).validate_python)
    name = label or declared.title or key.replace("_", " ").capitalize()
    return SetupField(key, name, hint or declared.description or "", **usual)


def account_step(
    settings: type[Settings], where: str, *keys: str, more: Sequence[SetupField] = (), **words: Unpack[AccountWords]
) -> SetupStep:
    """Ask where the system is and who we are there: the first step, with the key `account`.

    `where` is the setting of the address, `keys` are the others; what is secret among them is asked for again when the
    address changes, so that nobody is sent what was meant for another one. `more` stands between both.

    >>> account_step(DeskSettings, "address", "token", title="Your Desk", help="Where it is.").key
    'account'
    """
    asked = [ask(settings, key) for key in keys]
    secrets = frozenset(one.key for one in asked if one.kind is FieldKind.SECRET)
    address = ask(settings, where, needs_again=secrets)
    return SetupStep("account", fields=(address, *more, *asked), **words)


def wrong_by(read: Callable[[str], object]) -> Callable[[str], str]:
    """Return a check of answers: what `read` says of one that it does not take, as a sentence; nothing of a good one.

    >>> wrong_by(int)("many")
    "Invalid literal for int() with base 10: 'many'."
    """

    def check(text: str) -> str:
        try:
            read(text)
        except ValidationError as exc:
            said = exc.errors()[0]["msg"].removeprefix("Value error, ")
        except ValueError as exc:
            said = str(exc)
        else:
            return ""
        return f"{said[:1].upper()}{said[1:].removesuffix('.')}."

    return check


def choices_of(listed: Mapping[str, str]) -> list[Choice]:
    """Return the entries of a list, which are names by value, as choices.

    >>> choices_of({"3": "AV Support"})[0].label
    'AV Support'
    """
    return [Choice(value, name) for value, name in listed.items()]


def choice_step(
    key: str, load: Load, *, label: str = "", hint: str = "", when_empty: str = "", **words: Unpack[StepWords]
) -> SetupStep:
    """Ask for one entry of a list, such as a queue; `key` is the setting, `hint` stands beside the question.

    Without a `label` the question is called as the setting is, without a `title` the step too.

    `when_empty` says in place of an empty list why it may be that.

    >>> choice_step("queue", lambda: [Choice("3", "AV Support")], title="Select Queue").fields[0].label
    'Queue'
    """
    name = label or key.replace("_", " ").capitalize()
    return _step(key, (SetupField(key, name, hint, FieldKind.CHOICE, load=load, when_empty=when_empty),), words)


def close_step(
    load: Load,
    *,
    hint: str = "",
    keep_open: Choice | None = None,
    may_be_typed: bool = False,
    more: Sequence[SetupField] = (),
    **words: Unpack[StepWords],
) -> SetupStep:
    """Ask for the status that a ticket gets when its incident is resolved, as the setting `close_status`.

    `load` lists the statuses; where it cannot list all of them, any other `may_be_typed`. `keep_open` comes last, for
    those who close tickets by hand. `more` are questions about what closing needs, such as a close code; those that
    are not required are folded away.

    >>> close_step(statuses, keep_open=Choice("none", "Do not close"), title="Close Status").key
    'close_status'
    """

    def choices() -> list[Choice]:
        return [*load(), *([keep_open] if keep_open is not None else [])]

    asked = SetupField("close_status", "Close status", hint, FieldKind.CHOICE, load=choices, may_be_typed=may_be_typed)
    return _step("close_status", (asked, *(replace(one, is_advanced=not one.required) for one in more)), words)


def webhook_step(
    *,
    hint: str,
    vendor_makes_secret: bool = False,
    more: Sequence[SetupField] = (),
    **words: Unpack[StepWords],
) -> SetupStep:
    """Ask for the secret that deliveries are signed with; `text` and `values` tell what to do on the other side.

    Where the vendor makes the secret it can only be pasted; else a new one is offered too. It is optional by default:
    without webhooks, changes are seen when tickets are read again. The address is `integration.webhook_url`.

    >>> webhook_step(hint="From the page Webhooks.", title="Webhook", vendor_makes_secret=True).fields[0].generate
    """
    secret = SetupField(
        WEBHOOK_SECRET,
        "Webhook Secret",
        hint,
        FieldKind.SECRET,
        required=False,
        generate=None if vendor_makes_secret else make_secret,
    )
    return _step("webhook", (secret, *more), {"optional": True, **words})


def priorities_step(
    integration: AnyIntegration,
    load: Callable[[], Sequence[Level]],
    *,
    names: Mapping[Priority, str] | None = None,
    hint: str = "",
    none_offered: str = "The ticketing system offers no priorities.",
    **words: Unpack[StepWords],
) -> SetupStep:
    """Ask which priorities are partners, each way, as the settings `TO_TICKET` and `TO_INCIDENT`, both groups.

    `load` fetches the priorities that are offered, most urgent first; `names` are those with fixed partners, as in
    `Priorities`. What is left open goes by name, else by order; the preview shows what comes of it.

    >>> priorities_step(integration, lambda: [Level("1", "Urgent")], title="Priorities").fields[0].key
    'priority_to_ticket'
    """

    def group(key: str, label: str, rows: Callable[..., list[SetupField]]) -> SetupField:
        def fetch() -> list[SetupField]:
            its = load()
            return rows(its, lambda row: priorities_so_far(integration, its, names, but=(key, row)))

        return SetupField(key, label, hint, FieldKind.GROUP, required=False, rows=fetch)

    fields = (
        group(TO_TICKET, "From the incident to the ticket", _to_ticket_rows),
        group(TO_INCIDENT, "From the ticket to the incident", _to_incident_rows),
    )

    def preview() -> list[Remark]:
        return _partners(priorities_so_far(integration, load(), names), none_offered)

    return _step("priorities", fields, {"optional": True, "preview": preview, **words})


def priorities_so_far(
    integration: AnyIntegration,
    offered: Sequence[Level],
    names: Mapping[Priority, str] | None = None,
    *,
    but: tuple[str, str] = ("", ""),
) -> Priorities:
    """Pair priorities as the answers so far say, but that of one group and row; what is none of ours is left out.

    >>> priorities_so_far(integration, [Level("1", "Urgent")]).theirs(Priority.HIGH).name
    'Urgent'
    """

    def given(group: str) -> dict[str, str]:
        return {row: its for row, its in rows_so_far(integration, group).items() if (group, row) != but}

    known = {ours.value: ours for ours in Priority}
    to_ticket = {known[ours]: its for ours, its in given(TO_TICKET).items() if ours in known}
    to_incident = {
        its: known.get(ours) for its, ours in given(TO_INCIDENT).items() if ours in known or ours == NO_PARTNER
    }
    return Priorities.spread(offered, names, to_ticket, to_incident)


def priority_numbers_step(
    default: NumberPriorities, least: int, most: int, *, hint: str = "", **words: Unpack[StepWords]
) -> SetupStep:
    """Ask which number each of ours is written as, from `least` to `most`, as the setting `NUMBERS`, a group.

    What is left open is as in `default`: settings take the answers over it.

    >>> priority_numbers_step(NumberPriorities.between(0, 100), 0, 100, title="Priorities").fields[0].key
    'priority_numbers'
    """

    def wrong(text: str) -> str:
        number = int(text) if re.fullmatch(r"-?\d{1,9}", text.strip()) else None
        is_in = number is not None and least <= number <= most
        return "" if is_in else f"Give a whole number from {least} to {most}, not {text[:40]!r}."

    usual = {ours: str(number) for ours, number in default.numbers.items()}
    return priority_values_step(NUMBERS, usual, label="Number of each priority", check=wrong, hint=hint, **words)


def priority_values_step(
    key: str,
    default: Mapping[Priority, str],
    *,
    label: str,
    check: Callable[[str], str],
    hint: str = "",
    **words: Unpack[StepWords],
) -> SetupStep:
    """Ask what each of ours is written as, as a text of one form, as the setting `key`, a group.

    `check` says what is wrong with such a text. What is left open is as in `default`: settings take answers over it.

    >>> priority_values_step("pairs", {Priority.HIGH: "1/2"}, label="Pairs", check=lambda _: "", title="Priorities").key
    'priorities'
    """

    def rows() -> list[SetupField]:
        return [
            SetupField(
                ours.value,
                ours.value.capitalize(),
                f"Left open: {default[ours]}." if ours in default else "",
                required=False,
                check=check,
            )
            for ours in Priority
        ]

    asked = SetupField(key, label, hint, FieldKind.GROUP, required=False, rows=rows)
    return _step("priorities", (asked,), {"optional": True, **words})


def _step(key: str, fields: tuple[SetupField, ...], words: StepWords) -> SetupStep:
    named: StepWords = {"title": key.replace("_", " ").title(), "help": "", **words}
    return SetupStep(key=key, fields=fields, **named)


def _to_ticket_rows(offered: Sequence[Level], without: Callable[[str], Priorities]) -> list[SetupField]:
    listed = [Choice(one.id, one.name) for one in offered]
    found = {ours: without(ours.value).theirs(ours) for ours in Priority if listed}
    return [_row(ours.value, ours.value.capitalize(), listed, its.name if its else "") for ours, its in found.items()]


def _to_incident_rows(offered: Sequence[Level], without: Callable[[str], Priorities]) -> list[SetupField]:
    listed = [
        *(Choice(ours.value, ours.value.capitalize()) for ours in Priority),
        Choice(NO_PARTNER, "Not synced back"),
    ]
    found = ((one, without(one.id).ours(one.id, one.name)) for one in offered)
    return [_row(one.id, one.name, listed, ours.value.capitalize() if ours else "") for one, ours in found]


def _row(key: str, label: str, listed: Sequence[Choice], automatic: str) -> SetupField:
    unanswered = f"Automatic ({automatic or 'not synced'})"
    return SetupField(key, label, "", FieldKind.CHOICE, required=False, load=lambda: listed, unanswered=unanswered)


def _partners(paired: Priorities, none_offered: str) -> list[Remark]:
    if not paired.levels:
        return [Remark(none_offered, Severity.WARNING)]
    pairs = [Remark(text, label=ours.value) for ours, text in both_ways(paired).items()]
    lonely = [one.name for one in paired.levels if paired.ours(one.id, one.name) is None]
    return [*pairs, Remark(f"Not synced back: {', '.join(lonely)}.", Severity.WARNING)] if lonely else pairs
