"""Telling people: each notifier in its turn, on threads of its own, whatever happens to it.

A turn of a notifier holds what is so against what was told, and sends at most one message:

1. What has changed is noted (`changes.follow`).
2. If something is due, a message's id is noted with all that it will say, before it is sent.
3. The channel sends it. Then it is noted that it was told, with how sending fares, in one transaction.

Killed between 2 and 3 the next turn, of whichever node, sends the same again under the same id: receivers tell by it
that they have the message already. A notifier that fails is tried again later and later, and holds up nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.http.outbound import Outbound
from connector_core.notify.changes import Notice, follow, is_held_back, to_tell
from connector_core.notify.conditions import Condition
from connector_core.notify.errors import PartlyTaken
from connector_core.notify.messages import Message, Writer
from connector_core.notify.sending import send
from connector_core.notify.settings import AnyNotifier
from connector_core.registry.notifiers import Notifier, Notifiers
from connector_core.store import Sending, Store

LOOK_EVERY_S = 30.0
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=30)
#: How often it is noted that a notifier is still there.
NOTED_EVERY = timedelta(hours=1)
_MOST_DOUBLINGS = 10

Send = Callable[[AnyNotifier, Message, Outbound], None]


@dataclass(frozen=True)
class Notifying:
    """Tells each notifier what it is to tell."""

    store: Store
    notifiers: Notifiers
    config: Config
    conditions_of: Callable[[str], Sequence[Condition]]
    clock: Clock
    log: FilteringBoundLogger
    send: Send = send
    #: Return what people call an organization, and an integration.
    organization_name: Callable[[str], str] = str
    called: Callable[[str], str] = str

    def intervals(self) -> dict[str, float]:
        """Return the seconds between two looks, by notifier."""
        return {one.id: LOOK_EVERY_S for one in self.notifiers.every() if one.settings is not None}

    def organization_of(self, notifier_id: str) -> str:
        """Return whose a notifier is."""
        return notifier_id.partition("/")[0]

    def do_turn(self, notifier_id: str) -> None:
        """See what is to be told by a notifier, and tell it."""
        notifier = self.notifiers.find(notifier_id)
        if notifier is None or notifier.settings is None:
            return
        organization, name, now = notifier.organization, notifier.name, self.clock.now()
        known = self.store.notifiers.sending(organization, name)
        if known is None or now - known.looked_at >= NOTED_EVERY:
            known = replace(known or Sending(organization, name, now), looked_at=now)
            self.store.notifiers.save_sending(organization, known)
        notices: Sequence[Notice] = self.store.notifiers.notices(organization, name)
        begun = [one for one in notices if one.message]
        if not begun:
            step = follow(notices, self.conditions_of(organization), notifier.settings, now)
            if step.changed or step.gone:
                self.store.notifiers.note(organization, name, step.changed, step.gone)
            notices = step.notices
        if known.next_try is not None and now < known.next_try:
            return
        if any(is_held_back(one, notifier.settings, now) for one in begun):
            return
        due = begun or self._begin(notifier, to_tell(notices, notifier.settings, now))
        if due:
            self._tell(notifier, notifier.settings, known, due, notices)

    def test(self, notifier: Notifier) -> None:
        """Send a test message now; one that works ends what is known of failures.

        Raises:
            ConnectorError: it was not taken, with the reason.
        """
        if notifier.settings is None:
            raise notifier.problem or ConnectorError("It cannot be used.")
        now = self.clock.now()
        message = self._writer(notifier, notifier.settings).test(message_id=_new_id(), now=now)
        known = self.store.notifiers.sending(notifier.organization, notifier.name)
        known = known or Sending(notifier.organization, notifier.name, now)
        try:
            self.send(notifier.settings, message, notifier.outbound)
        except ConnectorError as exc:
            self._note_failure(notifier, known, exc)
            raise
        self.store.notifiers.save_sending(notifier.organization, self._worked(notifier, known))

    # Private

    def _begin(self, notifier: Notifier, due: Sequence[Notice]) -> Sequence[Notice]:
        """Note which message will have some notices, before it is sent."""
        message_id = _new_id()
        begun = [replace(one, message=message_id) for one in due]
        if begun:
            self.store.notifiers.note(notifier.organization, notifier.name, begun, ())
        return begun

    def _tell(
        self,
        notifier: Notifier,
        settings: AnyNotifier,
        known: Sending,
        due: Sequence[Notice],
        notices: Sequence[Notice],
    ) -> None:
        told = {one.key for one in due}
        are_left = any(one.told_at is not None and one.ended_at is None for one in notices if one.key not in told)
        writer = self._writer(notifier, settings)
        message = writer.of(due, message_id=due[0].message, now=self.clock.now(), are_left=are_left)
        problem: ConnectorError | None = None
        try:
            self.send(settings, message, notifier.outbound)
        except PartlyTaken as exc:
            problem = exc
        except ConnectorError as exc:
            if not (isinstance(exc, RetryLater) and exc.outcome_unknown):
                again = [replace(one, message="") for one in due]  # it is written anew, as things are by then
                self.store.notifiers.note(notifier.organization, notifier.name, again, ())
            self._note_failure(notifier, known, exc)
            return
        sending = self._worked(notifier, known)
        if problem is not None:
            sending = replace(sending, code=problem.code, reason=problem.message, fix=problem.fix)
        now = self.clock.now()
        after = {one.key: one.was_told(now) for one in due}
        kept = [one for one in after.values() if one is not None]
        gone = [key for key, one in after.items() if one is None]
        self.store.notifiers.say_sent(notifier.organization, sending, kept, gone)
        self.log.info("notification_sent", organization=notifier.organization, notifier=notifier.name, lines=len(due))

    def _worked(self, notifier: Notifier, known: Sending) -> Sending:
        now = self.clock.now()
        if known.code:
            self.log.info(
                "notifier_works_again",
                organization=notifier.organization,
                notifier=notifier.name,
                since=known.failing_since,
            )
        return Sending(known.organization, known.name, known.looked_at, tried_at=now, worked_at=now)

    def _note_failure(self, notifier: Notifier, known: Sending, error: ConnectorError) -> None:
        """Keep why it failed, and when to try again; it is logged when it begins or fails in another way."""
        now = self.clock.now()
        if known.code != error.code:
            self.log.warning(
                "notifier_failing",
                organization=notifier.organization,
                notifier=notifier.name,
                code=error.code,
                reason=error.message,
                fix=error.fix,
            )
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(known.failures, _MOST_DOUBLINGS))
        if isinstance(error, RetryLater) and error.after_s is not None:
            wait = max(wait, timedelta(seconds=error.after_s))
        failing = replace(
            known,
            tried_at=now,
            failing_since=known.failing_since or now,
            failures=known.failures + 1,
            next_try=now + wait,
            code=error.code,
            reason=error.message,
            fix=error.fix,
        )
        self.store.notifiers.save_sending(notifier.organization, failing)

    def _writer(self, notifier: Notifier, settings: AnyNotifier) -> Writer:
        return Writer(
            public_url=self.config.server.public_url,
            organization=notifier.organization,
            organization_name=self.organization_name(notifier.organization),
            called=self.called,
            zone=settings.quiet_hours.zone if settings.quiet_hours is not None else "UTC",
        )


def _new_id() -> str:
    return f"msg_{uuid4().hex}"
