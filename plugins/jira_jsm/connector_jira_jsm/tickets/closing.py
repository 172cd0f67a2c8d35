"""Moving a ticket to its close status, over as many transitions as it takes.

What is configured is the status, not the transition: transitions belong to a workflow and differ by where a ticket
stands. So each step begins with where the ticket is and what leads on from there, read in one answer; what somebody
finished is not touched. What Jira refuses is tried another way, then a person is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connector_core import (
    AuthError,
    ConfigError,
    Incident,
    Receipt,
    RemoteError,
    RetryLater,
    TicketGone,
    TicketSnapshot,
)
from connector_core.kit.values import Json
from connector_jira_jsm import sentences
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields.form_fields import FILLING, of_screen
from connector_jira_jsm.settings import DO_NOT_CLOSE, Fallback, JiraIntegration, JiraSettings
from connector_jira_jsm.tickets.comments import leave_note
from connector_jira_jsm.tickets.planning import next_step
from connector_jira_jsm.tickets.refusals import Refusals, Values
from connector_jira_jsm.tickets.workflow import Here, Step, Workflow, place_of

MOST_STEPS = 40  # a workflow that changes while it is walked must end too
JUST_AFTER = timedelta(milliseconds=1)


def close(
    integration: JiraIntegration,
    client: JiraClient,
    ticket: TicketSnapshot,
    incident: Incident,
    note: Json | None = None,
) -> Receipt:
    """Close the ticket, unless people do that or have done it; our note goes along with the first step.

    Look, plan, step, until the ticket is closed: somebody may have moved it, and one that is done is not written.

    Raises:
        RemoteError: it cannot be closed; says what is in the way.
    """
    settings = integration.settings
    if settings.close_status == DO_NOT_CLOSE:
        return Receipt(ticket=ticket, note="Tickets are not closed automatically (Close Status).")
    if ticket.done:
        return Receipt(ticket=ticket)
    closing = _Closing(integration, client, settings, ticket, note, Refusals(settings.close_fields, incident))
    for _ in range(MOST_STEPS):
        here = closing.look()
        if here.ticket.done or here.status_id == settings.close_status:
            return _was_there(closing, here)
        step = closing.plan(here)
        if step is None:
            raise _for_a_person(closing, _why(closing, here))
        if closing.step(here, step) and step.done is not None and _is_goal(step, settings):
            return _arrived(closing, step)
    raise RetryLater("The workflow of the ticket changes while it is closed.", code="workflow_unsteady")


@dataclass
class _Closing:
    """One ticket on its way to the close status."""

    integration: JiraIntegration
    client: JiraClient
    settings: JiraSettings
    #: The ticket as it was last seen or moved.
    ticket: TicketSnapshot
    #: Our note, until it was sent along with a step.
    note: Json | None
    refusals: Refusals
    taken: list[Step] = field(default_factory=list)
    #: The statuses that the ticket stood in.
    visited: set[str] = field(default_factory=set)

    def look(self) -> Here:
        """Read where the ticket stands now and what leads on from there."""
        wanted, anew = frozenset(self.settings.close_fields), self.ticket.status in self.refusals.doubted
        here = self._workflow().look(self.client, self.ticket.id, wanted, anew=anew)
        self.ticket = here.ticket.over(self.ticket)
        self.visited.add(self.ticket.status)
        return here

    def plan(self, here: Here) -> Step | None:
        """Choose the next step; None when none is left, or settings allow no other after a refusal."""
        if self.refusals.last is not None and Fallback.OTHER_PATH not in self.settings.close_fallback:
            return None
        chart = self._workflow().around(here.ticket.status, here.steps)
        return next_step(chart, self.refusals.barred(chart), self.visited, self.settings)

    def step(self, here: Here, step: Step) -> bool:
        """Take a step; after a refusal the next look decides what to do."""
        values = self.refusals.values_of(step)
        try:
            self._transition(step, values)
        except TicketGone:
            raise
        except RemoteError as exc:
            self.integration.log.info("transition_refused", ticket=self.ticket.key, step=step.name, detail=exc.detail)
            if not self.refusals.adapt(step, exc, values) and not self._set_beforehand(exc, values):
                self.refusals.block(here, step, exc)
            return False
        self.taken.append(step)
        after: dict[str, object] = {"status": step.to_name, "done": step.done is True}
        if self.ticket.updated is not None:
            # What Jira tells later about the steps before is then known to be older.
            after["updated"] = self.ticket.updated + JUST_AFTER
        self.ticket = self.ticket.model_copy(update=after)
        return True

    def _workflow(self) -> Workflow:
        """Return the workflow of the project that the ticket is in; it may have been moved."""
        return Workflow(self.integration, place_of(self.ticket.key, self.settings.request_type))

    def _transition(self, step: Step, values: Values) -> None:
        note, self.note = self.note, None
        try:
            self.client.transition(self.ticket.id, step.id, values, note)
        except (ConfigError, RemoteError) as exc:
            # Properties may need another permission than transitions do.
            is_about_the_note = isinstance(exc, ConfigError) or "propert" in exc.detail.casefold()
            if note is None or not is_about_the_note:
                raise
            self.client.transition(self.ticket.id, step.id, values)

    def _set_beforehand(self, refusal: RemoteError, values: Values) -> bool:
        """Set fields that a validator asks for and no screen has by an edit, if settings have values for them."""
        texts = self.refusals.to_set_beforehand(refusal, values)
        if not texts:
            return False
        form = [of_screen(name, shown) for name, shown in self.client.edit_fields(self.ticket.id).items()]
        fields = FILLING.fill(form, texts, self.refusals.incident).values
        if not fields:
            return False
        if not self.look().ticket.done:
            self.client.edit_issue(self.ticket.id, fields)
        return True


def _is_goal(step: Step, settings: JiraSettings) -> bool:
    return step.to == settings.close_status or step.done is True


def _arrived(closing: _Closing, step: Step) -> Receipt:
    notes = []
    if len(closing.taken) > 1:
        notes.append(f"Closed over {' → '.join(one.to_name for one in closing.taken)}.")
    if step.to != closing.settings.close_status:
        notes.append(f'No way led to the close status; "{step.to_name}" was taken, which counts as done too.')
    if not step.done:
        notes.append(f'"{step.to_name}" is not of the category Done: Jira still sees the ticket as open.')
    if left_out := closing.refusals.left_out:
        notes.append(f"Left out, since Jira refused it: {'; '.join(left_out.values())}.")
    return Receipt(ticket=closing.ticket, note=" ".join(notes))


def _was_there(closing: _Closing, here: Here) -> Receipt:
    """Leave a ticket as it is that stands where it was to go, or that somebody finished."""
    if here.status_id == closing.settings.close_status and not here.ticket.done:
        return Receipt(ticket=closing.ticket, note="The ticket was in its close status already.")
    return Receipt(ticket=closing.ticket, note="The ticket was closed already.")


def _why(closing: _Closing, here: Here) -> RemoteError:
    """Return what is in the way; what was refused is told as it is where settings allow no other path."""
    refusals, settings = closing.refusals, closing.settings
    if refusals.last is not None and Fallback.OTHER_PATH not in settings.close_fallback:
        return refusals.last
    lacking = [(step, gaps) for step in here.steps if _is_goal(step, settings) and (gaps := refusals.gaps(step))]
    if lacking:
        step, gaps = lacking[0]
        return RemoteError(
            f'The transition "{step.name}" needs fields that have no value: {", ".join(g.field.name for g in gaps)}.',
            code="transition_needs_fields",
            fix=sentences.SCREEN_FIX,
        )
    if refusals.last is not None:
        return RemoteError(
            f'The ticket stands at "{here.ticket.status}" and cannot be closed. {refusals.last.message}',
            code="close_refused",
            detail=refusals.last.detail,
            fix=sentences.WORKFLOW_FIX,
        )
    return _no_path(here.ticket.status, here.steps)


def _no_path(status: str, steps: Sequence[Step]) -> RemoteError:
    offered = "" if steps else " Jira offers no transition at all: the account may lack Transition issues."
    return RemoteError(
        f'No way is known from "{status}" to the close status, or to any status of the category Done.{offered}',
        code="no_close_transition",
        fix=sentences.WORKFLOW_FIX,
    )


def _for_a_person(closing: _Closing, error: RemoteError) -> RemoteError:
    """Ask a person in the ticket, where that is wanted, once for each reason; return the error to raise."""
    if Fallback.COMMENT not in closing.settings.close_fallback:
        return error
    memory, key = closing.integration.memory, f"asked {closing.ticket.id}"
    if memory.recall(key) == error.message:
        return error
    try:
        leave_note(closing.client, closing.ticket.id, sentences.PLEASE_CLOSE.format(reason=error.message))
    except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
        closing.integration.log.info("comment_not_left", ticket=closing.ticket.key, reason=exc.message)
        return error
    memory.remember(key, error.message)
    told = f"{error.message} A comment on the ticket asks someone to close it."
    return RemoteError(told, code=error.code, detail=error.detail, fix=error.fix)
