"""The notifiers of each organization right now: those of the configuration file, and those made in set-up.

One that is written in the file goes before one made in set-up under the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.http.outbound import Outbound
from connector_core.notify.settings import AnyNotifier, read_notifier
from connector_core.registry.fresh import Fresh
from connector_core.store import SECRETS_UNREADABLE, NotifierRecord, Sending, Store
from connector_core.store.notifiers import id_of


class NotifierUnknown(ConfigError):
    """An organization has no notifier of that name."""

    default_code = "notifier_unknown"


@dataclass(frozen=True)
class Notifier:
    """A notifier as it is now.

    `settings` is None when it cannot be used, and `problem` says why. `place` is where in the file it is written, empty
    for one made in set-up.
    """

    organization: str
    name: str
    channel: str
    settings: AnyNotifier | None
    outbound: Outbound
    place: str = ""
    problem: ConfigError | None = None

    @property
    def id(self) -> str:
        """Its name among those of all organizations."""
        return id_of(self.organization, self.name)


@dataclass(frozen=True)
class NotifierStatus:
    """A notifier, and whether its messages arrive."""

    notifier: Notifier
    sending: Sending | None

    @property
    def word(self) -> str:
        """The status in one word: `ok`, `problem`, or `unused` before the first message."""
        if self.code:
            return "problem"
        return "ok" if self.sending is not None and self.sending.worked_at is not None else "unused"

    @property
    def code(self) -> str:
        """The code of what is wrong; empty while all is well."""
        if self.notifier.problem is not None:
            return self.notifier.problem.code
        return self.sending.code if self.sending is not None else ""

    @property
    def sentence(self) -> str:
        """What is wrong; nothing while all is well."""
        if self.notifier.problem is not None:
            return self.notifier.problem.message
        return self.sending.reason if self.sending is not None else ""

    @property
    def fix(self) -> str:
        """What to do about it."""
        if self.notifier.problem is not None:
            return self.notifier.problem.fix
        return self.sending.fix if self.sending is not None else ""


@dataclass(eq=False)
class Notifiers:
    """The present set of notifiers."""

    store: Store
    config: Config

    def __post_init__(self) -> None:
        self._fresh = Fresh(self.store, self._load)

    def every(self) -> Sequence[Notifier]:
        """Return all of them, by organization and name."""
        return list(self._fresh.get().values())

    def of(self, organization: str) -> Sequence[Notifier]:
        """Return those of an organization, by name."""
        return [one for one in self.every() if one.organization == organization]

    def get(self, organization: str, name: str) -> Notifier:
        """Return one.

        Raises:
            NotifierUnknown: there is none of that name.
        """
        found = self._fresh.get().get(id_of(organization, name))
        if found is None:
            raise NotifierUnknown(f"{organization} has no notifier {name!r}.", advice=Advice(Remedy.LIST_NOTIFIERS))
        return found

    def find(self, notifier_id: str) -> Notifier | None:
        """Return one by its name among those of all organizations."""
        return self._fresh.get().get(notifier_id)

    def statuses(self, organizations: Sequence[str] | None = None) -> list[NotifierStatus]:
        """Return whether messages arrive, of all notifiers or those of some organizations."""
        sendings = self.store.notifiers.sendings()
        return [
            NotifierStatus(one, sendings.get((one.organization, one.name)))
            for one in self.every()
            if organizations is None or one.organization in organizations
        ]

    def forget(self) -> None:
        """Make all of them anew: what the file says has changed."""
        self._fresh.forget()

    # Private

    def _load(self, _: tuple[int, Mapping[str, Notifier]] | None) -> tuple[int, Mapping[str, Notifier]]:
        version = self.store.integrations.version()  # first: what changes meanwhile is read again
        found = {
            id_of(record.organization, record.name): self._made(record)
            for record in self.store.notifiers.every()
            if record.organization in self.config.organizations
        }
        for organization, entry in self.config.organizations.items():
            for name, written in entry.notifications.items():
                found[id_of(organization, name)] = Notifier(
                    organization,
                    name,
                    written.settings.channel,
                    written.settings,
                    self.config.calls(),
                    place=f"{self.config.path}:{written.line}",
                )
        return version, dict(sorted(found.items()))

    def _made(self, record: NotifierRecord) -> Notifier:
        outbound = self.config.calls_of_setup(record.organization, "")
        channel = str(record.settings.get("channel", ""))
        settings, problem = None, None
        if record.has_unreadable:
            problem = ConfigError(
                "Its stored secrets cannot be opened: secret_key is not the key that they were sealed with.",
                code=SECRETS_UNREADABLE,
                fix="Put the former key back into secret_key, or enter the secrets of the notifier again.",
            )
        else:
            try:
                settings = read_notifier({**record.settings, **record.secrets})
            except ValidationError:
                problem = ConfigError(
                    "Its settings are not complete.", code="notifier_incomplete", fix="Enter them again."
                )
        return Notifier(record.organization, record.name, channel, settings, outbound, problem=problem)
