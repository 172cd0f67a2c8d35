"""The overview: what happened over a day, a week or a month, as charts and as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from connector_core.store import Figures, Span, Waiting, as_one
from connector_core.store.figures import MOST_COUNTED
from connector_core.web.console import visible
from connector_core.web.console.charts import Chart, Series, Slot, bars, lines, spoken
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit
from connector_core.words.names import Names

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_DAYS_OF_LABEL = 5


@dataclass(frozen=True)
class Period:
    """How far back a chart goes, and how long each of its slots is."""

    title: str
    last: str
    span: Span
    size: timedelta
    slots: int

    def starts(self, now: datetime) -> Sequence[datetime]:
        """Return when each slot begins; the last one is under way."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        last = midnight + (now - midnight) // self.size * self.size
        return [last - back * self.size for back in reversed(range(self.slots))]


#: By their name in the address; the first is what is shown without one.
PERIODS: Mapping[str, Period] = {
    "24h": Period("24 hours", "in the last 24 hours", Span.HOUR, HOUR, 24),
    "7d": Period("7 days", "in the last 7 days", Span.HOUR, 6 * HOUR, 28),
    "30d": Period("30 days", "in the last 30 days", Span.DAY, DAY, 30),
}
FIRST = next(iter(PERIODS))


@dataclass(frozen=True)
class Total:
    """A number over the whole period, with the colour that its series has in the chart."""

    name: str
    tone: str
    value: str


@dataclass(frozen=True)
class Card:
    """One chart with its numbers; `address` leads to what they are about."""

    key: str
    title: str
    totals: Sequence[Total]
    chart: Chart
    address: str = ""
    link: str = ""

    @property
    def told(self) -> str:
        """The chart in words."""
        return f"{self.title}: {', '.join(f'{one.name} {one.value}' for one in self.totals)}"


@dataclass(frozen=True)
class Past:
    """The figures of a period, slot by slot, and what waits now; of one integration, or of all that somebody sees."""

    period: Period
    starts: Sequence[datetime]
    figures: Sequence[Figures]
    now: Waiting
    at: datetime
    integration_id: str = ""

    @property
    def total(self) -> Figures:
        """All of it as one."""
        return as_one(self.figures)

    @property
    def waiting_now(self) -> str:
        """How many changes wait by now, so far as they are counted."""
        return f"{MOST_COUNTED:,}+" if self.now.changes > MOST_COUNTED else f"{self.now.changes:,}"

    @property
    def oldest_now(self) -> str:
        """How long the oldest change waits by now."""
        return spoken((self.at - self.now.since).total_seconds()) if self.now.since is not None else "none"

    @property
    def slots(self) -> Sequence[Slot]:
        """The stretches of time, named."""
        return [Slot(_label(start, self.period), self.named(start)) for start in self.starts]

    def named(self, start: datetime) -> str:
        """Return a slot as a table names it, in UTC."""
        if self.period.size == DAY:
            return f"{start:%a, %b} {start.day}"
        return f"{start:%a, %b} {start.day}, {start:%H:%M}"


def past(visit: Visit, period: Period, integration_id: str = "") -> Past:
    """Ask the store for the figures of a period; who may see the integration was asked before."""
    store, now = visit.app.store, visit.app.clock.now()
    starts = period.starts(now)
    whose = visit.user.organizations
    found = store.figures.read(period.span, starts[0], whose, integration_id or None)
    parts: list[list[Figures]] = [[] for _ in starts]
    for start, figures in found.items():
        place = (_moment(start) - starts[0]) // period.size
        if 0 <= place < len(parts):  # a clock that was set back left hours that are yet to come
            parts[place].append(figures)
    mine = {seen.id for seen in visible.integrations(visit)} if not integration_id else {integration_id}
    return Past(period, starts, [as_one(some) for some in parts], store.figures.waiting_of(mine), now, integration_id)


