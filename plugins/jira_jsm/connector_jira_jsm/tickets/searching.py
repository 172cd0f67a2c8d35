"""Looking for tickets whose creation nobody heard of: one search for all that are looked for, not one for each.

What a search shows is kept for the links that ask next. A search that was made when its index had had the time to catch
up stays good: what is looked for was made before, or never.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector_core import FindTicket, Integration, RemoteError
from connector_core.kit.details import HEADING
from connector_core.kit.paging import TooManyPages
from connector_core.kit.values import Json
from connector_jira_jsm.api import changelog
from connector_jira_jsm.api.bodies import LINK_PROPERTY
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.paging import SearchIncomplete
from connector_jira_jsm.api.responses import named_in
from connector_jira_jsm.fields.mapping import project_of
from connector_jira_jsm.settings import plugin_settings
from connector_jira_jsm.text import descriptions

LOOK_AGAIN_S = 15.0
OVERLAP_MINUTES = 75  # the attempt's time is in full minutes and ours: our clock may have been set by an hour since
MARKER_BEGINS = "cnx-"
CREATOR = "creator"  # whoever makes a request, in whose name ever; no field configuration hides it
KEPT_FOR_S = 600.0  # what was found; nobody else is likely to ask later

_OUR_TEXT = rf'description ~ "\"{HEADING}\""'
_CACHE = "tickets looked for in "
_LOOK_BACKS = (7 * 24 * 60, 30 * 24 * 60, 365 * 24 * 60, 20 * 365 * 24 * 60)


@dataclass
class Look:
    """What a search showed: the issues since a time, when it was made by the steady clock; `former` texts on demand."""

    project: str
    issues: Sequence[Json]
    since: datetime
    made_at: float
    is_fresh: bool = True
    _former: list[tuple[str, str]] | None = field(default=None, repr=False)

    def with_marker(self, integration: Integration, client: JiraClient, change: FindTicket) -> list[Json]:
        """Return the issues that carry a change's marker, or did before somebody rewrote them, the original first."""
        found = sorted((one for one in self.issues if self._is_about(integration, one, change)), key=_is_copy)
        return found or self._once_marked(client, change.marker)

    def _is_about(self, integration: Integration, issue: Json, change: FindTicket) -> bool:
        return _carries(issue, change.marker) or (
            change.of_earlier_life
            and project_of(str(issue.get("key"))) == self.project
            and _names(integration, note(issue), change)
        )

    def _once_marked(self, client: JiraClient, marker: str) -> list[Json]:
        """Return those whose description mentioned the marker once.

        The description is all that a request can be marked with at its creation; our property comes a call later.
        """
        unmarked = {str(issue.get("id")): issue for issue in self.issues if not note(issue)}
        if self._former is None:
            self._former = [(issue_id, old) for issue_id, old in changelog.former_descriptions(client, unmarked) if old]
        rewritten = {
            issue_id for issue_id, old in self._former if descriptions.mentions(old, marker) and issue_id in unmarked
        }
        return [unmarked[issue_id] for issue_id in sorted(rewritten)]


def look(integration: Integration, client: JiraClient, project: str, change: FindTicket) -> Look:
    """Search, unless somebody has searched for the same lately or late enough; one does, and the others wait for it."""
    with integration.cache.setdefault(f"{_CACHE}{project} by one", threading.Lock()):
        return _look(integration, client, project, change)


