"""What changed on the other side since it was last looked at: fields, entries of lists, statuses, priorities.

What would break the next incident is found by other checks as well, as what it is; here it is told as what somebody
changed, and when, for a week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import Finding, utc
from connector_core.kit.checks import ok, warning

#: What incidents depend on, as JSON that can be compared: kind, then name, then what matters of it.
Picture = Mapping[str, Mapping[str, Any]]

#: Says in sentences what became of one thing: its kind, what it was, what it is now, its name. None is not there.
Say = Callable[[str, Any, Any, str], Iterable[str]]

_MOST_CHANGES = 40


@dataclass(frozen=True)
class Drift:
    """How pictures of one ticketing system are compared.

    >>> drift = Drift(lambda kind, was, now, name: [f"{kind} {name} is gone"] if now is None else [], {"status": ""})
    >>> drift.changes({"status": {"6": "Resolved"}}, {"status": {}})
    [('status', 'status 6 is gone')]
    """

    say: Say  #: what became of one thing, in sentences; none where it is no news
    fixes: Mapping[str, str]  #: where it can be undone, by kind
    looked_at: str = "Fields, statuses and priorities."  #: what the picture holds
    told_for: timedelta = timedelta(days=7)  #: how long a change is told
    form: int = 1  #: of the picture: what was remembered in another form is not read

    def changes(self, before: Picture, now: Picture) -> list[tuple[str, str]]:
        """Return the kind of each change, and a sentence.

        >>> drift.changes({}, {})
        []
        """
        return [
            (kind, text)
            for kind, entries in now.items()
            for name in sorted({*before.get(kind, {}), *entries})
            if before.get(kind, {}).get(name) != entries.get(name)
            for text in self.say(kind, before.get(kind, {}).get(name), entries.get(name), name)
        ]

    def check(self, integration: AnyIntegration, place: str, now: Picture) -> Iterator[Finding]:
        """Compare with what was seen last, remember what is now, and tell of the changes of the last days.

        `place` names what the picture is of, such as a queue: another place has another past.

        >>> [finding.code for finding in drift.check(integration, "AV Support", {"status": {}})]
        ['drift']

        Raises:
            RetryLater: the database is busy.
        """
        memory, clock = integration.memory, integration.clock
        key = f"picture {self.form} {place}"
        kept = memory.recall(key) or {}
        changes: list[list[str]] = list(kept.get("changes", ()))
        before = kept.get("picture")
        if before is not None:
            at = utc(clock.now()).isoformat(timespec="minutes")
            changes += [[kind, text, at] for kind, text in self.changes(before, now)]
        fresh = [one for one in changes if clock.now() - datetime.fromisoformat(one[2]) < self.told_for]
        fresh = fresh[-_MOST_CHANGES:]
        if before != now or fresh != kept.get("changes", []):
            memory.remember(key, {"picture": now, "changes": fresh})
        for kind, text, at in fresh:
            moment = datetime.fromisoformat(at)
            noticed = f"Noticed on {moment:%Y-%m-%d} at {moment:%H:%M} UTC."
            yield warning(f"drift_{kind}", text, noticed, f"If it was not meant, undo it. {self.fixes.get(kind, '')}")
        if not fresh:
            yield ok("drift", "Fields and workflow are unchanged", self.looked_at)