def show(visit: Visit) -> Response:
    """Show the charts of a period, and the numbers behind them."""
    asked = visit.query.get("period", "")
    name = asked if asked in PERIODS else FIRST
    wanted = visit.query.get("integration", "").strip()
    seen = visible.integration(visit, wanted) if wanted else None
    found = past(visit, PERIODS[name], wanted)
    return visit.page(
        "overview.html",
        past=found,
        cards=cards(found, sides(visit, seen)),
        to=sides(visit, seen),
        spoken=spoken,
        seen=seen,
        periods=[(key, period.title) for key, period in PERIODS.items()],
        period=name,
        integrations=[one.id for one in visible.integrations(visit)],
    )


def sides(visit: Visit, seen: Seen | None) -> tuple[str, str]:
    """Say which way changes go, as labels: to the tickets and to the incidents, by the vendors' names for one."""
    if seen is None:
        return "To tickets", "To incidents"
    names: Names = visit.app.registry.names(seen.id, seen.record.organization)
    return f"To {names.desk}", f"To {names.source}"


def cards(found: Past, to: tuple[str, str]) -> Sequence[Card]:
    """Return every chart of the overview, in order."""
    figures, slots, total = found.figures, found.slots, found.total
    of = f"&integration={found.integration_id}" if found.integration_id else ""
    since = f"{found.starts[0]:%Y-%m-%d}"
    quick = Series("median", "one", [one.median_s for one in figures])
    slow = Series("95 %", "two", [one.slow_s for one in figures])
    return [
        incidents_card(found),
        _counts("changes", "Changes synced", found, ((to[0], "one", "to_ticket"), (to[1], "two", "to_incident"))),
        Card(
            "time",
            "Time from incident to request",
            [Total("Median", "one", _time(total.median_s)), Total("95 % within", "two", _time(total.slow_s))],
            lines([quick, slow], slots),
        ),
        _counts(
            "failures",
            "Failures",
            found,
            (("Delayed", "fair", "delayed"), ("Needed attention", "bad", "failed")),
            f"/activity?result=failed&since={since}{of}",
            "See what failed",
        ),
        Card(
            "backlog",
            "Waiting changes",
            [Total("Now", "", found.waiting_now), Total("Most at once", "one", f"{total.waiting:,}")],
            bars([Series("most at once", "one", [one.waiting for one in figures])], slots),
        ),
        Card(
            "oldest",
            "Longest wait of a change",
            [Total("Oldest now", "", found.oldest_now), Total("Longest", "one", _time(total.oldest_s or None))],
            bars([Series("longest", "one", [one.oldest_s for one in figures])], slots, are_times=True),
        ),
    ]


def incidents_card(found: Past) -> Card:
    """Return the chart of what came in and what was made of it."""
    return _counts(
        "incidents",
        "Incidents and requests",
        found,
        (("Incidents in", "one", "incidents"), ("Requests created", "two", "requests")),
    )


def _counts(  # noqa: PLR0913, PLR0917 - a chart, and where it leads
    key: str,
    title: str,
    found: Past,
    named: Sequence[tuple[str, str, str]],
    address: str = "",
    link: str = "",
) -> Card:
    """Return bars of some counts: what each is called, its tone and its name among the figures."""
    total = found.total
    totals = [Total(name, tone, f"{getattr(total, count):,}") for name, tone, count in named]
    series = [Series(name, tone, [getattr(one, count) for one in found.figures]) for name, tone, count in named]
    return Card(key, title, totals, bars(series, found.slots), address, link)


def _time(seconds: float | None) -> str:
    return "none" if seconds is None else spoken(seconds)


def _moment(start: str) -> datetime:
    """Read the start of an hour or a day, as a row has it."""
    return datetime.fromisoformat(f"{start}:00:00+00:00" if "T" in start else f"{start}T00:00:00+00:00")


def _label(start: datetime, period: Period) -> str:
    """Return what stands below a slot on the axis; nothing below most of them."""
    if period.size == HOUR:
        return f"{start:%H:%M}" if start.hour % 6 == 0 else ""
    if period.size < DAY:
        return f"{start:%a}" if start.hour == 0 else ""
    return f"{start:%b} {start.day}" if start.toordinal() % _DAYS_OF_LABEL == 0 else ""
