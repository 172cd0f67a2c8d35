"""The page about codes, made of what `codes.py` reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy

from connector_core.contract.models import AbsenceKind
from connector_core.health.refusals import EVENT_REASONS, REASONS
from connector_core.plugins import load_plugins
from connector_core.web.console.words import advice
from tools.reference.codes import Code, Supplement, read, supplement
from tools.reference.markdown import plain, table

INTRO = """\
# Codes

Errors, findings and refusals of the connector have a code that stays the same when a sentence is reworded: in logs
(`code`), in metrics (the label `code`), in `--json`, and in brackets behind a sentence, such as `[close_refused]`. Here
is each with its meaning and the way out. A `…` stands for what the sentence names. *In the console* is said where the
way differs there.
"""

#: The sections by what has to be done: title, what all of them have in common, and the way out where none is named.
SECTIONS = {
    "settings": (
        "Settings have to be edited",
        "A command ends with exit code 3, or 2 where its line is wrong. Nothing was changed.",
        "Change what the message names, and repeat the command.",
    ),
    "authorization": (
        "Access has to be authorized again",
        "A command ends with exit code 4. What comes in meanwhile is kept.",
        "Run: connector integrations authorize NAME",
    ),
    "later": (
        "It is tried again",
        "The other side, network or database cannot do it now. The daemon tries again; a command's exit code is 5.",
        "Nothing, unless it goes on for long: connector status says since when, connector doctor why.",
    ),
    "refused": (
        "The other side said no",
        "The same call would be refused again, so the link waits for someone. A command ends with exit code 1.",
        "Remove the cause that the message names, then: connector retry KEY",
    ),
    "state": (
        "Shown on links, integrations and in set-up",
        "What `connector status`, `connector links` and the console show while something is not as it should be.",
        "Do what the sentence says; connector explain KEY tells the whole story.",
    ),
    "finding": (
        "Findings of checks",
        "From `connector doctor`, from enabling an integration, and from the check each night.",
        "Look at the finding's detail in connector doctor, and correct what it names.",
    ),
    "fine": (
        "Findings that say that something works",
        "From the same checks.",
        "Nothing to do.",
    ),
    "turned-away": (
        "Requests that are turned away",
        "Deliveries and events that are not accepted, and not stored; `connector_rejected_total` counts them.",
        "The log line request_rejected has the reason.",
    ),
    "connection": (
        "Connections that are closed",
        "For a limit; see [connections and floods](../operations.md#connections-and-floods).",
        "Nothing, unless you know the sender: then raise the limit in server.limits.",
    ),
    "plugin": (
        "Mistakes of a plugin or of the connector",
        "The link or integration is left alone; all others go on.",
        "Tell the author of the plugin; the log has the traceback.",
    ),
}
_NAMES = re.compile(r"[^\W\d_]{2,}")


def page() -> str:
    """Return the whole page."""
    more = supplement()
    codes = with_computed(read().codes, more)
    titles = {f"connector_{plugin.name}": plugin.info.title for plugin in load_plugins().ready}
    parts = [INTRO]
    for kind, (title, about, default) in SECTIONS.items():
        rows = [
            _row(code, kind, default, more, titles)
            for code in (codes[name] for name in sorted(codes))
            if kind in code.kinds and not (kind == "fine" and "finding" in code.kinds)
        ]
        parts.append(f"## {title}\n\n{about}\n\n{table(('Code', 'Meaning', 'Way out'), rows)}")
    return "\n".join(parts)


def with_computed(codes: dict[str, Code], more: Supplement) -> dict[str, Code]:
    """Return the codes together with those that tables decide on."""
    every = deepcopy(codes)
    for place, names in more.computed.items():
        kind = "refused" if "event_wire" in place else "authorization" if "xyte" in place else "later"
        owner = next(part for part in place.split("/") if part.startswith("connector_"))
        for name in names:
            known = every.setdefault(name, Code(name))
            known.owners.add(owner)
            if not known.kinds:
                known.kinds.add(kind)
    for kind_of_absence in AbsenceKind:
        every.setdefault(kind_of_absence, Code(kind_of_absence, {"refused"}, {"connector_core"}))
    return every


def meaning_of(code: Code, kind: str, more: Supplement) -> list[str]:
    """Return the sentences that say what a code means."""
    if kind in {"turned-away", "connection"} and (reason := REASONS.get(code.name) or EVENT_REASONS.get(code.name)):
        return [f"{reason.title}."]
    return [more.meaning[code.name]] if code.name in more.meaning else _telling(code.meanings)


def fix_of(code: Code, kind: str, more: Supplement) -> list[str]:
    """Return what to do about a code; empty where the way out is that of its section."""
    if kind in {"turned-away", "connection"} and (reason := REASONS.get(code.name) or EVENT_REASONS.get(code.name)):
        return [reason.fix]
    if kind == "fine":
        return []
    return [more.fix[code.name]] if code.name in more.fix else _telling(code.fixes)


def _row(code: Code, kind: str, default: str, more: Supplement, titles: dict[str, str]) -> tuple[str, str, str]:
    owners = [titles.get(owner, "") for owner in sorted(code.owners) if owner != "connector_core"]
    of = f" ({', '.join(filter(None, owners))})" if owners and "connector_core" not in code.owners else ""
    way = [_sentence(text) for text in fix_of(code, kind, more) or [default]]
    if clicked := advice(code.name, ""):
        way.append(f"*In the console:* {_sentence(clicked)}")
    meaning = "<br>".join(map(_sentence, meaning_of(code, kind, more)))
    return f"`{code.name}`{of}", meaning, "<br>".join(way)


def _telling(texts: Iterable[str]) -> list[str]:
    """Leave out texts of which nothing is known but what is filled in."""
    return [text for text in texts if len(_NAMES.findall(text)) > 1]


def _sentence(text: str) -> str:
    shown = plain(text)
    return shown[:1].upper() + shown[1:]
