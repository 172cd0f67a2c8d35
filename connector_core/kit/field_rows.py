"""Questions of set-up about the fields of a form, each checked on a sample incident, and what comes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connector_core.contract.models import Severity
from connector_core.contract.setup_steps import Choice, FieldKind, Remark, SetupField
from connector_core.contract.templates import mistake_in, render, sample_incident
from connector_core.kit.fields import Filled, Filling, FormField, Kind, Unfit, choices

Find = Callable[[str], Sequence[Choice]]

_LISTS = (Kind.CHOICE, Kind.CASCADE)


@dataclass(frozen=True)
class FieldRows:
    """How fields are asked for: from their list, as a text or template, or looked up by `finders`.

    >>> FieldRows(Filling()).rows([room])[0].check("{{ incident.titel }}") != ""
    True
    """

    filling: Filling  #: how they are filled in
    finders: Mapping[Kind, Find] = field(default_factory=dict)  #: what looks up what was typed, such as people, by kind
    unfillable: str = ""  #: what to do about a field of kind `OTHER`
    has_value: str = "There is a value for it already."  #: what is said of a field that has one on the other side
    people: str = "A name or an ID."  #: how people are named

    def rows(self, form: Iterable[FormField]) -> list[SetupField]:
        """Ask for each field of a form, those that have to be filled in first.

        >>> [row.key for row in FieldRows(Filling()).rows([room])]
        ['room']
        """
        return [self.row(one) for one in sorted(form, key=lambda one: not one.insists)]

    def row(self, asked: FormField) -> SetupField:
        """Ask for the value of one field: from its list, or as a text or template.

        >>> FieldRows(Filling()).row(room).help
        'Kind: text.'
        """
        is_many = asked.kind is Kind.CHOICES and bool(asked.options)
        flat = [(option.id, option.label) for option in asked.options]
        listed = [Choice(value, label) for value, label in (flat if is_many else choices(asked))]
        is_list = asked.kind in _LISTS and bool(listed)
        return SetupField(
            asked.id,
            asked.name,
            self._help(asked),
            FieldKind.CHOICE if is_list else FieldKind.LONG_TEXT if asked.kind is Kind.LONG_TEXT else FieldKind.TEXT,
            required=asked.insists,
            load=(lambda: listed) if is_list or is_many else None,
            may_be_typed=is_list or is_many,
            is_many=is_many,
            check=lambda text: self.wrong_with(asked, text),
            find=self.finders.get(asked.kind),
        )

    def wrong_with(self, asked: FormField, text: str) -> str:
        """Return why a text is no value of a field, tried on a sample incident; nothing when it is one.

        >>> FieldRows(Filling()).wrong_with(FormField("n", "Seats", Kind.NUMBER), "many")
        "Seats needs a number, not 'many'."
        """
        if mistake := mistake_in(text):
            return mistake
        try:
            self.filling.read(asked, render(text, sample_incident()))
        except Unfit as exc:
            return f"{asked.name} {exc}."
        return ""

    def _help(self, asked: FormField) -> str:
        parts = [asked.help, f"Kind: {asked.kind.value}."]
        if asked.kind is Kind.OTHER:
            parts.append(self.unfillable)
        if asked.kind in {Kind.PERSON, Kind.PEOPLE}:
            parts.append(self.people)
        if asked.has_value:
            parts.append(self.has_value)
        return " ".join(part for part in parts if part)


def gap_remarks(filled: Filled) -> list[Remark]:
    """Say which fields got no value: a problem where the other side insists on one.

    >>> gap_remarks(Filling().fill([room], {}, incident))[0].text
    'Room has no value (text).'
    """
    return [Remark(f"{gap}.", Severity.PROBLEM if gap.field.insists else Severity.WARNING) for gap in filled.gaps]


def value_remarks(form: Iterable[FormField], filled: Filled) -> list[Remark]:
    """Say which values fields got, as people read them.

    >>> value_remarks([room], Filling().fill([room], {"room": "12"}, incident))[0].line
    'Room: 12'
    """
    names = {one.id: one.name for one in form}
    return [Remark(words, label=names.get(key, key)) for key, words in (filled.words or {}).items()]
