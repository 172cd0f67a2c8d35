"""What people do on the instance, in words that belong to no vendor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from connector_servicenow_sandbox.answers import Refusal
from connector_servicenow_sandbox.database import Database, Row
from connector_servicenow_sandbox.profile import ADMINISTRATOR, AGENT, Person
from connector_servicenow_sandbox.times import parsed
from connector_servicenow_sandbox.writing import Writer

PRIORITIES = {"1": "critical", "2": "high", "3": "moderate", "4": "low", "5": "planning"}


class People:
    """The agent and the administrator. Unknown tickets raise KeyError, impossible wishes ValueError."""

    def __init__(self, database: Database, writer: Writer, url: str) -> None:
        self._database = database
        self._writer = writer
        self._url = url

    def tickets(self) -> list[dict[str, Any]]:
        """List all tickets, oldest first."""
        with self._database.lock:
            return [self._ticket(row) for row in self._database.rows("incident")]

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """Show one ticket, by its id or number."""
        with self._database.lock:
            return self._ticket(self.row(ticket_id))

    def row(self, ticket_id: str) -> Row:
        """Return all columns of a ticket, as they are stored."""
        rows = self._database.rows("incident")
        found = next((one for one in rows if ticket_id in (one["sys_id"], one["number"])), None)
        if found is None:
            raise KeyError(ticket_id)
        return found

    def _ticket(self, row: Row) -> dict[str, Any]:
        profile = self._database.profile
        updated = parsed(row["sys_updated_on"], "UTC")
        return {
            "id": row["sys_id"],
            "key": row["number"],
            "url": f"{self._url}/nav_to.do?uri=incident.do?sys_id={row['sys_id']}",
            "title": row["short_description"],
            "description": row["description"],
            "priority": PRIORITIES.get(row["priority"], row["priority"]),
            "status": profile.label_of(row["state"]),
            "done": row["state"] in profile.done,
            "updated": updated.astimezone(UTC).isoformat() if updated else "",
        }

    def comments(self, ticket_id: str) -> list[dict[str, Any]]:
        """List what was said of a ticket, oldest first."""
        with self._database.lock:
            sys_id = self.row(ticket_id)["sys_id"]
            entries = [one for one in self._database.rows("sys_journal_field") if one["element_id"] == sys_id]
            return [
                {
                    "id": one["sys_id"],
                    "text": one["value"],
                    "author": one["sys_created_by"],
                    "internal": one["element"] == "work_notes",
                    "created": one["sys_created_on"],
                }
                for one in entries
            ]

    def change(self, ticket_id: str, values: Mapping[str, str], person: Person = AGENT) -> Row:
        """Change columns as somebody does on the form."""
        with self._database.lock:
            sys_id = self.row(ticket_id)["sys_id"]
            try:
                return self._writer.update(sys_id, self._writer.taken(values, person), person)
            except Refusal as refusal:
                raise ValueError(str(refusal.answer.body)) from refusal

    def edit(self, ticket_id: str, *, title: str | None, description: str | None, priority: str | None) -> None:
        """Change what an agent changes; a priority by the pair that makes it."""
        values: dict[str, str] = {}
        if title is not None:
            values["short_description"] = title
        if description is not None:
            values["description"] = description
        if priority is not None:
            values |= self._pair(priority)
        self.change(ticket_id, values)

    def _pair(self, priority: str) -> dict[str, str]:
        wanted = next((value for value, word in PRIORITIES.items() if priority in (value, word)), None)
        levels = self._database.profile.levels
        pair = next((pair for pair, value in levels.items() if value == wanted), None)
        if pair is None:
            raise ValueError(f"no impact and urgency make this priority: {priority}")
        return {"impact": pair[0], "urgency": pair[1]}

    def finish(self, ticket_id: str) -> None:
        """Resolve a ticket, with all that this needs here."""
        profile = self._database.profile
        needed = {one.name: (*one.choices, "done")[0] for one in profile.extra_fields if one.needed_to_resolve}
        reason = {"close_code": profile.close_codes[0], "close_notes": "Done by the sandbox's agent."}
        self.change(ticket_id, {"state": profile.resolved} | reason | needed)

    def reopen(self, ticket_id: str) -> None:
        """Take work up again."""
        self.change(ticket_id, {"state": self._database.profile.in_progress})

    def close(self, ticket_id: str) -> None:
        """Close a resolved ticket, as the job does after some days."""
        self.change(ticket_id, {"state": self._database.profile.closed}, ADMINISTRATOR)

    def cancel(self, ticket_id: str) -> None:
        """Call a ticket off."""
        self.change(ticket_id, {"state": self._database.profile.canceled})

    def write_comment(self, ticket_id: str, text: str, *, internal: bool) -> str:
        """Say something; return the id of the entry."""
        with self._database.lock:
            self.change(ticket_id, {"work_notes" if internal else "comments": text})
            return str(self.comments(ticket_id)[-1]["id"])

    def delete(self, ticket_id: str) -> None:
        """Delete a ticket for good, as an administrator."""
        with self._database.lock:
            self._writer.delete(self.row(ticket_id)["sys_id"], ADMINISTRATOR)
