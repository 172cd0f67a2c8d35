"""What is said of a source that accepts no change of some fields, as it is set up now."""

from __future__ import annotations

from collections.abc import Mapping

from connector_core.contract.models import FieldName
from connector_core.contract.plugin_info import PluginInfo, Settings


def field_notes(info: PluginInfo, settings: Settings | None) -> Mapping[FieldName, str]:
    """Return a clause for each such field."""
    fields, name = info.not_accepted(settings), info.platform or info.title
    return {one: f"{name} accepts no change of the {one.value}" for one in FieldName if one in fields}


def not_accepted(info: PluginInfo, settings: Settings | None) -> str:
    """Return one sentence about all of them; empty where every change is accepted."""
    fields = info.not_accepted(settings)
    named = [one.value for one in FieldName if one in fields]
    if not named:
        return ""
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    name = info.platform or info.title
    return f"{name} accepts no change of the {listed} as its source is set up now: such changes stay on the ticket."
