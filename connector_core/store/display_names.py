"""What people call organizations, where the configuration file does not say; integrations have theirs with them.

A change counts as one of the integrations, so that every process reads it.
"""

from __future__ import annotations

from connector_core.store import audit, integrations, meta
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import About, Act, Subject
from connector_core.store.statements import Connection


def of_organizations(db: Connection) -> dict[str, str]:
    """Return the names that organizations were given in set-up, by id."""
    rows = db.execute("SELECT organization, name FROM organization_name").fetchall()
    return {row["organization"]: row["name"] for row in rows}


def name_organization(db: Connection, organization: str, name: str) -> None:
    """Call an organization so; an empty name takes its own away."""
    before = of_organizations(db).get(organization)
    if (name or None) == before:
        return
    about = About(Subject.ORGANIZATION, organization, organization)
    audit.note(db, Act.CHANGED, about, {"display name": (before, name or None)})
    db.execute("DELETE FROM organization_name WHERE organization = ?", (organization,))
    if name:
        db.execute("INSERT INTO organization_name (organization, name) VALUES (?, ?)", (organization, name))
    meta.add(db, integrations.VERSION)


class DisplayNames(Noun):
    """What people call organizations."""

    of_organizations = reads(of_organizations)
    name_organization = writes(name_organization)
