"""The parts of a file that only plugins can read, and what must hold between parts: one mistake hides no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_core.config.complaints import Complaints, clause, nearest
from connector_core.config.mistakes import Mistake
from connector_core.config.models import IntegrationEntry, SourceEntry
from connector_core.config.positions import KeyPath
from connector_core.contract.comment_rules import COMMENT_HOOKS
from connector_core.contract.errors import ConfigError
from connector_core.contract.plugin_info import SAME_PLACE_FIX, Settings, same_place
from connector_core.plugins import Plugin, PluginSet, PluginStatus

_SOURCE_HOOK = "apply_change"
_TICKETING_HOOK = "on_incident_event"
_ROLES = {_SOURCE_HOOK: "an incident source", _TICKETING_HOOK: "a ticketing plugin"}
_RESERVED = {
    _SOURCE_HOOK: frozenset(SourceEntry.model_fields),
    _TICKETING_HOOK: frozenset(IntegrationEntry.model_fields),
}


@dataclass
class PluginSections:
    """The parts of a file that only plugins can read, validated wherever they stand, right or wrong around them."""

    complaints: Complaints
    values: Mapping[str, Any]
    shared: dict[str, Settings] = field(default_factory=dict)
    settings: dict[KeyPath, Settings] = field(default_factory=dict)
    warnings: list[Mistake] = field(default_factory=list)

    def check(self, plugins: PluginSet) -> None:
        """Validate every plugin's shared settings, every source and every integration."""
        users: dict[str, KeyPath] = {}
        for path, entry, hook in _entries(self.values):
            plugin = self._plugin(plugins, path, entry, hook)
            if plugin is None:
                continue
            users.setdefault(plugin.name, (*path, "plugin"))
            self._check_comments(plugin, path, entry)
            own = {key: value for key, value in entry.items() if key not in _RESERVED[hook]}
            settings = self.complaints.validated(plugin.info.settings, own, path, also_known=_RESERVED[hook])
            if settings is not None:
                self.settings[path] = settings
        self._check_shared(plugins, users)
        self._check_places(plugins)

    def _check_places(self, plugins: PluginSet) -> None:
        """Warn of integrations of one organization that make tickets in the same place, as after copy and paste."""
        seen: dict[tuple[str, str], list[KeyPath]] = {}
        for path, entry, hook in _entries(self.values):
            if hook != _TICKETING_HOOK or path not in self.settings or entry.get("enabled") is False:
                continue
            name = str(entry["plugin"])
            before = seen.setdefault((str(path[1]), name), [])
            is_one_place = plugins.get(name).info.is_one_place
            twins = [str(one[-1]) for one in before if is_one_place(self.settings[one], self.settings[path])]
            if twins:
                message = same_place(twins)
                self.warnings.append(
                    self.complaints.references.document.mistake((*path, "plugin"), message, SAME_PLACE_FIX)
                )
            before.append(path)

    def _plugin(self, plugins: PluginSet, path: KeyPath, entry: Mapping[str, Any], hook: str) -> Plugin | None:
        name, place = entry.get("plugin"), (*path, "plugin")
        if not isinstance(name, str) or place in self.complaints.references.broken:
            return None
        try:
            plugin = plugins.get(name)
        except ConfigError as exc:
            self.complaints.note(place, clause(exc.message), clause(exc.fix))
            return None
        if not plugin.implements(hook):
            fitting = ", ".join(other.name for other in plugins.ready if other.implements(hook)) or "none is installed"
            self.complaints.note(place, f"the plugin {name} is not {_ROLES[hook]}", f"use one of: {fitting}")
            return None
        return plugin

    def _check_comments(self, plugin: Plugin, path: KeyPath, entry: Mapping[str, Any]) -> None:
        """Refuse to sync comments where the plugin cannot."""
        for key, value in _mapping(entry.get("comments")).items():
            if key in COMMENT_HOOKS and value != "none" and not plugin.implements(COMMENT_HOOKS[key]):
                message = f"the plugin {plugin.name} cannot sync comments this way"
                self.complaints.note((*path, "comments", key), message, "use none")

    def _check_shared(self, plugins: PluginSet, users: Mapping[str, KeyPath]) -> None:
        """Validate `plugins:`; a plugin that nobody uses needs no complete settings there, nor to be loaded for it."""
        given = _mapping(self.values.get("plugins"))
        for name in given:
            if plugins.record(name) is None:
                known = [record.name for record in plugins.records]
                self.complaints.note(("plugins", name), f"no plugin named {name} is installed", nearest(name, known))
        for record in plugins.loaded:
            path = ("plugins", record.name)
            if record.status is PluginStatus.DISABLED or (record.info is None and record.name not in given):
                continue
            if record.info is None:
                self.warnings.append(self.complaints.references.document.mistake(path, f"not used: {record.reason}"))
                continue
            model = record.info.plugin_settings
            if record.name in given:
                settings = self.complaints.validated(model, _mapping(given[record.name]), path)
            elif record.name in users or not any(info.is_required() for info in model.model_fields.values()):
                settings = self.complaints.validated(model, {}, path)
            else:
                continue
            if settings is not None:
                self.shared[record.name] = settings


