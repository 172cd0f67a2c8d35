"""Mentions of people in texts: what others read is a name, never the account id that Jira keeps.

A person is looked up once and remembered, also across restarts: a text that shows another name each time would look
like somebody's edit. Who cannot be found is "@someone".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector_core import AnyIntegration, AuthError, ConfigError, RemoteError, RetryLater, truncate
from connector_core.kit import texts

NAMES = "connector.names"  # where the names stand in what was read, by account id
SOMEONE = "@someone"
UNKNOWN_FOR_S = 86_400.0  # before somebody who could not be found is looked up again
MOST_NAMES = 1_000
LONGEST_NAME = 80
DEEPEST = 100  # levels of a document that are searched

IN_MARKUP = re.compile(r"\[~accountid:([^\]\n]{1,255})\]")

Json = Mapping[str, Any]
LookUp = Callable[[str], Json | None]


def mentioned(*texts: object) -> list[str]:
    """Return the account ids that rich texts mention, in wiki markup or in documents."""
    found: list[str] = []
    for text in texts:
        if isinstance(text, str):
            found += IN_MARKUP.findall(text) if "[~accountid:" in text else ()
        else:
            _search(text, found, 0)
    return list(dict.fromkeys(found))


def shown(account_id: object, names: Json) -> str:
    """Return what a mention shows."""
    name = names.get(account_id) if isinstance(account_id, str) else None
    return f"@{name}" if isinstance(name, str) and name else SOMEONE


def in_document(node: Any, names: Json, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return a document with texts in place of its mentions."""
    if not isinstance(node, dict) or depth > DEEPEST:
        return node
    if node.get("type") == "mention":
        attributes = node.get("attrs")
        return {"type": "text", "text": shown(attributes.get("id") if isinstance(attributes, dict) else None, names)}
    content = node.get("content")
    if not isinstance(content, list):
        return node
    return {**node, "content": [in_document(child, names, depth + 1) for child in content]}


def learn(integration: AnyIntegration, look_up: LookUp, *texts: object) -> dict[str, str]:
    """Return the names of those whom texts mention; who is not known yet is looked up.

    Raises:
        RetryLater: Jira cannot be asked just now.
    """
    ids = mentioned(*texts)
    if not ids:
        return {}
    known = _known(integration)
    news = {}
    for account_id in ids:
        if account_id in known or _is_unknown(integration, account_id):
            continue
        name = _name(look_up, account_id)
        if name:
            news[account_id] = name
        else:
            integration.cache[f"nobody {account_id}"] = integration.clock.monotonic()
    if news:
        known = dict(list({**known, **news}.items())[-MOST_NAMES:])
        _remember(integration, known)
    return {account_id: known[account_id] for account_id in ids if account_id in known}


def recall(integration: AnyIntegration, *texts: object) -> dict[str, str] | None:
    """Return the names of those whom texts mention, without asking Jira; None when somebody has to be looked up."""
    ids = mentioned(*texts)
    if not ids:
        return {}
    try:
        known = _known(integration)
    except RetryLater:
        return None
    if any(account_id not in known and not _is_unknown(integration, account_id) for account_id in ids):
        return None
    return {account_id: known[account_id] for account_id in ids if account_id in known}


def _search(node: Any, found: list[str], depth: int) -> None:  # noqa: ANN401 - JSON
    if not isinstance(node, dict) or depth > DEEPEST:
        return
    attributes = node.get("attrs")
    if node.get("type") == "mention" and isinstance(attributes, dict) and isinstance(attributes.get("id"), str):
        found.append(attributes["id"])
    content = node.get("content")
    for child in content if isinstance(content, list) else ():
        _search(child, found, depth + 1)


def _known(integration: AnyIntegration) -> dict[str, str]:
    kept = integration.cache.get(NAMES)
    if not isinstance(kept, dict):
        kept = integration.memory.recall(NAMES)
        kept = {str(one): str(name) for one, name in kept.items()} if isinstance(kept, dict) else {}
        integration.cache[NAMES] = kept
    return kept


def _remember(integration: AnyIntegration, names: dict[str, str]) -> None:
    integration.cache[NAMES] = names
    try:
        integration.memory.remember(NAMES, names)
    except RetryLater as exc:  # the database is busy; what is not remembered is asked again after a restart
        integration.log.info("names_not_remembered", code=exc.code, reason=exc.message)


def _is_unknown(integration: AnyIntegration, account_id: str) -> bool:
    since = integration.cache.get(f"nobody {account_id}")
    return isinstance(since, float) and integration.clock.monotonic() - since < UNKNOWN_FOR_S


def _name(look_up: LookUp, account_id: str) -> str:
    """Ask who somebody is; nothing where Jira does not know or does not say."""
    try:
        person = look_up(account_id)
    except (ConfigError, RemoteError, AuthError):
        return ""
    name = person.get("displayName") if person is not None else None
    line = " ".join(texts.clean(name).split()) if isinstance(name, str) else ""
    return "" if account_id in line else truncate(line, LONGEST_NAME)
