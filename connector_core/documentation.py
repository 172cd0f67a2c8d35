"""Where messages send somebody to read on: a page by its title, for an installed host has no copy of the files."""

from __future__ import annotations

SEE_BACKUP = 'See "Backup and restore" in the documentation.'
SEE_FLOODS = 'See "Database, limits and faults" in the documentation, under "Connections and floods".'
