"""The description of a ticket: the incident's own words on top, what is known about it below, our reference at the end.

Everything above our heading belongs to whoever describes the incident, here or there. From our heading to our reference
the text is ours and is written anew; lines that people put in between or below stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector_core.contract.models import Device, Incident, Location, utc
from connector_core.kit.markup import PLAIN, Kind, Line, Markup
from connector_core.kit.texts import CUT_NOTE, beginning, clean, fitted

HEADING = "Incident details"  #: what our part begins with
REFERENCE = "Reference: "  #: what stands before the marker, at the end of our part

Facts = Sequence[tuple[str, str | None]]
OneLine = Callable[[str | None], str | None]

_TITLES = ("Incident", "Device", "Location")
_LABELS = frozenset(
    {"Issue", "Priority", "Opened", "Link", "Name", "Model", "Serial number", "MAC address", "Firmware", "Vendor", "ID"}
    | {"Path", "Address", "Time zone"}
)
_LINK_LABEL = "open the incident"
_LONGEST_LINK = 2_500
_OWN_SHARE = 4  # of a text, this part at least is left for the incident's own words


@dataclass(frozen=True)
class _Room:
    """How much a single value may take, and how many facts that a source added are shown."""

    value: int
    others: int


_ROOMS = (_Room(500, 15), _Room(200, 15), _Room(100, 8), _Room(40, 0))


@dataclass(frozen=True)
class Details:
    """How the descriptions of one ticketing system are written and read.

    `longest` is in whatever `count` counts: characters by `len`, UTF-16 units by `connector_core.utf16_length`. What is
    too long is cut in the incident's own words, which then end in `note`; give the note in `PluginInfo.cut_marks` too,
    so that it is taken off again. Where the limit is small our part gets shorter before the words have to.

        >>> details = Details(HTML, longest=4_000)
        >>> details.own_words(details.write(incident, "cnx-1")) == HTML.normalise(incident.description)
        True
    """

    markup: Markup = PLAIN  #: the language that the ticketing system keeps
    longest: int = 32_000  #: the most that a description may have
    count: Callable[[str], int] = len  #: how the system counts
    note: str = CUT_NOTE  #: what a text ends in that was cut

    def write(self, incident: Incident, marker: str) -> str:
        """Write the whole description of an incident; `marker` names its link and can be found again in it.

        >>> Details().write(incident, "cnx-1").endswith("Reference: cnx-1")
        True
        """
        return self._joined(incident, "\n".join(self._ours(incident, marker)))

    def rewrite(self, present: str | None, incident: Incident, marker: str) -> str:
        r"""Write the description anew over the one that a ticket has, and keep what people did to it.

        Paragraphs of the words that stay the same keep their markup; lines that people put into our part stay behind
        the line of ours that they stand behind, and what they put below it stays below.

            >>> Details().rewrite(f"{old}\nSeen by Ada.", incident, "cnx-1").endswith("\nSeen by Ada.")
            True
        """
        above, block = self._halves(clean(present or ""))
        names = _names_of(incident.device)
        added, below = self._additions(block, marker, names)
        anew = self._ours(incident, marker)
        ours = []
        for text, (_, key) in zip(anew, self._keyed(anew, names), strict=True):
            if key == REFERENCE:
                ours += [kept for lines in added.values() for kept in lines]
            ours += [text, *(added.pop(key, []) if key != REFERENCE else ())]
        return self._joined(incident, "\n".join(ours) + below, kept=above)

    def own_words(self, text: str | None) -> str | None:
        r"""Return what stands above our part, as plain text in normal form; None when there is nothing.

        >>> Details().own_words("It is hot.\n\nReference: cnx-1")
        'It is hot.'
        """
        return self.markup.unescape(self._halves(clean(text or ""))[0]) or None

    def mentions(self, text: str | None, marker: str) -> bool:
        r"""Return whether a description carries a marker, however the ticketing system wrote it back.

        >>> Details(MARKDOWN).mentions("Reference: cnx\\-1", "cnx-1")
        True
        """
        return bool(text) and marker in self.markup.unescape(clean(text or ""))

    def leads_to(self, text: str | None, address: str) -> bool:
        """Return whether a description has the way to the incident: one that is too long for a line is left out.

        >>> Details().leads_to(Details().write(incident, "cnx-1"), incident.url)
        True
        """
        link = self._link(address)
        if not text or link is None:
            return False
        return f": {self.markup.unescape(link)}\n" in f"{self.markup.unescape(clean(text))}\n"

    def is_our_heading(self, line: Line) -> bool:
        """Return whether our part begins with a line, for what reads descriptions in yet another form.

        >>> Details().is_our_heading(PLAIN.line("== Incident details =="))
        True
        """
        return line.kind is Kind.HEADING and line.text.strip() == HEADING

    def _ours(self, incident: Incident, marker: str) -> list[str]:
        """Write our part, as long as what is left for the incident's own words allows."""
        end = self.markup.line(REFERENCE + self.markup.inline(marker)).alone
        begin = [self.markup.rule, self.markup.heading(HEADING)]
        for room in _ROOMS:
            lines = [*begin, *self._facts(incident, room), "", end]
            if self.count("\n".join(lines)) <= self.longest - self.longest // _OWN_SHARE:
                return lines
        return [*begin, end]

    def _joined(self, incident: Incident, ours: str, kept: str = "") -> str:
        markup, count = self.markup, self.count
        own = markup.normalise(incident.description or "")
        if not own:
            return ours
        room = self.longest - count(ours) - len("\n\n")
        if own == markup.unescape(kept) and count(kept.strip()) <= room:
            return f"{kept.strip()}\n\n{ours}"
        known = {markup.unescape(paragraph): paragraph for paragraph in markup.paragraphs(kept)}
        mixed = "\n\n".join(known.get(paragraph) or markup.escape(paragraph) for paragraph in own.split("\n\n"))
        # What reads differently when put together was more than paragraphs.
        if count(mixed) <= room and markup.unescape(mixed) == own:
            return f"{mixed}\n\n{ours}"
        return f"{fitted(own, room, count=count, escape=markup.escape, note=self.note)}\n\n{ours}"

    def _halves(self, text: str) -> tuple[str, list[str]]:
        """Part a text at our heading; a person may have removed it: then all is theirs, but for the reference.

        Looking for the fixed words first spares most texts the slow searches.
        """
        if HEADING not in text and REFERENCE.strip() not in text:
            return text, []
        lines = self.markup.lines(text)
        ours = (n for n in range(len(lines) - 1, -1, -1) if HEADING in lines[n])
        at = next((n for n in ours if self.is_our_heading(self.markup.line(lines[n]))), None)
        above = lines[:at]
        while above and not self.markup.line(above[-1]).alone.strip():
            above.pop()
        last = self.markup.line(above[-1]) if above else None
        if last is not None and (_is_reference(last) if at is None else last.kind is Kind.RULE):
            above.pop()
        return "".join(above), lines[at:] if at is not None else []

    def _additions(self, block: list[str], marker: str, names: frozenset[str]) -> tuple[dict[str, list[str]], str]:
        """Return the lines that people put into our part, by the line of ours before them, and what stands below it."""
        reference = REFERENCE + marker
        read = [self.markup.line(line) for line in block]
        end = next((n for n, line in enumerate(read) if line.text.strip() == reference), len(block))
        below = "".join(block[end + 1 :]).rstrip()
        added: dict[str, list[str]] = {}
        last = HEADING
        for line, key in self._keyed(block[1:end], names):
            if key:
                last = key
            elif line.alone.strip():
                added.setdefault(last, []).append(line.alone)
        return added, f"\n{below}" if below else ""

    def _keyed(self, lines: Iterable[str], names: frozenset[str]) -> Iterator[tuple[Line, str]]:
        """Name each line that is ours; a line without a name is a person's, or empty."""
        title = ""
        for one in lines:
            line, key = self.markup.line(one), ""
            if line.kind is Kind.TITLE and line.text.strip() in _TITLES:
                key = title = line.text.strip()
            elif line.kind is Kind.BULLET and (label := _label_of(line.text, names)):
                key = f"{title}/{label}"
            elif self.is_our_heading(line):
                key = HEADING
            elif line.text.startswith(REFERENCE):
                key = REFERENCE
            yield line, key

    def _facts(self, incident: Incident, room: _Room) -> Iterator[str]:
        zone = zone_of(incident.location)
        line = partial(self._value, longest=room.value)
        yield from self._bullets("Incident", self._of_incident(incident, zone, line))
        if incident.device is not None:
            yield from self._bullets("Device", _of_device(incident.device, line, room.others))
        if incident.location is not None:
            yield from self._bullets("Location", _of_location(incident.location, line, zone))

    def _bullets(self, title: str, facts: Facts) -> list[str]:
        lines = [self.markup.bullet(f"{name}: {value}") for name, value in facts if name and value]
        return [self.markup.title(title), *lines, ""] if lines else []

    def _of_incident(self, incident: Incident, zone: ZoneInfo | None, line: OneLine) -> Facts:
        return [
            ("Issue", line(incident.issue)),
            ("Priority", incident.priority.capitalize() if incident.priority else None),
            ("Opened", _time(incident.opened_at, zone) if incident.opened_at else None),
            ("Link", self._link(incident.url) if incident.url else None),
        ]

    def _link(self, address: str) -> str | None:
        """Write the way to the incident; one so long that our part would not fit is left out: cut, it leads nowhere."""
        link = self.markup.link(_LINK_LABEL, address)
        return link if self.count(link) <= min(_LONGEST_LINK, self.longest // 4) else None

    def _value(self, value: str | None, longest: int) -> str | None:
        """Bring a value into one line of bounded length: our part must always fit."""
        if not value:
            return None
        words = " ".join(clean(value).split())
        inline = self.markup.inline
        return inline(beginning(words, longest, count=lambda part: self.count(inline(part.rstrip()))).rstrip())


def _of_device(device: Device, line: OneLine, most_others: int) -> Facts:
    return [
        ("Name", line(device.name)),
        ("Model", line(device.model)),
        ("Serial number", line(device.serial_number)),
        ("MAC address", line(device.mac)),
        ("Firmware", line(device.firmware)),
        ("Vendor", line(device.vendor)),
        ("ID", line(device.id)),
        *((line(name) or "", line(value)) for name, value in list((device.other or {}).items())[:most_others]),
    ]


def _of_location(location: Location, line: OneLine, zone: ZoneInfo | None) -> Facts:
    return [
        ("Path", line(location.path or location.name)),
        ("Address", line(location.address)),
        ("Time zone", line(location.timezone) if zone else None),
    ]


def _names_of(device: Device | None) -> frozenset[str]:
    """Return the names of what a source was told to show of a device, as they stand in our part."""
    return frozenset(" ".join(clean(name).split()) for name in (device and device.other) or ())


def _label_of(text: str, names: frozenset[str]) -> str:
    """Return the label that an entry of our lists begins with, empty for any other."""
    label = text.partition(":")[0]
    if label in _LABELS:
        return label
    return next((name for name in names if text.startswith(f"{name}: ")), "")


def _is_reference(line: Line) -> bool:
    text = line.text.strip()
    return text.startswith(REFERENCE) and len(text.split()) == len(REFERENCE.split()) + 1


def zone_of(location: Location | None) -> ZoneInfo | None:
    """Return the time zone of a place, None where it is not known.

    >>> zone_of(Location(timezone="Asia/Tokyo"))
    zoneinfo.ZoneInfo(key='Asia/Tokyo')
    """
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
