"""Moving a ticket to its close status, over as many transitions as it takes.

What is configured is the status, not the transition: transitions belong to a workflow and differ by where a ticket
stands. So each step begins with where the ticket is and what leads on from there, read in one answer; what somebody
finished is not touched. The way is the shortest known one that leads through no other done status; where none is known,
the ticket is moved on to see what lies behind. What Jira refuses is tried another way, then a person is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

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
from connector_jira_jsm import sentences
from connector_jira_jsm.api.bodies import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.responses import FieldsRefused, named_in
from connector_jira_jsm.fields.filling import Gap, fill, fill_screen
from connector_jira_jsm.fields.form_fields import of_screen
from connector_jira_jsm.settings import DO_NOT_CLOSE, Fallback, JiraSettings, active_settings
from connector_jira_jsm.tickets.comments import leave_note
from connector_jira_jsm.tickets.workflow import RESOLUTION, Here, Step, Workflow, place_of

MOST_STEPS = 40  # a workflow that changes while it is walked must end too
JUST_AFTER = timedelta(milliseconds=1)


def close(
    integration: Integration,
    client: JiraClient,
    ticket: TicketSnapshot,
    incident: Incident,
    note: Json | None = None,
) -> Receipt:
    """Close the ticket, unless people do that or have done it; our note goes along with the first step."""
    settings = active_settings(integration)
    if settings.close_status == DO_NOT_CLOSE:
        return Receipt(ticket=ticket, note="Tickets are not closed automatically (Close Status).")
    if ticket.done:
        return Receipt(ticket=ticket)
    return _Walk(integration, client, settings, incident, ticket, note).run()


@dataclass
class _Walk:
    """One ticket on its way to the close status."""

    integration: Integration
    client: JiraClient
    settings: JiraSettings
    incident: Incident
    ticket: TicketSnapshot
    note: Json | None = None
    taken: list[Step] = field(default_factory=list)
    visited: set[str] = field(default_factory=set)
    blocked: set[tuple[str, str]] = field(default_factory=set)
    more: dict[str, dict[str, object]] = field(default_factory=dict)  # by step, what a refusal asked for
    set_beforehand: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)  # statuses whose screens are to be read anew
    refusal: RemoteError | None = None

    def run(self) -> Receipt:
        """Walk until the ticket is closed; raise what is in the way when it cannot be.

        Each step begins with a look: somebody may have moved the ticket, and one that is done is not written.
        """
        for _ in range(MOST_STEPS):
            here = self._look()
            if here.ticket.done or here.status_id == self.settings.close_status:
                return self._was_there(here)
            if self.refusal is not None and Fallback.OTHER_PATH not in self.settings.close_fallback:
                raise self._for_a_person(self.refusal)
            step = self._next()
            if step is None:
                raise self._for_a_person(self._why())
            if self._took(here, step) and self._is_goal(step) and step.done is not None:
                return self._arrived(step)
        raise RetryLater("The workflow of the ticket changes while it is closed.", code="workflow_unsteady")

    # Choosing

    def _look(self) -> Here:
        """Read where the ticket stands now and what leads on from there."""
        anew = self.ticket.status in self.doubted
        here = self._workflow().look(self.client, self.ticket.id, frozenset(self.settings.close_fields), anew=anew)
        self.ticket = here.ticket.over(self.ticket)
        self.workflow = self._workflow()
        return here

    def _workflow(self) -> Workflow:
        """Return the workflow of the project that the ticket is in; it may have been moved."""
        return Workflow(self.integration, place_of(self.ticket.key, self.settings.request_type))

    def _next(self) -> Step | None:
        """Choose the next step: towards the close status, to where nobody looked yet, to another done status."""
        self.visited.add(self.ticket.status)
        step = self._towards(self._is_target) or self._unseen()
        if step is None and Fallback.OTHER_DONE in self.settings.close_fallback:
            step = self._towards(self._is_done)
        return step

    def _towards(self, goal: Callable[[Step], bool]) -> Step | None:
        """Return the first step of the shortest way."""
        path = self.workflow.path(self.ticket.status, goal, self._may_be_taken)
        return path[0] if path and not path[0].is_hint else None

    def _unseen(self) -> Step | None:
        """Choose a step to an open status that nobody looked at, nor this ticket stood in."""
        if not self.settings.close_explore:
            return None
        for step in self.workflow.steps(self.ticket.status) or ():
            is_new = step.to_name not in self.visited and self.workflow.steps(step.to_name) is None
            if is_new and step.done is False and self._may_be_taken(self.ticket.status, step):
                return step
        return None

    def _may_be_taken(self, status: str, step: Step) -> bool:
        return (status, step.id) not in self.blocked and not self._gaps(step)

    def _gaps(self, step: Step) -> tuple[Gap, ...]:
        given = self.more.get(step.id, {})
        lacking = fill_screen(step.screen, self.settings.close_fields, self.incident).fatal
        return tuple(gap for gap in lacking if gap.field.id not in given)

    def _is_target(self, step: Step) -> bool:
        return step.to == self.settings.close_status

    def _is_done(self, step: Step) -> bool:
        return step.done is True

    def _is_goal(self, step: Step) -> bool:
        return self._is_target(step) or step.done is True

    # Walking

    def _took(self, here: Here, step: Step) -> bool:
        """Take a step; after a refusal the next look decides what to do."""
        filled = dict(fill_screen(step.screen, self.settings.close_fields, self.incident).values)
        values = {name: value for name, value in filled.items() if name not in self.left_out}
        values |= self.more.get(step.id, {})
        try:
            self._transition(step, values)
        except TicketGone:
            raise
        except RemoteError as exc:
            self.integration.log.info("transition_refused", ticket=self.ticket.key, step=step.name, detail=exc.detail)
            if not self._made_up_for(step, exc, values):
                self._refused(here, step, exc)
            return False
        self.taken.append(step)
        after: dict[str, object] = {"status": step.to_name, "done": step.done is True}
        if self.ticket.updated is not None:
            # What Jira tells later about the steps before is then known to be older.
            after["updated"] = self.ticket.updated + JUST_AFTER
        self.ticket = self.ticket.model_copy(update=after)
        return True

    def _transition(self, step: Step, values: dict[str, object]) -> None:
        note, self.note = self.note, None
        try:
            self.client.transition(self.ticket.id, step.id, values, note)
        except (ConfigError, RemoteError) as exc:
            # Properties may need another permission than transitions do.
            is_about_the_note = isinstance(exc, ConfigError) or "propert" in exc.detail.casefold()
            if note is None or not is_about_the_note:
                raise
            self.client.transition(self.ticket.id, step.id, values)

    def _made_up_for(self, step: Step, exc: RemoteError, values: dict[str, object]) -> bool:
        """Prepare another try of a step that was refused for its fields: one more, one less, or one set beforehand.

        Validators ask for fields that no list calls required, and that may not even be on the screen.
        """
        screen = {one.id: one for one in step.screen}
        names = named_in(exc, {name: screen[name].name if name in screen else name for name in values})
        if optional := {name: text for name, text in names.items() if name in screen and not screen[name].insists}:
            self.left_out |= optional
            self.more.pop(step.id, None)
            return True
        asked = frozenset(exc.fields if isinstance(exc, FieldsRefused) else ()) - frozenset(values)
        if RESOLUTION in asked and step.id not in self.more and (more := self._resolution(step)):
            self.more[step.id] = more
            return True
        return self._was_set_beforehand(asked - self.set_beforehand - frozenset(self.left_out))

    def _resolution(self, step: Step) -> dict[str, object]:
        shown = [replace(one, required=True, has_value=False) for one in step.screen if one.id == RESOLUTION]
        return dict(fill_screen(shown, self.settings.close_fields, self.incident).values)

    def _was_set_beforehand(self, asked: frozenset[str]) -> bool:
        """Set fields that a validator asks for and no screen has by an edit, if settings have values for them."""
        texts_of = {name: text for name, text in self.settings.close_fields.items() if name in asked}
        if not texts_of:
            return False
        self.set_beforehand |= texts_of.keys()
        form = [of_screen(name, shown) for name, shown in self.client.edit_fields(self.ticket.id).items()]
        values = fill(form, texts_of, self.incident).values
        if not values:
            return False
        if not self._look().ticket.done:
            self.client.edit_issue(self.ticket.id, values)
        return True

    def _refused(self, here: Here, step: Step, exc: RemoteError) -> None:
        """Block a step that was refused, unless its screen was only remembered: that may be out of date."""
        status = here.ticket.status
        if step.id in here.recalled and status not in self.doubted:
            self.doubted.add(status)
            return
        self.blocked.add((status, step.id))
        self.refusal = exc

    # Ending

    def _arrived(self, step: Step) -> Receipt:
        notes = []
        if len(self.taken) > 1:
            notes.append(f"Closed over {' → '.join(one.to_name for one in self.taken)}.")
        if not self._is_target(step):
            notes.append(f'No way led to the close status; "{step.to_name}" was taken, which counts as done too.')
        if not step.done:
            notes.append(f'"{step.to_name}" is not of the category Done: Jira still sees the ticket as open.')
        if self.left_out:
            notes.append(f"Left out, since Jira refused it: {'; '.join(self.left_out.values())}.")
        return Receipt(ticket=self.ticket, note=" ".join(notes))

    def _was_there(self, here: Here) -> Receipt:
        """Leave a ticket as it is that stands where it was to go, or that somebody finished."""
        if here.status_id == self.settings.close_status and not here.ticket.done:
            return Receipt(ticket=self.ticket, note="The ticket was in its close status already.")
        return Receipt(ticket=self.ticket, note="The ticket was closed already.")

    def _why(self) -> RemoteError:
        steps = self.workflow.steps(self.ticket.status) or ()
        lacking = [(step, gaps) for step in steps if self._is_goal(step) and (gaps := self._gaps(step))]
        if lacking:
            step, gaps = lacking[0]
            names = ", ".join(gap.field.name for gap in gaps)
            return RemoteError(
                f'The transition "{step.name}" needs fields that have no value: {names}.',
                code="transition_needs_fields",
                fix=sentences.SCREEN_FIX,
            )
        if self.refusal is not None:
            return RemoteError(
                f'The ticket stands at "{self.ticket.status}" and cannot be closed. {self.refusal.message}',
                code="close_refused",
                detail=self.refusal.detail,
                fix=sentences.WORKFLOW_FIX,
            )
        offered = "" if steps else " Jira offers no transition at all: the account may lack Transition issues."
        return RemoteError(
            f'No way is known from "{self.ticket.status}" to the close status, or to any status of the category Done.'
            f"{offered}",
            code="no_close_transition",
            fix=sentences.WORKFLOW_FIX,
        )

    def _for_a_person(self, error: RemoteError) -> RemoteError:
        """Ask a person in the ticket, where that is wanted, once for each reason."""
        if Fallback.COMMENT not in self.settings.close_fallback:
            return error
        key = f"asked {self.ticket.id}"
        if self.integration.memory.recall(key) == error.message:
            return error
        try:
            text = sentences.PLEASE_CLOSE.format(reason=error.message)
            leave_note(self.client, self.ticket.id, text)
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            self.integration.log.info("comment_not_left", ticket=self.ticket.key, reason=exc.message)
        else:
            self.integration.memory.remember(key, error.message)
            error.message += " A comment on the ticket asks a person to close it."
        return error