def refuse_doubled_ids(complaints: Complaints, values: Mapping[str, Any]) -> None:
    """Refuse two integrations with one id: it names them in addresses and in the database."""
    seen: dict[object, KeyPath] = {}
    for path, _, hook in _entries(values):
        if hook != _TICKETING_HOOK:
            continue
        first = seen.setdefault(path[-1], path)
        if first is not path:
            message = f"the organization {first[1]} has an integration with this id too"
            complaints.note(path, message, "ids are unique across the file; choose another one")


def refuse_unknown_organizations(complaints: Complaints, values: Mapping[str, Any]) -> None:
    """Hold the organizations that users of the console see against those that there are."""
    known = [str(name) for name in _mapping(values.get("organizations"))]
    for place, entry in _let_in(values):
        listed = _mapping(entry).get("organizations")
        for index, name in enumerate(listed if isinstance(listed, list) else ()):
            if name not in known:
                path = (*place, "organizations", index)
                complaints.note(path, f"there is no organization {name}", nearest(str(name), known))


def _let_in(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    """Find who may use the console, and what each may do: users, and what a claim of single sign-on says."""
    console = _mapping(values.get("console"))
    for user, entry in _mapping(console.get("users")).items():
        yield ("console", "users", user), entry
    for value, entry in _mapping(_mapping(console.get("oidc")).get("roles")).items():
        yield ("console", "oidc", "roles", value), entry


def check_routing(complaints: Complaints, values: Mapping[str, Any]) -> list[Mistake]:
    """Refuse rules that name an integration of another organization; return warnings of names that the file lacks.

    One of those may be made in set-up.
    """
    owners = {str(path[-1]): str(path[1]) for path, _, hook in _entries(values) if hook == _TICKETING_HOOK}
    unknown: list[Mistake] = []
    for organization, entry in _mapping(values.get("organizations")).items():
        rules = _mapping(entry).get("routing")
        for number, rule in enumerate(rules if isinstance(rules, list) else ()):
            place = ("organizations", organization, "routing", number, "to")
            named = _mapping(rule).get("to")
            for name in [named] if isinstance(named, str) else named if isinstance(named, list) else ():
                owner = owners.get(str(name))
                if owner is None:
                    message = f"the file has no integration {name} of this organization"
                    fix = "one of that name has to be made in set-up, or incidents wait for it"
                    unknown.append(complaints.references.document.mistake(place, message, fix))
                elif owner != str(organization):
                    complaints.note(place, f"{name} is an integration of another organization", "name one of this one")
    return unknown


def check_webhook_secrets(complaints: Complaints, values: Mapping[str, Any]) -> list[Mistake]:
    """Warn of a webhook secret that several organizations share: whose delivery one is could not be told by it.

    Within one organization that is fine: the ticket tells for which integration a delivery is.
    """
    seen: dict[str, KeyPath] = {}
    warnings = []
    for path, entry, hook in _entries(values):
        given = entry.get("webhook_secret") if hook == _TICKETING_HOOK else None
        for secret in [given] if isinstance(given, str) else given if isinstance(given, list) else ():
            first = seen.setdefault(str(secret), path)
            if first[1] != path[1]:
                message = f"{first[-1]} of {first[1]} has the same secret; deliveries that it signs may be refused"
                place = (*path, "webhook_secret")
                warnings.append(
                    complaints.references.document.mistake(place, message, "give each organization a secret of its own")
                )
    return warnings


def _entries(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any], str]]:
    """Find sources and integrations, also in a file that is wrong elsewhere; with the hook that each has to have."""
    for organization, entry in _mapping(values.get("organizations")).items():
        path = ("organizations", organization)
        source = _mapping(entry).get("source")
        if isinstance(source, dict):
            yield (*path, "source"), source, _SOURCE_HOOK
        for name, integration in _mapping(_mapping(entry).get("integrations")).items():
            if isinstance(integration, dict):
                yield (*path, "integrations", name), integration, _TICKETING_HOOK


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def administered(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the organizations that have admins who do not see all of them, whatever else of the file is right."""
    users = [_mapping(entry) for _, entry in _let_in(values)]
    limited = [user.get("organizations") for user in users if user.get("role") == "admin"]
    return frozenset(str(name) for names in limited if isinstance(names, list) for name in names)
