"""A benchmark whose parts do not work says so and fails; one whose parts work gives every figure that it announces."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import psutil
import pytest
import requests
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks import __main__ as bench
from benchmarks import burst, calls, cluster, intake, large, latency, page, reconcile, soak, startup, tenants, wrk
from benchmarks.bare_receiver import make_app
from benchmarks.figures import Figure, PartFailed
from benchmarks.processes import serving
from connector_core.demo.stage import until
from connector_core.local_server import LocalServer
from connector_core.secrets import SecretBox
from connector_core.store import LinkFilter
from connector_core.store.opening import open_store
from tests.support.needed import require

SECRET = "a-shared-secret"
TENANTS = tenants.Scale(
    written=30, made=40, sizes={1: 1, 100: 5, 1_000: 10, 10_000: 40}, deliveries=10, times=1, settled_s=0
)
CLUSTER = cluster.Size(
    lanes=60, wakes=5, busy=600, quiet=2, hot=5, shared=40, writes_s=1, seconds=1, rounds=2, events=4000
)
SPEED = Figure("speed", "/s", 10, at_least=True)


@dataclasses.dataclass
class Fake:
    """A benchmark that gives what it is told to, then fails if it is told to."""

    readings: tuple = ()
    failure: Exception | None = None
    FIGURES = (SPEED,)

    def measure(self):
        """Yield the readings."""
        yield from self.readings
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def delivery(tmp_path):
    """Write the delivery that the benchmark of intake sends."""
    return intake.write_delivery(tmp_path, SECRET)


@pytest.fixture
def served():
    """Return a function that serves an application and gives its address."""
    servers = []

    def serve(app):
        server = LocalServer(app)
        server.start()
        servers.append(server)
        return server.url

    yield serve
    for server in servers:
        server.stop()


def answering(status, body, parsed=0):
    """Make a yardstick that answers everything alike and says that it parsed so many."""

    async def receive(request):
        await request.body()
        return JSONResponse(body, status_code=status)

    async def tell(_):
        return JSONResponse({"parsed": parsed})

    return Starlette(routes=[Route("/external/jira/webhook", receive, methods=["POST"]), Route("/done", tell)])


def test_a_yardstick_that_works_passes_its_check(served, delivery):
    """The bare receiver verifies, reads, answers, and counts what it read."""
    receiver = intake.bare(served(make_app(SECRET.encode())), delivery)

    intake.check(receiver, delivery)

    assert receiver.done() == 1


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (500, {}, "answered 500 to a good delivery"),
        (200, {"accepted": 1}, "answered .*accepted"),
        (200, {"issue": intake.ISSUE, "fields": intake.CUSTOM_FIELDS + 5}, "answered 200 to a forged delivery"),
    ],
    ids=["fails", "does not read", "does not verify"],
)
def test_a_broken_yardstick_is_refused_before_it_is_loaded(served, delivery, status, body, complaint):
    """One that answers errors, does not read or does not verify would make the share mean nothing."""
    receiver = intake.bare(served(answering(status, body)), delivery)

    with pytest.raises(PartFailed, match=complaint):
        intake.check(receiver, delivery)


def test_a_yardstick_without_the_secret_is_refused(served, delivery):
    """It would answer 403 to every request, faster than any other."""
    receiver = intake.bare(served(make_app(b"another")), delivery)

    with pytest.raises(PartFailed, match="answered 403 to a good delivery"):
        intake.check(receiver, delivery)


def test_what_fills_a_large_database_keeps_to_its_tables(tmp_path):
    """Its rows are written past the store, for a million take their time: each is one that the store can read."""
    file = tmp_path / "connector.db"
    with closing(open_store(file, SecretBox([SecretStr("a passphrase that is long enough")]))) as store:
        large.fill(file, links=40)

        shown = store.overview.search(LinkFilter())

    assert len(shown) == 40
    assert all(one.ticket and one.incident for one in shown)


@pytest.mark.parametrize("done", [99, 100 + 2 * intake.CONNECTIONS + 1], ids=["lost", "never sent"])
def test_deliveries_that_were_answered_must_be_done_and_no_others(delivery, done):
    """A receiver that says yes and does nothing is found out by what it holds."""
    receiver = intake.bare("http://127.0.0.1:1", delivery)

    intake.check_done(receiver, 100, 100)
    with pytest.raises(PartFailed, match=f"acknowledged 100 deliveries and did {done}"):
        intake.check_done(receiver, 100, done)


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("Running 4s test", "no result"),
        ("RESULT 0 4000000 0 0 0", "no request was answered"),
        ("RESULT 21462 4000000 21462 900 4000", "21462 of 21462 requests failed"),
    ],
)
def test_a_load_with_errors_is_no_load(told, complaint):
    """Errors are answered fast; a rate that counts them says nothing."""
    with pytest.raises(PartFailed, match=complaint):
        wrk.load_of(told)


def test_a_load_without_errors_is_read():
    """What wrk's script prints last becomes a rate and times."""
    load = wrk.load_of("Running\nRESULT 8000 4000000 0 900 4000\n")

    assert (load.per_second, load.median_ms, load.p99_ms) == (2000, 0.9, 4)


