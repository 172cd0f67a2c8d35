"""From which statuses tickets can be closed, and over which steps, as far as present and former tickets show it.

Whole workflows can only be read with administrator scopes. What stands in for them: one open ticket in each status and
where it can go from there, and where people moved tickets before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector_core import AnyIntegration, ConnectorError, Remark, Severity, sample_incident
from connector_core.kit import texts
from connector_core.kit.fields import Gap
from connector_core.kit.steps import rows_so_far
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api import changelog
from connector_jira_jsm.api.bodies import ISSUE_FIELDS
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.settings import DO_NOT_CLOSE
from connector_jira_jsm.tickets.planning import gaps_of, shortest_path
from connector_jira_jsm.tickets.workflow import Step, Workflow

MOST_TICKETS = 50
MOST_STATUSES = 12  # each costs a call, and a person is waiting


@dataclass(frozen=True)
class Place:
    """A workflow that is looked at: the project's key, the issue type that tickets have, and its statuses."""

    project: str
    issue_type: str
    request_type: str
    statuses: tuple[Json, ...]

    def open_statuses(self, target: str) -> list[str]:
        """Name the statuses that a ticket is closed from."""
        waiting = [one for one in self.statuses if not mapping.is_done(one) and str(one.get("id")) != target]
        return [texts.clean(str(one.get("name"))) for one in waiting]


@dataclass(frozen=True)
class Reach:
    """What is known about closing tickets that stand in one status."""

    status: str
    path: tuple[Step, ...] = ()
    lacking: tuple[Gap, ...] = ()  # fields of screens on the way that have no value
    other: tuple[Step, ...] = ()  # the way to another done status
    is_known: bool = False  # whether all that lies behind was seen

    @property
    def is_proved(self) -> bool:
        """Return whether every step of the path was seen."""
        return bool(self.path) and not any(step.is_hint for step in self.path)


@dataclass(frozen=True)
class Look:
    """What a look at present tickets showed: the workflow as far as it is known, and a ticket to try things on.

    `hidden` are the fields, by Jira's ids, that no ticket shows.
    """

    workflow: Workflow
    sample: Json | None
    hidden: tuple[str, ...] = ()


def look_around(integration: AnyIntegration, client: JiraClient, place: Place) -> Look:
    """Learn from the tickets that there are: where they can go now, and where they were moved before."""
    workflow = Workflow(integration, f"{place.project}/{place.request_type}")
    jql = f'project = "{place.project}" AND issuetype = {place.issue_type} ORDER BY updated DESC'
    issues = [issue for issue in client.search(jql, most=MOST_TICKETS) if issue.get("id")]
    wanted = frozenset(rows_so_far(integration, "close_fields"))
    samples = _samples(issues)
    for issue in list(samples.values())[:MOST_STATUSES]:
        # The search may be behind: what leads on belongs to where the ticket stands by now.
        workflow.look(client, str(issue["id"]), wanted, anew=True)
    try:
        workflow.learn_moves(_moves(client, issues, place.statuses))
    except ConnectorError as exc:
        integration.log.info("moves_not_read", code=exc.code, reason=exc.message)  # hints only
    return Look(workflow, next(iter(samples.values()), None), _hidden(issues))


def _hidden(issues: Sequence[Json]) -> tuple[str, ...]:
    """Return the fields that no ticket shows: Jira leaves those out that the field configuration hides."""
    shown = [fields for issue in issues if isinstance(fields := issue.get("fields"), dict)]
    return tuple(name for name in ISSUE_FIELDS if shown and not any(name in fields for fields in shown))


