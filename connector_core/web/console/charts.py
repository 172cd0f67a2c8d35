"""Charts as values: where bars, lines, ticks and labels stand. Pure; `charts.html` writes them as SVG.

    bars([Series("Incidents", "one", [0, 3, 1])], [Slot("10:00", "Nov 28, 10:00 UTC"), …])

A chart is drawn for a place about 25 rem wide, so that its letters have the size of small print there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log, log10

#: As `charts.html` has them, in a drawing of 400 by 168.
LEFT, RIGHT, TOP, BOTTOM = 48.0, 396.0, 10.0, 146.0
_MOST_STEPS = 4
_GAP = 0.25  # of the width of a slot, between the bars of two
_DOT = 2.2
#: What an axis of times is cut at, in seconds.
_TIMES = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86400 * days for days in (1, 2, 5, 10, 20, 50, 100)),
)
#: The same where each step is several times the one before.
_LADDER = (0.1, 1, 10, 60, 600, 3600, 6 * 3600, 86400, 10 * 86400, 100 * 86400)


@dataclass(frozen=True)
class Slot:
    """A stretch of time along the bottom; only some have a label."""

    label: str
    title: str


@dataclass(frozen=True)
class Series:
    """Values by slot, None where there is none; `tone` is the class that gives them their colour."""

    name: str
    tone: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Tick:
    """A place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Shape:
    """A path of one colour."""

    tone: str
    path: str


@dataclass(frozen=True)
class Column:
    """What is pointed at: a slot as wide as it is, and what it says."""

    x: float
    width: float
    title: str


@dataclass(frozen=True)
class Chart:
    """All that is drawn."""

    across: Sequence[Tick]
    up: Sequence[Tick]
    shapes: Sequence[Shape]
    columns: Sequence[Column]


def bars(series: Sequence[Series], slots: Sequence[Slot], *, are_times: bool = False) -> Chart:
    """Return bars side by side, from zero on; `are_times` where the values are seconds."""
    most = max((value or 0 for one in series for value in one.values), default=0)
    step = _time_step(most) if are_times else count_step(most)
    top = step * max(ceil(most / step), 1)
    wide = _slot_width(slots)
    each = wide * (1 - _GAP) / max(len(series), 1)
    shapes = [
        Shape(one.tone, "".join(_bars(one.values, wide, _GAP / 2 * wide + place * each, each, top)))
        for place, one in enumerate(series)
    ]
    say = spoken if are_times else short
    up = [Tick(_up(step * number, top), say(step * number)) for number in range(round(top / step) + 1)]
    return Chart(_across(slots), up, shapes, _columns(series, slots, are_times=are_times))


def lines(series: Sequence[Series], slots: Sequence[Slot]) -> Chart:
    """Return lines of times in seconds, on an axis where a tenfold is as far everywhere; gaps stay gaps."""
    known = [value for one in series for value in one.values if value]
    low, high = _ends(min(known, default=1.0), max(known, default=10.0))
    wide = _slot_width(slots)

    def up(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * log(value / low) / log(high / low)

    shapes = []
    for one in series:
        points = [
            None if not value else (LEFT + (place + 0.5) * wide, up(value)) for place, value in enumerate(one.values)
        ]
        shapes += [Shape(f"{one.tone} line", _line(points)), Shape(one.tone, _dots(points))]
    ticks = [Tick(up(value), spoken(value)) for value in _LADDER if low <= value <= high]
    return Chart(_across(slots), ticks, shapes, _columns(series, slots, are_times=True))


def count_step(most: float) -> int:
    """Return how far apart the lines of a chart of counts are: 1, 2 or 5, times a power of ten."""
    rough = max(most / _MOST_STEPS, 1)
    power: int = 10 ** floor(log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


def short(number: float) -> str:
    """Return a count for an axis: 950, 1.2k, 3M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return f"{number:.0f}"


def spoken(seconds: float) -> str:
    """Return a time in its largest unit: 0.3 s, 41 s, 5 min, 3.5 h, 2 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s"


def _time_step(most: float) -> int:
    return next((step for step in _TIMES if step * _MOST_STEPS >= most), _TIMES[-1] * ceil(most / _TIMES[-1]))


def _ends(least: float, most: float) -> tuple[float, float]:
    """Return between which steps of the ladder values lie."""
    place = max((at for at, step in enumerate(_LADDER) if step <= least), default=0)
    end = next((at for at, step in enumerate(_LADDER) if step >= most), len(_LADDER) - 1)
    return _LADDER[min(place, len(_LADDER) - 2)], _LADDER[max(end, place + 1, 1)]


def _slot_width(slots: Sequence[Slot]) -> float:
    return (RIGHT - LEFT) / max(len(slots), 1)


def _up(value: float, top: float) -> float:
    return _rounded(BOTTOM - (BOTTOM - TOP) * value / top)


def _bars(values: Sequence[float | None], wide: float, gap: float, each: float, top: float) -> Iterator[str]:
    for place, value in enumerate(values):
        if value:
            y = min(_up(value, top), BOTTOM - 1)  # what is there is seen, however little
            yield f"M{LEFT + place * wide + gap:.1f} {BOTTOM:.0f}V{y:.1f}h{each:.1f}V{BOTTOM:.0f}z"


def _line(points: Sequence[tuple[float, float] | None]) -> str:
    pieces = [f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in pairwise(points) if a and b]
    return "".join(pieces)


def _dots(points: Sequence[tuple[float, float] | None]) -> str:
    circle = f"a{_DOT} {_DOT} 0 1 0 {2 * _DOT} 0a{_DOT} {_DOT} 0 1 0-{2 * _DOT} 0"
    return "".join(f"M{at[0] - _DOT:.1f} {at[1]:.1f}{circle}" for at in points if at)


def _across(slots: Sequence[Slot]) -> list[Tick]:
    """Return the labels along the bottom; one begins where its slot does."""
    wide = _slot_width(slots)
    return [Tick(_rounded(LEFT + place * wide), slot.label) for place, slot in enumerate(slots) if slot.label]


def _columns(series: Sequence[Series], slots: Sequence[Slot], *, are_times: bool) -> list[Column]:
    wide, found = _slot_width(slots), []
    for place, slot in enumerate(slots):
        told = [f"{one.name} {_told(one.values[place], are_times=are_times)}" for one in series]
        found.append(Column(_rounded(LEFT + place * wide), _rounded(wide), f"{slot.title}: {', '.join(told)}"))
    return found


def _told(value: float | None, *, are_times: bool) -> str:
    if are_times:
        return spoken(value) if value else "none"
    return f"{value or 0:,.0f}"


def _rounded(value: float) -> float:
    return round(value, 1)
