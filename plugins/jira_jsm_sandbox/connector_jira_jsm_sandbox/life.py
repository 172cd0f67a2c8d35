"""What becomes of tickets beside being edited: moved, hidden, archived, merged, cloned; and projects with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector_jira_jsm_sandbox.issue import Issue
from connector_jira_jsm_sandbox.payload import LINE_LIMIT, first_units
from connector_jira_jsm_sandbox.site import Site

Job = Callable[[dict[str, Any]], None]


def ticket_jobs(site: Site, key: str) -> Mapping[str, Job]:
    """Return what may be done to a ticket, by name; each takes what else has to be said."""

    def on(work: Callable[[Issue, dict[str, Any]], None]) -> Job:
        def job(asked: dict[str, Any]) -> None:
            with site.lock:
                issue = site.find(key)
                if issue is None:
                    raise KeyError(key)
                work(issue, asked)

        return job

    return {
        "move": on(lambda issue, asked: _move(site, issue, str(asked["project"]))),
        "hide": on(lambda issue, _: site.hidden.add(issue.id)),
        "show": on(lambda issue, _: site.hidden.discard(issue.id)),
        "archive": on(lambda issue, _: site.archived.add(issue.id)),
        "restore": on(lambda issue, _: site.archived.discard(issue.id)),
        "merge": on(lambda issue, asked: _merge(site, issue, str(asked["into"]))),
        "clone": on(lambda issue, _: _clone(site, issue)),
    }


def project_jobs(site: Site, key: str) -> Mapping[str, Job]:
    """Return what may be done to a project, by name: its permission taken from the app's account, or archived."""
    if site.profile.desk(key) is None:
        return {}
    return {
        "forbid": lambda _: site.forbidden.add(key),
        "allow": lambda _: site.forbidden.discard(key),
        "archive": lambda _: site.archived_projects.add(key),
        "restore": lambda _: site.archived_projects.discard(key),
    }


def _move(site: Site, issue: Issue, project: str) -> None:
    desk = site.profile.desk(project)
    if desk is None or desk.project_key == issue.project_key:
        raise ValueError(f"cannot be moved to {project}")
    site.relocate(issue, desk, site.profile.person)


def _merge(site: Site, issue: Issue, into: str) -> None:
    """Close a ticket as a duplicate of another, which is told in a comment, as service desks do."""
    target = site.find(into)
    if target is None or target.id == issue.id:
        raise ValueError(f"cannot be merged into {into}")
    done = next(one for one in site.open_transitions(issue) if site.profile.status(one.to_status).category == "done")
    duplicate = site.profile.resolution("Duplicate")
    text = f"Merged into {target.key}."
    resolution = duplicate.id if duplicate else None
    site.move(issue, done, site.profile.person, resolution_id=resolution, comment=text)


def _clone(site: Site, issue: Issue) -> None:
    """Make a copy with the same texts; properties and links of apps are not copied."""
    fields = issue.fields
    site.create(
        site.profile.person,
        project_key=issue.project_key,
        issue_type_id=issue.issue_type_id,
        request_type_id=issue.request_type_id,
        summary=first_units(f"CLONE - {fields.summary}", LINE_LIMIT),
        description=fields.description,
        priority_id=fields.priority_id,
    )
