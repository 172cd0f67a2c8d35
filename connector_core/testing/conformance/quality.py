"""The quality table of a plugin, made from what its checks showed; in tiers, each on top of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TIERS = ("bronze", "silver", "gold", "platinum")


@dataclass(frozen=True)
class Rule:
    """One promise, and the checks that prove it, by how their names begin."""

    tier: str
    promise: str
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """How checks ended, and why some were left out, by their names."""

    outcomes: Mapping[str, str]
    reasons: Mapping[str, str]

    def of(self, rule: Rule) -> tuple[str, str]:
        """Return the state of a rule, and the reason where it is not simply done."""
        names = [name for name in self.outcomes if name.startswith(rule.checks)]
        if not names:
            return "todo", "not tried"
        if failed := [name for name in names if self.outcomes[name] == "failed"]:
            return "todo", f"fails: {failed[0].removeprefix('test_').replace('_', ' ')}"
        reasons = sorted({self.reasons[name] for name in names if name in self.reasons})
        if all(self.outcomes[name] == "skipped" for name in names):
            return "exempt", "; ".join(reasons)
        return ("done, with a limit", "; ".join(reasons)) if reasons else ("done", "")


RULES = (
    Rule("bronze", "A ticket says what the incident says", ("test_a_ticket_shows", "test_priorities_keep")),
    Rule("bronze", "One ticket, whatever becomes of the answer", ("test_one_ticket", "test_a_look_")),
    Rule("bronze", "Only what was asked for is written", ("test_only_what", "test_a_new_", "test_after_a_look")),
    Rule("bronze", "A resolved incident closes its ticket, once", ("test_a_resolved", "test_closing_twice")),
    Rule("bronze", "What somebody finished stays as it is", ("test_a_done_ticket", "test_what_a_person_finished")),
    Rule("bronze", "Our own words never come back as a change", ("test_no_text_comes", "test_no_description")),
    Rule("silver", "A page that fails makes no ticket gone", ("test_no_fault_makes", "test_a_page_that_says_404")),
    Rule(
        "silver",
        "Deleted tickets are told from those that are there",
        ("test_a_deleted_ticket_is_gone", "test_a_write_to_a_deleted", "test_what_cannot_be_there"),
    ),
    Rule(
        "silver",
        "No person's change is written over unseen",
        ("test_no_persons_change", "test_a_persons_change_that"),
    ),
    Rule("silver", "Changes just before the last look are not missed", ("test_a_change_within",)),
    Rule("silver", "Limits are waited for, and nothing is made meanwhile", ("test_a_limit_creates",)),
    Rule("silver", "A write that failed can be repeated", ("test_a_write_that_failed", "test_a_close_that_failed")),
    Rule(
        "silver",
        "What is silently dropped is not called written",
        ("test_a_field_that_is_dropped", "test_a_close_that_did_nothing"),
    ),
    Rule("silver", "A search that is not exact leads to no wrong ticket", ("test_a_search_that",)),
    Rule(
        "gold",
        "Deliveries are believed from their sender only",
        ("test_another_secret", "test_a_changed_body", "test_a_spoiled_header", "test_one_of_two", "test_who_sent_it"),
    ),
    Rule(
        "gold",
        "Doubled, old and reordered deliveries do no harm",
        ("test_a_delivery_has_one", "test_an_old_delivery", "test_an_older_delivery"),
    ),
    Rule(
        "gold",
        "What people do is told at once",
        ("test_a_delivery_tells", "test_a_finished_ticket_is_told", "test_a_deleted_ticket_is_told"),
    ),
    Rule(
        "gold",
        "Comments: each once, internal ones never shown",
        (
            "test_a_comment_is",
            "test_a_public_comment",
            "test_one_comment",
            "test_a_look_for_a_comment",
            "test_a_persons_comment",
        ),
    ),
    Rule(
        "gold",
        "Set-up asks for settings, from lists that load",
        ("test_each_question", "test_lists_load", "test_first_choices", "test_set_up_begins"),
    ),
    Rule("gold", "A choice that is gone is found", ("test_an_id_that_is_gone", "test_a_working_integration")),
    Rule("gold", "Checks write nothing and tell what they could not ask", ("test_checks_",)),
    Rule("platinum", "The whole life in the daemon, through kills", ("test_daemon_",)),
    Rule("platinum", "Set up in the browser, from nothing to active", ("test_browser_",)),
)


SOURCE_RULES = (
    Rule("bronze", "An incident is told from opening to close, each once", ("test_source_tells_an_incident",)),
    Rule("bronze", "Nothing open is ever told as closed", ("test_source_closes_nothing",)),
    Rule("bronze", "What was opened before is not new", ("test_source_tells_nothing_of_before",)),
    Rule("silver", "A look that is made again names its events alike", ("test_source_tells_the_same",)),
    Rule("silver", "All pages are read, also when they shift", ("test_source_reads_all", "test_source_loses_nothing")),
    Rule("silver", "Limits are waited for", ("test_source_waits",)),
    Rule(
        "gold", "Closing is repeatable, and what is not taken is said", ("test_source_closes_an", "test_source_writes_")
    ),
    Rule("gold", "Pushes are believed from their sender only", ("test_source_believes", "test_source_knows_a_push")),
    Rule(
        "gold",
        "Checks write nothing and tell what they could not ask",
        ("test_source_is_checked", "test_source_tells_what"),
    ),
)


def rules_for(tried: Tried) -> tuple[Rule, ...]:
    """Return the rules of a source for what only sources are tried with, otherwise those of a ticketing plugin."""
    return SOURCE_RULES if all(name.startswith("test_source_") for name in tried.outcomes) else RULES


def tier_of(tried: Tried) -> str:
    """Return the highest tier all of whose rules, and of those below, are kept; nothing where not even the first is."""
    reached, rules = "", rules_for(tried)
    for tier in TIERS:
        of_it = [rule for rule in rules if rule.tier == tier]
        if not of_it or any(tried.of(rule)[0] == "todo" for rule in of_it):
            break
        reached = tier
    return reached


def table(tried: Tried) -> str:
    """Return the table in Markdown, with the tier above it."""
    rows = ["| Tier | Rule | State | Reason |", "|---|---|---|---|"]
    for rule in rules_for(tried):
        state, reason = tried.of(rule)
        rows.append(f"| {rule.tier} | {rule.promise} | {state} | {reason.replace('|', '/')} |")
    return f"Tier: **{tier_of(tried) or 'none yet'}**\n\n" + "\n".join(rows)
