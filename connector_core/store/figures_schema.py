"""Where figures over time are kept, and how those of before are told from links and timelines; for both databases."""

from __future__ import annotations

from connector_core.store.records.figures import COUNTED

_COUNTS = ("requests", "to_ticket", "to_incident", "delayed", "failed")
_KINDS = {name: ", ".join(f"'{kind.value}'" for kind in sorted(kinds)) for name, kinds in COUNTED.items()}
_SUMS = ", ".join(f"SUM(CASE WHEN timeline.kind IN ({_KINDS[name]}) THEN 1 ELSE 0 END)" for name in _COUNTS)
_CREATED = (
    "SELECT link_id, MIN(at) AS at FROM timeline WHERE kind IN ('ticket_created', 'ticket_found')"
    ' AND detail NOT LIKE \'%"why":"earlier_life"%\' GROUP BY link_id'
)
#: From the hours follow the days, and all that ever was.
_LONGER = (("day", 10), ("ever", 0))

#: Tells figures of what happened before they were kept; {bucket} is the bucket of the time from one text to another.
TELL_FIGURES = (
    f"""
    INSERT INTO figure (integration_id, span, start, {", ".join(_COUNTS)})
    SELECT link.integration_id, 'hour', substr(timeline.at, 1, 13), {_SUMS}
    FROM timeline JOIN link ON link.id = timeline.link_id
    WHERE timeline.kind IN ({", ".join(_KINDS[name] for name in _COUNTS)})
      AND timeline.detail NOT LIKE '%"why":"earlier_life"%' AND timeline.detail NOT LIKE '%"why":"followed"%'
    GROUP BY 1, 2, 3
    """,  # noqa: S608 - ours
    """
    INSERT INTO figure (integration_id, span, start, incidents)
    SELECT integration_id, 'hour', substr(created_at, 1, 13), COUNT(*) FROM link
    WHERE looks_since IS NULL OR ticket_id IS NOT NULL GROUP BY 1, 2, 3
    ON CONFLICT (integration_id, span, start) DO UPDATE SET incidents = excluded.incidents
    """,
    *(
        f"""
        INSERT INTO figure (integration_id, span, start, incidents, {", ".join(_COUNTS)})
        SELECT integration_id, '{span}', substr(start, 1, {letters}), SUM(incidents),
          {", ".join(f"SUM({name})" for name in _COUNTS)}
        FROM figure WHERE span = 'hour' GROUP BY 1, 2, 3
        """  # noqa: S608 - ours
        for span, letters in _LONGER
    ),
    f"""
    INSERT INTO figure_time (integration_id, span, start, bucket, requests)
    SELECT link.integration_id, 'hour', substr(created.at, 1, 13), {{bucket}}, COUNT(*)
    FROM ({_CREATED}) AS created JOIN link ON link.id = created.link_id GROUP BY 1, 2, 3, 4
    """,  # noqa: S608 - ours
    """
    INSERT INTO figure_time (integration_id, span, start, bucket, requests)
    SELECT integration_id, 'day', substr(start, 1, 10), bucket, SUM(requests) FROM figure_time GROUP BY 1, 2, 3, 4
    """,
)
