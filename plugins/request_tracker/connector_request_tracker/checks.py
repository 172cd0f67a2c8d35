"""What an integration will need, tried without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import connector_core as core
from connector_core.kit.checks import close_status, ok, problem, run, webhook_is_there
from connector_core.kit.rest import segment
from connector_core.kit.signing import name_of
from connector_core.kit.values import as_object, as_objects, whole
from connector_request_tracker.api import RIGHT_FIX, quoted
from connector_request_tracker.desk import Tracker, following
from connector_request_tracker.settings import TrackerSettings
from connector_request_tracker.setup import close_choices

_QUEUE_FIX = "Give the token's user the right SeeQueue there, or choose another queue (Select Queue)."
_CLOSE_FIX = "Compare it with the lifecycle of the queue (Close Status)."


@core.implements(core.hookspecs.check_integration)
def check(integration: core.Integration[TrackerSettings]) -> Sequence[core.Finding]:
    """Try the token, the queue, the rights as far as they show, and the close status."""
    parts = (one(Tracker(integration)) for one in (_site, _queue, _rights, _close))
    return run(*parts, webhook_is_there(integration))


def _site(desk: Tracker) -> Iterator[core.Finding]:
    version = name_of(as_object(desk.rest.get("/rt")).get("Version"))
    yield ok("site", "Request Tracker takes the token", version)


def _queue(desk: Tracker) -> Iterator[core.Finding]:
    name = desk.settings.queue
    try:
        shown = whole(desk.rest.get(f"/queue/{segment(name)}"))
    except core.ConfigError as exc:
        lack = "The queue is not there, or hidden from the token's user"
        yield problem("queue_missing", lack, exc.detail, _QUEUE_FIX)
        return
    if name_of(shown.get("Disabled")) == "1":
        fix = "Enable it, or choose another one (Select Queue)."
        yield problem("queue_disabled", "The queue is disabled", name, fix)
    elif not any(link.get("ref") == "create" for link in as_objects(shown.get("_hyperlinks"))):
        yield problem("right_missing", "Tickets cannot be created in the queue", "CreateTicket", RIGHT_FIX)
    else:
        yield ok("queue", "Tickets can be created in the queue", name)


def _rights(desk: Tracker) -> Iterator[core.Finding]:
    """Look at the newest open ticket of the queue: whoever may change it is shown where its status may go."""
    found = list(desk.search(f"Queue = {quoted(desk.settings.queue)} AND Status = '__Active__'"))
    if not found:
        yield ok("rights", "Whether tickets can be changed shows with the first ticket of the queue")
    elif not following(desk.rest.get(f"/ticket/{segment(name_of(found[-1].get('id')))}")):
        yield problem("right_missing", "Tickets of the queue cannot be changed or commented", "ModifyTicket", RIGHT_FIX)
    else:
        yield ok("rights", "Tickets can be changed and commented")


def _close(desk: Tracker) -> Iterator[core.Finding]:
    def known() -> list[str]:
        return [choice.value for choice in close_choices(desk, desk.settings.queue)]

    lack = "No ticket of the queue shows the close status yet"
    return close_status(desk.close_status, desk.keep_open, known, lack=lack, fix=_CLOSE_FIX)
