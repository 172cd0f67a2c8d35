"""People by name or e-mail address: what was typed in set-up becomes the account ids that Jira wants.

Found are people with an account; customers who only use the portal are listed by another API, whose scope is not asked
for. An account without the global permission to browse users finds nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from connector_core import AnyIntegration, Choice, ConfigError, is_template
from connector_core.kit import texts
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api.client import JiraClient

MOST_HITS = 20
_NAMES = ("displayName", "emailAddress")
_ACCOUNT = re.compile(r"(?=\S*\d)[\w:-]{10,255}")  # names of people and addresses look otherwise


def find_user(integration: AnyIntegration, text: str) -> list[Choice]:
    """Return whom a text may mean; a template is left as it is."""
    return _found(integration, [text.strip()], text)


def find_users(integration: AnyIntegration, text: str) -> list[Choice]:
    """Return whom a list with commas may mean, as whole lists: one for each hit where somebody is unclear."""
    return _found(integration, [part.strip() for part in text.split(",") if part.strip()], text)


def name_of(person: Json) -> str:
    """Return what people call somebody."""
    return texts.clean(str(person.get("displayName") or person.get("accountId")))


def _found(integration: AnyIntegration, parts: Sequence[str], text: str) -> list[Choice]:
    if is_template(text):
        return [Choice(text, text)]
    client = JiraClient(integration)
    sure: list[Json] = []
    for number, part in enumerate(parts):
        hits = _hits(client, part)
        if not hits:
            raise ConfigError(f"Jira knows nobody called {part[:80]}.", code="person_unknown", fix=sentences.PERSON_FIX)
        if len(hits) > 1:
            before, rest = [_id(one) for one in sure], parts[number + 1 :]
            return [Choice(", ".join([*before, _id(hit), *rest]), name_of(hit), note=_note(hit)) for hit in hits]
        sure += hits
    return [Choice(", ".join(map(_id, sure)), ", ".join(map(name_of, sure)))]


def _hits(client: JiraClient, part: str) -> list[Json]:
    """Return whom one text means: by account id, else exactly, else all whom a search finds."""
    if _ACCOUNT.fullmatch(part) and (known := client.user(part)) is not None:
        return [{**known, "accountId": part}]
    people = [one for one in client.find_users(part, MOST_HITS) if one.get("accountId") and _is_person(one)]
    wanted = part.casefold()
    exact = [one for one in people if wanted in {str(one.get(key)).casefold() for key in _NAMES}]
    return exact if len(exact) == 1 else people


def _is_person(found: Json) -> bool:
    return found.get("active") is not False and found.get("accountType") != "app"


def _id(person: Json) -> str:
    return str(person["accountId"])


def _note(person: Json) -> str:
    return texts.clean(str(person.get("emailAddress") or person["accountId"]))
