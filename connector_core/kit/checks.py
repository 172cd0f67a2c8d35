"""How a plugin's checks say what they found; what could not be asked is a finding too.

Checks change nothing on the other side. What changed there since it was last looked at is in `drift.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TypeVar

from connector_core.contract.errors import AuthError, ConfigError, ConnectorError, RetryLater
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import NOT_CHECKED, Finding, Severity
from connector_core.kit.texts import clean

T = TypeVar("T")


def ok(code: str, title: str, detail: str = "") -> Finding:
    """Return a finding that something is as it should be.

    >>> ok("queue", "The queue is there", "AV Support").severity
    <Severity.OK: 'ok'>
    """
    return Finding(code=code, severity=Severity.OK, title=clean(title), detail=clean(detail))


def warning(code: str, title: str, detail: str = "", fix: str = "") -> Finding:
    r"""Return a finding that something works, but not fully; `fix` says where and how it is mended.

    >>> warning("fields", "Ti\x1btles cannot be changed").title
    'Titles cannot be changed'
    """
    return Finding(code=code, severity=Severity.WARNING, title=clean(title), detail=clean(detail), fix=fix)


def problem(code: str, title: str, detail: str = "", fix: str = "") -> Finding:
    """Return a finding that something would fail; `fix` says where and how it is mended.

    >>> problem("queue_missing", "The queue is not there", fix="Choose another one.").fix
    'Choose another one.'
    """
    return Finding(code=code, severity=Severity.PROBLEM, title=clean(title), detail=clean(detail), fix=fix)


def run(*parts: Iterable[Finding]) -> list[Finding]:
    """Gather what the parts of a check find, each as far as it gets.

    A part that fails adds what it could not ask, and the next one goes on; where the other side cannot be reached, or
    takes no authorization, nothing more is asked. Any error that is not of the connector's tree goes through.

    >>> [finding.code for finding in run([ok("a", "A")], [ok("b", "B")])]
    ['a', 'b']
    """
    findings: list[Finding] = []
    for part in parts:
        try:
            findings.extend(part)
        except ConnectorError as exc:
            code = NOT_CHECKED if isinstance(exc, RetryLater) else exc.code
            findings.append(problem(code, "This could not be checked", exc.message, exc.fix))
            if isinstance(exc, AuthError | RetryLater):
                break
    return findings


def readable(code: str, what: str, load: Callable[[], T | None], fix: str) -> Generator[Finding, None, T | None]:
    """Say whether something can be read, and return it: a warning where our account may not, or is shown nothing.

    `load` reads it; None is nothing. `what` is the subject of what is said; the code of a warning ends in `_closed`.

        states = yield from readable("states", "The list of states", load, "Give the account the role.")

    >>> [found.title for found in readable("states", "The list of states", lambda: None, "Give the account the role.")]
    ['The list of states cannot be read']
    """
    try:
        found, said = load(), "It comes back empty."
    except ConfigError as exc:
        found, said = None, exc.message
    is_there = found is not None
    yield (
        ok(code, f"{what} can be read") if is_there else warning(f"{code}_closed", f"{what} cannot be read", said, fix)
    )
    return found


def listed(code: str, what: str, chosen: str, offered: Mapping[str, str], fix: str) -> Iterator[Finding]:
    """Say whether a choice is still among those that are offered, by value; its name is told with it.

    `what` is the subject of what is said; the code of a problem ends in `_missing`.

    >>> [finding.detail for finding in listed("queue", "The queue", "3", {"3": "AV"}, "Choose another one.")]
    ['AV']
    """
    is_there, lack = chosen in offered, f"{what} is not there any more, or hidden"
    yield ok(code, f"{what} is there", offered[chosen]) if is_there else problem(f"{code}_missing", lack, chosen, fix)


def close_status(
    chosen: str, keep_open: str, load: Callable[[], Iterable[str]], *, lack: str, fix: str
) -> Iterator[Finding]:
    """Say whether the status that ends a ticket is known, where not every one can be listed: a warning if it is not.

    `load` lists those that are known; nobody asks where `chosen` is `keep_open`. `lack` says what it means that it is
    not among them.

    >>> [found.detail for found in close_status("done", "none", lambda: ["done"], lack="No ticket has it.", fix="")]
    ['done']
    """
    if chosen == keep_open:
        yield ok("close_status", "Tickets are not closed automatically")
    elif chosen in load():
        yield ok("close_status", "The close status is known", chosen)
    else:
        yield warning("close_status", lack, chosen, fix)


def webhook_is_there(
    integration: AnyIntegration, *, is_managed: bool = False, lack: str = "", fix: str = ""
) -> Iterator[Finding]:
    """Say how the webhook is set up; whether one is missing the core knows, since that of another integration may do.

    `is_managed` says that the connector registers the webhook, `lack` why it cannot, `fix` what to do about that.

    >>> [finding.code for finding in webhook_is_there(integration, is_managed=True, lack="No right.")]
    ['webhook_scope']
    """
    if is_managed and lack:
        yield warning("webhook_scope", "The connector cannot register the webhook", lack, fix)
    elif is_managed:
        yield ok("webhook", "The connector registers the webhook")
    elif integration.webhook_secrets:
        yield ok("webhook", "A webhook secret is set")
