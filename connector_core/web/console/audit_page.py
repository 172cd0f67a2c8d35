"""The audit log: who did what, with filters in the address, and as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from starlette.responses import Response

from connector_core.store import AuditEntry, AuditFilter, Subject
from connector_core.web.console.dates import day, end_of_day
from connector_core.web.console.exports import MOST_EXPORTED, exported
from connector_core.web.console.setting_words import SettingWords, setting_words
from connector_core.web.console.visits import NotVisible, Visit

PAGE = 50
MOST_LETTERS = 200
_DIGITS = 18
COLUMNS = ("at", "by", "via", "act", "subject", "name", "organization", "changes")


def show(visit: Visit) -> Response:
    """List what was done, newest first."""
    wanted = _wanted(visit)
    found = visit.app.store.audit.find(wanted, PAGE + 1)
    asked = {name: value for name, value in visit.query.items() if name in _FIELDS and value}
    older = {**asked, "before": found[PAGE - 1].id} if len(found) > PAGE else {}
    return visit.page(
        "audit.html",
        entries=found[:PAGE],
        asked={name: asked.get(name, "") for name in _FIELDS},
        subjects=[subject.value for subject in Subject],
        older=urlencode(older),
        narrowed=urlencode(asked),
        linked={entry.id: _address(entry) for entry in found},
        names={entry.id: _name(visit, entry) for entry in found},
        words=_words(visit, found),
    )


def export(visit: Visit) -> Response:
    """Give the same as a file, as CSV or JSON, the latest acts at most."""
    rows = [row(entry) for entry in visit.app.store.audit.find(_wanted(visit), MOST_EXPORTED)]
    return exported("audit", COLUMNS, rows, visit.query.get("as"))


def row(entry: AuditEntry) -> dict[str, object]:
    """Return an entry as exports have it."""
    return {
        "at": entry.by.at.isoformat(),
        "by": entry.by.name,
        "via": entry.by.via.value,
        "act": entry.act.value,
        "subject": entry.about.subject.value,
        "name": entry.about.name,
        "organization": entry.about.organization,
        "changes": {name: list(pair) for name, pair in entry.changes.items()},
    }


_FIELDS = ("subject", "name", "by", "since", "until")


def _wanted(visit: Visit) -> AuditFilter:
    """Read the filters of the address; who administers some organizations sees theirs, and nobody's logins."""
    if not visit.user.is_admin:
        raise NotVisible("The audit log is for administrators.")
    given = {name: visit.query.get(name, "").strip()[:MOST_LETTERS] for name in (*_FIELDS, "before")}
    known = {subject.value: subject for subject in Subject}
    wanted = AuditFilter(
        subject=known.get(given["subject"]),
        name=given["name"] or None,
        by=given["by"] or None,
        since=day(given["since"], visit.zone),
        until=end_of_day(given["until"], visit.zone),
    )
    if given["before"].isdecimal() and len(given["before"]) <= _DIGITS:
        wanted = replace(wanted, before=int(given["before"]))
    allowed = visit.user.organizations
    return wanted if allowed is None else replace(wanted, organizations=sorted(allowed))


def _words(visit: Visit, found: Sequence[AuditEntry]) -> Mapping[int, SettingWords]:
    """Return the words for the settings of each entry; those of one subject are looked up once."""
    known = {about: setting_words(visit.app, about) for about in {entry.about for entry in found if entry.changes}}
    return {entry.id: known.get(entry.about, SettingWords()) for entry in found}


def _name(visit: Visit, entry: AuditEntry) -> str:
    """Return what people call what was changed; its id where it has no other name, or was removed."""
    registry, name = visit.app.registry, entry.about.name
    if entry.about.subject is Subject.INTEGRATION:
        return registry.title_of(name)
    return registry.organization_name(name) if entry.about.subject in {Subject.SOURCE, Subject.ROUTING} else name


def _address(entry: AuditEntry) -> str:
    """Return where what was changed is shown, as long as it is there."""
    pages = {
        Subject.INTEGRATION: f"/integrations/{entry.about.name}",
        Subject.SOURCE: f"/sources/{entry.about.name}",
        Subject.ROUTING: f"/routing/{entry.about.name}",
        Subject.LINK: f"/links/{entry.about.name}",
        Subject.DELIVERY: f"/deliveries/{entry.about.name}",
        Subject.REPLAY: f"/deliveries/replays/{entry.about.name}",
    }
    return pages.get(entry.about.subject, "")
