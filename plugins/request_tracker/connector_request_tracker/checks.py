"""What an integration will need, tried without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_core import ConfigError, Finding, hookspecs, implements
from connector_core.kit.checks import ok, problem, run, warning, webhook_is_there
from connector_core.kit.rest import segment
from connector_core.kit.signing import name_of
from connector_core.kit.values import as_object, as_objects, whole
from connector_request_tracker.api import RIGHT_FIX, quoted, rest_of, search
from connector_request_tracker.settings import DO_NOT_CLOSE, Tracker
from connector_request_tracker.setup import close_choices
from connector_request_tracker.tickets import following


@implements(hookspecs.check_integration)
def check(integration: Tracker) -> Sequence[Finding]:
    """Try the token, the queue, the rights as far as they show, and the close status."""
    return run(
        _site(integration),
        _queue(integration),
        _rights(integration),
        _close(integration),
        webhook_is_there(integration),
    )


def _site(integration: Tracker) -> Iterator[Finding]:
    version = name_of(as_object(rest_of(integration).get("/rt")).get("Version"))
    yield ok("site", "Request Tracker takes the token", version)


def _queue(integration: Tracker) -> Iterator[Finding]:
    name = integration.settings.queue
    try:
        shown = whole(rest_of(integration).get(f"/queue/{segment(name)}"))
    except ConfigError as exc:
        fix = "Give the token's user the right SeeQueue there, or choose another queue (Select Queue)."
        yield problem("queue_missing", "The queue is not there, or hidden from the token's user", exc.detail, fix)
        return
    links = as_objects(shown.get("_hyperlinks"))
    if name_of(shown.get("Disabled")) == "1":
        yield problem(
            "queue_disabled", "The queue is disabled", name, "Enable it, or choose another one (Select Queue)."
        )
    elif not any(link.get("ref") == "create" for link in links):
        yield problem("right_missing", "Tickets cannot be created in the queue", "CreateTicket", RIGHT_FIX)
    else:
        yield ok("queue", "Tickets can be created in the queue", name)


def _rights(integration: Tracker) -> Iterator[Finding]:
    """Look at the newest open ticket of the queue: whoever may change it is shown where its status may go."""
    found = list(search(integration, f"Queue = {quoted(integration.settings.queue)} AND Status = '__Active__'"))
    if not found:
        yield ok("rights", "Whether tickets can be changed shows with the first ticket of the queue")
    elif not following(rest_of(integration).get(f"/ticket/{segment(name_of(found[-1].get('id')))}")):
        yield problem("right_missing", "Tickets of the queue cannot be changed or commented", "ModifyTicket", RIGHT_FIX)
    else:
        yield ok("rights", "Tickets can be changed and commented")


def _close(integration: Tracker) -> Iterator[Finding]:
    status = integration.settings.close_status
    if status == DO_NOT_CLOSE:
        yield ok("close_status", "Tickets are not closed automatically")
    elif status in {choice.value for choice in close_choices(integration, integration.settings.queue)}:
        yield ok("close_status", "The close status is known", status)
    else:
        fix = "Compare it with the lifecycle of the queue (Close Status)."
        yield warning("close_status", "No ticket of the queue shows the close status yet", status, fix)