def reaches(workflow: Workflow, statuses: Iterable[str], target: str, filled: Mapping[str, str]) -> list[Reach]:
    """Return for each status whether, and how, tickets that stand there can be closed."""

    def is_target(step: Step) -> bool:
        return step.to == target

    found = []
    for status in statuses:
        chart = workflow.around(status)
        every = [(start, step) for start, steps in chart.onward.items() for step in steps]
        barred = {(start, step.id) for start, step in every if gaps_of(step, filled, sample_incident())}
        path = shortest_path(chart, is_target, barred)
        if path is not None:
            found.append(Reach(status, path, is_known=True))
            continue
        with_gaps = shortest_path(chart, is_target) or ()
        other = shortest_path(chart, lambda step: step.done is True, barred) or ()
        lacking = tuple(gap for step in with_gaps for gap in gaps_of(step, filled, sample_incident()))
        found.append(Reach(status, (), lacking, other, is_known=chart.is_whole))
    return found


def paths_to_close(integration: AnyIntegration, client: JiraClient, place: Place) -> list[Remark]:
    """Return for every open status how a ticket in it is moved to the chosen close status, or what is missing."""
    chosen = integration.answers.get("close_status")
    if chosen is None:
        return []
    if chosen == DO_NOT_CLOSE:
        return [Remark(sentences.KEEP_OPEN_NOTE)]
    target = next((status for status in place.statuses if str(status.get("id")) == chosen), None)
    if target is None:
        return [Remark(sentences.STATUS_GONE, Severity.PROBLEM)]
    remarks = [] if mapping.is_done(target) else [Remark(sentences.NOT_DONE, Severity.WARNING)]
    workflow = look_around(integration, client, place).workflow
    found = reaches(workflow, place.open_statuses(str(chosen)), str(chosen), rows_so_far(integration, "close_fields"))
    return [*remarks, *(_remark(reach, str(target.get("name"))) for reach in found)]


def sentence(reach: Reach, target: str) -> str:
    """Return what is known about closing from one status."""
    if reach.path:
        steps = " → ".join(f'"{step.to_name}"{f" ({step.name})" if step.name else ""}' for step in reach.path)
        return (sentences.PATH_THERE if reach.is_proved else sentences.PATH_BEFORE).format(
            status=reach.status, steps=steps
        )
    shown = {"status": reach.status, "target": target}
    if reach.lacking:
        return sentences.PATH_BARRED.format(fields="; ".join(str(gap) for gap in reach.lacking), **shown)
    if not reach.is_known:
        return sentences.PATH_UNKNOWN.format(**shown)
    if reach.other:
        return sentences.OTHER_PATH.format(other=reach.other[-1].to_name, **shown)
    return sentences.NO_PATH_FROM.format(**shown)


def severity(reach: Reach) -> Severity | None:
    """Return how much it matters; what is not known is neither good nor bad."""
    if reach.path:
        return Severity.OK
    if reach.lacking:
        return Severity.PROBLEM
    if not reach.is_known:
        return None
    return Severity.WARNING if reach.other else Severity.PROBLEM


def _remark(reach: Reach, target: str) -> Remark:
    return Remark(sentence(reach, target), severity(reach))


def _samples(issues: Sequence[Json]) -> dict[str, Json]:
    """Return the latest open ticket in each status, by the status's name."""
    found: dict[str, Json] = {}
    for issue in issues:
        fields = issue.get("fields")
        status = fields.get("status") if isinstance(fields, dict) else None
        if isinstance(status, dict) and status.get("name") and mapping.done_of(status) is False:
            found.setdefault(mapping.status_name(status), issue)
    return found


def _moves(client: JiraClient, issues: Sequence[Json], statuses: Sequence[Json]) -> Iterator[tuple[str, Step]]:
    """Read from where to where tickets were moved; only between statuses that there still are."""
    names = {str(status.get("id")): texts.clean(str(status.get("name"))) for status in statuses}
    done = {str(status.get("id")): mapping.done_of(status) for status in statuses}
    for left, reached in changelog.status_moves(client, (str(issue["id"]) for issue in issues)):
        if left in names and reached in names and not done[left]:
            yield names[left], Step("", "", reached, names[reached], done[reached])
