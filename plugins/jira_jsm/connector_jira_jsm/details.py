"""The text of a ticket: the incident's own words on top, what is known about it below, our reference at the end.

Everything from our heading on belongs to us and is written anew; everything above it belongs to whoever describes the
incident, here or there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector_core import Device, Incident, Location, utc
from connector_jira_jsm import wiki

LONGEST = 32_767  # characters of a text field (JRASERVER-64351)
HEADING = "Incident details"
CUT = "(The text was cut here: it is longer than Jira takes.)"

_LONGEST_VALUE = 500
_LONGEST_LINK = 2_500
_REFERENCE = "Reference: "
_OUR_PART = re.compile(rf"^[ \t]*h[1-6]\.[ \t]+{HEADING}[ \t]*$", re.MULTILINE)
_RULE_AT_END = re.compile(r"(?:^|\n)[ \t]*-{4,5}\s*$")
_REFERENCE_AT_END = re.compile(rf"(?:^|\n){_REFERENCE}\S+\s*$")


def write(incident: Incident, marker: str) -> str:
    """Write the whole text as wiki markup; only the incident's own words are cut when it is too long."""
    ours = "\n".join(["----", f"h3. {HEADING}", *_facts(incident), "", _REFERENCE + wiki.escape(marker)])
    own = wiki.normalise(incident.description or "")
    if not own:
        return ours
    room = LONGEST - len(ours) - len("\n\n")
    return f"{_fitted(own, room)}\n\n{ours}"


def read(markup: str | None) -> str | None:
    """Return the words above our part as plain text, None when there are none."""
    text = wiki.clean(markup or "")
    return wiki.normalise(wiki.unescape(_theirs(text))) or None


def mentions(markup: str | None, marker: str) -> bool:
    """Tell whether a ticket's text carries the marker, however Jira wrote it back."""
    return bool(markup) and marker in wiki.unescape(markup or "")


def _theirs(text: str) -> str:
    """Return what is above our part; a person may have removed our heading: then all is theirs, but for the reference.

    Looking for the fixed words first spares most texts the slow searches.
    """
    ours = list(_OUR_PART.finditer(text)) if HEADING in text else []
    if ours:
        return _RULE_AT_END.sub("", text[: ours[-1].start()])
    return _REFERENCE_AT_END.sub("", text) if _REFERENCE in text else text


def _fitted(own: str, room: int) -> str:
    """Cut the words, not the markup: half an escape would change what follows."""
    markup = wiki.escape(own)
    if len(markup) <= room:
        return markup
    note = "\n\n" + wiki.escape(CUT)
    low, high = 0, len(own)
    while low < high:
        middle = (low + high + 1) // 2
        if len(wiki.escape(own[:middle].rstrip())) + len(note) <= room:
            low = middle
        else:
            high = middle - 1
    return wiki.escape(own[:low].rstrip()) + note


def _facts(incident: Incident) -> Iterator[str]:
    zone = _zone(incident.location)
    yield from _bullets("Incident", _of_incident(incident, zone))
    if incident.device is not None:
        yield from _bullets("Device", _of_device(incident.device))
    if incident.location is not None:
        yield from _bullets("Location", _of_location(incident.location, zone))


def _bullets(title: str, facts: list[tuple[str, str | None]]) -> list[str]:
    lines = [f"* {name}: {value}" for name, value in facts if value]
    return [f"*{title}*", *lines, ""] if lines else []


def _of_incident(incident: Incident, zone: ZoneInfo | None) -> list[tuple[str, str | None]]:
    return [
        ("Issue", _line(incident.issue)),
        ("Priority", incident.priority.capitalize() if incident.priority else None),
        ("Opened", _time(incident.opened_at, zone) if incident.opened_at else None),
        ("Link", _link(incident.url) if incident.url else None),
    ]


def _of_device(device: Device) -> list[tuple[str, str | None]]:
    return [
        ("Name", _line(device.name)),
        ("Model", _line(device.model)),
        ("Serial number", _line(device.serial_number)),
        ("MAC address", _line(device.mac)),
        ("Firmware", _line(device.firmware)),
        ("Vendor", _line(device.vendor)),
        ("ID", _line(device.id)),
        *((_line(name) or "", _line(value)) for name, value in (device.other or {}).items()),
    ]


def _of_location(location: Location, zone: ZoneInfo | None) -> list[tuple[str, str | None]]:
    return [
        ("Path", _line(location.path or location.name)),
        ("Address", _line(location.address)),
        ("Time zone", _line(location.timezone) if zone else None),
    ]


def _link(address: str) -> str | None:
    """Write the way to the incident; one so long that our part would not fit is left out: cut, it leads nowhere."""
    link = wiki.link("open the incident", address)
    return link if len(link) <= _LONGEST_LINK else None


def _line(value: str | None) -> str | None:
    """Bring a value into one line of bounded length: our part must always fit."""
    return wiki.escape(" ".join(wiki.clean(value).split())[:_LONGEST_VALUE]) if value else None


def _zone(location: Location | None) -> ZoneInfo | None:
    if location is None or not location.timezone:
        return None
    try:
        return ZoneInfo(location.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _time(moment: datetime, zone: ZoneInfo | None) -> str:
    in_utc = f"{utc(moment):%Y-%m-%d %H:%M} UTC"
    try:
        local = moment.astimezone(zone) if zone else None
    except OverflowError:  # at the ends of the calendar a moment may have no equal in the zone
        local = None
    return f"{local:%Y-%m-%d %H:%M %Z}, {in_utc}" if local else in_utc
