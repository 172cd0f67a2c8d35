"""Broken versions of a plugin, made without knowing it: lies in its session, and lies in what its hooks give back.

A suite that cannot fail proves nothing. Each mutant here is a fault that plugins have had or nearly had.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from connector_core.contract.errors import RemoteError
from connector_core.contract.models import FieldName, MarkedTicket, Receipt
from connector_core.testing.conformance import changes, lies, session_lies
from connector_core.testing.conformance.faults import Rule
from connector_core.testing.conformance.liar import Mutant

_READ = frozenset({"fetch_tickets"})
_HOOK = frozenset({"on_inbound_webhook"})
_WRITE_COMMENT = frozenset({"write_comment"})
_READ_COMMENTS = frozenset({"fetch_comments"})
_CHECK = frozenset({"check_integration"})
_ALL = frozenset({"on_incident_event", "fetch_tickets", "check_integration", "write_comment", "fetch_comments"})

MUTANTS: tuple[Mutant, ...] = (
    # What its session does
    Mutant(
        "every write answers 200 and does nothing",
        "shows_what",
        does=session_lies.session("yes", session_lies.yes(200, b"{}"), lambda: Rule.writes(times=None)),
    ),
    Mutant(
        "edits answer 204 and do nothing",
        "new_title",
        abilities=frozenset({"edit_title"}),
        does=session_lies.session("no edits", session_lies.yes(204, b""), lambda: Rule.calls(r"^(PUT|PATCH) ")),
    ),
    Mutant(
        "every write is made twice",
        "one_ticket",
        does=session_lies.session("twice", session_lies.twice, lambda: Rule.writes(times=None)),
    ),
    Mutant("a write whose answer was lost is made again at once", "one_ticket", does=session_lies.again_when_lost),
    Mutant("every refusal is taken for an empty answer", "no_fault", does=session_lies.believing(200)),
    Mutant("a read is answered as it was the first time", "person", does=session_lies.stale),
    # How a ticket is made
    Mutant("the marker is ignored: what was made is never found", "a_look", says=lies.never_created),
    Mutant("attempted_at is ignored: a look creates", "a_look", says=lies.looks_by_creating),
    Mutant("an unknown outcome is called known", "one_ticket", says=lies.raised(lies.without_outcome)),
    Mutant("a limit is called an unknown outcome", "a_limit", says=lies.raised(lies.always_unknown)),
    Mutant("the wait that was asked for is not told", "a_limit", says=lies.raised(lies.without_wait)),
    Mutant("a limit is a refusal for good", "a_limit", says=lies.raised(lambda exc: RemoteError(exc.message))),
    Mutant(
        "what was made is not told with what was found",
        "a_look",
        abilities=frozenset({"edit_title"}),
        says=lies.receipt(lambda receipt, _: receipt.model_copy(update={"as_created": None})),
    ),
    Mutant(
        "the description is dropped",
        "shows_what",
        abilities=frozenset({"description"}),
        says=lies.asked(lies.of_incident(lambda one: one.model_copy(update={"description": None}))),
    ),
    Mutant(
        "the title is cut",
        "shows_what",
        says=lies.asked(lies.of_incident(lambda one: one.model_copy(update={"title": one.title[:-3]}))),
    ),
    Mutant(
        "priorities are mixed up",
        "order",
        abilities=frozenset({"priority"}),
        says=lies.asked(lies.of_incident(lies.another_priority)),
    ),
    Mutant(
        "our own words come back as the description",
        "no_description",
        abilities=frozenset({"description"}),
        says=lies.receipt(lies.ticket(description="Reported by the connector.")),
    ),
    Mutant("the receipt has no key", "is_named", says=lies.receipt(lies.ticket(key="", url=None))),
    # How it is read
    Mutant(
        "done is always false",
        "person_finishes",
        hooks=_READ,
        says=lies.found(lambda one: one.model_copy(update={"done": False})),
    ),
    Mutant(
        "done is always true",
        "changes_is_read",
        hooks=_READ,
        says=lies.found(lambda one: one.model_copy(update={"done": True})),
    ),
    Mutant(
        "the time of the last change is dropped",
        "changes_is_read",
        hooks=_READ,
        abilities=frozenset({"edit_title"}),
        says=lies.found(lambda one: one.model_copy(update={"updated": None})),
    ),
    Mutant(
        "titles come back with spaces at the end",
        "no_text",
        hooks=_READ,
        says=lies.found(lambda one: one.model_copy(update={"title": f"{one.title} "})),
    ),
    Mutant("a look that failed found nothing", "no_fault", hooks=_READ, says=lies.swallowed),
    Mutant("a look that failed says gone", "no_fault", hooks=_READ, says=lies.raised(lies.as_gone)),
    Mutant(
        "changed_since is taken for now",
        "margin",
        hooks=_READ,
        abilities=frozenset({"edit_title", "changed_since"}),
        says=lies.too_late,
    ),
    Mutant(
        "nothing ever changed since",
        "margin",
        hooks=_READ,
        abilities=frozenset({"edit_title", "changed_since"}),
        says=lies.never_changed,
    ),
    Mutant(
        "of several tickets one is read",
        "not_asked",
        hooks=_READ,
        says=lambda truth, hook, given: truth(hook, **given)[:1],
    ),
    Mutant(
        "a ticket that is gone is a wait",
        "write_to_a_deleted",
        abilities=frozenset({"delete_ticket", "edit_title"}),
        says=lies.raised(lies.never_gone),
    ),
    Mutant(
        "every ticket is absent",
        "a_deleted",
        hooks=frozenset({"explain_absence"}),
        abilities=frozenset({"delete_ticket"}),
        says=lambda truth, hook, given: {
            ticket.id: next(iter(truth(hook, **given).values())) for ticket in given["tickets"]
        },
    ),
    # How it is written
    Mutant(
        "a title is not written, and said to be", "new_title", abilities=frozenset({"edit_title"}), says=lies.claims
    ),
    Mutant(
        "all fields are written",
        "only_what",
        abilities=frozenset({"edit_title", "edit_priority"}),
        says=lies.only(
            changes.is_write,
            lies.asked(
                lambda one: one.model_copy(
                    update={
                        "fields": frozenset({FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY}),
                        "ticket": one.ticket.model_copy(update={"title": ""}),
                    }
                )
            ),
        ),
    ),
    Mutant(
        "a person's change is written over", "no_persons", abilities=frozenset({"edit_title"}), says=lies.writes_over
    ),
    Mutant(
        "a person's change behind a write is taken for what became of it",
        "right_behind",
        abilities=frozenset({"edit_title", "told_writes"}),
        says=lies.takes_theirs_for_ours,
    ),
    Mutant(
        "what does not show behind a write is written once more, whoever changed it",
        "right_behind",
        abilities=frozenset({"edit_title", "told_writes"}),
        says=lies.writes_over_what_came_behind,
    ),
    Mutant(
        "what was set in the moment of a write is not told",
        "a_write_replaced",
        abilities=frozenset({"edit_title", "told_writes"}),
        says=lies.silent_about_others,
    ),
    Mutant(
        "the receipt is of another ticket",
        "new_title",
        abilities=frozenset({"edit_title"}),
        says=lies.only(changes.is_write, lies.receipt(lies.ticket(id="0"))),
    ),
    Mutant(
        "an edit of a done ticket says nothing of it",
        "done_ticket",
        abilities=frozenset({"edit_title"}),
        says=lies.receipt(lambda receipt, _: receipt.model_copy(update={"untouched": False})),
    ),
    Mutant(
        "a close does nothing",
        "resolved",
        abilities=frozenset({"close"}),
        says=lies.only(changes.is_close, lambda truth, hook, given: Receipt(ticket=given["change"].ticket)),
    ),
    Mutant(
        "a close does nothing and says done",
        "resolved",
        abilities=frozenset({"close"}),
        says=lies.only(
            changes.is_close,
            lambda truth, hook, given: Receipt(ticket=given["change"].ticket.model_copy(update={"done": True})),
        ),
    ),
    # What it raises
    Mutant("errors are not of our tree", "limit", says=lies.raised(lies.other_error)),
    Mutant("errors tell secrets", "limit", hooks=_ALL, says=lies.leaking),
    # What comes in
    Mutant(
        "the secret is not looked at",
        "another_secret",
        hooks=_HOOK,
        abilities=frozenset({"signed_webhook"}),
        says=lies.any_secret,
    ),
    Mutant(
        "the body is not signed",
        "changed_body",
        hooks=_HOOK,
        abilities=frozenset({"signed_webhook"}),
        says=lies.headers_alone(),
    ),
    Mutant(
        "no signature is as good as a right one",
        "spoiled_header",
        hooks=_HOOK,
        abilities=frozenset({"signed_webhook"}),
        says=lies.unsigned(),
    ),
    Mutant(
        "deliveries are never understood", "tells_of", hooks=_HOOK, abilities=frozenset({"webhook"}), says=lies.mute
    ),
    Mutant(
        "a delivery has another name each time",
        "one_name",
        hooks=_HOOK,
        abilities=frozenset({"webhook"}),
        says=lies.delivery(id=lambda _: uuid4().hex),
    ),
    Mutant(
        "all deliveries have one name",
        "one_name",
        hooks=_HOOK,
        abilities=frozenset({"webhook"}),
        says=lies.delivery(id=lambda _: "delivery"),
    ),
    Mutant(
        "deliveries show another ticket",
        "tells_of",
        hooks=_HOOK,
        abilities=frozenset({"webhook"}),
        says=lies.delivery(
            tickets=lambda them: tuple(one.model_copy(update={"id": "0"}) for one in them), hints=lambda _: frozenset()
        ),
    ),
    Mutant(
        "deletions are not told",
        "deleted_ticket_is_told",
        hooks=_HOOK,
        abilities=frozenset({"webhook", "delete_ticket"}),
        says=lies.delivery(deleted=lambda _: frozenset(), hints=lambda _: frozenset()),
    ),
    Mutant(
        "a finish is not told",
        "finished_ticket_is_told",
        hooks=_HOOK,
        abilities=frozenset({"webhook"}),
        says=lies.delivery(
            tickets=lambda them: tuple(one.model_copy(update={"done": False}) for one in them),
            hints=lambda _: frozenset(),
        ),
    ),
    Mutant(
        "a forged delivery ends in an error",
        "spoiled",
        hooks=_HOOK,
        abilities=frozenset({"signed_webhook"}),
        says=lies.failing,
    ),
    # Comments
    Mutant(
        "a comment for us is public",
        "those_who_work",
        hooks=_WRITE_COMMENT,
        abilities=frozenset({"public_comments"}),
        says=lies.asked(lambda one: one.model_copy(update={"public": True}), "draft"),
    ),
    Mutant(
        "a public comment is internal",
        "public_comment",
        hooks=_WRITE_COMMENT,
        abilities=frozenset({"public_comments"}),
        says=lies.asked(lambda one: one.model_copy(update={"public": False}), "draft"),
    ),
    Mutant(
        "a comment that was written is never found",
        "look_for_a_comment",
        hooks=_WRITE_COMMENT,
        abilities=frozenset({"comments"}),
        says=lies.never_created,
    ),
    Mutant(
        "a look for a comment writes one",
        "look_for_a_comment",
        hooks=_WRITE_COMMENT,
        abilities=frozenset({"comments"}),
        says=lies.looks_by_creating,
    ),
    Mutant(
        "internal comments are called public",
        "those_who_work",
        hooks=_READ_COMMENTS,
        abilities=frozenset({"comments"}),
        says=lies.comments(internal=False),
    ),
    Mutant(
        "our own comments come back as somebody's",
        "those_who_work",
        hooks=_READ_COMMENTS,
        abilities=frozenset({"comments"}),
        says=lies.comments(own=False),
    ),
    Mutant(
        "all comments come each time",
        "of_before",
        hooks=_READ_COMMENTS,
        abilities=frozenset({"comments"}),
        says=lies.asked(lambda at: at - timedelta(days=3), "since"),
    ),
    # Marks
    Mutant(
        "a name finds whatever ticket",
        "what_people_call",
        hooks=frozenset({"find_tickets"}),
        abilities=frozenset({"find_by_name"}),
        says=lies.finds_whatever,
    ),
    Mutant(
        "a mark is said to be there and is not",
        "found_again",
        hooks=frozenset({"mark_ticket"}),
        abilities=frozenset({"marks"}),
        says=lambda truth, hook, given: MarkedTicket(),
    ),
    Mutant(
        "only the first of the marked tickets is listed",
        "are_listed",
        hooks=frozenset({"list_marked"}),
        abilities=frozenset({"listed_marks"}),
        says=lies.lists_one_mark,
    ),
    # Set-up
    Mutant("all is well, whatever is found", "id_that_is_gone", hooks=_CHECK, says=lies.all_is_well),
    Mutant("checks find nothing at all", "no_problem", hooks=_CHECK, says=lambda truth, hook, given: []),
    Mutant(
        "there are no steps", "what_they_are", hooks=frozenset({"configure_steps"}), says=lambda truth, hook, given: ()
    ),
    Mutant(
        "a question is no setting",
        "is_a_setting",
        hooks=frozenset({"configure_steps"}),
        says=lambda truth, hook, given: [
            replace(step, fields=tuple(replace(one, key=f"{one.key}_x") for one in step.fields))
            for step in truth(hook, **given)
        ],
    ),
)
