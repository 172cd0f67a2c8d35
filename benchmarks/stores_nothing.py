"""The daemon as it is, but that its intake stores nothing: `python -m benchmarks.stores_nothing CONFIG`."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime

from connector_core.app import build_app
from connector_core.cli.opening import read
from connector_core.intake import Intake
from connector_core.models import Delivery
from connector_core.store import Accepted
from connector_core.web.server import serve


class _Nothing:
    """Takes the place of the store at the intake."""

    def accept_delivery(self, _integration_id: str, _delivery: Delivery, _at: datetime) -> Future[Accepted]:
        """Say at once that it is stored."""
        done: Future[Accepted] = Future()
        done.set_result(Accepted(ignored=1))
        return done


def main() -> None:
    """Serve until told to stop."""
    config, plugins, log = read(sys.argv[1], daemon=True)
    app = build_app(config, plugins, log=log)
    intake = Intake(_Nothing(), app.registry, log)  # type: ignore[arg-type] - the one method that is called
    serve(replace(app, intake=intake), ready=lambda address: print(address, flush=True))


if __name__ == "__main__":
    main()
