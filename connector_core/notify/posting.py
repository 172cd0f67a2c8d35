"""Messages by HTTP: to chats, in the form that each reads, and to any receiver as signed JSON.

What is sent to chats is marked as plain text, or escaped: no name of an incident or an organization is read as markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.http.outbound import Outbound
from connector_core.http.session import HTTPSession, connections, user_agent
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.notify.messages import Line, Message, as_json
from connector_core.notify.settings import SlackNotifier, TeamsNotifier, WebhookNotifier

DEADLINE_S = 20.0
_CONNECT_S, _READ_S = 5.0, 10.0
_LONGEST_WAIT_S = 3600.0
_REDIRECTS, _TOO_MANY, _TIMEOUT, _SERVER = range(300, 400), 429, 408, range(500, 600)
#: What the session's errors mean here, by their code.
_UNANSWERED = {
    "unreachable": "The receiver cannot be reached.",
    "answer_lost": "The receiver did not answer in time or hung up.",
    "tls_failed": "The receiver's certificate was not accepted.",
}
_REFUSED_ADDRESS = frozenset({401, 403, 404, 410})


def post(settings: SlackNotifier | TeamsNotifier | WebhookNotifier, message: Message, outbound: Outbound) -> None:
    """Post a message.

    Raises:
        RetryLater: the receiver could not be reached, or asks for a pause.
        RemoteError: it refused the message.
        ConfigError: the address may not be called.
    """
    body, headers = _body(settings, message)
    session = HTTPSession(
        user_agent("notifications", "1"), deadline_s=DEADLINE_S, adapter=connections(DEADLINE_S, outbound)
    )
    with session:
        try:
            answer = session.post(
                settings.url.get_secret_value(), data=body, headers=headers, timeout=(_CONNECT_S, _READ_S)
            )
        except RetryLater as exc:
            raise _unanswered(exc) from exc
        _judge(answer.status_code, answer.headers.get("Retry-After", ""))


def _unanswered(error: RetryLater) -> RetryLater:
    """Say of the receiver what the session says of any other side, and what to look at."""
    return RetryLater(
        _UNANSWERED.get(error.code, error.message),
        after_s=error.after_s,
        outcome_unknown=error.outcome_unknown,
        code=error.code,
        detail=error.detail,
        fix=error.fix or "Check the address, and whether a firewall lets the connection pass.",
    )


def _body(
    settings: SlackNotifier | TeamsNotifier | WebhookNotifier, message: Message
) -> tuple[bytes, Mapping[str, str]]:
    headers = {"Content-Type": "application/json"}
    match settings:
        case SlackNotifier():
            return _dumped(slack(message)), headers
        case TeamsNotifier():
            return _dumped(teams(message)), headers
        case WebhookNotifier():
            body = _dumped(as_json(message))
            keys = signing_keys(settings.secret.get_secret_value())[:1]
            return body, {**headers, **sign(keys, message.id, message.at, body)}


def slack(message: Message) -> dict[str, Any]:
    """Return a message as Slack's incoming webhooks read it (docs.slack.dev, "Incoming webhooks").

    A section has up to 3,000 signs, all blocks together some 13,000.
    """
    sections = [_slack_section(f"*{_escaped(message.subject)}*")]
    sections += [_slack_section(f"{_escaped(line.text)}\n<{_escaped(line.url)}|Open>") for line in message.lines]
    sections += [_slack_section(_escaped(text)) for text in message.closing]
    return {"text": _escaped(message.subject), "blocks": sections}


def teams(message: Message) -> dict[str, Any]:
    """Return a message as a workflow of Teams reads it: an adaptive card, in runs of text that know no markup."""
    body = [_run(message.subject, bold=True)]
    for line in message.lines:
        body += [_run(line.text), _open(line)]
    body += [_run(text) for text in message.closing]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _slack_section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _run(text: str, *, bold: bool = False) -> dict[str, Any]:
    run = {"type": "TextRun", "text": text, **({"weight": "bolder"} if bold else {})}
    return {"type": "RichTextBlock", "inlines": [run]}


def _open(line: Line) -> dict[str, Any]:
    return {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": line.url}]}


def _dumped(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _judge(status: int, retry_after: str) -> None:
    """Raise what an answer's status means; its body is others' text, and stays unread."""
    if 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
        return
    if status in _REDIRECTS:
        raise ConfigError(
            "The receiver sends messages on to another address.",
            code="notifier_redirected",
            fix="Enter the address that it leads to.",
        )
    if status in {_TOO_MANY, _TIMEOUT} or status in _SERVER:
        raise RetryLater(
            f"The receiver cannot take messages at the moment (HTTP {status}).",
            after_s=_seconds(retry_after),
            code="notifier_busy",
        )
    if status in _REFUSED_ADDRESS:
        raise RemoteError(
            f"The receiver does not accept this address or secret (HTTP {status}).",
            code="notifier_refused",
            fix="Enter the address, and the secret if it has one, again.",
        )
    raise RemoteError(f"The receiver refused the message (HTTP {status}).", code="notifier_refused")


def _seconds(text: str) -> float | None:
    is_number = text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - digits
    return min(float(text), _LONGEST_WAIT_S) if is_number else None
