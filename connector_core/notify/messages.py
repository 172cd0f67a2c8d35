"""Messages: what is told of some notices, in words, with links to the pages where something can be done.

All that a notification says is in this file. Names and reasons come from others: they are put on one line, and cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from connector_core.contract.lengths import shorten
from connector_core.notify.changes import Notice, Saying
from connector_core.notify.conditions import Condition, Kind

#: More of them are only counted.
MOST_LINES = 15
_LONGEST_NAME, _LONGEST_REASON = 80, 300
# What ends a line, moves a cursor or turns the direction of writing.
_NOT_ON_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")

_SENTENCES = {
    Kind.AUTHORIZATION_LOST: "{integration}: {system} access has expired or was revoked. Authorize it again.",
    Kind.AUTHORIZATION_ENDING: "{integration}: {system} access ends on {until}. Authorize it again before that.",
    Kind.INTEGRATION_BLOCKED: "{integration} is blocked: {reason}",
    Kind.INCIDENTS_BLOCKED: "{integration}: {count} need attention. The first: {reason}",
    Kind.SOURCE_NOT_READ: "{source}: no incidents come in. {reason}",
    Kind.DELIVERIES_REFUSED: "{integration}: deliveries are refused. {reason}",
    Kind.BACKLOG: "{integration}: changes have been waiting since {since}.",
    Kind.TEST_FAILED: "{integration}: {reason}",
}
_ENDED = {
    Kind.AUTHORIZATION_LOST: "{integration}: {system} access is authorized again.",
    Kind.AUTHORIZATION_ENDING: "{integration}: {system} access no longer ends soon.",
    Kind.INTEGRATION_BLOCKED: "{integration} is no longer blocked.",
    Kind.INCIDENTS_BLOCKED: "{integration}: no incident needs attention any more.",
    Kind.SOURCE_NOT_READ: "{source}: incidents come in again.",
    Kind.DELIVERIES_REFUSED: "{integration}: deliveries are no longer refused.",
    Kind.BACKLOG: "{integration}: no change has been waiting for long any more.",
    Kind.TEST_FAILED: "{integration}: a test incident passed again.",
}
_HEADINGS = {Saying.STARTED: "", Saying.REMINDER: "Still: ", Saying.ENDED: "Resolved: "}
_PAGES = {
    Kind.AUTHORIZATION_LOST: "/integrations/{integration}/setup/authorize",
    Kind.AUTHORIZATION_ENDING: "/integrations/{integration}/setup/authorize",
    Kind.INTEGRATION_BLOCKED: "/integrations/{integration}",
    Kind.INCIDENTS_BLOCKED: "/unfinished?integration={integration}",
    Kind.DELIVERIES_REFUSED: "/integrations/{integration}",
    Kind.BACKLOG: "/integrations/{integration}",
    Kind.TEST_FAILED: "/integrations/{integration}/test",
}
TEST_TEXT = "This is a test message. Notifications arrive here."


@dataclass(frozen=True)
class Line:
    """One sentence of a message, and the page that it leads to; a test has no kind."""

    text: str
    url: str
    saying: Saying = Saying.STARTED
    condition: Condition | None = None


@dataclass(frozen=True)
class Message:
    """A message as every channel sends it; `more` is how many conditions it only counts."""

    id: str
    at: datetime
    organization: str
    organization_name: str
    subject: str
    lines: Sequence[Line]
    page: str
    more: int = 0
    is_all_clear: bool = False
    is_test: bool = False

    @property
    def text(self) -> str:
        """The whole message as plain text, a paragraph for each line."""
        parts = [f"{line.text}\n{line.url}" for line in self.lines]
        return "\n\n".join([self.subject, *parts, *self.closing])

    @property
    def closing(self) -> list[str]:
        """What stands below the lines."""
        return [f"And {self.more} more: {self.page}"] if self.more else []


@dataclass(frozen=True)
class Writer:
    """Writes the messages of one organization."""

    public_url: str
    organization: str
    organization_name: str
    zone: str = "UTC"
    #: Returns what people call an integration.
    called: Callable[[str], str] = str

    def of(self, notices: Sequence[Notice], *, message_id: str, now: datetime, are_left: bool) -> Message:
        """Put notices into words; `are_left` says whether others were told that are not over."""
        ordered = sorted(notices, key=lambda one: (_ORDER[one.saying], one.kind, one.integration))
        open_ones = [one for one in ordered if one.saying is not Saying.ENDED]
        is_all_clear = not (open_ones or are_left)
        return Message(
            id=message_id,
            at=now,
            organization=self.organization,
            organization_name=self._name,
            subject=f"{self._name}: {self._summary(open_ones, is_all_clear=is_all_clear)}",
            lines=[self._line(one) for one in ordered[:MOST_LINES]],
            page=f"{self.public_url}/",
            more=max(0, len(ordered) - MOST_LINES),
            is_all_clear=is_all_clear,
        )

    def test(self, *, message_id: str, now: datetime) -> Message:
        """Return a message that says that it is a test."""
        page = f"{self.public_url}/notifications/{quote(self.organization, safe='')}"
        subject = f"{self._name}: test message"
        return Message(
            message_id, now, self.organization, self._name, subject, [Line(TEST_TEXT, page)], page, is_test=True
        )

    # Private

    @property
    def _name(self) -> str:
        return on_a_line(self.organization_name, _LONGEST_NAME)

    def _summary(self, open_ones: Sequence[Notice], *, is_all_clear: bool) -> str:
        if is_all_clear:
            return "all clear"
        if not open_ones:
            return "problem resolved"
        count = len(open_ones)
        return "action needed" if count == 1 else f"action needed ({count} problems)"

    def _line(self, notice: Notice) -> Line:
        table = _ENDED if notice.saying is Saying.ENDED else _SENTENCES
        text = table[notice.kind].format_map(_Facts(self._facts(notice)))
        path = _PAGES.get(notice.kind, "") if notice.integration else f"/sources/{quote(self.organization, safe='')}"
        url = self.public_url + path.format(integration=quote(notice.integration, safe=""))
        condition = Condition(notice.kind, notice.since, notice.integration, notice.values)
        return Line(f"{_HEADINGS[notice.saying]}{text}".rstrip(), url, notice.saying, condition)

    def _facts(self, notice: Notice) -> Mapping[str, str]:
        facts = {key: on_a_line(value, _LONGEST_REASON) for key, value in notice.values.items()}
        for key in ("until", "last_at"):
            if key in facts:
                facts[key] = self._time(datetime.fromisoformat(facts[key]))
        if count := facts.get("count"):
            facts["count"] = "1 incident" if count == "1" else f"{count} incidents"
        source = facts.get("system") or "The source"
        named = on_a_line(self.called(notice.integration), _LONGEST_NAME) or source
        return {**facts, "integration": named, "source": source, "since": self._time(notice.since)}

    def _time(self, moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(self.zone))
        return f"{local:%Y-%m-%d %H:%M} {'UTC' if self.zone == 'UTC' else self.zone}"


_ORDER = {Saying.STARTED: 0, Saying.REMINDER: 1, Saying.ENDED: 2}


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        """Leave out what is not known."""
        return ""


def on_a_line(text: str, most: int) -> str:
    """Return a text of others on one line, without what is no visible sign, and not longer than so much."""
    return shorten(" ".join(_NOT_ON_A_LINE.sub(" ", text).split()), most)


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as a program reads it."""
    shown: dict[str, Any] = {
        "id": message.id,
        "type": "test" if message.is_test else "notification",
        "at": message.at.isoformat(timespec="seconds"),
        "organization": message.organization,
        "organization_name": message.organization_name,
        "subject": message.subject,
        "all_clear": message.is_all_clear,
        "conditions": [_condition(line, line.condition) for line in message.lines if line.condition is not None],
        "more": message.more,
        "url": message.page,
    }
    return shown


def _condition(line: Line, condition: Condition) -> dict[str, Any]:
    return {
        "state": line.saying.value,
        "kind": condition.kind.value,
        "integration": condition.integration or None,
        "since": condition.since.isoformat(timespec="seconds"),
        "text": line.text,
        "url": line.url,
    }
