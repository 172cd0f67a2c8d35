"""Moving a ticket to its close status, over as many transitions as it takes.

What is configured is the status, not the transition: transitions belong to a workflow and differ by where a ticket
stands. The way is the shortest known one that leads through no other done status; where none is known, the ticket is
moved on to see what lies behind. What Jira refuses is tried another way, then a person is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from connector_core import (
    AuthError,
    ConfigError,
    Incident,
    Integration,
    Receipt,
    RemoteError,
    RetryLater,
    TicketGone,
    TicketSnapshot,
)
from connector_jira_jsm import mapping, texts
from connector_jira_jsm.answers import FieldsRefused
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.commenting import leave_note
from connector_jira_jsm.fields import of_screen
from connector_jira_jsm.filling import Gap, fill, fill_screen
from connector_jira_jsm.forms import priorities
from connector_jira_jsm.settings import DO_NOT_CLOSE, Fallback, JiraSettings, active_settings
from connector_jira_jsm.workflow import RESOLUTION, Step, Workflow, place_of

MOST_CALLS = 40  # a workflow that changes while it is walked must end too


def close(integration: Integration, client: JiraClient, ticket: TicketSnapshot, incident: Incident) -> Receipt:
    """Close the ticket, unless people do that or have done it."""
    settings = active_settings(integration)
    if settings.close_status == DO_NOT_CLOSE:
        return Receipt(ticket=ticket, note="Tickets are not closed automatically (Close Status).")
    if ticket.done:
        return Receipt(ticket=ticket)
    return _Walk(integration, client, settings, incident, ticket).run()


@dataclass
class _Walk:
    """One ticket on its way to the close status."""

    integration: Integration
    client: JiraClient
    settings: JiraSettings
    incident: Incident
    ticket: TicketSnapshot
    taken: list[Step] = field(default_factory=list)
    visited: set[str] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)
    blocked: set[tuple[str, str]] = field(default_factory=set)
    refusal: RemoteError | None = None

    def __post_init__(self) -> None:
        place = place_of(self.ticket.key, self.settings.request_type)
        self.workflow = Workflow(self.integration, place)

    def run(self) -> Receipt:
        """Walk until the ticket is closed; raise what is in the way when it cannot be."""
        for _ in range(MOST_CALLS):
            step = self._next()
            if step is None:
                return self._ended()
            if self._took(step) and self._is_goal(step):
                return self._arrived(step)
            if self.ticket.done:
                return Receipt(ticket=self.ticket, note="The ticket was closed already.")
        raise RetryLater("The workflow of the ticket changes while it is closed.", code="workflow_unsteady")

    # Choosing

    def _next(self) -> Step | None:
        """Choose the next step: towards the close status, to where nobody looked yet, to another done status."""
        self.visited.add(self.ticket.status)
        step = self._towards(self._is_target) or self._unseen()
        if step is None and Fallback.OTHER_DONE in self.settings.close_fallback:
            step = self._towards(self._is_done)
        return step

    def _towards(self, goal: Callable[[Step], bool]) -> Step | None:
        """Return the first step of the shortest way, looking around when the way begins with a hint or with nothing."""
        path = self.workflow.path(self.ticket.status, goal, self._may_be_taken)
        if (path is None or path[0].is_hint) and self._look():  # a hint counts only until somebody looked
            path = self.workflow.path(self.ticket.status, goal, self._may_be_taken)
        return path[0] if path else None

    def _unseen(self) -> Step | None:
        """Choose a step to an open status that nobody looked at, nor this ticket stood in."""
        if not self.settings.close_explore:
            return None
        for step in self.workflow.steps(self.ticket.status) or ():
            is_new = step.to_name not in self.visited and self.workflow.steps(step.to_name) is None
            if is_new and not step.done and self._may_be_taken(self.ticket.status, step):
                return step
        return None

    def _look(self) -> bool:
        """Ask what leads on from here, once; tell whether that was news."""
        here = self.ticket.status
        if here in self.looked_at:
            return False
        self.looked_at.add(here)
        self.workflow.learn(here, self.client.transitions(self.ticket.id), frozenset(self.settings.close_fields))
        return True

    def _may_be_taken(self, status: str, step: Step) -> bool:
        return (status, step.id) not in self.blocked and not self._gaps(step)

    def _gaps(self, step: Step) -> tuple[Gap, ...]:
        return fill_screen(step.screen, self.settings.close_fields, self.incident).fatal

    def _is_target(self, step: Step) -> bool:
        return step.to == self.settings.close_status

    def _is_done(self, step: Step) -> bool:
        return step.done

    def _is_goal(self, step: Step) -> bool:
        return self._is_target(step) or step.done

    # Walking

    def _took(self, step: Step) -> bool:
        """Take a step; after a refusal look where the ticket stands, and what leads on from there, once more."""
        values = dict(fill_screen(step.screen, self.settings.close_fields, self.incident).values)
        try:
            self._transition(step, values)
        except TicketGone:
            raise
        except RemoteError as exc:
            self.integration.log.info("transition_refused", ticket=self.ticket.key, step=step.name, detail=exc.detail)
            self._refused(step, exc)
            return False
        self.taken.append(step)
        self.ticket = self.ticket.model_copy(update={"status": step.to_name, "done": step.done})
        return True

    def _transition(self, step: Step, values: dict[str, object]) -> None:
        try:
            self.client.transition(self.ticket.id, step.id, values)
        except FieldsRefused as exc:
            # Validators ask for fields that no list calls required, and that may not even be on the screen.
            asked = frozenset(exc.fields) - frozenset(values)
            more = self._resolution(step) if RESOLUTION in asked else {}
            if not more and not self._was_set_beforehand(asked):
                raise
            self.client.transition(self.ticket.id, step.id, {**values, **more})

    def _resolution(self, step: Step) -> dict[str, object]:
        shown = [replace(one, required=True, has_value=False) for one in step.screen if one.id == RESOLUTION]
        return dict(fill_screen(shown, self.settings.close_fields, self.incident).values)

    def _was_set_beforehand(self, asked: frozenset[str]) -> bool:
        """Set fields that a validator asks for and no screen has by an edit, if settings have values for them."""
        texts_of = {name: text for name, text in self.settings.close_fields.items() if name in asked}
        if not texts_of:
            return False
        form = [of_screen(name, shown) for name, shown in self.client.edit_fields(self.ticket.id).items()]
        values = fill(form, texts_of, self.incident).values
        if not values:
            return False
        self.client.edit_issue(self.ticket.id, values)
        return True

    def _refused(self, step: Step, exc: RemoteError) -> None:
        here = self.ticket.status
        if here not in self.looked_at:
            # What was remembered may be out of date, and a person may have moved the ticket.
            self.ticket = self._now()
            if not self.ticket.done:
                self._look()
            if self.ticket.status != here or step not in (self.workflow.steps(here) or ()):
                return
        self.blocked.add((here, step.id))
        self.refusal = exc
        if Fallback.OTHER_PATH not in self.settings.close_fallback:
            raise self._for_a_person(exc)

    # Ending

    def _arrived(self, step: Step) -> Receipt:
        notes = []
        if len(self.taken) > 1:
            notes.append(f"Closed over {' → '.join(one.to_name for one in self.taken)}.")
        if not self._is_target(step):
            notes.append(f'No way led to the close status; "{step.to_name}" was taken, which counts as done too.')
        if not step.done:
            notes.append(f'"{step.to_name}" is not of the category Done: Jira still sees the ticket as open.')
        ticket = self._seen_last() if len(self.taken) > 1 else self.ticket
        return Receipt(ticket=ticket, note=" ".join(notes))

    def _seen_last(self) -> TicketSnapshot:
        """Read the ticket: what Jira tells later about the steps in between is then known to be older."""
        try:
            return self._now()
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            self.integration.log.info("closed_ticket_not_read", ticket=self.ticket.key, reason=exc.message)
            return self.ticket

    def _ended(self) -> Receipt:
        """Find out why nothing leads on: because the ticket is there, or because the workflow has no way."""
        issue = self.client.issue(self.ticket.id)
        offered, site_url = priorities(self.integration, self.client), self.client.site_url()
        self.ticket = mapping.snapshot(issue, offered, site_url) or self.ticket
        shown = issue.get("fields")
        status = shown.get("status") if isinstance(shown, dict) else None
        if self.ticket.done or (isinstance(status, dict) and str(status.get("id")) == self.settings.close_status):
            return Receipt(ticket=self.ticket, note="The ticket was in its close status already.")
        raise self._for_a_person(self._why())

    def _why(self) -> RemoteError:
        steps = self.workflow.steps(self.ticket.status) or ()
        lacking = [(step, gaps) for step in steps if self._is_goal(step) and (gaps := self._gaps(step))]
        if lacking:
            step, gaps = lacking[0]
            names = ", ".join(gap.field.name for gap in gaps)
            return RemoteError(
                f'The transition "{step.name}" needs fields that have no value: {names}.',
                code="transition_needs_fields",
                fix=texts.SCREEN_FIX,
            )
        if self.refusal is not None:
            return RemoteError(
                f'The ticket stands at "{self.ticket.status}" and cannot be closed. {self.refusal.message}',
                code="close_refused",
                detail=self.refusal.detail,
                fix=texts.WORKFLOW_FIX,
            )
        offered = "" if steps else " Jira offers no transition at all: the account may lack Transition issues."
        return RemoteError(
            f'No way is known from "{self.ticket.status}" to the close status, or to any status of the category Done.'
            f"{offered}",
            code="no_close_transition",
            fix=texts.WORKFLOW_FIX,
        )

    def _for_a_person(self, error: RemoteError) -> RemoteError:
        """Ask a person in the ticket, where that is wanted, once for each reason."""
        if Fallback.COMMENT not in self.settings.close_fallback:
            return error
        key = f"asked {self.ticket.id}"
        if self.integration.memory.recall(key) == error.message:
            return error
        try:
            text = texts.PLEASE_CLOSE.format(reason=error.message)
            leave_note(self.client, self.ticket.id, text)
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            self.integration.log.info("comment_not_left", ticket=self.ticket.key, reason=exc.message)
        else:
            self.integration.memory.remember(key, error.message)
            error.message += " A comment on the ticket asks a person to close it."
        return error

    def _now(self) -> TicketSnapshot:
        offered, site_url = priorities(self.integration, self.client), self.client.site_url()
        return mapping.snapshot(self.client.issue(self.ticket.id), offered, site_url) or self.ticket