def test_a_helper_that_ends_by_itself_fails_its_part(tmp_path):
    """What was measured while it was gone is not kept."""
    (tmp_path / "short_lived.py").write_text("import os; print(os.getpid(), flush=True)")

    with pytest.raises(PartFailed, match="ended by itself"):
        use_until_its_end(tmp_path)


def use_until_its_end(folder):
    """Run a helper that ends when it has told its process id, and wait for that end as a measurement might."""
    with serving("short_lived", log=folder / "log", environ={"PYTHONPATH": str(folder)}) as told:
        until(lambda: psutil.Process(int(told)).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("benchmark", "failed", "missed"),
    [
        (Fake(((SPEED, 12.0),)), 0, 0),
        (Fake(((SPEED, 9.0),)), 0, 1),
        (Fake(), 1, 0),
        (Fake(((SPEED, 12.0),), PartFailed("the yardstick answered 500")), 1, 0),
        (Fake((), requests.ConnectionError("refused")), 1, 0),
        (Fake((), TimeoutError("not seen within 20 s")), 1, 0),
        (Fake(((SPEED, 12.0), (Figure("other", "/s"), 1.0))), 1, 0),
    ],
    ids=["well", "goal missed", "nothing measured", "part failed", "no connection", "too late", "not announced"],
)
def test_a_failed_part_or_a_missed_goal_ends_the_run_with_1(benchmark, failed, missed, capsys):
    """Only a run in which all parts worked and all goals were reached ends with 0."""
    outcome = bench.run({"one": benchmark}, {})

    assert (len(outcome.failed), len(outcome.missed)) == (failed, missed)
    assert outcome.exit_code == (1 if failed or missed else 0)
    assert outcome.rows.keys() == (set() if failed else {("one", "speed")})


def test_one_benchmark_that_fails_does_not_stop_the_next(capsys):
    """The others are still measured."""
    outcome = bench.run({"one": Fake((), PartFailed("no")), "two": Fake(((SPEED, 12.0),))}, {})

    assert outcome.failed == ["one: no"]
    assert outcome.rows.keys() == {("two", "speed")}


def test_what_changed_is_told_against_the_page(capsys):
    """A figure is printed with its former value; only a notable change is told again at the end."""
    before = {("one", "speed"): page.Row(20.0, "2026-11-27, load 0.1"), ("two", "speed"): page.Row(12.5, "then")}

    outcome = bench.run({"one": Fake(((SPEED, 12.0),)), "two": Fake(((SPEED, 12.0),))}, before)

    assert outcome.changed == ["one: speed: 20.0 /s → 12.0 /s (-40%)"]
    assert "was 12.5 /s (-4%)" in capsys.readouterr().out


