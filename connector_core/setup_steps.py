"""The vocabulary of set-up: what a plugin asks a person, free of any user interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connector_core.models import Severity


@dataclass(frozen=True)
class Choice:
    """One entry of a list: the stored value, what a person reads, and what they should know before choosing it."""

    value: str
    label: str
    note: str = ""
    warning: str = ""


class FieldKind(StrEnum):
    """How a field is asked for."""

    CHOICE = "choice"
    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True)
class SetupField:
    """One question.

    `load` fetches the choices of a `CHOICE` field afresh on every call, so a reload is one more call. It may raise any
    error of the connector's tree.
    """

    key: str
    label: str
    help: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    load: Callable[[], Sequence[Choice]] | None = None


@dataclass(frozen=True)
class Remark:
    """One sentence about what the answers given so far lead to; without a severity it is neither good nor bad."""

    text: str
    severity: Severity | None = None


@dataclass(frozen=True)
class CopyValue:
    """A value that a person carries over to the other side, under the name that it has there."""

    label: str
    value: str


@dataclass(frozen=True)
class SetupStep:
    """One page of the wizard.

    `needs` names the answers that must exist before the step makes sense. `text` is shown as it is, in paragraphs,
    those that begin with a number as a list. `values` are offered for copying. `preview` looks at the other side for
    what the saved answers lead to; it is asked for afresh on every call and may raise any error of the connector's
    tree.
    """

    key: str
    title: str
    help: str
    fields: tuple[SetupField, ...]
    needs: frozenset[str] = frozenset()
    optional: bool = False
    text: str = ""
    values: tuple[CopyValue, ...] = ()
    preview: Callable[[], Sequence[Remark]] | None = None


Answers = Mapping[str, object]
