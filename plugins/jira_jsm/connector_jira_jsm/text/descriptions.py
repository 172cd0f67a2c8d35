"""The text of a ticket: the incident's own words on top, what is known about it below, our reference at the end.

Everything above our heading belongs to whoever describes the incident, here or there. From our heading to our reference
the text is ours and is written anew; lines that people put in between or below stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector_core import Device, Incident, Location, utc, utf16_length, whole_graphemes
from connector_jira_jsm.text import cuts, plain, wiki

Names = Mapping[str, Any]

LONGEST = 32_767  # UTF-16 units of a text field (JRASERVER-64351)
HEADING = "Incident details"

_LONGEST_VALUE = 500
_LONGEST_LINK = 2_500
_MOST_OTHERS = 15  # so that our part fits, whatever a source shows
_REFERENCE = "Reference: "
_OUR_PART = re.compile(rf"^[ \t]*h[1-6]\.[ \t]+{HEADING}[ \t]*$", re.MULTILINE)
_RULE_AT_END = re.compile(r"(?:^|\n)[ \t]*-{4,5}\s*$")
_REFERENCE_AT_END = re.compile(rf"(?:^|\n){_REFERENCE}\S+\s*$")
_REFERENCE_LINE = re.compile(rf"^[ \t]*{_REFERENCE}\S+[ \t]*$")
_TITLE_LINE = re.compile(r"^[ \t]*\*(Incident|Device|Location)\*[ \t]*$")
_FACT_LINE = re.compile(r"^[ \t]*\*[ \t]+([A-Z][A-Za-z ]+):")
_LABELS = frozenset(
    {"Issue", "Priority", "Opened", "Link", "Name", "Model", "Serial number", "MAC address", "Firmware", "Vendor", "ID"}
    | {"Path", "Address", "Time zone"}
)


def write(incident: Incident, marker: str) -> str:
    """Write the whole text as wiki markup; only the incident's own words are cut when it is too long."""
    return _joined(incident, "\n".join(_ours(incident, marker)))


def rewrite(markup: str | None, incident: Incident, marker: str, names: Names = plain.NOBODY) -> str:
    """Write the text anew over the one that a ticket has, and keep what people did to it.

    Paragraphs of the words that stay the same keep their markup; `names` are those of people whom they mention.
    """
    text = wiki.clean(markup or "")
    theirs, block = _halves(text)
    added, below = _additions(block, marker)
    ours = []
    for line, key in _keyed(_ours(incident, marker)):
        if key == _REFERENCE:
            ours += [kept for lines in added.values() for kept in lines]
        ours += [line, *(added.pop(key, []) if key != _REFERENCE else ())]
    return _joined(incident, "\n".join(ours) + below, kept=theirs, names=names)


def read(text: object, names: Names = plain.NOBODY) -> str | None:
    """Return the words above our part in the form that is compared, None when there are none."""
    if isinstance(text, dict):
        return plain.of_document(_above_our_heading(text), names) or None
    return plain.of_clean_wiki(_halves(wiki.clean(text if isinstance(text, str) else ""))[0], names) or None


def mentions(markup: str | None, marker: str) -> bool:
    """Return whether a ticket's text carries the marker, however Jira wrote it back."""
    return bool(markup) and marker in wiki.unescape(markup or "")


def leads_to(markup: str | None, address: str) -> bool:
    """Return whether a text that we wrote has the way to the incident."""
    link = _link(address)
    return bool(markup) and link is not None and link in (markup or "")


def fitted(own: str, room: int) -> str:
    """Write plain text as markup of at most so many UTF-16 units.

    The words are cut, between graphemes: half an escape would change what follows, half a character is another one.
    """
    markup = wiki.escape(own)
    if utf16_length(markup) <= room:
        return markup
    note = "\n\n" + wiki.escape(cuts.DESCRIPTION)
    return _beginning(own, room - len(note)) + note