def test_the_page_has_every_announced_figure_with_its_goal():
    """No figure of the page was renamed, is missing, or has another goal than the code."""
    announced = {
        (name, figure.name): figure.goal_as_text() for name, each in bench.ALL.items() for figure in each.FIGURES
    }

    assert {key: row.goal for key, row in page.read(page.PAGE.read_text()).items()} == announced


def test_figures_of_a_benchmark_have_names_of_their_own():
    """A former value is found by the name alone."""
    for benchmark in bench.ALL.values():
        names = [figure.name for figure in benchmark.FIGURES]
        assert len(names) == len(set(names))


def test_the_page_is_what_would_be_written_of_its_own_rows():
    """The table is made by --record and never by hand."""
    text = page.PAGE.read_text()
    figures = {name: benchmark.FIGURES for name, benchmark in bench.ALL.items()}
    told = text.split("Last recorded on: ")[1].split(".\n")[0]

    assert page.write(text, told, figures, page.read(text)) == text


def test_a_recorded_row_is_read_as_it_was_measured():
    """Thousands, units of two words, goals and the circumstances survive the way into the page and back."""
    figures = {"one": (SPEED, Figure("memory of … all", "MB"))}
    rows = {("one", "speed"): page.Row(12_345.6, "2026-11-27, load 0.4"), ("one", "memory of … all"): page.Row(-3, "x")}

    text = page.write(f"Last recorded on: a.\n\n{page.HEAD}| old |\n\nMore.\n", "this machine", figures, rows)

    assert text.startswith("Last recorded on: this machine.\n")
    assert text.endswith("\n\nMore.\n")
    assert "| old |" not in text
    assert page.read(text) == {
        ("one", "speed"): page.Row(12_346, "2026-11-27, load 0.4", "≥ 10 /s"),
        ("one", "memory of … all"): page.Row(-3, "x"),
    }


@pytest.mark.parametrize(
    ("last", "grown"),
    [
        ((100, 50, 20), []),
        ((109, 58, 24), []),
        ((111, 50, 20), ["memory, MiB"]),
        ((100, 59, 25), ["descriptors", "threads"]),
    ],
)
def test_a_soak_says_what_grew(last, grown):
    """What comes and goes is no growth, and the beginning is no measure: everything is loaded then."""
    samples = [soak.Sample(50, 20, 5)] * 5 + [soak.Sample(100, 50, 20)] * 5 + [soak.Sample(*last)] * 5

    assert [one.partition(":")[0] for one in soak.growth(samples)] == grown


@pytest.mark.extended
@pytest.mark.parametrize(
    ("module", "size"),
    [
        (startup, {"times": 1}),
        (latency, {"events": 10, "most_late_s": 60}),  # no test is timed
        (calls, {"lives": 1}),
        (reconcile, {"links": 120}),
        (tenants, {"scale": TENANTS}),
        (cluster, {"size": CLUSTER}),
        (burst, {"events": 600, "warm_up_s": 0, "window_s": 3, "bare_s": 0.5}),  # 600 take 40 s: some are always left
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if hasattr(value, "measure") else "",
)
def test_a_tiny_run_gives_every_announced_figure(module, size):
    """Every part of the benchmark does its work, and nothing that it announces is left out."""
    if module in {burst, cluster}:
        require("wrk")
    if module is cluster:
        require("postgresql")

    readings = dict(module.measure(**size))

    assert set(readings) == set(module.FIGURES)


@pytest.mark.extended
def test_a_tiny_run_of_intake_holds_what_it_acknowledged():
    """The daemon and the bare yardstick are loaded for a second each, and their counts fit."""
    require("wrk")

    readings = dict(intake.measure(seconds=1, rounds=1, yardsticks=("bare",)))

    assert set(readings) == set(intake.FIGURES) - {intake.PLAIN, intake.MULTIPLE}
    assert all(value > 0 for value in readings.values())


@pytest.mark.extended
def test_a_tiny_soak_loses_nothing():
    """Everything that it sends is answered as it should be, and each incident has its request in the end."""
    samples, tally = soak.run(minutes=0.1)

    assert samples
    assert {"opened", "delivery 200", "delivery 403", "page"} <= tally.counts.keys()
