"""Short texts with values of an incident in them, as people write them in set-up: `{{ incident.device.name }}`.

An incident that lacks a value leaves its place empty. How they are read is in `template_engine.py`, which is loaded
when the first one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from connector_core.contract.errors import ConfigError
from connector_core.contract.lengths import truncate
from connector_core.contract.models import Device, FieldName, Incident, Location, Priority

LONGEST_TEXT = 32_000

_MARK = "\ue000value\ue000"  # no text has it


@lru_cache(maxsize=1)  # one for all: it cannot be changed
def sample_incident() -> Incident:
    """Return an incident that has every value, to try templates on."""
    return Incident(
        id="inc-1",
        title="Display offline",
        description="No heartbeat for 5 minutes",
        priority=Priority.HIGH,
        issue="offline",
        url="https://app.example.com/incidents/inc-1",
        opened_at=datetime(2026, 11, 23, 9, 59, 30, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, 9, 59, 30, tzinfo=UTC),
        device=Device(
            id="dev-9",
            name="Lobby display",
            model="X-200",
            serial_number="SN1",
            mac="00:00:5e:00:53:01",
            firmware="1.4.2",
            vendor="Acme",
        ),
        location=Location(
            id="3220",
            name="Lobby",
            path="Acme/US/New York/Lobby",
            address="New York, NY, USA",
            timezone="America/New_York",
        ),
    )


@lru_cache(maxsize=1)
def variables() -> Sequence[tuple[str, str]]:
    """Return every value of an incident that a text may hold, as it is written there, each with an example."""
    sample = sample_incident()
    parts = {"incident": sample, "incident.device": sample.device, "incident.location": sample.location}
    names = [
        f"{prefix}.{name}"
        for prefix, part in parts.items()
        for name, value in part or ()
        if value is not None and f"{prefix}.{name}" not in parts
    ]
    written = [f"{{{{ {name} }}}}" for name in names]
    return [(text, render(text, sample)) for text in written]


def is_template(text: str) -> bool:
    """Return whether a text holds anything to be filled in."""
    return "{{" in text or "{%" in text or "{#" in text


def render(text: str, incident: Incident, *, limit: int = LONGEST_TEXT) -> str:
    """Fill an incident's values into a text; what is longer than so many UTF-16 units is cut.

    Raises:
        ConfigError: the text is not one that can be filled in.
    """
    if not is_template(text):
        return truncate(text.strip(), limit)
    from connector_core.contract import template_engine  # noqa: PLC0415 - the face of the core is imported by every command

    return truncate(template_engine.fill(text, incident), limit)


def words_around(text: str, incident: Incident, name: str) -> tuple[str, str]:
    """Return what a text puts before and behind one value of an incident, which stands in it once.

    Raises:
        ConfigError: the text cannot be filled in.
    """
    from connector_core.contract import template_engine  # noqa: PLC0415 - as above

    marked = incident.model_copy(update={name: _MARK})
    before, _, after = template_engine.fill(text, marked).partition(_MARK)
    return before, after


def parts_around(text: str, name: str) -> tuple[Sequence[str | None], Sequence[str | None]] | None:
    """Return the parts of a text before and behind one value of an incident; None stands for what differs.

    A text out of which the value cannot be told again has none: it lacks the value, has it twice, changes it, or shows
    it under a condition.
    """
    if not is_template(text):
        return None
    from connector_core.contract import template_engine  # noqa: PLC0415 - as above

    try:
        return template_engine.parts_around(text, name)
    except ConfigError:
        return None


def can_be_undone(text: str, name: FieldName) -> bool:
    """Return whether the value of a field can be told again out of what a text makes of it."""
    return parts_around(text, name.value) is not None


def mistake_in(text: str) -> str:
    """Say what is wrong with a text, also that it names what no incident has; nothing when all is well."""
    if not is_template(text):
        return ""
    from connector_core.contract import template_engine  # noqa: PLC0415 - as above

    try:
        template_engine.fill(text, sample_incident(), strict=True)
    except ConfigError as exc:
        return exc.message
    return ""
