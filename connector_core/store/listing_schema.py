"""What the list of links goes by: a narrow row for each link, kept by triggers, the same on both databases.

Bodies of incidents and tickets are large. Whoever sorts or counts a hundred thousand links reads these rows only.
"""

from __future__ import annotations

_COLUMNS = "organization, integration_id, state, code, is_settled, is_open, priority, created_at, updated_at, place"
LISTED_VIEW = """
    CREATE VIEW link_facts AS SELECT link.id AS link_id, link.incident_id, link.organization, link.integration_id,
      CASE WHEN link.state = 'in_sync' AND link.code = 'differs' THEN 'differs' ELSE link.state END AS state, link.code,
      CASE WHEN link.state = 'in_sync' THEN 1 ELSE 0 END AS is_settled, link.is_open,
      CASE json_extract(incident.body, '$.priority') WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'moderate' THEN 2
        WHEN 'low' THEN 3 WHEN 'planning' THEN 4 ELSE 5 END AS priority,
      link.created_at, {later}(link.created_at, incident.occurred_at, COALESCE(link.ticket_updated, '')) AS updated_at,
      coalesce(json_extract(json_extract(incident.body, '$.device'), '$.name'), '') || ' / '
      || coalesce(json_extract(json_extract(incident.body, '$.location'), '$.path'), '') || ' / '
      || coalesce(json_extract(json_extract(incident.body, '$.location'), '$.name'), '') AS place
    FROM link JOIN incident ON incident.organization = link.organization AND incident.id = link.incident_id
"""
LIST_LINKS = f"INSERT INTO link_listed (link_id, {_COLUMNS}) SELECT link_id, {_COLUMNS} FROM link_facts"  # noqa: S608 - ours
_LIST_LINK = (
    f"{LIST_LINKS} WHERE {{which}} ON CONFLICT (link_id) DO UPDATE SET state = excluded.state, code = excluded.code,"
    " is_settled = excluded.is_settled, is_open = excluded.is_open, priority = excluded.priority,"
    " updated_at = excluded.updated_at, place = excluded.place;"
)
#: Triggers that keep it, by name: when, and what.
LISTING_TRIGGERS = {
    "link_listed_made": ("AFTER INSERT ON link", _LIST_LINK.format(which="link_id = NEW.id")),
    "link_listed_changed": (
        "AFTER UPDATE OF state, code, is_open, ticket, ticket_updated ON link",
        _LIST_LINK.format(which="link_id = NEW.id"),
    ),
    "incident_listed": (
        "AFTER UPDATE OF body, occurred_at ON incident",
        _LIST_LINK.format(which="organization = NEW.organization AND incident_id = NEW.id"),
    ),
}
