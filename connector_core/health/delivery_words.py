"""What came of a delivery or of a call, in words: the same in console, command line and export."""

from __future__ import annotations

from connector_core.health.refusals import EVENT_REASONS, REASONS
from connector_core.store import Logged, Result, Way

#: What people read for a result, and how good it is.
RESULTS = {
    Result.ACCEPTED: ("accepted", "good"),
    Result.DUPLICATE: ("duplicate", "fair"),
    Result.IGNORED: ("ignored", "fair"),
    Result.REFUSED: ("refused", "bad"),
    Result.PUT_OFF: ("try again later", "bad"),
    Result.ANSWERED: ("answered", "good"),
    Result.FAILED: ("error", "bad"),
    Result.NO_ANSWER: ("no answer", "bad"),
    Result.OMITTED: ("not logged", "fair"),
}
WAYS = {Way.IN: "in", Way.OUT: "out"}
_IGNORED = {
    "not_linked": "None of its tickets is linked.",
    "other_site": "It comes from another site than the integration's.",
    "no_integration": "No active integration takes this incident.",
}
_CALLS = {
    "unreachable": "Could not be reached.",
    "answer_lost": "No answer in time, or the connection was closed.",
    "tls_failed": "The certificate was not accepted.",
    "proxy_failed": "The proxy refused the call.",
    "answer_too_large": "The answer was too large.",
    "answers_too_many": "Too many large answers at once.",
}
#: Why a body is not kept.
NOT_KEPT = {
    "too_large": "Not kept: it is too large.",
    "binary": "Not kept: it is not text.",
    "files": "Not kept: it holds files.",
    "unreadable": "Not kept: it cannot be read.",
}
#: Why a replayed delivery failed.
REPLAY_FAILURES = {
    "gone": "no longer in the log, or its body was deleted",
    "integration_gone": "the integration was removed",
    "integration_inactive": "the integration is not active",
    "source_gone": "the source was removed",
    "not_stored": "the database could not store it",
    "unreadable": "it was written by another version",
}


def reason_of(entry: Logged) -> str:
    """Return why something was refused, ignored or failed; nothing where there is nothing to say."""
    match entry.result:
        case Result.REFUSED | Result.PUT_OFF:
            reasons = EVENT_REASONS if entry.kind == "events" else REASONS
            known = reasons.get(entry.code)
            return f"{known.title}." if known is not None else entry.code.replace("_", " ")
        case Result.IGNORED:
            return _IGNORED.get(entry.code, entry.code.replace("_", " "))
        case Result.NO_ANSWER:
            return _CALLS.get(entry.code, entry.code.replace("_", " "))
        case Result.OMITTED:
            return _omitted(entry)
        case _:
            return _counts(entry)


def _counts(entry: Logged) -> str:
    """Return how many events of a list became what."""
    counts = [
        (name, entry.facts[name]) for name in ("accepted", "duplicate", "ignored", "refused") if name in entry.facts
    ]
    return ", ".join(f"{number} {name}" for name, number in counts if number)


def _omitted(entry: Logged) -> str:
    refused, others = entry.facts.get("refused", 0), entry.facts.get("others", 0)
    parts = [f"{refused:,} refused deliveries"] if refused else []
    parts += [f"{others:,} deliveries or calls"] if others else []
    return f"{' and '.join(parts)} are not in the log: too many came at once."


def replay_failure(why: str) -> str:
    """Return why something of a replay was ignored or failed."""
    return REPLAY_FAILURES.get(why) or _IGNORED.get(why, "").rstrip(".").lower() or why.replace("_", " ")