def _look(integration: Integration, client: JiraClient, project: str, change: FindTicket) -> Look:
    now, age_s = integration.clock.monotonic(), change.attempt_age_s
    key = f"{_CACHE}{project}"
    known = integration.cache.get(key)
    if isinstance(known, Look) and known.since <= change.attempted_at:
        kept_s = now - known.made_at
        is_late_enough = age_s - kept_s >= plugin_settings(integration).search_settle and kept_s < KEPT_FOR_S
        if change.of_earlier_life and (is_late_enough or kept_s < LOOK_AGAIN_S - 1):
            return known
    ago_s = max((integration.clock.now() - change.attempted_at).total_seconds(), age_s)  # whichever clock says longer
    minutes = math.ceil(ago_s / 60) + OVERLAP_MINUTES
    if change.of_earlier_life or minutes > _LOOK_BACKS[0]:  # far enough for whoever asks next
        minutes = next((longest for longest in _LOOK_BACKS if minutes <= longest), _LOOK_BACKS[-1])
    since = integration.clock.now() - timedelta(minutes=minutes)
    shown: list[Json] = []
    try:
        issues = _search(integration, client, project, minutes, shown)
    except SearchIncomplete:
        if not any(_carries(one, change.marker) for one in shown):
            raise
        return Look(project, shown, since, now)  # it shows what is looked for, and is kept for nobody else
    if change.of_earlier_life or not any(_carries(one, change.marker) for one in issues):  # people may have moved it
        issues += _elsewhere(client, project, minutes)
        # What is kept is kept small, and is read again before it is believed.
        integration.cache[key] = Look(project, [_sketch(one) for one in issues], since, now, is_fresh=False)
    return Look(project, issues, since, now)


def remaining_s(integration: Integration, look_made: Look, change: FindTicket) -> float:
    """Return how much longer what a look did not show may be there all the same."""
    made_before_s = integration.clock.monotonic() - look_made.made_at
    return plugin_settings(integration).search_settle - (change.attempt_age_s - made_before_s)


def note(issue: Json) -> Json:
    """Return our note on an issue, empty when it has none."""
    properties = issue.get("properties")
    found = properties.get(LINK_PROPERTY) if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else {}


def _search(integration: Integration, client: JiraClient, project: str, minutes: int, shown: list[Json]) -> list[Json]:
    """Ask by relative time: a literal one would be read in the time zone of the account's profile.

    Where there are too many, only those whose text is still ours: the marker is in it since their creation.

    Raises:
        SearchIncomplete: Jira left something out; the rest is `shown`.
    """
    recent = f'project = "{project}" AND created >= "-{minutes}m"'
    try:
        shown.extend(client.search(f"{recent} ORDER BY created DESC", more=(CREATOR,)))
    except TooManyPages:
        integration.log.info("too_many_tickets_to_look_at", project=project, minutes=minutes)
    else:
        return shown
    return list(client.search(f"{recent} AND {_OUR_TEXT} ORDER BY created DESC", more=(CREATOR,)))


def _elsewhere(client: JiraClient, project: str, minutes: int) -> list[Json]:
    """Search for tickets with our text in other projects; where nobody sees descriptions there is no such search."""
    jql = f'project != "{project}" AND created >= "-{minutes}m" AND {_OUR_TEXT} ORDER BY created DESC'
    try:
        return list(client.search(jql))
    except RemoteError as exc:
        if "description" not in named_in(exc, {"description": "Description"}):
            raise
        return []


def _sketch(issue: Json) -> Json:
    """Return what tells whose an issue is."""
    fields = issue.get("fields")
    shown = fields if isinstance(fields, dict) else {}
    kept = {name: shown[name] for name in ("summary", "description", CREATOR) if name in shown}
    if kept.get("description") and not descriptions.mentions(kept["description"], MARKER_BEGINS):
        kept["description"] = "…"
    return {"id": issue.get("id"), "key": issue.get("key"), "properties": issue.get("properties"), "fields": kept}


def _carries(issue: Json, marker: str) -> bool:
    fields = issue.get("fields")
    if note(issue).get("marker") == marker:
        return True
    return isinstance(fields, dict) and descriptions.mentions(fields.get("description"), marker)


def _names(integration: Integration, left: Json, change: FindTicket) -> bool:
    """Return whether a note names the incident: markers of earlier versions cannot be told from it.

    Such a note does not say which integration left it; what another one has is not taken over by the core.
    """
    whose = (left.get("organization", integration.organization), left.get("integration", integration.id))
    is_ours = whose == (integration.organization, integration.id)
    return is_ours and left.get("incident_id") == change.incident.id and left.get("url") == change.incident.url


def _is_copy(issue: Json) -> tuple[bool, int]:
    """Order tickets so that the original comes first: a clone has its text, but no property, and a later id."""
    number = str(issue.get("id"))
    return not note(issue), int(number) if number.isdecimal() else 0
