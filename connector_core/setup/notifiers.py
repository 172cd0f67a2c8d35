"""Set-up of notifiers: add, change, test and remove those that are not written in the configuration file.

Answers are texts by key, as a form or `--set` gives them: `quiet_hours.start`, lists with commas. Free of any user
interface, as the set-up of integrations is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.config.values import ID_PATTERN
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.notify.settings import (
    CHANNELS,
    AnyNotifier,
    EmailNotifier,
    plain_settings,
    read_notifier,
    secret_settings,
)
from connector_core.polling.notifying import Notifying
from connector_core.registry.notifiers import Notifier, Notifiers, NotifierUnknown
from connector_core.store import NotifierRecord, Store
from connector_core.store.notifiers import id_of

MOST_NOTIFIERS = 20
_LISTS = frozenset({"recipients", "conditions"})
_QUIET = "quiet_hours."


@dataclass(frozen=True)
class NotifierSetup:
    """Each step a method; notifiers are named by their organization and a name of their own."""

    store: Store
    notifiers: Notifiers
    notifying: Notifying
    config: Config
    clock: Clock
    log: FilteringBoundLogger

    def add(self, organization: str, name: str, answers: Mapping[str, str]) -> None:
        """Add a notifier.

        Raises:
            AnswerUnfit: an answer is missing or wrong; it names the key.
            ConfigError: no such organization, the name is taken, or there are too many already.
        """
        self._require(organization)
        if not re.fullmatch(ID_PATTERN, name):
            raise AnswerUnfit(
                f"{name!r} cannot be a name." if name else "The name needs a letter or a digit.",
                key="name",
                fix="Use lowercase letters, digits, - and _, beginning with a letter or digit.",
            )
        if self.notifiers.find(id_of(organization, name)) is not None:
            raise AnswerUnfit(
                f"{organization} has a notifier {name} already.", key="name", fix="Choose another name.", code="exists"
            )
        if len(self.notifiers.of(organization)) >= MOST_NOTIFIERS:
            raise ConfigError(
                f"{organization} has {MOST_NOTIFIERS} notifiers already.",
                code="notifiers_too_many",
                fix="Remove one that is not needed.",
            )
        self._put(organization, name, read_answers(answers))
        self.log.info("notifier_added", organization=organization, notifier=name, channel=answers.get("channel"))

    def change(self, organization: str, name: str, answers: Mapping[str, str]) -> None:
        """Give a notifier other settings; secrets that are left empty stay.

        Raises:
            AnswerUnfit: an answer is missing or wrong; it names the key.
            ConfigError: there is none of that name, or the file has it.
        """
        known = self.changeable(organization, name)
        kept = {} if known.settings is None else secret_settings(known.settings)
        if not answers.get("user", "").strip():
            kept.pop("password", None)
        settings = read_answers({**answers, "channel": known.channel}, kept)
        _refuse_leak(known.settings, settings, is_given=bool(answers.get("password", "").strip()))
        self._put(organization, name, settings)
        self.log.info("notifier_changed", organization=organization, notifier=name)

    def remove(self, organization: str, name: str) -> None:
        """Remove a notifier, with what it has told.

        Raises:
            ConfigError: there is none of that name, or the file has it.
        """
        self.changeable(organization, name)
        self.store.notifiers.remove(organization, name)
        self.log.info("notifier_removed", organization=organization, notifier=name)

    def test(self, organization: str, name: str) -> Notifier:
        """Send a test message now.

        Raises:
            ConnectorError: it was not taken, with the reason; or there is none of that name.
        """
        notifier = self.notifiers.get(organization, name)
        self.notifying.test(notifier)
        return notifier

    def changeable(self, organization: str, name: str) -> Notifier:
        """Return a notifier that was made in set-up.

        Raises:
            ConfigError: there is none of that name, or the file has it.
        """
        self._require(organization)
        known = self.notifiers.get(organization, name)
        if known.place:
            raise ConfigError(
                f"{name} is written in the configuration file, at {known.place}.",
                code="notifier_in_file",
                fix="Change it there, and apply the file.",
                advice=Advice(Remedy.APPLY_CONFIG),
            )
        return known

    # Private

    def _require(self, organization: str) -> None:
        if organization not in self.config.organizations:
            raise NotifierUnknown(f"There is no organization {organization!r}.", code="organization_unknown")

    def _put(self, organization: str, name: str, settings: AnyNotifier) -> None:
        record = NotifierRecord(
            organization, name, plain_settings(settings), secret_settings(settings), self.clock.now()
        )
        self.store.notifiers.put(record)


def _refuse_leak(before: AnyNotifier | None, after: AnyNotifier, *, is_given: bool) -> None:
    """Refuse to send a password elsewhere that whoever changes the mail server may not know.

    Addresses are secrets themselves, and a secret that signs is never sent.

    Raises:
        AnswerUnfit: it has to be given again.
    """
    if not (isinstance(before, EmailNotifier) and isinstance(after, EmailNotifier)) or is_given:
        return
    server = ("host", "port", "security")
    is_same = all(getattr(before, name) == getattr(after, name) for name in server)
    if after.password is not None and not is_same:
        raise AnswerUnfit("Password: enter it again, for it would be sent to another server.", key="password")


def read_answers(answers: Mapping[str, str], kept: Mapping[str, SecretStr] | None = None) -> AnyNotifier:
    """Return the settings that answers make; `kept` are secrets for those that are left empty.

    Raises:
        AnswerUnfit: one is missing or wrong; it names the key.
    """
    if answers.get("channel") not in CHANNELS:
        raise AnswerUnfit("There is no such channel.", key="channel", fix=f"Choose one of: {', '.join(CHANNELS)}.")
    try:
        return read_notifier({**_nested(answers), **{k: v for k, v in (kept or {}).items() if not answers.get(k)}})
    except ValidationError as exc:
        raise _unfit(exc) from exc


def answers_of(settings: AnyNotifier) -> dict[str, str]:
    """Return the answers that settings came from, without the secrets."""
    found: dict[str, str] = {}
    for key, value in plain_settings(settings).items():
        if isinstance(value, dict):
            found |= {f"{key}.{name}": _text(inner) for name, inner in value.items()}
        else:
            found[key] = _text(value)
    return found


def _text(value: Any) -> str:  # noqa: ANN401 - of JSON
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _nested(answers: Mapping[str, str]) -> dict[str, Any]:
    given = {key: value.strip() for key, value in answers.items() if value.strip()}
    values: dict[str, Any] = {}
    quiet = {key.removeprefix(_QUIET): value for key, value in given.items() if key.startswith(_QUIET)}
    if quiet.get("start") or quiet.get("end"):
        values["quiet_hours"] = quiet
    for key, value in given.items():
        if not key.startswith(_QUIET):
            values[key] = [part for part in re.split(r"[,\s]+", value) if part] if key in _LISTS else value
    return values


def _unfit(error: ValidationError) -> AnswerUnfit:
    """Return the error of the first mistake, without the value: it may be a secret. A wrong name comes before all."""
    mistakes = error.errors(include_url=False, include_input=False)
    first = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    place = [str(part) for part in first["loc"] if isinstance(part, str) and part not in CHANNELS]
    key = ".".join(place) or "channel"
    name = key.replace("_", " ").replace(".", ", ").capitalize()
    if first["type"] == "missing":
        return AnswerUnfit(f"{name} is missing.", key=key, fix="Enter it.")
    if first["type"] == "extra_forbidden":
        return AnswerUnfit(f"There is no setting {key}.", key=key, fix="Leave it out.")
    said = first["msg"].removeprefix("Value error, ").partition(" — ")[0].removesuffix(".")
    return AnswerUnfit(f"{name}: {said}.", key=key, fix="Correct it.")
