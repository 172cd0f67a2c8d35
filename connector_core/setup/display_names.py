"""Display names that are changed in set-up; ids in addresses and in the configuration stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.display_names import display_name
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.setup.integrations import SetupFlow
from connector_core.store import Origin, Store


@dataclass(frozen=True)
class DisplayNameSetup:
    """Each method gives a name, or with an empty text takes it away."""

    store: Store
    setup: SetupFlow
    config: Config
    log: FilteringBoundLogger

    def integration(self, integration_id: str, name: str) -> str:
        """Call an integration so; return the name as it is kept.

        Raises:
            AnswerUnfit: it cannot be a name.
            ConfigError: there is no such integration, or the file has it.
        """
        kept = _checked(name)
        record = self.setup.registry.entry(integration_id).record
        if record.origin is Origin.YAML:
            raise _in_file(f"{integration_id} is", f"its `name` in {self.config.path}")
        self.setup.change(integration_id, lambda known: replace(known, name=kept))
        self.log.info("integration_renamed", integration=integration_id)
        return kept

    def organization(self, organization: str, name: str) -> str:
        """Call an organization so; return the name as it is kept.

        Raises:
            AnswerUnfit: it cannot be a name.
            ConfigError: there is no such organization, or the file has its name.
        """
        kept = _checked(name)
        if organization not in self.config.organizations:
            raise ConfigError(f"There is no organization {organization!r}.", code="organization_unknown")
        if self.config.organizations[organization].is_named:
            raise _in_file(f"The name of {organization} is", f"organizations.{organization}.name in {self.config.path}")
        self.store.display_names.name_organization(organization, kept)
        self.log.info("organization_renamed", organization=organization)
        return kept


def _checked(name: str) -> str:
    if not name.strip():
        return ""
    try:
        return display_name(name)
    except ValueError as exc:
        text = str(exc)
        raise AnswerUnfit(f"{text[:1].upper()}{text[1:]}.", key="name", fix="Choose another one.") from exc


def _in_file(what: str, where: str) -> ConfigError:
    return ConfigError(
        f"{what} written in the configuration file.",
        code="written_in_file",
        fix=f"Change {where}, and apply the file.",
        advice=Advice(Remedy.APPLY_CONFIG),
    )
