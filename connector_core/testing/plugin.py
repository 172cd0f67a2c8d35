"""What pytest loads of the kit: readable assertions in its checks, and the report of what was tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from connector_core.demo.stage import Stage
    from connector_core.testing.conformance.holding_proxy import HoldingProxy
    from connector_core.testing.conformance.system import Caller, System

pytest.register_assert_rewrite("connector_core.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the report."""
    group = parser.getgroup("connector", "checks of connector plugins")
    group.addoption(
        "--conformance-report",
        metavar="FILE",
        help="write what was tried of each plugin, what it cannot and why, as JSON; with .md at its end as Markdown",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin the report, if one is wanted; of several workers the one that they report to writes it."""
    wanted = config.getoption("--conformance-report", default=None)
    if wanted and not hasattr(config, "workerinput"):
        from connector_core.testing.conformance.report import Reporter  # noqa: PLC0415 - rarely wanted

        config.pluginmanager.register(Reporter(Path(wanted)), "connector-report")


@pytest.fixture(scope="class")
def connector_system(request: pytest.FixtureRequest) -> Iterator[tuple[System, Caller]]:
    """Start the other side of a class of checks, once for all of them."""
    caller = request.cls.make_caller()
    system = request.cls.start(caller)
    yield system, caller
    system.stop()


@pytest.fixture(scope="class")
def connector_stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stage, HoldingProxy]]:
    """Put up a daemon between its platform and its helpdesk, once for all checks of a class."""
    from connector_core.testing.conformance.holding_proxy import HoldingProxy  # noqa: PLC0415 - slow to load

    proxy = HoldingProxy(request.cls.reads)
    stage = request.cls.open_stage(tmp_path_factory.mktemp("daemon"), proxy)
    yield stage, proxy
    stage.close()
    proxy.stop()
