"""Logging: structlog and the standard library's loggers through one chain, secrets masked, one line an event."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "human", "json"]

# What libraries say about their everyday work is of use to those who debug them; that a job still runs when its turn
# comes again would be said every time.
_CHATTY = {"apscheduler": logging.WARNING, "apscheduler.scheduler": logging.ERROR, "urllib3": logging.WARNING}
# These come with handlers of their own when a server was started without being told not to.
_SELF_MADE = ("uvicorn", "uvicorn.error", "uvicorn.access")
# What the HTTP server says has names of its own, so that they can be searched for; by how its sentences begin.
_OF_SERVER = {
    "Started server process": "server_started",
    "Shutting down": "server_stopping",
    "Finished server process": "server_ended",
    "Waiting for connections": "server_waits_for_connections",
    "Waiting for background tasks": "server_waits_for_requests",
    "Cancel ": "server_cancels_requests",
    "Invalid HTTP request": "http_request_invalid",
    "Exception in ASGI": "http_request_failed",
    "Unsupported upgrade": "http_upgrade_unsupported",
}
# What it calls has its secret in the path or the query sometimes; hosts it names beside them.
_TARGET = re.compile(r"(?<=[\s\"'=])(?:https?:/)?/[^\s\"']*(?=[\s\"')]|$)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Mask(Protocol):
    """Whatever takes secrets out of a text, such as `connector_core.secrets.Masker`."""

    def mask(self, text: str) -> str:
        """Return the text without secrets."""
        ...


def configure_logging(
    level: Level = "info",
    format: Format = "auto",  # noqa: A002 - the key in the configuration
    masker: Mask | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send all log lines to one stream; may be called again, as when the configuration is known.

    Args:
        level: the least that is logged.
        format: `human` for people, `json` for machines, `auto`: human when the stream is a terminal.
        masker: knows the secrets that must not be seen; it may learn more later.
        stream: where to write; standard error when None.
    """
    import structlog  # noqa: PLC0415 - slow to load, and most commands log nothing: see `later`

    _Later.set_up = None
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    for_people = format == "human" or (format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared, _name_foreign_event],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            *([_masking(masker)] if masker else []),
            _renderer(stream) if for_people else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    _route(logging.StreamHandler(stream), formatter, threshold)


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger for a module, for which structlog is loaded when something is logged."""
    return cast("FilteringBoundLogger", _Later(name))


def later(masker: Mask) -> FilteringBoundLogger:
    """Return a logger for a command, and set up logging when the first line is logged, by whomever.

    What a command has to say it says in sentences of its own; errors of the program itself are logged, as text.
    """
    # Libraries log by themselves, and Python prints their warnings while no handler is there to take them.
    logging.getLogger().addHandler(_Later.quiet)
    _Later.set_up = lambda: configure_logging("error", "human", masker=masker)
    return get_logger("connector")


def forget_later() -> None:
    """Set up nothing any more: the command that asked for it is over."""
    _Later.set_up = None
    logging.getLogger().removeHandler(_Later.quiet)


class _Later:
    """Stands for a logger of structlog; `set_up` is what has to be done before the first line of any."""

    set_up: Callable[[], None] | None = None
    quiet = logging.NullHandler()

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - whatever a logger has
        import structlog  # noqa: PLC0415 - as above

        waiting, _Later.set_up = _Later.set_up, None
        if waiting is not None:
            waiting()
        return getattr(structlog.get_logger(self._name), attribute)


def _renderer(stream: TextIO) -> Processor:
    import structlog  # noqa: PLC0415 - as above

    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty() and not os.environ.get("NO_COLOR"),
        # Plain, because the handsome tracebacks print local variables, and those hold secrets.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _route(handler: logging.Handler, formatter: logging.Formatter, threshold: int) -> None:
    """Make the handler the only one of ours, and let every library's logger lead to it."""
    import structlog  # noqa: PLC0415 - as above

    handler.setFormatter(formatter)
    root = logging.getLogger()
    for former in root.handlers[:]:
        if isinstance(former.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in _SELF_MADE:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(threshold if threshold <= logging.DEBUG else max(threshold, least))


def _name_foreign_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Give a library's line a stable event, as a rule its logger's name; what it says moves to `message`."""
    said = _COLOURS.sub("", str(event["event"]))
    event["message"] = _TARGET.sub("/…", said) if str(event.get("logger", "")).startswith("urllib3") else said
    event["event"] = event.get("logger", "library")
    if event["event"] in _SELF_MADE:
        event["event"] = next((name for begin, name in _OF_SERVER.items() if said.startswith(begin)), "server_said")
    event.pop("color_message", None)  # the same once more, for terminals
    return event


def _masking(masker: Mask) -> Processor:
    def mask(value: object) -> object:
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return masker.mask(str(value))
            case Mapping():
                return {masker.mask(str(key)): mask(child) for key, child in value.items()}
            case list() | tuple() | set() | frozenset():
                return [mask(child) for child in value]
            case _:
                return masker.mask(str(value) if isinstance(value, Exception) else repr(value))

    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: mask(value) for key, value in event.items()}

    return processor