def _beginning(own: str, room: int) -> str:
    """Write as much of the beginning of a text as fits, as markup."""
    low, high = 0, min(len(own), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        if utf16_length(wiki.escape(own[:middle].rstrip())) <= room:
            low = middle
        else:
            high = middle - 1
    return wiki.escape(own[: whole_graphemes(own, low)].rstrip())


def _ours(incident: Incident, marker: str) -> list[str]:
    return ["----", f"h3. {HEADING}", *_facts(incident), "", _REFERENCE + wiki.escape(marker)]


def _joined(incident: Incident, ours: str, kept: str = "", names: Names = plain.NOBODY) -> str:
    own = wiki.normalise(incident.description or "")
    if not own:
        return ours
    room = LONGEST - utf16_length(ours) - len("\n\n")
    if own == plain.of_wiki(kept, names) and utf16_length(kept.strip()) <= room:
        return f"{kept.strip()}\n\n{ours}"
    known = {plain.of_wiki(paragraph, names): paragraph.strip() for paragraph in kept.split("\n\n")}
    mixed = "\n\n".join(known.get(paragraph) or wiki.escape(paragraph) for paragraph in own.split("\n\n"))
    # What reads differently when put together was more than paragraphs.
    if utf16_length(mixed) <= room and plain.of_wiki(mixed, names) == own:
        return f"{mixed}\n\n{ours}"
    return f"{fitted(own, room)}\n\n{ours}"


def _halves(text: str) -> tuple[str, str]:
    """Part a text at our heading; a person may have removed it: then all is theirs, but for the reference.

    Looking for the fixed words first spares most texts the slow searches.
    """
    ours = list(_OUR_PART.finditer(text)) if HEADING in text else []
    if ours:
        return _RULE_AT_END.sub("", text[: ours[-1].start()]), text[ours[-1].start() :]
    return (_REFERENCE_AT_END.sub("", text) if _REFERENCE in text else text), ""


def _additions(block: str, marker: str) -> tuple[dict[str, list[str]], str]:
    """Return the lines that people put into our part, by the line of ours before them, and what stands below it."""
    lines = block.split("\n")
    reference = _REFERENCE + marker
    end = next((n for n, line in enumerate(lines) if wiki.unescape(line).strip() == reference), len(lines))
    below = "\n".join(lines[end + 1 :]).rstrip()
    added: dict[str, list[str]] = {}
    last = HEADING
    for line, key in _keyed(lines[1:end]):
        if key:
            last = key
        elif line.strip():
            added.setdefault(last, []).append(line)
    return added, f"\n{below}" if below else ""


def _keyed(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Name each line that is ours; a line without a name is a person's, or empty."""
    title = ""
    for line in lines:
        key = ""
        if found := _TITLE_LINE.match(line):
            key = title = found[1]
        elif (found := _FACT_LINE.match(line)) and found[1] in _LABELS:
            key = f"{title}/{found[1]}"
        elif _OUR_PART.match(line):
            key = HEADING
        elif line.startswith(_REFERENCE):
            key = _REFERENCE
        yield line, key


def _above_our_heading(document: Mapping[str, object]) -> Mapping[str, object]:
    """Return a document without our part, which begins at the last heading of our words."""
    content = document.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    headings = [number for number, block in enumerate(blocks) if block.get("type") == "heading"]
    ours = [number for number in headings if _OUR_PART.match(plain.of_document({"content": [blocks[number]]}))]
    above = blocks[: ours[-1]] if ours else blocks
    last = plain.of_document({"content": above[-1:]})
    if _RULE_AT_END.fullmatch(last) if ours else _REFERENCE_LINE.match(last):
        above = above[:-1]
    return {"content": above}


def _facts(incident: Incident) -> Iterator[str]:
    zone = zone_of(incident.location)
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
        *((_line(name) or "", _line(value)) for name, value in list((device.other or {}).items())[:_MOST_OTHERS]),
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
    return link if utf16_length(link) <= _LONGEST_LINK else None


def _line(value: str | None) -> str | None:
    """Bring a value into one line of bounded length: our part must always fit."""
    return _beginning(" ".join(wiki.clean(value).split()), _LONGEST_VALUE) if value else None


def zone_of(location: Location | None) -> ZoneInfo | None:
    """Return the time zone of a place, None where it is not known."""
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
