"""What a log line looks like, and what never stands in it."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from pydantic import SecretStr

from connector_core.logs import configure_logging
from connector_core.secrets import Masker


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Say so."""
        return True


def lines_of(stream):
    """Read the JSON lines of a stream."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_line_has_event_level_logger_and_utc_time():
    """One line for one event, with a stable name and fields."""
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)

    structlog.get_logger("connector_core.sync.advance").info("ticket_created", link=7, key="AB-1")

    line = lines_of(stream)[0]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "ticket_created",
        "level": "info",
        "logger": "connector_core.sync.advance",
        "link": 7,
        "key": "AB-1",
    }


@pytest.mark.parametrize(
    ("format", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("human", io.StringIO, False),
        ("json", Terminal, True),
    ],
)
def test_format_follows_the_stream_unless_told(format, stream, is_json):  # noqa: A002 - the name in question
    """People at a terminal read text, everything else JSON."""
    output = stream()
    configure_logging("info", format, stream=output)

    structlog.get_logger("x").info("started")

    assert output.getvalue().startswith("{") is is_json
    assert "started" in output.getvalue()


def test_level_holds_for_both_kinds_of_loggers():
    """What is below the level is not written."""
    stream = io.StringIO()
    configure_logging("warning", "json", stream=stream)

    structlog.get_logger("ours").info("quiet")
    logging.getLogger("theirs").info("quiet")
    structlog.get_logger("ours").warning("loud")
    logging.getLogger("theirs").warning("loud")

    assert len(lines_of(stream)) == 2


def test_line_of_a_library_has_a_stable_event():
    """A library's prose moves to `message`; the event is its logger's name."""
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)

    logging.getLogger("uvicorn.error").info("Started server process [%d]", 42, extra={"color_message": "x"})

    line = lines_of(stream)[0]
    assert (line["event"], line["logger"]) == ("server_started", "uvicorn.error")
    assert line["message"] == "Started server process [42]"


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("Retrying (%r) after connection broken by '%r': %s", ("Retry(total=0)", OSError(1, "x"), "/services/T1/Zk9s")),
        (
            '%s://%s:%s "%s %s %s" %s %s',
            ("https", "chat.example", 443, "POST", "/services/T1/Zk9s?a=1", "HTTP/1.1", 9, 2),
        ),
        ("Failed to parse headers (url=%s): %s", ("https://chat.example:443/services/Zk9s", "x")),
    ],
)
def test_no_path_of_a_call_is_logged(said, values):
    """What the HTTP library says of a call is without path and query: of some addresses these are the secret."""
    stream = io.StringIO()
    configure_logging("debug", "json", stream=stream)

    logging.getLogger("urllib3.connectionpool").warning(said, *values)

    assert "Zk9s" not in stream.getvalue()
    assert lines_of(stream)[0]["message"].startswith(said[:5].replace("%s://", "https"))


def test_servers_own_handlers_are_replaced():
    """A server that brought handlers does not write a second line in another form."""
    own = io.StringIO()
    logger = logging.getLogger("uvicorn.access")
    logger.addHandler(logging.StreamHandler(own))
    logger.propagate = False
    stream = io.StringIO()

    configure_logging("info", "json", stream=stream)
    logger.info("GET /")

    assert own.getvalue() == ""
    assert len(lines_of(stream)) == 1


def test_chatty_libraries_speak_up_only_when_debugging():
    """The scheduler's everyday lines are left out, unless everything is wanted."""
    stream = io.StringIO()

    configure_logging("info", "json", stream=stream)
    logging.getLogger("apscheduler.executors").info("Running job")
    assert stream.getvalue() == ""

    configure_logging("debug", "json", stream=stream)
    logging.getLogger("apscheduler.executors").info("Running job")
    assert len(lines_of(stream)) == 1


def test_configuring_twice_writes_once():
    """Logging is set up before and after the configuration is read."""
    stream = io.StringIO()
    configure_logging("info", "json", stream=io.StringIO())
    configure_logging("info", "json", stream=stream)

    structlog.get_logger("x").info("started")

    assert len(lines_of(stream)) == 1


@pytest.mark.parametrize("format", ["human", "json"])
def test_secrets_are_masked_wherever_they_are(format):  # noqa: A002 - as above
    """In the event, in values of any shape, in objects, and in what a library says."""
    stream = io.StringIO()
    masker = Masker("hidden-value")
    configure_logging("info", format, masker, stream)

    structlog.get_logger("x").info(
        "with hidden-value",
        text="a hidden-value b",
        nested={"hidden-value": [("hidden-value",), {"k": "hidden-value"}]},
        raw=b"hidden-value",
        secret=SecretStr("hidden-value"),
        error=ValueError("hidden-value"),
        number=5,
    )
    logging.getLogger("theirs").warning("token %s", "hidden-value", extra={"url": "https://x/?t=hidden-value"})

    assert "hidden-value" not in stream.getvalue()
    assert "with ***" in stream.getvalue()


@pytest.mark.parametrize("format", ["human", "json"])
def test_secrets_are_masked_in_tracebacks(format):  # noqa: A002 - as above
    """A traceback is written as text, without local variables, and masked."""
    stream = io.StringIO()
    configure_logging("info", format, Masker("hidden-value"), stream)
    local, told = "another-secret" + "-in-a-variable", "hidden" + "-value"

    try:
        int(f"refused: {told}")
    except ValueError:
        structlog.get_logger("x").exception("call_failed")
        logging.getLogger("theirs").exception("call failed")

    text = stream.getvalue()
    assert text.count("literal for int() with base 10: 'refused: ***'") == 2
    assert "Traceback" in text
    assert "hidden-value" not in text
    assert local not in text


def test_masker_may_learn_later():
    """Secrets that become known while the program runs are masked from then on."""
    stream = io.StringIO()
    masker = Masker()
    configure_logging("info", "json", masker, stream)
    masker.add("renewed-token")

    structlog.get_logger("x").info("grant_renewed", token="renewed-token")

    assert lines_of(stream)[0]["token"] == "***"


def test_standard_error_is_the_default(capsys):
    """Standard output belongs to the commands."""
    configure_logging("info", "json")

    structlog.get_logger("x").info("started")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "started" in captured.err


def test_context_is_written_with_every_line():
    """What is bound for a piece of work stands in each of its lines."""
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)

    with structlog.contextvars.bound_contextvars(link=7):
        structlog.get_logger("x").info("tried")

    assert lines_of(stream)[0]["link"] == 7


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ("Started server process [%d]", "server_started"),
        ("Shutting down", "server_stopping"),
        ("Invalid HTTP request received.", "http_request_invalid"),
        ("Something that a later version says", "server_said"),
    ],
)
def test_lines_of_the_http_server_have_names_and_no_colours(said, event):
    """It says them twice, once for terminals; a name can be searched for, and a logger's name tells nothing."""
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    arguments = (7,) if "%d" in said else ()

    coloured = f"\x1b[36m{said}\x1b[0m"
    logging.getLogger("uvicorn.error").info(coloured, *arguments, extra={"color_message": "\x1b[36m%d"})

    (line,) = lines_of(stream)
    assert line["event"] == event
    assert line["message"] == (said % arguments if arguments else said)
    assert "\\u001b" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
